//! The request of one attempt: body in the target's words, address, and headers that are the gateway's own.

use bytes::Bytes;
use domain::ErrorKind;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use policy::PlannedTarget;
use wire::{Addressing, Destination, upstream_path};

use crate::{
    codec::{EncodeError, EncodedRequest, Outbound, ResponseCodec, TenantMac, encode_request},
    error::GatewayError,
    meter::Meter,
    request::{ANTHROPIC_BETA, LlmRequest},
    state::ProxyState,
};

/// A request that is ready to be sent, and how its answer is understood.
pub(super) struct UpstreamRequest {
    pub(super) request: Request<Bytes>,
    pub(super) response_codec: ResponseCodec,
}

/// Prepares one attempt.
pub(super) fn prepare(
    gateway: &ProxyState,
    ask: &LlmRequest,
    meter: &mut Meter,
    outbound: Outbound<'_>,
) -> Result<UpstreamRequest, EncodeError> {
    let Outbound { planned, .. } = outbound;
    let target = &planned.target;
    let speaks = target.endpoint.dialect_for(ask.api.dialect(), &target.upstream);
    let to = if ask.api.generates() { speaks.dialect } else { target.endpoint.own_dialect() };
    let seal = TenantMac::shared(&gateway.keyring, meter.tenant());
    let EncodedRequest { body, codec: response_codec, dropped, version } =
        encode_request(ask, outbound, to, &seal, meter.request())?;
    meter.set_dropped_fields(dropped);
    meter.set_output_limit(outbound.limit);
    let codec = wire::codec(to);
    let body = match target.endpoint.row.addressing {
        Addressing::Vertex => {
            let said = ask.options.anthropic[0].as_ref().and_then(|value| value.to_str().ok());
            codec.vertex_body(&body, version.or(said))
        }
        _ => body,
    };
    let path = upstream_path(
        &target.endpoint.prefix,
        speaks.root,
        &Destination {
            api: ask.api,
            dialect: to,
            addressing: target.endpoint.row.addressing,
            model: &target.upstream,
            stream: ask.facts.stream,
            version: ask.path.version,
        },
    );
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = address(planned, path).map_err(EncodeError::GatewayError)?;
    let headers = request.headers_mut();
    let json = HeaderValue::from_static("application/json");
    let media = ask.options.upload.clone().filter(|_| ask.api.is_upload()).unwrap_or(json);
    headers.insert(header::CONTENT_TYPE, media);
    let accept = if ask.facts.stream { codec.framing().media_type() } else { "application/json" };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some(header) = codec.version_header() {
        // A client of the dialect says its own version; what the gateway wrote has the one it was written for.
        let [said, beta] = &ask.options.anthropic;
        let own = HeaderValue::from_static(version.unwrap_or(header.default));
        headers.insert(
            HeaderName::from_static(header.name),
            said.clone().filter(|_| version.is_none()).unwrap_or(own),
        );
        if let (Some(beta), None) = (beta, version) {
            headers.insert(ANTHROPIC_BETA, beta.clone());
        }
    }
    Ok(UpstreamRequest { request, response_codec })
}

fn address(planned: &PlannedTarget, path: String) -> Result<Uri, GatewayError> {
    let endpoint = &planned.target.endpoint;
    let uri = Uri::builder()
        .scheme(endpoint.scheme.clone())
        .authority(endpoint.authority.clone())
        .path_and_query(path)
        .build();
    uri.map_err(|_| GatewayError::new(ErrorKind::Internal, "the target's address cannot be written"))
}
