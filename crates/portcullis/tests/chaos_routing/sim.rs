//! The provider's side: scripts for a model, and what reached it, by time.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::Http;

/// The simulator's own endpoints.
pub(crate) struct Sim {
    http: Http,
}

/// One request as the provider saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// On the stage's clock.
    pub(crate) at: Duration,
    /// When it ended, on the same clock, unless it is under way.
    pub(crate) end: Option<Duration>,
}

impl Sim {
    pub(crate) fn new(base: &str) -> Self {
        Self { http: Http::new(base, None) }
    }

    /// How a model answers from now on.
    pub(crate) fn script(&self, model: &str, script: &Value) {
        let reply = self.http.put(&format!("/_sim/script/{model}"), script).unwrap();
        assert_eq!(reply.status, 204, "{}", reply.text());
    }

    /// How it answers requests with one key.
    pub(crate) fn script_for(&self, model: &str, key: &str, script: &Value) {
        self.script(&format!("{model}?key={key}"), script);
    }

    /// A model answers again, after as many milliseconds.
    pub(crate) fn healthy(&self, model: &str, latency_ms: u64) {
        self.script(model, &json!({ "latency_ms": latency_ms }));
    }

    /// Forgets what came and starts the clock again.
    pub(crate) fn reset(&self) {
        assert_eq!(self.http.delete("/_sim/requests").unwrap().status, 204);
    }

    /// What reached a model, in order.
    pub(crate) fn arrivals(&self, model: &str) -> Vec<Arrival> {
        self.list(&format!("model={model}"))
    }

    /// What reached a model with one key.
    pub(crate) fn arrivals_with(&self, model: &str, key: &str) -> Vec<Arrival> {
        self.list(&format!("model={model}&key={key}"))
    }

    fn list(&self, filter: &str) -> Vec<Arrival> {
        let reply = self.http.get(&format!("/_sim/requests?{filter}")).unwrap().json().unwrap();
        let millis = |value: &Value| value.as_u64().map(Duration::from_millis);
        let read = |request: &Value| {
            let at = millis(&request["at_ms"]).unwrap();
            Arrival { at, end: millis(&request["took_ms"]).map(|took| at + took) }
        };
        reply["requests"].as_array().unwrap().iter().map(read).collect()
    }
}

/// Those within a time.
pub(crate) fn within(arrivals: &[Arrival], from: Duration, to: Duration) -> Vec<Arrival> {
    arrivals.iter().filter(|arrival| (from..to).contains(&arrival.at)).copied().collect()
}

/// Most of them under way at once.
pub(crate) fn peak(arrivals: &[Arrival]) -> usize {
    let under_way = |now: Duration| {
        arrivals.iter().filter(|one| one.at <= now && one.end.is_none_or(|end| end > now)).count()
    };
    arrivals.iter().map(|arrival| under_way(arrival.at)).max().unwrap_or(0)
}

/// The last arrival before a silence of at least `silence`, and those after it: a burst, and what came singly.
pub(crate) fn burst(arrivals: &[Arrival], silence: Duration) -> (&[Arrival], &[Arrival]) {
    let gap = arrivals.windows(2).position(|pair| pair[1].at - pair[0].at >= silence);
    arrivals.split_at(gap.map_or(arrivals.len(), |gap| gap + 1))
}

#[test]
fn bursts_end_in_silence_and_peaks_count_what_overlaps() {
    let ms = Duration::from_millis;
    let arrivals =
        [(0, 50), (10, 20), (15, 40), (500, 510)].map(|(at, end)| Arrival { at: ms(at), end: Some(ms(end)) });
    let (first, rest) = burst(&arrivals, ms(300));
    assert_eq!((first.len(), rest.len(), peak(&arrivals)), (3, 1, 3));
    assert_eq!(within(&arrivals, ms(10), ms(500)).len(), 2);
}
