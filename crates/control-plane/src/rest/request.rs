//! A request taken apart: who, what name, which parameters, what body; everything bounded and nothing unknown.

use std::str::FromStr;

use admin_api::{Format, MAX_DOCUMENT_BYTES, parse};
use axum::{
    body::{Bytes, to_bytes},
    extract::{Query, Request},
    http::{HeaderMap, Uri, header},
};
use serde_json::Value;
use store::Actor;

use super::error::ApiError;

const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 500;

/// A query parameter that an operation takes.
#[derive(Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    /// For the OpenAPI document.
    pub(super) description: &'static str,
}

impl Param {
    /// The size of a page.
    pub(super) const LIMIT: Self =
        Self::new("limit", "How many entries, 1 to 500; 100 when it is not given.");
    /// Where a page begins.
    pub(super) const CURSOR: Self = Self::new("cursor", "`next` of the page before.");
    /// The owner of a resource.
    pub(super) const OWNER: Self =
        Self::new("tenant", "The owner, by name or id; not given: the operator. Keys always have one.");

    pub(super) const fn new(name: &'static str, description: &'static str) -> Self {
        Self { name, description }
    }
}

/// One request.
pub(super) struct AdminRequest {
    pub(super) actor: Actor,
    /// The last part of the path: a resource's name or id.
    pub(super) name: String,
    parameters: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
}

impl AdminRequest {
    /// Reads a request; parameters that the operation does not know are refused.
    pub(super) async fn read(
        request: Request,
        name: Option<String>,
        known: &'static [Param],
    ) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        // Without the mark of the sign-in there is no way in, whatever order the layers have.
        let actor = parts.extensions.get::<Actor>().cloned().ok_or_else(ApiError::unauthenticated)?;
        let parameters = read_parameters(&parts.uri, known)?;
        let body = to_bytes(body, MAX_DOCUMENT_BYTES).await.map_err(|error| {
            let source = std::error::Error::source(&error);
            let full = source.is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
            if full { ApiError::too_large(MAX_DOCUMENT_BYTES) } else { ApiError::unreadable(error) }
        })?;
        Ok(Self { actor, name: name.unwrap_or_default(), parameters, headers: parts.headers, body })
    }

    /// A parameter, where it is given.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of a type.
    pub(super) fn typed<T: FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, ApiError> {
        let read =
            |text: &str| text.parse().map_err(|error: T::Err| ApiError::invalid(name, error.to_string()));
        self.parameter(name).map(read).transpose()
    }

    /// A switch: `true` or `false`, off when it is not given.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.parameter(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ApiError::invalid(name, "must be true or false")),
        }
    }

    /// How many entries a page shall have.
    pub(super) fn limit(&self) -> Result<u32, ApiError> {
        let wrong = || ApiError::invalid("limit", format!("must be 1 to {LARGEST_PAGE}"));
        match self.parameter("limit").map(str::parse) {
            None => Ok(PAGE),
            Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => Ok(limit),
            Some(_) => Err(wrong()),
        }
    }

    /// The body as text, and how it is written.
    pub(super) fn text(&self) -> Result<(&str, Format), ApiError> {
        let text = std::str::from_utf8(&self.body).map_err(|error| {
            ApiError::unreadable(format!("not UTF-8 from byte {} on", error.valid_up_to()))
        })?;
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let format = content_type.and_then(Format::of_content_type).unwrap_or_else(|| Format::sniff(text));
        Ok((text, format))
    }

    /// The body as one value.
    pub(super) fn value(&self) -> Result<Value, ApiError> {
        let (text, format) = self.text()?;
        Ok(parse(text, format)?)
    }

    /// Refuses the request when `If-Match` names another revision than the current one.
    pub(super) fn check_revision(&self, current: u64) -> Result<(), ApiError> {
        let Some(value) = self.headers.get(header::IF_MATCH) else { return Ok(()) };
        let text = value.to_str().map_err(|_| ApiError::invalid("If-Match", "must be a revision"))?;
        if text.trim() == "*" {
            return Ok(());
        }
        let revision = text.trim().trim_start_matches("W/").trim_matches('"').parse::<u64>();
        match revision {
            Ok(revision) if revision == current => Ok(()),
            Ok(_) => Err(ApiError::stale(current)),
            Err(_) => Err(ApiError::invalid("If-Match", "must be one revision, such as \"17\", or *")),
        }
    }
}

fn read_parameters(uri: &Uri, known: &[Param]) -> Result<Vec<(String, String)>, ApiError> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| ApiError::invalid("", format!("malformed query: {}", error.body_text())))?;
    let names = || known.iter().map(|param| param.name).collect::<Vec<_>>().join(", ");
    for (index, (name, _)) in pairs.iter().enumerate() {
        if !known.iter().any(|param| param.name == name) {
            let message = match known {
                [] => "unknown parameter; there are none".to_owned(),
                _ => format!("unknown parameter; there are {}", names()),
            };
            return Err(ApiError::invalid(name, message));
        }
        if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(ApiError::invalid(name, "is given twice"));
        }
    }
    Ok(pairs)
}
