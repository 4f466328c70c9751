//! The stage that opens a request's account, before anything is charged to it or sent.

use std::sync::Arc;

use domain::Attribution;

use super::call::Call;
use crate::{
    meter::{Meter, MeterContext},
    request::LlmRequest,
    response::RoutingTrace,
};

/// Opens the account of a request, which from here on reports how the request ends.
pub(super) fn open_account(call: &mut Call<'_>, request: &LlmRequest, attribution: Attribution) -> Meter {
    let subject = MeterContext {
        attribution,
        api: request.api.name(),
        stream: request.facts.stream,
        route: request.plan.route.clone(),
        rule: request.plan.rule.clone(),
        pool: Some(Arc::clone(&request.plan.pool)),
        decided: request.options.explain.then(|| Box::new(RoutingTrace::plan(&request.plan))),
        upload: call.upload,
        input_estimate: request.input_estimate(),
    };
    Meter::new(Arc::clone(call.proxy), call.incoming.context.take(), subject)
}
