//! Reading a request's body within bounds of size and time.

use bytes::{Bytes, BytesMut};
use domain::ErrorKind;
use http::{Request, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::unpack::{Packing, Unpacker, Unpacking, packing};
use crate::{error::GatewayError, settings::EdgeSettings};

/// Most bytes set aside because a client announces them; beyond it the buffer grows as they come.
const MAX_FORETOLD: usize = 1 << 20;

/// Reads a body whole; most bodies come in one frame and are not copied.
pub(crate) async fn read_body(
    request: &mut Request<Incoming>,
    edge: &EdgeSettings,
) -> Result<Bytes, GatewayError> {
    let packing = packing(request.headers())?;
    let body = request.body_mut();
    if body.size_hint().lower() > edge.max_body_bytes {
        return Err(too_large(edge));
    }
    let read = async {
        match packing {
            None => collect(body, edge).await,
            Some(packing) => unpack(body, packing, edge).await,
        }
    };
    match tokio::time::timeout(edge.body_timeout(), read).await {
        Ok(read) => read,
        Err(_) => {
            let text = format!("the body did not arrive within {} s", edge.body_timeout_seconds);
            Err(GatewayError::new(ErrorKind::InvalidRequest, text).status(StatusCode::REQUEST_TIMEOUT))
        }
    }
}

async fn collect(body: &mut Incoming, edge: &EdgeSettings) -> Result<Bytes, GatewayError> {
    let announced = body.size_hint().exact();
    let Some(first) = next(body).await? else { return Ok(Bytes::new()) };
    if announced == Some(first.len() as u64) {
        return Ok(first);
    }
    // What was announced is within the limit but not believed beyond a start: it costs a client nothing to say.
    let expected = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(2 * first.len());
    let mut whole = BytesMut::with_capacity(expected.min(MAX_FORETOLD.max(first.len())));
    let mut piece = Some(first);
    while let Some(data) = piece {
        if (whole.len() + data.len()) as u64 > edge.max_body_bytes {
            return Err(too_large(edge));
        }
        whole.extend_from_slice(&data);
        piece = next(body).await?;
    }
    Ok(whole.freeze())
}

/// Reads a packed body, and unpacks it as it comes; the bound holds for both of its sizes.
async fn unpack(body: &mut Incoming, packing: Packing, edge: &EdgeSettings) -> Result<Bytes, GatewayError> {
    let fault = |fault: Unpacking| match fault {
        Unpacking::TooLarge => {
            let text = format!("the body exceeds {} bytes once it is unpacked", edge.max_body_bytes);
            GatewayError::new(ErrorKind::RequestTooLarge, text)
        }
        Unpacking::Broken => {
            let text = format!("the body is not whole {}, as content-encoding says", packing.name());
            GatewayError::new(ErrorKind::InvalidRequest, text)
        }
    };
    let limit = usize::try_from(edge.max_body_bytes).unwrap_or(usize::MAX);
    let mut unpacker = Unpacker::new(packing, limit).map_err(fault)?;
    let mut packed = 0;
    while let Some(piece) = next(body).await? {
        packed += piece.len() as u64;
        if packed > edge.max_body_bytes {
            return Err(too_large(edge));
        }
        unpacker.feed(&piece).await.map_err(fault)?;
    }
    unpacker.finish().map_err(fault)
}

/// The next piece of data; trailers are skipped.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, GatewayError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            GatewayError::new(
                ErrorKind::InvalidRequest,
                "the connection broke off before the end of the body",
            )
        })?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn too_large(edge: &EdgeSettings) -> GatewayError {
    GatewayError::new(ErrorKind::RequestTooLarge, format!("the body exceeds {} bytes", edge.max_body_bytes))
}
