//! Which web pages may send a request: the operator's list, and those of tenant, API key and route.

use domain::{ErrorKind, Origin, OriginList};
use http::{HeaderMap, HeaderValue, header};

use crate::error::GatewayError;

/// Whether a list names the origin that a browser tells.
pub(crate) fn allows_origin(allowed: &[Origin], presented: &HeaderValue) -> bool {
    allowed.iter().any(|origin| origin.matches(presented.as_bytes()))
}

/// Checks the page that a request comes from, if it comes from one, against the list of `owner`, if it has one.
///
/// # Errors
/// The list does not name the page's origin.
pub(crate) fn check_origin(
    headers: &HeaderMap,
    allowed: Option<&OriginList>,
    owner: &str,
) -> Result<(), GatewayError> {
    let (Some(allowed), Some(origin)) = (allowed, headers.get(header::ORIGIN)) else { return Ok(()) };
    if allows_origin(allowed.as_slice(), origin) {
        return Ok(());
    }
    let text = format!("pages of this origin may not use this {owner}: its `cors_origins` do not name it");
    Err(GatewayError::new(ErrorKind::Forbidden, text))
}
