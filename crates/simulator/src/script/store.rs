//! The scripts of all models, consumed one step per request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Deserializer};

use super::Behaviour;

/// Most steps of one script.
const MAX_STEPS: usize = 10_000;
/// Most models that may have a script at once, and most keys with their own script per model.
const MAX_SCRIPTS: usize = 1_000;

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
}
