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
    let name = wire::path::decoded(name).ok_or_else(unknown)?;
    if !visible_models(&snapshot, &caller).contains(&name) {
        return Err(unknown());
    }
    Ok(answer(incoming, wire::models::show(dialect, &name)))
}

/// Notes the API and the client's dialect: four dialects share the path and are told apart by the headers and parameters
/// of their SDKs, or by the prefix of the base URL.
fn set_dialect(incoming: &mut IncomingRequest) -> Dialect {
    let uri = incoming.request.uri();
    let headers = incoming.request.headers();
    let has = |name: &str| headers.contains_key(name);
    let is = |name: &str, value: &str| {
        headers.get(name).is_some_and(|got| got.as_bytes().starts_with(value.as_bytes()))
    };
    let query_key = || uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("key=")));
    let path = uri.path();
    let dialect = if path.starts_with("/anthropic/") || has("anthropic-version") {
        Dialect::Anthropic
    } else if path.starts_with("/gemini/")
        || path.starts_with("/v1beta/")
        || has("x-goog-api-key")
        || query_key()
    {
        Dialect::Gemini
    } else if path.starts_with("/cohere/") || is("user-agent", "cohere/") || is("x-fern-sdk-name", "cohere") {
        Dialect::Cohere
    } else {
        Dialect::OpenAiChat
    };
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
