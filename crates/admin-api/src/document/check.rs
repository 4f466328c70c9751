//! What can be said of a resource by itself: values out of bounds, fields that exclude each other.

use domain::{Duration, LimitSpec, OnStoreLoss, RouteSpec, Spec};

use crate::FieldError;

const LONGEST_WAIT: Duration = Duration::from_secs(86_400);
const MOST_ROUTES: usize = 256;
const LONGEST_TEXT: usize = 256;

/// What can be said of a specification by itself; fields are relative to it.
#[must_use]
pub fn check_spec(spec: &Spec) -> Vec<FieldError> {
    let mut found = Found(Vec::new());
    match spec {
        Spec::Tenant(spec) => found.word(spec.tier.as_deref(), "tier"),
        Spec::Key(spec) => {
            found.word(spec.user.as_deref(), "user");
            found.word(spec.feature.as_deref(), "feature");
            let routes = spec.routes.as_ref().map_or(0, Vec::len);
            found.need(routes <= MOST_ROUTES, "routes", "must name at most 256 routes");
        }
        Spec::Provider(spec) => {
            found.word(spec.region.as_deref(), "region");
            found.problems(spec.problems());
        }
        Spec::Credential(spec) => {
            found.need((1..=1000).contains(&spec.weight), "weight", "must be 1 to 1000");
            found.need(spec.limits.concurrent != Some(0), "limits.concurrent", "must be at least 1");
        }
        Spec::Model(spec) => {
            found.need(spec.context != Some(0), "context", "must be at least 1 token");
            found.need(spec.max_output != Some(0), "max_output", "must be at least 1 token");
            found.word(spec.upstream.as_deref(), "upstream");
            found.need(spec.upstream.as_deref() != Some(""), "upstream", "must not be empty");
        }
        Spec::Price(_) => {}
        Spec::Limit(spec) => found.limit(spec),
        Spec::Budget(spec) => found.problems(spec.problems()),
        Spec::Route(spec) => found.route(spec),
    }
    found.0
}

struct Found(Vec<FieldError>);

impl Found {
    fn need(&mut self, holds: bool, field: &str, message: &str) {
        if !holds {
            self.0.push(FieldError::new(field, message));
        }
    }

    fn word(&mut self, text: Option<&str>, field: &str) {
        let short = |text: &str| text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control);
        self.need(text.is_none_or(short), field, "must be at most 256 bytes without control characters");
    }

    fn problems(&mut self, problems: Vec<domain::Problem>) {
        self.0.extend(problems.into_iter().map(|(path, what)| FieldError::new(path, what)));
    }

    fn limit(&mut self, spec: &LimitSpec) {
        let rates = [spec.tokens, spec.input_tokens, spec.output_tokens];
        let tokens = rates.iter().any(Option::is_some);
        let some = tokens || spec.requests.is_some() || spec.concurrent.is_some();
        let what = "must limit something: requests, concurrent, tokens, input_tokens or output_tokens";
        self.need(some, "", what);
        let concurrent = spec.concurrent.is_none_or(|most| (1..=1_000_000).contains(&most));
        self.need(concurrent, "concurrent", "must be 1 to 1000000");
        let each = spec.per_replica.is_none_or(|most| (1..=1_000_000_000).contains(&most));
        self.need(each, "per_replica", "must be 1 to 1000000000");
        let goes = spec.per_replica.is_none() || spec.on_store_loss == OnStoreLoss::Bounded;
        self.need(goes, "per_replica", "goes with on_store_loss: bounded only");
    }

    fn route(&mut self, spec: &RouteSpec) {
        let waits = spec.timeouts;
        for (field, wait) in [
            ("timeouts.connect", waits.connect),
            ("timeouts.first_token", waits.first_token),
            ("timeouts.between_tokens", waits.between_tokens),
            ("timeouts.total", waits.total),
            ("queue.wait", spec.queue.wait),
        ] {
            let bounded = wait > Duration::from_millis(0) && wait <= LONGEST_WAIT;
            self.need(bounded, field, "must be 1ms to 24h");
        }
        self.problems(spec.problems());
    }
}
