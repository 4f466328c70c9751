//! Binary frames that lie about themselves, sent by something that claims to be Bedrock.

use domain::AttemptOutcome;

use super::{
    super::harness::{Bench, Plan, Raw},
    clients::{CLIENTS, Speaks},
};

/// A text header.
fn header(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![u8::try_from(name.len()).unwrap()];
    out.extend(name.bytes());
    out.push(7);
    out.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    out.extend(value.bytes());
    out
}

/// CRC-32 (IEEE 802.3), bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn frame(headers: &[u8], payload: &str) -> Vec<u8> {
    let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let mut out = total.to_be_bytes().to_vec();
    out.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
    out.extend(crc(&out).to_be_bytes());
    out.extend(headers);
    out.extend(payload.bytes());
    out.extend(crc(&out).to_be_bytes());
    out
}

fn event(kind: &str, payload: &str) -> Vec<u8> {
    frame(&[header(":message-type", "event"), header(":event-type", kind)].concat(), payload)
}

const TEXT: &str = r#"{"contentBlockIndex":0,"delta":{"text":"hello"}}"#;

fn answer(frames: &[u8]) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n";
    let mut out = format!("{head}content-length: {}\r\n\r\n", frames.len()).into_bytes();
    out.extend(frames);
    // What follows the last bar is written apart.
    out.push(b'|');
    out
}

/// A provider that answers with these frames, and a sound one behind it.
async fn bench(frames: Vec<u8>) -> (Bench, [Raw; 2]) {
    let raw = Raw::start(move |_| Some(answer(&frames))).await;
    let sound = [
        event("messageStart", r#"{"role":"assistant"}"#),
        event("contentBlockDelta", TEXT),
        event("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        event("somethingNew", r#"{"x":1}"#),
        event("messageStop", r#"{"stopReason":"end_turn"}"#),
        event("metadata", r#"{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}"#),
    ];
    let sound = Raw::start(move |_| Some(answer(&sound.concat()))).await;
    let others = vec![raw.url.clone(), sound.url.clone()];
    let plan = Plan { simulators: 0, kinds: &["bedrock", "bedrock"], others, ..Plan::default() };
    let bench = Bench::start(plan).await;
    (bench, [raw, sound])
}

/// Clients of Anthropic's are answered in its words at Bedrock as well.
fn framed() -> impl Iterator<Item = Speaks> {
    CLIENTS.into_iter().filter(|client| *client != Speaks::Messages)
}

fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let sound = event("contentBlockDelta", TEXT);
    let flipped = |at: usize| {
        let mut frame = sound.clone();
        frame[at] ^= 1;
        frame
    };
    let length = |length: u32| {
        let mut frame = sound.clone();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        frame
    };
    let twice = [header(":event-type", "ping"), header(":event-type", "contentBlockDelta")].concat();
    vec![
        ("wrong checksum of the prelude", flipped(8)),
        ("wrong checksum of the message", flipped(sound.len() - 1)),
        ("changed payload", flipped(sound.len() - 10)),
        ("no length", length(0)),
        ("shorter than its checksums", length(15)),
        ("larger than is held", length(u32::MAX)),
        ("one header twice", frame(&twice, TEXT)),
        ("headers longer than the frame", {
            let mut frame = sound.clone();
            frame[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
            frame
        }),
        ("no JSON", event("contentBlockDelta", "hello")),
    ]
}

#[tokio::test]
async fn a_broken_frame_before_content_goes_to_the_next_target() {
    for (name, frames) in broken() {
        let (mut bench, _raws) = bench(frames).await;
        for client in framed() {
            let reply = client.ask(&bench, true).await;
            let said = client.said(&reply.body);
            assert_eq!((said.text.as_str(), said.whole), ("hello", true), "{client:?}: {name}: {reply:?}");
            let event = bench.event().await;
            assert_eq!(event.attempts[0].outcome, AttemptOutcome::Protocol, "{client:?}: {name}");
            assert!(!event.attempts[1].estimated, "{client:?}: {name}");
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn what_came_before_a_broken_frame_arrives_with_an_error_behind_it() {
    for (name, frames) in broken() {
        let whole = event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"good"}}"#);
        // More than one read takes in: the break comes when the start was believed.
        let filling = event("contentBlockDelta", &TEXT.replace("hello", &"x".repeat(1 << 20)));
        let (mut bench, _raws) = bench([whole, filling, frames].concat()).await;
        for client in framed() {
            let reply = client.ask(&bench, true).await;
            let said = client.said(&reply.body);
            assert!(said.text.starts_with("goodxxx"), "{client:?}: {name}");
            assert!(said.error.is_some() && !said.whole, "{client:?}: {name}");
            let event = bench.event().await;
            assert_eq!(event.attempts.len(), 1, "{client:?}: {name}");
            assert!(event.attempts[0].usage.output() > 100_000, "{client:?}: {name}");
        }
        bench.finish().await;
    }
}
