//! What a client is told of a limit that is reached.

use coordination::{Denied, Refusal};
use domain::{ErrorKind, LimitSpec, Per};
use policy::Caller;

use crate::{
    error::GatewayError,
    rate_limits::{RateLimits, retry_after_seconds},
};

pub(super) fn refused(caller: &Caller, refusal: &Refusal) -> GatewayError {
    match refusal {
        Refusal::Denied(denied) => {
            let Denied { limit, retry_after, kind, .. } = denied;
            let tenant = &caller.key.tenant;
            let text = match tenant.limits.iter().find(|known| known.id == *limit) {
                Some(limit) if limit.tenant_name != tenant.name => {
                    let what = describe(&limit.spec, kind);
                    format!("a limit of the tenant {} above this one is reached: {what}", limit.tenant_name)
                }
                limit => {
                    let what = limit.map(|limit| describe(&limit.spec, kind)).unwrap_or_default();
                    format!("a limit of this tenant is reached: {what}")
                }
            };
            GatewayError::new(ErrorKind::RateLimited, text)
                .with_limit(kind)
                .with_rate_limits(RateLimits::denied(denied))
                .retry_after(retry_after_seconds(*retry_after))
        }
        Refusal::StoreUnavailable { .. } => {
            let text =
                "the shared rate-limit store is unavailable, and this limit is configured to fail closed";
            GatewayError::new(ErrorKind::StoreUnavailable, text).retry_after(1)
        }
    }
}

fn describe(spec: &LimitSpec, kind: &str) -> String {
    let per = match spec.per {
        Per::Tenant => String::new(),
        per => format!(" per {}", per.as_str()),
    };
    let tokens = match kind {
        "tokens" => spec.tokens.map(|rate| format!("{rate} tokens{per}")),
        "input_tokens" => spec.input_tokens.map(|rate| format!("{rate} input tokens{per}")),
        "output_tokens" => spec.output_tokens.map(|rate| format!("{rate} output tokens{per}")),
        _ => None,
    };
    match (kind, spec.requests, spec.concurrent) {
        ("requests", Some(rate), _) => format!("{rate} requests{per}"),
        ("concurrent", _, Some(most)) => format!("{most} concurrent requests{per}"),
        _ => tokens.unwrap_or_else(|| kind.to_owned()),
    }
}
