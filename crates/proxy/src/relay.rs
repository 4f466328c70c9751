//! Provider responses on their way to clients: buffered ones with their cost in the headers, streams as they come.

mod passthrough;
mod stream;

use domain::{AttemptOutcome, RequestOutcome};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use self::{
    passthrough::PassthroughBody,
    stream::{StreamBody, StreamSource, has_comments},
};
use crate::{
    attempt::{UpstreamBody, UpstreamResponse},
    meter::{Meter, Totals},
    request::LlmRequest,
    response::{ResponseBody, write_explanation},
};
use wire::Api;

/// Turns a validated response into the client's.
pub(crate) fn respond(
    answer: UpstreamResponse,
    request: &LlmRequest,
    mut meter: Meter,
) -> Response<ResponseBody> {
    let metadata = meter.metadata();
    meter.head_goes_out(metadata.overhead);
    let mut headers = HeaderMap::with_capacity(24);
    copy_headers(&answer.head.headers, &mut headers);
    metadata.write(&mut headers);
    let status = answer.head.status;
    let deadline = answer.deadline;
    let body = match answer.kind {
        UpstreamBody::Buffered(body) => {
            // The event is on its way to disk before the client has a byte.
            meter.end(AttemptOutcome::Ok);
            let totals = meter.settle(RequestOutcome::Ok, u32::from(status.as_u16()));
            write_totals(&totals, &mut headers);
            explain(&meter, &mut headers);
            ResponseBody::buffered(body, deadline)
        }
        UpstreamBody::Passthrough(start, rest) => {
            explain(&meter, &mut headers);
            let body = PassthroughBody::new(start, rest, request, deadline, meter);
            ResponseBody::relayed(body, deadline)
        }
        UpstreamBody::Streaming(tap, pieces, rest) => {
            let media = match request.api {
                Api::Converse => "application/vnd.amazon.eventstream",
                _ => "text/event-stream",
            };
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            // Where no comment will explain the request, the headers say what is known by now.
            if !has_comments(&tap, &meter) {
                explain(&meter, &mut headers);
            }
            let source = StreamSource { tap, rest, deadline, secret: answer.secret };
            ResponseBody::relayed(StreamBody::new(source, pieces, request, meter), deadline)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Copies the provider's headers that concern the client; the rest is between gateway and provider.
fn copy_headers(from: &HeaderMap, to: &mut HeaderMap) {
    const PASSED: [HeaderName; 3] = [
        header::CONTENT_TYPE,
        HeaderName::from_static("openai-processing-ms"),
        HeaderName::from_static("openai-version"),
    ];
    /// Most lines of one header that pass.
    const MAX_LINES: usize = 4;
    const PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    for name in PASSED {
        // A second line of the content type would contradict the first.
        let most = if name == header::CONTENT_TYPE { 1 } else { MAX_LINES };
        for value in from.get_all(&name).into_iter().take(most) {
            to.append(&name, value.clone());
        }
    }
    if let Some(value) = from.get(&PROVIDER_REQUEST_ID) {
        to.insert(HeaderName::from_static("x-portcullis-provider-request-id"), value.clone());
    }
}

/// Writes what decided over the request, where the client asks for it.
fn explain(meter: &Meter, headers: &mut HeaderMap) {
    if let Some(explanation) = meter.explain() {
        write_explanation(&explanation, headers);
    }
}

/// Writes cost and tokens of a buffered response; no cost where a price is unknown.
fn write_totals(totals: &Totals, headers: &mut HeaderMap) {
    if totals.priced
        && let Ok(cost) = HeaderValue::from_str(&totals.cost.to_string())
    {
        headers.insert(HeaderName::from_static("x-portcullis-cost-usd"), cost);
    }
    let usage = &totals.usage;
    headers.insert(HeaderName::from_static("x-portcullis-tokens-in"), HeaderValue::from(usage.input()));
    headers
        .insert(HeaderName::from_static("x-portcullis-tokens-cached"), HeaderValue::from(usage.cache_read));
    headers.insert(HeaderName::from_static("x-portcullis-tokens-out"), HeaderValue::from(usage.output()));
}
