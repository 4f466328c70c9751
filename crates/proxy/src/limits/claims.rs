//! What a request claims of its tenant's limits.

use std::{borrow::Cow, time::Duration};

use coordination::{Claim, OnOutage, Rule, Unit};
use domain::{LimitSpec, OnStoreLoss, Per, Period, ResourceId};
use policy::Limit;

use super::Subjects;

/// How long a concurrency slot outlives a proxy that died with it.
pub(super) const SLOT_TTL: Duration = Duration::from_secs(60);

/// The tokens that a request is expected to use, or did use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TokenCounts {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

/// The claims of one step.
pub(super) struct Claims {
    /// All claims of a request lie with the topmost tenant, so that one script sees them.
    root: ResourceId,
    pub(super) enforced: Vec<Claim>,
    /// Of limits that only observe.
    pub(super) observed: Vec<Claim>,
}

/// How a unit is counted, and how much of it a request takes.
#[derive(Clone, Copy)]
struct Counted {
    rule: Rule,
    unit: Unit,
    cost: u64,
}

impl Claims {
    pub(super) const fn new(root: ResourceId) -> Self {
        Self { root, enforced: Vec::new(), observed: Vec::new() }
    }

    /// Adds those on requests: a rate, slots, or both.
    pub(super) fn requests(&mut self, limit: &Limit, subject: &str) {
        let rate = limit.spec.requests.map(|rate| match rate.period {
            Period::Second => Rule::Gcra { per_second: rate.count, burst: rate.count },
            period => Rule::SlidingWindow { n: rate.count, period: length(period) },
        });
        let slots = limit.spec.concurrent.map(|n| Rule::Concurrency { n, ttl: SLOT_TTL });
        for rule in rate.into_iter().chain(slots) {
            self.push(limit, subject, Counted { rule, unit: Unit::Requests, cost: 1 });
        }
    }

    /// Adds those on tokens.
    pub(super) fn tokens(&mut self, limit: &Limit, subject: &str, expected: TokenCounts) {
        let TokenCounts { input, output } = expected;
        let LimitSpec { tokens, input_tokens, output_tokens, .. } = limit.spec;
        for (rate, unit, cost) in [
            (tokens, Unit::Tokens, input.saturating_add(output)),
            (input_tokens, Unit::InputTokens, input),
            (output_tokens, Unit::OutputTokens, output),
        ] {
            let Some(rate) = rate else { continue };
            let rule = Rule::DebtWindow { n: rate.count, period: length(rate.period) };
            self.push(limit, subject, Counted { rule, unit, cost });
        }
    }

    fn push(&mut self, limit: &Limit, subject: &str, counted: Counted) {
        let Counted { rule, unit, cost } = counted;
        let Limit { id, spec, .. } = limit;
        let on_outage = match spec.on_store_loss {
            OnStoreLoss::Closed => OnOutage::Closed,
            OnStoreLoss::Open => OnOutage::Open,
            OnStoreLoss::Bounded => {
                OnOutage::Bounded { per_replica: spec.per_replica.unwrap_or_else(|| quarter(rule)) }
            }
        };
        let subject = subject.to_owned();
        let claim = Claim { limit: *id, subject, tenant: self.root, rule, unit, cost, on_outage };
        if spec.observe { self.observed.push(claim) } else { self.enforced.push(claim) }
    }
}

/// Whether the head of a request tells what a limit counts separately; only the body names the model, and it may name
/// the user where the head does not.
pub(super) const fn is_known_from_head(per: Per, user_named: bool) -> bool {
    match per {
        Per::Tenant | Per::Key | Per::Feature | Per::Session => true,
        Per::User => user_named,
        Per::Model => false,
    }
}

/// What a limit counts separately; requests that do not name it are counted together.
pub(super) fn subject<'a>(per: Per, subjects: Subjects<'a>, model: Option<&'a str>) -> Cow<'a, str> {
    let Subjects { attribution, session } = subjects;
    let named = match per {
        Per::Tenant => None,
        Per::Key => return Cow::Owned(attribution.key.to_string()),
        Per::User => attribution.user.as_deref(),
        Per::Feature => attribution.feature.as_deref(),
        Per::Session => session,
        Per::Model => model,
    };
    Cow::Borrowed(named.unwrap_or_default())
}

/// What one proxy admits by itself where the limit does not say: a quarter, which suits four proxies, and at least one.
pub(super) const fn quarter(rule: Rule) -> u64 {
    match rule {
        Rule::SlidingWindow { n, .. }
        | Rule::DebtWindow { n, .. }
        | Rule::Concurrency { n, .. }
        | Rule::Gcra { per_second: n, .. } => n.div_ceil(4),
    }
}

pub(super) const fn length(period: Period) -> Duration {
    Duration::from_secs(period.seconds())
}
