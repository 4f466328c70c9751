//! The explain record of a request, and the lines of it that decide.

use serde_json::{Value, json};

use crate::{asked::Sample, stage::Stage};

/// What `x-portcullis-explain: 1` and the dry run tell of one request.
pub(crate) struct Record(Value);

impl Record {
    /// Of a request that was made.
    pub(crate) fn of(sample: &Sample) -> Option<Self> {
        sample.explain.clone().map(Self)
    }

    /// Of one that is only imagined: what the control plane would say of it.
    pub(crate) fn dry_run(stage: &Stage, route: &str) -> Self {
        let question =
            json!({ "tenant": "acme", "model": route, "prompt": "hello", "region": crate::stage::REGION });
        let reply = stage.admin.post("/api/v1/explain", &question).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        Self(reply.json().unwrap())
    }

    /// The rule that chose the pool.
    pub(crate) fn rule(&self) -> &str {
        self.0["rule"].as_str().unwrap_or("no rule")
    }

    pub(crate) fn pool(&self) -> &str {
        self.0["pool"].as_str().unwrap_or("no pool")
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.0[name].as_array().into_iter().flatten()
    }

    /// Why a provider's target was passed over.
    pub(crate) fn passed_over(&self, provider: &str) -> Option<&str> {
        let found =
            self.list("passed_over").find(|passed| target(passed).starts_with(&format!("{provider}/")));
        found.and_then(|passed| passed["why"].as_str())
    }

    /// How attempts at a provider ended.
    pub(crate) fn outcomes(&self, provider: &str) -> Vec<&str> {
        let attempts = self.list("attempts").filter(|attempt| attempt["provider"] == json!(provider));
        attempts.filter_map(|attempt| attempt["outcome"].as_str()).collect()
    }

    /// Why a provider's target stood where it stood.
    pub(crate) fn reason(&self, provider: &str) -> Option<&str> {
        let found =
            self.list("attempts").find(|attempt| target(attempt).starts_with(&format!("{provider}/")));
        found.and_then(|attempt| attempt["reason"].as_str())
    }

    /// All of it in one line.
    pub(crate) fn line(&self) -> String {
        let attempt = |attempt: &Value| {
            let reason = attempt["reason"].as_str().unwrap_or_default();
            let outcome = attempt["outcome"].as_str().map(|outcome| format!(": {outcome}"));
            format!("{} ({reason}){}", target(attempt), outcome.unwrap_or_default())
        };
        let passed = |passed: &Value| {
            format!("not {}, {}", target(passed), passed["why"].as_str().unwrap_or_default())
        };
        let tried = self.list("attempts").map(attempt);
        let all: Vec<String> = tried.chain(self.list("passed_over").map(passed)).collect();
        format!("{}, pool {}: {}", self.rule(), self.pool(), all.join("; "))
    }
}

/// A target as records of requests write it, and as the dry run does.
fn target(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    match (text("provider"), text("target")) {
        ("", "") => text("model").to_owned(),
        ("", target) => target.to_owned(),
        (provider, _) => format!("{provider}/{}", text("model")),
    }
}

/// The first record of these samples that has something decisive, as a line.
pub(crate) fn first(samples: &[Sample], decisive: impl Fn(&Record) -> bool) -> Option<String> {
    samples.iter().filter_map(Record::of).find(decisive).map(|record| record.line())
}
