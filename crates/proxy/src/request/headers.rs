//! What a request's headers say: the API key, attribution and the options of the client.

use std::time::Duration;

use domain::{Attribution, ErrorKind, Strictness};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use policy::Caller;

use crate::error::GatewayError;

/// Anthropic's version, which it requires, and its opt-ins; the client's own pass where the dialect is the same.
pub(crate) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
pub(crate) const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// The header that says how strict a translation is.
pub(crate) const TRANSLATION: &str = "x-portcullis-translation";

const ANTHROPIC_KEY: HeaderName = HeaderName::from_static("x-api-key");
const GOOGLE_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const AZURE_KEY: HeaderName = HeaderName::from_static("api-key");

/// The gateway's own headers of a request, found in one pass: most requests have none.
#[derive(Default)]
struct GatewayHeaders<'a> {
    timeout: Option<&'a HeaderValue>,
    cache: Option<&'a HeaderValue>,
    session: Option<&'a HeaderValue>,
    explain: Option<&'a HeaderValue>,
    lenient: Option<&'a HeaderValue>,
    translation: Option<&'a HeaderValue>,
    /// A second value of `translation`, where it is another one.
    other_translation: Option<&'a HeaderValue>,
    user: Option<&'a HeaderValue>,
    feature: Option<&'a HeaderValue>,
    tags: Option<&'a HeaderValue>,
}

impl<'a> GatewayHeaders<'a> {
    fn find(headers: &'a HeaderMap) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let slot = match name.as_str().strip_prefix("x-portcullis-") {
                Some("timeout-ms") => &mut found.timeout,
                Some("cache") => &mut found.cache,
                Some("session") => &mut found.session,
                Some("explain") => &mut found.explain,
                Some("lenient") => &mut found.lenient,
                Some("translation") => match found.translation {
                    Some(first) if first != value => &mut found.other_translation,
                    _ => &mut found.translation,
                },
                Some("user") => &mut found.user,
                Some("feature") => &mut found.feature,
                Some("tags") => &mut found.tags,
                _ => continue,
            };
            // Of several values the first one counts.
            slot.get_or_insert(value);
        }
        found
    }
}

/// The API keys that a client presents, in any of the forms that SDKs use. SDKs that want a key of their own send one that
/// is made up beside the one that their user set.
pub(crate) fn extract_api_keys<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> PresentedKeys<'a> {
    let mut keys = PresentedKeys::default();
    for (name, value) in headers {
        if *name == header::AUTHORIZATION {
            let text = value.to_str().unwrap_or_default();
            let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            token.into_iter().for_each(|(_, token)| keys.add(token));
        } else if [ANTHROPIC_KEY, GOOGLE_KEY, AZURE_KEY].contains(name) {
            keys.add(value.to_str().unwrap_or_default());
        }
    }
    let query = || uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key="));
    query().into_iter().for_each(|key| keys.add(key));
    keys
}

/// Most different keys that are looked at.
const MOST_KEYS: usize = 4;

/// The different keys that a request presents; nearly always one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PresentedKeys<'a> {
    keys: [Option<&'a str>; MOST_KEYS],
}

impl<'a> PresentedKeys<'a> {
    fn add(&mut self, key: &'a str) {
        let key = key.trim();
        if key.is_empty() || self.iter().any(|known| known == key) {
            return;
        }
        if let Some(free) = self.keys.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(key);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.keys.into_iter().flatten()
    }
}

/// What the client may choose for one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestOptions {
    /// A time limit of the whole request, where it is shorter than the route's.
    pub(crate) timeout: Option<Duration>,
    /// What `sticky` pins to a target.
    pub(crate) session: Option<String>,
    /// Whether the response explains what decided over the request.
    pub(crate) explain: bool,
    /// What happens to fields that the target cannot express, where the headers say it.
    pub(crate) translation: Option<Strictness>,
    /// The content type, boundary included, where it is a form upload.
    pub(crate) upload: Option<HeaderValue>,
    /// `anthropic-version` and `anthropic-beta`, for targets of that dialect.
    pub(crate) anthropic: [Option<HeaderValue>; 2],
}

/// What the headers of a call say.
pub(crate) struct ParsedHeaders {
    pub(crate) options: RequestOptions,
    /// Tenant, user and feature, as far as the key and the headers say; the body may yet name the user.
    pub(crate) attribution: Attribution,
}

/// Reads the headers of a call.
pub(crate) fn read_headers(headers: &HeaderMap, caller: &Caller) -> Result<ParsedHeaders, GatewayError> {
    let own = GatewayHeaders::find(headers);
    Ok(ParsedHeaders { options: options(headers, &own)?, attribution: attribution(&own, caller)? })
}

fn options(headers: &HeaderMap, own: &GatewayHeaders<'_>) -> Result<RequestOptions, GatewayError> {
    match own.cache.map(HeaderValue::as_bytes) {
        None | Some(b"off" | b"refresh") => {}
        // No cache exists yet, so none has the answer.
        Some(b"only") => {
            return Err(GatewayError::new(ErrorKind::CacheMiss, "no cache has an answer to this request"));
        }
        Some(_) => return Err(bad("x-portcullis-cache", "off, refresh or only")),
    }
    Ok(RequestOptions {
        timeout: own.timeout.map(timeout).transpose()?,
        session: name(own.session, "x-portcullis-session")?,
        explain: switch(own.explain, "x-portcullis-explain")?,
        translation: translation(own)?,
        upload: headers.get(header::CONTENT_TYPE).filter(|value| is_form(value)).cloned(),
        anthropic: [headers.get(&ANTHROPIC_VERSION).cloned(), joined(headers, &ANTHROPIC_BETA)],
    })
}

/// The strictness that the headers ask for; the newer header takes precedence over the older one.
fn translation(own: &GatewayHeaders<'_>) -> Result<Option<Strictness>, GatewayError> {
    const FORM: &str = "strict, default or lenient";
    let older = match own.lenient {
        Some(value) if switch(Some(value), "x-portcullis-lenient")? => Some(Strictness::Lenient),
        Some(_) => Some(Strictness::Default),
        None => None,
    };
    if own.other_translation.is_some() {
        return Err(bad(TRANSLATION, "one of strict, default and lenient, and not several of them"));
    }
    let Some(value) = own.translation else { return Ok(older) };
    Strictness::from_name(value.as_bytes()).map(Some).ok_or_else(|| bad(TRANSLATION, FORM))
}

/// The lines of a header that holds a list, as one.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    let mut list = first.as_bytes().to_vec();
    for line in lines {
        list.extend_from_slice(b",");
        list.extend_from_slice(line.as_bytes());
    }
    HeaderValue::from_bytes(&list).ok()
}

fn timeout(value: &HeaderValue) -> Result<Duration, GatewayError> {
    let millis = value.to_str().ok().and_then(|text| text.parse::<u64>().ok()).filter(|millis| *millis > 0);
    let millis = millis.ok_or_else(|| bad("x-portcullis-timeout-ms", "a number of milliseconds"))?;
    Ok(Duration::from_millis(millis))
}

/// Whether a content type is that of a form upload.
fn is_form(value: &HeaderValue) -> bool {
    value.as_bytes().get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart"))
}

/// What the key pins takes precedence over what the client says.
fn attribution(own: &GatewayHeaders<'_>, caller: &Caller) -> Result<Attribution, GatewayError> {
    let key = &caller.key;
    // The header is checked also where the key pins a user.
    let user = name(own.user, "x-portcullis-user")?;
    let feature = match &key.spec.feature {
        Some(pinned) => Some(pinned.clone()),
        None => name(own.feature, "x-portcullis-feature")?,
    };
    Ok(Attribution {
        tenant: key.tenant.id,
        key: key.id,
        user: key.spec.user.clone().or(user),
        feature,
        tags: tags(own.tags)?,
    })
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
        let name = name.trim();
        let value = value.trim();
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

    fn read(headers: &HeaderMap) -> Result<RequestOptions, GatewayError> {
        options(headers, &GatewayHeaders::find(headers))
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
            assert_eq!(found(&[(name, value)], &plain), ["k"], "{name}");
        }
        assert_eq!(found(&[("x-api-key", ""), ("authorization", "Bearer k")], &plain), ["k"]);
        assert_eq!(found(&[], &Uri::from_static("/v1/models?a=b&key=k")), ["k"]);
        assert_eq!(found(&[("authorization", "Basic k")], &plain), [""; 0]);
        let several = [("x-api-key", "dummy"), ("authorization", "Bearer k"), ("api-key", "k")];
        assert_eq!(found(&several, &plain), ["dummy", "k"]);
        let many = ["a", "b", "c", "d", "e"].map(|key| ("x-api-key", key));
        assert_eq!(found(&many, &plain).len(), MOST_KEYS, "looking them up is bounded");
    }

    fn found(pairs: &[(&'static str, &str)], uri: &Uri) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        extract_api_keys(&headers, uri).iter().map(str::to_owned).collect()
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
        assert!(read(&headers(&[("x-portcullis-timeout-ms", "soon")])).is_err());
        assert!(read(&headers(&[("x-portcullis-cache", "maybe")])).is_err());
        for (said, understood) in [("1", Some(true)), ("0", Some(false)), ("true", None)] {
            let options = read(&headers(&[("x-portcullis-explain", said)]));
            assert_eq!(options.ok().map(|options| options.explain), understood, "{said}");
        }
        let only = read(&headers(&[("x-portcullis-cache", "only")])).unwrap_err();
        assert_eq!(only.http_status().as_u16(), 504);
    }
}
