//! The stage that reads and scans a request's body.

use domain::ErrorKind;
use http::HeaderValue;
use tokio::time::Instant;
use wire::{Api, RequestFacts};

use super::call::Call;
use crate::{
    error::GatewayError,
    request::{ApiCall, LlmRequest, PathParams, RequestOptions, Unrouted, read_body},
};

/// Longest `model`, in bytes; what is longer names nothing, and errors would echo it.
const MAX_MODEL: usize = 512;

/// Reads the body and finds out what routing has to know of it.
pub(super) async fn parse_request(
    call: &mut Call<'_>,
    target: ApiCall,
    options: RequestOptions,
) -> Result<LlmRequest<Unrouted>, GatewayError> {
    let ApiCall { api, path } = target;
    let reading = Instant::now();
    let body = read_body(&mut call.incoming.request, &call.proxy.edge).await?;
    call.upload = reading.elapsed();
    let facts = scan(api, &path, options.upload.as_ref(), &body)?;
    Ok(LlmRequest { api, path, body, facts, plan: Unrouted, options })
}

/// One validating scan of the body.
fn scan(
    api: Api,
    path: &PathParams,
    upload: Option<&HeaderValue>,
    body: &[u8],
) -> Result<RequestFacts, GatewayError> {
    let scanned = match api.is_upload() {
        true => {
            let boundary = upload.and_then(|value| wire::multipart::boundary(value.to_str().ok()?));
            let text = "content-type must be multipart/form-data with its boundary";
            let boundary = boundary.ok_or_else(|| GatewayError::new(ErrorKind::InvalidRequest, text))?;
            wire::multipart::scan(boundary, body)
        }
        false => wire::codec(api.dialect()).scan(api, path.borrowed(), body),
    };
    let facts = scanned.map_err(|error| {
        GatewayError::new(ErrorKind::InvalidRequest, error.to_string()).param(error.field)
    })?;
    if api == Api::Images && facts.stream {
        let text = "images are not streamed by this gateway; leave `stream` out";
        return Err(GatewayError::new(ErrorKind::InvalidRequest, text).param(Some("stream")));
    }
    if facts.model.len() > MAX_MODEL {
        let text = format!("model is longer than {MAX_MODEL} bytes");
        return Err(GatewayError::new(ErrorKind::InvalidRequest, text).param(Some("model")));
    }
    Ok(facts)
}
