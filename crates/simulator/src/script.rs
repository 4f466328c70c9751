//! Scripts: how the simulator behaves for a model, set by tests, one step per request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer};

/// Longest scripted wait, in milliseconds.
const MAX_WAIT_MS: u64 = 600_000;
/// Most content chunks that a script may ask for.
const MAX_CHUNKS: usize = 10_000;
/// Most steps of one script.
const MAX_STEPS: usize = 10_000;
/// Most models that may have a script at once, and most keys with their own script per model.
const MAX_SCRIPTS: usize = 1_000;

/// One step of a script. Every field may be left out; the empty object is the normal, healthy answer.
///
/// Positions (`cut_after`, `error_event_after`, `hang.after_chunks`) count content chunks. At position 0 nothing
/// has been sent after the headers, not even the opening role chunk; a position past the end means "before the
/// closing chunk". At one position an error event wins over a hang and a hang over a cut.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Wait before the response headers, in milliseconds.
    pub latency_ms: u64,
    /// HTTP status, 200 when left out; 300 and above answers with an error body.
    #[serde(deserialize_with = "status")]
    pub status: Option<StatusCode>,
    /// `error.message` of an error body or an error event.
    pub error_message: Option<String>,
    /// `error.type`; follows from the status when left out.
    pub error_type: Option<String>,
    /// `error.code`; null when left out.
    pub error_code: Option<String>,
    /// Value of the `retry-after` header, in seconds.
    pub retry_after: Option<u64>,
    /// More response headers.
    #[serde(deserialize_with = "headers")]
    pub headers: HeaderMap,
    /// Content chunks of the answer: its words, repeated as often as needed (see [`crate::echo::chunks`]).
    pub chunks: Option<usize>,
    /// Wait before each content chunk, in milliseconds.
    pub chunk_delay_ms: u64,
    /// Abort the TCP connection at this position; a plain answer is cut in the middle of its body.
    pub cut_after: Option<usize>,
    /// Say nothing more, until the client hangs up.
    pub hang: Option<Hang>,
    /// While waiting inside a stream, write an SSE comment each time so many milliseconds have passed.
    pub keepalive_comments: Option<u64>,
    /// Write an error object into the stream at this position and end it without `[DONE]`.
    pub error_event_after: Option<usize>,
    /// Where usage is told.
    pub usage: UsagePlace,
    /// Overrides the counted input tokens.
    pub prompt_tokens: Option<u64>,
    /// Overrides the counted output tokens.
    pub completion_tokens: Option<u64>,
    /// Adds `prompt_tokens_details.cached_tokens` to the usage.
    pub cached_tokens: Option<u64>,
    /// Adds `completion_tokens_details.reasoning_tokens` to the usage.
    pub reasoning_tokens: Option<u64>,
    /// End lines of the stream with CRLF.
    pub crlf: bool,
    /// Write the stream in pieces of at most so many bytes, each flushed by itself.
    pub split_bytes: Option<usize>,
    /// Overrides the `content-type` header.
    pub content_type: Option<String>,
    /// Replaces the whole body, whatever the status.
    pub raw_body: Option<String>,
    /// Answer 401 unless the request carries this key.
    pub require_key: Option<String>,
}

/// Where an answer stops for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hang {
    /// Not even the headers come.
    BeforeHeaders,
    /// Headers and nothing else.
    AfterHeaders,
    /// After so many content chunks of a stream; on a plain answer the same as `after_headers`.
    AfterChunks(usize),
}

/// Where a stream tells its usage, given that the request set `stream_options.include_usage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsagePlace {
    /// In a chunk of its own with empty `choices`, as OpenAI does.
    #[default]
    OwnChunk,
    /// In the chunk that also carries the finish reason, as several compatible vendors do.
    LastChoice,
    /// Nowhere, in plain answers neither.
    None,
}

fn status<'de, D: Deserializer<'de>>(from: D) -> Result<Option<StatusCode>, D::Error> {
    let code = u16::deserialize(from)?;
    match StatusCode::from_u16(code) {
        Ok(status) if (200..600).contains(&code) => Ok(Some(status)),
        _ => Err(serde::de::Error::custom(format!("status: {code} is not between 200 and 599"))),
    }
}

fn headers<'de, D: Deserializer<'de>>(from: D) -> Result<HeaderMap, D::Error> {
    let bad = |name: &str| serde::de::Error::custom(format!("headers: {name:?} is not a valid header"));
    let mut map = HeaderMap::new();
    for (name, value) in HashMap::<String, String>::deserialize(from)? {
        let key = HeaderName::try_from(&name).map_err(|_| bad(&name))?;
        map.insert(key, HeaderValue::try_from(value).map_err(|_| bad(&name))?);
    }
    Ok(map)
}

impl Behaviour {
    /// The first field outside its bounds, as a sentence.
    fn check(&self) -> Result<(), String> {
        let waits = [("latency_ms", self.latency_ms), ("chunk_delay_ms", self.chunk_delay_ms)];
        if let Some((field, _)) = waits.iter().find(|(_, ms)| *ms > MAX_WAIT_MS) {
            return Err(format!("{field}: at most {MAX_WAIT_MS}"));
        }
        if self.keepalive_comments.is_some_and(|ms| ms == 0 || ms > MAX_WAIT_MS) {
            return Err(format!("keepalive_comments: between 1 and {MAX_WAIT_MS}"));
        }
        if self.chunks.is_some_and(|n| n > MAX_CHUNKS) {
            return Err(format!("chunks: at most {MAX_CHUNKS}"));
        }
        if self.split_bytes == Some(0) {
            return Err("split_bytes: at least 1".into());
        }
        if self.content_type.as_ref().is_some_and(|v| HeaderValue::try_from(v).is_err()) {
            return Err("content_type: not a valid header value".into());
        }
        Ok(())
    }
}

/// Steps as the admin endpoint takes them: one behaviour, or a list.
#[derive(Deserialize)]
#[serde(transparent)]
struct Steps(#[serde(deserialize_with = "one_or_many")] Vec<Behaviour>);

/// Tells an object from a list by hand, because an untagged enum would swallow the reason of a refusal.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Behaviour>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    let steps = if value.is_array() { value } else { serde_json::Value::Array(vec![value]) };
    serde_json::from_value(steps).map_err(serde::de::Error::custom)
}

/// Steps consumed in order, the last one repeating.
struct Script {
    steps: Vec<Arc<Behaviour>>,
    next: usize,
}

impl Script {
    fn parse(json: &[u8]) -> Result<Self, String> {
        let Steps(steps) = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        if steps.is_empty() || steps.len() > MAX_STEPS {
            return Err(format!("a script has between 1 and {MAX_STEPS} steps"));
        }
        for (index, step) in steps.iter().enumerate() {
            step.check().map_err(|e| format!("step {index}: {e}"))?;
        }
        Ok(Self { steps: steps.into_iter().map(Arc::new).collect(), next: 0 })
    }

    fn step(&mut self) -> Option<Arc<Behaviour>> {
        let last = self.steps.len().checked_sub(1)?;
        let index = self.next.min(last);
        self.next = index + 1;
        self.steps.get(index).cloned()
    }
}

/// The scripts of one model: for any key, and for particular ones.
#[derive(Default)]
struct ModelScripts {
    any: Option<Script>,
    by_key: HashMap<[u8; 32], Script>,
}

/// All scripts, by model; `*` stands for every model without one.
#[derive(Default)]
pub(crate) struct Scripts {
    models: Mutex<HashMap<String, ModelScripts>>,
}

impl Scripts {
    /// Puts a script in place of the one that `model` has (with this key digest, when one is given).
    pub(crate) fn put(&self, model: &str, key: Option<[u8; 32]>, json: &[u8]) -> Result<(), String> {
        let script = Script::parse(json)?;
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if models.len() >= MAX_SCRIPTS && !models.contains_key(model) {
            return Err(format!("at most {MAX_SCRIPTS} models may have a script"));
        }
        let entry = models.entry(model.to_owned()).or_default();
        match key {
            None => entry.any = Some(script),
            Some(digest) if entry.by_key.len() < MAX_SCRIPTS || entry.by_key.contains_key(&digest) => {
                entry.by_key.insert(digest, script);
            }
            Some(_) => return Err(format!("at most {MAX_SCRIPTS} keys may have a script")),
        }
        Ok(())
    }

    /// Forgets the scripts of one model, or all of them.
    pub(crate) fn reset(&self, model: Option<&str>) {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        match model {
            Some(model) => drop(models.remove(model)),
            None => models.clear(),
        }
    }

    /// The behaviour for the next request: the key's script, else the model's, else that of `*`, else healthy.
    pub(crate) fn next(&self, model: &str, key: Option<&[u8; 32]>) -> Arc<Behaviour> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        for name in [model, "*"] {
            let Some(scripts) = models.get_mut(name) else { continue };
            let keyed = key.and_then(|digest| scripts.by_key.get_mut(digest)).and_then(Script::step);
            if let Some(step) = keyed.or_else(|| scripts.any.as_mut().and_then(Script::step)) {
                return step;
            }
        }
        Arc::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(scripts: &Scripts, model: &str, key: Option<&[u8; 32]>, n: usize) -> Vec<u64> {
        (0..n).map(|_| scripts.next(model, key).latency_ms).collect()
    }

    #[test]
    fn steps_are_consumed_in_order_and_the_last_repeats() {
        let scripts = Scripts::default();
        scripts.put("m", None, br#"[{"latency_ms":1},{"latency_ms":2}]"#).unwrap();
        assert_eq!(latencies(&scripts, "m", None, 4), [1, 2, 2, 2]);
        scripts.reset(Some("m"));
        assert_eq!(latencies(&scripts, "m", None, 1), [0]);
    }

    #[test]
    fn a_key_has_its_own_script_and_the_star_is_the_default() {
        let scripts = Scripts::default();
        scripts.put("*", None, br#"{"latency_ms":9}"#).unwrap();
        scripts.put("m", Some([7; 32]), br#"{"latency_ms":7}"#).unwrap();
        assert_eq!(latencies(&scripts, "m", Some(&[7; 32]), 1), [7]);
        assert_eq!(latencies(&scripts, "m", Some(&[8; 32]), 1), [9]);
        assert_eq!(latencies(&scripts, "other", None, 1), [9]);
    }

    #[test]
    fn a_refused_script_names_the_field_and_keeps_the_old_one() {
        let scripts = Scripts::default();
        scripts.put("m", None, br#"{"latency_ms":3}"#).unwrap();
        for (json, word) in [
            (r#"{"latnecy_ms":1}"#, "latnecy_ms"),
            (r#"{"latency_ms":600001}"#, "latency_ms"),
            (r#"{"status":99}"#, "status"),
            (r#"{"headers":{"a b":"c"}}"#, "headers"),
            (r#"{"split_bytes":0}"#, "split_bytes"),
            (r#"[{},{"keepalive_comments":0}]"#, "step 1: keepalive_comments"),
            ("[]", "steps"),
            ("nonsense", "expected"),
        ] {
            let error = scripts.put("m", None, json.as_bytes()).unwrap_err();
            assert!(error.contains(word), "{json}: {error}");
        }
        assert_eq!(latencies(&scripts, "m", None, 1), [3]);
    }

    #[test]
    fn hang_reads_all_three_forms() {
        for (json, want) in [
            (r#"{"hang":"before_headers"}"#, Hang::BeforeHeaders),
            (r#"{"hang":"after_headers"}"#, Hang::AfterHeaders),
            (r#"{"hang":{"after_chunks":3}}"#, Hang::AfterChunks(3)),
        ] {
            let behaviour: Behaviour = serde_json::from_str(json).unwrap();
            assert_eq!(behaviour.hang, Some(want));
        }
    }
}
