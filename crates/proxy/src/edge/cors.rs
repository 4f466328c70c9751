//! Requests of web pages: the preflights that browsers send ahead, and the headers without which they keep a response from
//! its page.

use domain::ErrorKind;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

use crate::{error::GatewayError, request::allows_origin, response::ResponseBody, settings::EdgeSettings};

/// Longest list of headers that a preflight may ask for, in bytes.
const MAX_HEADERS: usize = 4 << 10;
/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origin of the page that a request comes from, where the operator serves browsers.
///
/// # Errors
/// The page's origin is not among those that may use the gateway: what its browser would only keep it from reading is
/// not served in the first place.
pub(super) fn page<B>(
    edge: &EdgeSettings,
    request: &Request<B>,
) -> Result<Option<HeaderValue>, GatewayError> {
    if !edge.serves_browsers() {
        return Ok(None);
    }
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(None) };
    if allows_origin(&edge.cors_origins, origin) {
        return Ok(Some(origin.clone()));
    }
    let text = "pages of this origin may not use this gateway: the operator has to allow it";
    Err(GatewayError::new(ErrorKind::Forbidden, text))
}

/// Whether a request is a browser's question whether its page may send another one.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    *request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to such a question, without the headers that every response for a page has.
pub(super) fn preflight(headers: &HeaderMap) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    // A star would not cover `authorization`; what is allowed here is checked when it comes.
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let is_list = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        bytes.len() <= MAX_HEADERS
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_, ".contains(byte))
    };
    if let Some(asked) = asked.filter(is_list) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    response
}

/// Lets the browser hand a response to its page.
pub(super) fn expose(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    headers.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS) {
        let asked = HeaderName::from_static("access-control-request-headers");
        headers.append(header::VARY, HeaderValue::from_name(asked));
    }
}
