//! `GET /v1/models`: the values of `model` that an API key may use.

use domain::ErrorKind;
use http::{Response, StatusCode};
use policy::visible_models;
use wire::Dialect;

use crate::{
    auth::{Authenticated, authenticate},
    context::IncomingRequest,
    error::GatewayError,
    response::{ResponseBody, ResponseMetadata, json_response},
    state::ProxyState,
};

/// The name in records and metrics.
const API: &str = "models";

/// The list of models.
pub(crate) fn list(
    proxy: &ProxyState,
    incoming: &mut IncomingRequest,
) -> Result<Response<ResponseBody>, GatewayError> {
    let dialect = set_dialect(incoming);
    let Authenticated { snapshot, caller } = authenticate(proxy, incoming)?;
    let names = visible_models(&snapshot, &caller);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(answer(incoming, wire::models::list(dialect, &names)))
}

/// One model.
pub(crate) fn show(
    proxy: &ProxyState,
    incoming: &mut IncomingRequest,
    name: &str,
) -> Result<Response<ResponseBody>, GatewayError> {
    let dialect = set_dialect(incoming);
    let Authenticated { snapshot, caller } = authenticate(proxy, incoming)?;
    // SDKs percent-encode the slash of `provider/model`.
    let unknown = || GatewayError::new(ErrorKind::RouteNotFound, "no such model").param(Some("model"));
    let name = wire::percent::decode(name).ok_or_else(unknown)?;
    if !visible_models(&snapshot, &caller).contains(&name) {
        return Err(unknown());
    }
    Ok(answer(incoming, wire::models::show(dialect, &name)))
}

/// Notes the API and the client's dialect.
fn set_dialect(incoming: &mut IncomingRequest) -> Dialect {
    let dialect = wire::models::dialect_of(incoming.request.uri(), incoming.request.headers());
    incoming.context.api = Some(API);
    incoming.context.dialect = dialect;
    dialect
}

fn answer(incoming: &mut IncomingRequest, body: Vec<u8>) -> Response<ResponseBody> {
    let mut response = json_response(StatusCode::OK, body);
    let context = &incoming.context;
    let overhead = context.started.elapsed();
    ResponseMetadata::new(context.id, context.dialect, overhead).write(response.headers_mut());
    incoming.context.answered(response.status().as_u16());
    response
}
