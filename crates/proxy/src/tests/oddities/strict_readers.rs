//! Readers of server-sent events that are stricter than the standard, on the streams of all pairs of dialects.

use serde_json::{Value, json};

use super::{
    PROVIDERS,
    clients::{CLIENTS, Speaks},
    two,
};
use crate::tests::harness::{Reply, credential};

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
}

/// Reads as openai-go did before its version 3.43: each blank line ends an event, whatever stood before it, and the data of
/// every event but `[DONE]` is JSON. What follows `[DONE]` is not looked at.
fn read_blocks(body: &str) -> Result<Vec<Event>, String> {
    let (mut events, mut event, mut done) = (Vec::new(), Event::default(), false);
    for line in body.split_inclusive('\n') {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            let ended = std::mem::take(&mut event);
            done |= ended.data.starts_with("[DONE]");
            if !done {
                let read: Result<Value, _> = serde_json::from_str(&ended.data);
                read.map_err(|error| format!("{error} in {ended:?}"))?;
                events.push(ended);
            }
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" => {}
            "event" => value.clone_into(&mut event.name),
            "data" => event.data = event.data + value + "\n",
            other => return Err(format!("a field {other:?}")),
        }
    }
    match event {
        Event { ref name, ref data } if name.is_empty() && data.is_empty() => Ok(events),
        unfinished => Err(format!("unfinished: {unfinished:?}")),
    }
}

/// Reads as sashabaranov/go-openai does: line by line, each `data:` line is JSON for itself, and lines of other kinds are
/// counted against a limit.
fn read_lines(body: &str) -> Result<usize, String> {
    let (mut events, mut others) = (0, 0);
    for line in body.lines() {
        match line.strip_prefix("data:").map(str::trim) {
            Some("[DONE]") => break,
            Some(data) => {
                let read: Result<Value, _> = serde_json::from_str(data);
                read.map_err(|error| format!("{error} in {data}"))?;
                (events, others) = (events + 1, 0);
            }
            None => others += 1,
        }
        if others > 4 {
            return Err("too many lines without data".to_owned());
        }
    }
    Ok(events)
}

/// Reads as clients do that split at blank lines and want the fields of an event in every part.
fn read_parts(body: &str) -> Result<usize, String> {
    let body = body.replace("\r\n", "\n");
    let parts = body.split("\n\n").filter(|part| !part.is_empty());
    let read = |part: &str| match part.lines().filter(|line| line.starts_with("data:")).count() {
        0 => Err(format!("no data in {part:?}")),
        _ => Ok(()),
    };
    parts.map(read).try_fold(0, |count, read| read.map(|()| count + 1))
}

/// All of them, on what a client got.
fn check(reply: &Reply, case: &str) {
    let text = reply.text();
    let blocks = read_blocks(text).unwrap_or_else(|error| panic!("{case}: {error}: {text}"));
    let lines = read_lines(text).unwrap_or_else(|error| panic!("{case}: {error}: {text}"));
    let parts = read_parts(text).unwrap_or_else(|error| panic!("{case}: {error}: {text}"));
    assert!(lines >= blocks.len() && parts >= blocks.len() && !blocks.is_empty(), "{case}: {text}");
}

#[test]
fn the_readers_refuse_what_they_are_known_to_refuse() {
    let good = ": a\ndata: {}\n\nevent: e\ndata: {}\n\n: b\ndata: [DONE]\n\n";
    assert_eq!((read_blocks(good).map(|events| events.len()), read_parts(good)), (Ok(2), Ok(3)));
    for bad in [
        ": a\n\ndata: {}\n\n",
        "data: {}\n\nevent: ping\n\n",
        "data: {}\n\n\n",
        "data: {}",
        "\u{feff}data: {}\n\n",
        "data: {\n\n",
    ] {
        assert!(read_blocks(bad).is_err(), "{bad:?}");
    }
    assert!(read_parts(": a\n\ndata: {}\n\n").is_err() && read_lines("data: {\n\n").is_err());
}

#[tokio::test]
async fn every_stream_is_read_by_every_strict_reader() {
    let quoting =
        format!(r#"{{"chunks":9,"error_event_after":4,"error_message":"no {}"}}"#, credential("a", 0));
    let scripts = [
        "{}",
        r#"{"split_bytes":1,"bom":true}"#,
        r#"{"split_bytes":3,"line_end":"crlf"}"#,
        r#"{"pings":1,"obfuscation":true}"#,
        r#"{"chunk_delay_ms":3,"keepalive_comments":2}"#,
        r#"{"chunk_delay_ms":3,"keepalive_comments":2,"line_end":"crlf","split_bytes":1}"#,
        r#"{"no_terminal":true}"#,
        r#"{"chunks":9,"cut_after":4}"#,
        &quoting,
    ];
    // The last one speaks Responses to clients of the other dialects.
    for kinds in PROVIDERS.into_iter().chain([&["xai", "xai"][..]]) {
        let mut bench = two(kinds).await;
        for script in scripts.into_iter().filter(|script| kinds[0] != "bedrock" || !script.contains("bom")) {
            bench.sim().script(script).await;
            for client in CLIENTS.into_iter().filter(|client| *client != Speaks::Converse) {
                // Google's clients get no comments from the gateway, and from their provider what it sends.
                if (client, kinds[0]) == (Speaks::Gemini, "gemini") {
                    continue;
                }
                for explained in [false, true] {
                    let body = client.body(true).to_string();
                    let mut request = bench.client.request(http::Method::POST, client.path(true), &body);
                    request.headers_mut().insert("anthropic-version", "2023-06-01".parse().unwrap());
                    if explained {
                        request.headers_mut().insert("x-portcullis-explain", "1".parse().unwrap());
                    }
                    let reply = bench.client.plain.send(request).await;
                    let case = format!("{client:?} at {}: {script}", kinds[0]);
                    assert_eq!(reply.status, 200, "{case}: {reply:?}");
                    check(&reply, &case);
                    let told = reply.text().lines().filter(|line| line.starts_with(": portcullis {")).count();
                    let failed = client.said(&reply.body).error.is_some();
                    let telling = client != Speaks::Gemini && (explained || !failed);
                    assert_eq!(told, usize::from(telling), "{case}: {}", reply.text());
                    bench.event().await;
                }
            }
        }
        bench.finish().await;
    }
}

/// Events of a vendor that stand beside those of the dialect.
#[tokio::test]
async fn lines_of_a_provider_without_data_join_the_event_behind_them() {
    let chunk = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}"#;
    let body = format!(
        "retry: 5\n: PROCESSING\n\n\nevent: ping\n\ndata: {chunk}\n\n: late\n\ndata: [DONE]\n\n: after\n\n"
    );
    let mut bench = two(&["custom", "custom"]).await;
    let script = json!({ "content_type": "text/event-stream", "raw_body": body });
    bench.sim().script(&script.to_string()).await;
    let reply = Speaks::Chat.ask(&bench, true).await;
    let text = reply.text();
    assert!(text.starts_with(&format!("retry: 5\n: PROCESSING\ndata: {chunk}\n\n")), "{text}");
    assert!(read_parts(text).is_ok() && text.contains("\n: late\n"), "{text}");
    bench.event().await;
    bench.finish().await;
}
