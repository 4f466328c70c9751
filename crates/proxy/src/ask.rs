//! What the request's head asks for: the presented key, attribution and the client's own options.

use std::time::Duration;

use domain::{Attribution, ErrorKind};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use policy::Caller;
use wire::RequestFacts;

use crate::reply::GatewayError;

/// Anthropic's version, which it requires, and its opt-ins; the client's own pass where the dialect is the same.
pub(crate) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
pub(crate) const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");

const ANTHROPIC_KEY: HeaderName = HeaderName::from_static("x-api-key");
const GOOGLE_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const AZURE_KEY: HeaderName = HeaderName::from_static("api-key");

/// The gateway's own headers of a request, found in one pass: most requests have none.
#[derive(Default)]
struct Own<'a> {
    timeout: Option<&'a HeaderValue>,
    cache: Option<&'a HeaderValue>,
    session: Option<&'a HeaderValue>,
    explain: Option<&'a HeaderValue>,
    lenient: Option<&'a HeaderValue>,
    user: Option<&'a HeaderValue>,
    feature: Option<&'a HeaderValue>,
    tags: Option<&'a HeaderValue>,
}

impl<'a> Own<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut own = Self::default();
        for (name, value) in headers {
            let place = match name.as_str().strip_prefix("x-portcullis-") {
                Some("timeout-ms") => &mut own.timeout,
                Some("cache") => &mut own.cache,
                Some("session") => &mut own.session,
                Some("explain") => &mut own.explain,
                Some("lenient") => &mut own.lenient,
                Some("user") => &mut own.user,
                Some("feature") => &mut own.feature,
                Some("tags") => &mut own.tags,
                _ => continue,
            };
            // The first of several, as everywhere.
            place.get_or_insert(value);
        }
        own
    }
}

/// The key a client presents, in any of the forms that SDKs use.
pub(crate) fn presented<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let text = |name| text(name).filter(|value| !value.is_empty());
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let query = || uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key="));
    let vendors = || text(GOOGLE_KEY).or_else(|| text(AZURE_KEY));
    text(ANTHROPIC_KEY).or(bearer).or_else(vendors).or_else(query)
}

/// What the client may choose for one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// A shorter bound of the whole request than the route's.
    pub(crate) timeout: Option<Duration>,
    /// What keeps to a target under `sticky`.
    pub(crate) session: Option<String>,
    /// Whether the final comment lists every attempt.
    pub(crate) explain: bool,
    /// Whether a field that the target cannot express is dropped rather than refused.
    pub(crate) lenient: bool,
    /// The content type, boundary included, where it is a form upload.
    pub(crate) upload: Option<HeaderValue>,
    /// `anthropic-version` and `anthropic-beta`, for targets of that dialect.
    pub(crate) anthropic: [Option<HeaderValue>; 2],
}

/// Reads the options.
pub(crate) fn options(headers: &HeaderMap) -> Result<Options, GatewayError> {
    let own = Own::of(headers);
    let timeout = match own.timeout {
        None => None,
        Some(value) => {
            let millis =
                value.to_str().ok().and_then(|text| text.parse::<u64>().ok()).filter(|millis| *millis > 0);
            Some(Duration::from_millis(
                millis.ok_or_else(|| bad("x-portcullis-timeout-ms", "a number of milliseconds"))?,
            ))
        }
    };
    match own.cache.map(HeaderValue::as_bytes) {
        None | Some(b"off" | b"refresh") => {}
        // No cache exists yet, so none has the answer.
        Some(b"only") => {
            return Err(GatewayError::new(ErrorKind::CacheMiss, "no cache has an answer to this request"));
        }
        Some(_) => return Err(bad("x-portcullis-cache", "off, refresh or only")),
    }
    let session = name(own.session, "x-portcullis-session")?;
    let explain = switch(own.explain, "x-portcullis-explain")?;
    let lenient = switch(own.lenient, "x-portcullis-lenient")?;
    let anthropic = [&ANTHROPIC_VERSION, &ANTHROPIC_BETA].map(|name| headers.get(name).cloned());
    let form = |value: &&HeaderValue| {
        value.as_bytes().get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart"))
    };
    let upload = headers.get(header::CONTENT_TYPE).filter(form).cloned();
    Ok(Options { timeout, session, explain, lenient, upload, anthropic })
}

/// For whom the request runs: what the key pins, else what the client says in headers, else in the body.
pub(crate) fn attribution(
    headers: &HeaderMap,
    caller: &Caller,
    facts: &RequestFacts,
) -> Result<Attribution, GatewayError> {
    let (spec, own) = (&caller.key.spec, Own::of(headers));
    let user = match (&spec.user, name(own.user, "x-portcullis-user")?) {
        (Some(pinned), _) => Some(pinned.clone()),
        (None, Some(said)) => Some(said),
        (None, None) => facts.user.clone(),
    };
    let feature = match &spec.feature {
        Some(pinned) => Some(pinned.clone()),
        None => name(own.feature, "x-portcullis-feature")?,
    };
    Ok(Attribution { tenant: caller.key.tenant.id, key: caller.key.id, user, feature, tags: tags(own.tags)? })
}

fn switch(value: Option<&HeaderValue>, header: &str) -> Result<bool, GatewayError> {
    match value.map(HeaderValue::as_bytes) {
        None | Some(b"0") => Ok(false),
        Some(b"1") => Ok(true),
        Some(_) => Err(bad(header, "1 or 0")),
    }
}

fn name(value: Option<&HeaderValue>, header: &'static str) -> Result<Option<String>, GatewayError> {
    let Some(value) = value else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).ok().filter(|text| text.len() <= Attribution::MAX_NAME);
    match text {
        Some("") => Ok(None),
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(bad(header, "UTF-8 of at most 256 bytes")),
    }
}

fn tags(value: Option<&HeaderValue>) -> Result<Vec<(String, String)>, GatewayError> {
    const FORM: &str = "k=v,k=v: at most 16 pairs of at most 256 bytes";
    let Some(value) = value else { return Ok(Vec::new()) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| bad("x-portcullis-tags", FORM))?;
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        (!name.is_empty() && name.len() + value.len() <= Attribution::MAX_NAME)
            .then(|| (name.to_owned(), value.to_owned()))
    };
    let pairs: Option<Vec<_>> = text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect();
    pairs.filter(|pairs| pairs.len() <= Attribution::MAX_TAGS).ok_or_else(|| bad("x-portcullis-tags", FORM))
}

fn bad(header: &str, form: &str) -> GatewayError {
    GatewayError::new(ErrorKind::InvalidRequest, format!("header {header} must be {form}"))
        .param(Some(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_key_is_found_wherever_sdks_put_it() {
        let plain = Uri::from_static("/v1/models");
        for (name, value) in [
            ("authorization", "Bearer k"),
            ("authorization", "bearer  k"),
            ("x-api-key", "k"),
            ("x-goog-api-key", "k"),
            ("api-key", "k"),
        ] {
            assert_eq!(presented(&headers(&[(name, value)]), &plain), Some("k"), "{name}");
        }
        let empty = headers(&[("x-api-key", ""), ("authorization", "Bearer k")]);
        assert_eq!(presented(&empty, &plain), Some("k"));
        assert_eq!(presented(&headers(&[]), &Uri::from_static("/v1/models?a=b&key=k")), Some("k"));
        assert_eq!(presented(&headers(&[("authorization", "Basic k")]), &plain), None);
    }

    #[test]
    fn tags_are_bounded() {
        assert_eq!(
            tags(Some(&HeaderValue::from_static("a=1, b=x=y,"))).unwrap()[1],
            ("b".into(), "x=y".into())
        );
        let many = vec!["a=b"; 17].join(",");
        for bad in ["nonsense", "=v", many.as_str()] {
            assert!(tags(Some(&HeaderValue::from_str(bad).unwrap())).is_err(), "{bad}");
        }
        assert!(options(&headers(&[("x-portcullis-timeout-ms", "soon")])).is_err());
        assert!(options(&headers(&[("x-portcullis-cache", "maybe")])).is_err());
        for (said, understood) in [("1", Some(true)), ("0", Some(false)), ("true", None)] {
            let options = options(&headers(&[("x-portcullis-explain", said)]));
            assert_eq!(options.ok().map(|options| options.explain), understood, "{said}");
        }
        let only = options(&headers(&[("x-portcullis-cache", "only")])).unwrap_err();
        assert_eq!(only.http_status().as_u16(), 504);
    }
}
