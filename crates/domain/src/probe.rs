//! How an endpoint's health is learned: from live traffic, and from requests of the gateway's own.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Duration, Share, route::is_default, schema::one_of};

/// When an endpoint's target is taken out of use, and how it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthSpec {
    /// What is looked back at.
    pub window: Duration,
    /// This share of failures among the window's requests takes it out.
    pub errors: Share,
    /// Fewer requests than this in the window say nothing about a share.
    #[schemars(range(min = 1))]
    pub min_requests: u32,
    /// So many failures in a row take it out, however many requests there were.
    #[schemars(range(min = 1))]
    pub consecutive: u32,
    /// For how long the first time; twice as long each time after.
    pub eject: Duration,
    /// And at most so long.
    pub max_eject: Duration,
    /// How long its share of traffic takes to grow back.
    pub warm_up: Duration,
}

impl Default for HealthSpec {
    /// Out within a few failed requests; back in seconds after a hiccup, in minutes after an outage.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            errors: Share::percent(50),
            min_requests: 10,
            consecutive: 5,
            eject: Duration::from_secs(5),
            max_eject: Duration::from_secs(300),
            warm_up: Duration::from_secs(15),
        }
    }
}

impl HealthSpec {
    /// What is wrong with it, each with the path of its field within the provider.
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut say = |path: &str, what: &str| found.push((path.to_owned(), what.to_owned()));
        if self.window < Duration::from_secs(1) || self.window > Duration::from_secs(3_600) {
            say("health.window", "must be 1s to 1h");
        }
        if self.errors.parts() == 0 {
            say("health.errors", "must be more than 0%");
        }
        if self.min_requests == 0 {
            say("health.min_requests", "must be at least 1");
        }
        if self.consecutive == 0 {
            say("health.consecutive", "must be at least 1");
        }
        if self.eject < Duration::from_millis(100) || self.max_eject < self.eject {
            say("health.eject", "must be at least 100ms and not above max_eject");
        }
        if self.max_eject > Duration::from_secs(86_400) {
            say("health.max_eject", "must be at most 24h");
        }
        if self.warm_up > Duration::from_secs(3_600) {
            say("health.warm_up", "must be at most 1h");
        }
        found
    }
}

/// Requests of the gateway's own that find out whether an endpoint answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProbeSpec {
    /// None.
    #[default]
    Off,
    /// The list of models, which costs nothing and shows less.
    Free(ProbeTimes),
    /// A small prompt to each model that routes name.
    Prompt(PromptProbe),
}

/// When probes are sent and how long they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeTimes {
    /// Time between two probes of a target from one region.
    pub every: Duration,
    /// Longest wait for the answer.
    pub timeout: Duration,
}

impl Default for ProbeTimes {
    fn default() -> Self {
        Self { every: Duration::from_secs(30), timeout: Duration::from_secs(5) }
    }
}

/// A probe that asks the model something small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PromptProbe {
    /// Time between two probes of a target from one region.
    pub every: Duration,
    /// What is asked.
    #[schemars(length(min = 1, max = 1000))]
    pub prompt: String,
    /// The most it may answer.
    #[schemars(range(min = 1, max = 1000))]
    pub max_tokens: u32,
    /// Longest wait for the answer.
    pub timeout: Duration,
}

impl Default for PromptProbe {
    fn default() -> Self {
        let ProbeTimes { every, timeout } = ProbeTimes::default();
        Self { every, prompt: "ping".to_owned(), max_tokens: 1, timeout }
    }
}

impl ProbeSpec {
    /// Whether there are none.
    #[must_use]
    pub const fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }

    /// When probes are sent; without it, never.
    #[must_use]
    pub const fn times(&self) -> Option<ProbeTimes> {
        match self {
            Self::Off => None,
            Self::Free(times) => Some(*times),
            Self::Prompt(probe) => Some(ProbeTimes { every: probe.every, timeout: probe.timeout }),
        }
    }

    /// What is wrong with it, each with the path of its field within the provider.
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut say = |path: &str, what: &str| found.push((path.to_owned(), what.to_owned()));
        if let Some(times) = self.times() {
            if times.every < Duration::from_millis(100) || times.every > Duration::from_secs(86_400) {
                say("probe.every", "must be 100ms to 24h");
            }
            if times.timeout < Duration::from_millis(10) || times.timeout > Duration::from_secs(120) {
                say("probe.timeout", "must be 10ms to 2m");
            }
        }
        if let Self::Prompt(probe) = self {
            if probe.prompt.is_empty() || probe.prompt.len() > 1_000 {
                say("probe.prompt", "must have 1 to 1000 bytes");
            }
            if !(1..=1_000).contains(&probe.max_tokens) {
                say("probe.max_tokens", "must be 1 to 1000");
            }
        }
        found
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ProbeWord")]
enum Word {
    Off,
    Free,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FreeProbe {
    free: ProbeTimes,
}

/// Requests of the gateway's own that find out whether the endpoint answers: none, the list of models, or a small
/// prompt to each model that routes name.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a probe is written as off, free, { free: { every: 30s } } or { every: 30s, prompt: ping, max_tokens: 1, timeout: 5s }"
)]
enum Written {
    Word(Word),
    Free(FreeProbe),
    Prompt(PromptProbe),
    /// YAML 1.1 reads a bare `off` as false.
    #[schemars(skip)]
    Switch(bool),
}

impl Serialize for ProbeSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => Word::Off.serialize(serializer),
            Self::Free(times) if is_default(times) => Word::Free.serialize(serializer),
            Self::Free(times) => FreeProbe { free: *times }.serialize(serializer),
            Self::Prompt(probe) => probe.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ProbeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("a probe is not switched on by `true`; write `free`");
        Ok(match Written::deserialize(deserializer)? {
            Written::Word(Word::Off) | Written::Switch(false) => Self::Off,
            Written::Switch(true) => return Err(wrong()),
            Written::Word(Word::Free) => Self::Free(ProbeTimes::default()),
            Written::Free(FreeProbe { free }) => Self::Free(free),
            Written::Prompt(probe) => Self::Prompt(probe),
        })
    }
}

impl JsonSchema for ProbeSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Probe".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        one_of(Written::json_schema(generator))
    }
}
