//! Who asks: the credential of a request, where each provider looks for it, and whether it is the wanted one.

use http::{HeaderMap, StatusCode};

use crate::App;
use crate::endpoint::{Dialect, Endpoint, decode};
use crate::problem::Problem;
use crate::script::Behaviour;
use crate::sigv4::{self, ALGORITHM, Signed};

/// Headers that carry credentials: seen, digested, never kept.
pub(crate) const CREDENTIALS: [&str; 7] = [
    "authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "proxy-authorization",
    "cookie",
    "x-amz-security-token",
];

/// What a request shows for itself.
pub(crate) enum Credential {
    None,
    Key(String),
    /// An AWS signature, in the headers.
    Signature,
}

impl Credential {
    /// The credential where this endpoint's provider looks for it; one in another provider's header does not count.
    pub(crate) fn of(endpoint: Endpoint, headers: &HeaderMap, query: &str) -> Self {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let authorization = header("authorization");
        let bearer = authorization.and_then(|v| v.strip_prefix("Bearer "));
        let key = match endpoint.dialect() {
            _ if endpoint.on_vertex() => bearer,
            Dialect::OpenAi => bearer.or_else(|| header("api-key")),
            // With both, Anthropic reads its own header.
            Dialect::Anthropic => header("x-api-key").or(bearer),
            Dialect::Gemini => {
                let in_query = || query.split('&').find_map(|pair| pair.strip_prefix("key="));
                if let Some(key) = header("x-goog-api-key").or(bearer).or_else(in_query) {
                    return Self::Key(decode(key));
                }
                None
            }
            Dialect::Cohere => bearer,
            Dialect::Bedrock if authorization.is_some_and(|v| v.starts_with(ALGORITHM)) => {
                return Self::Signature;
            }
            Dialect::Bedrock => bearer,
        };
        key.map_or(Self::None, |key| Self::Key(key.to_owned()))
    }

    pub(crate) fn key(&self) -> Option<&str> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }

    /// Whether the request may be answered. OpenAI's endpoints take requests without a key when none is wanted,
    /// as self-hosted servers do; the others want at least some credential in their own place.
    ///
    /// # Errors
    /// The provider's refusal.
    pub(crate) fn check(
        &self,
        app: &App,
        behaviour: &Behaviour,
        endpoint: Endpoint,
        request: &Signed<'_>,
    ) -> Result<(), Problem> {
        let dialect = endpoint.dialect();
        let wanted = behaviour.require_key.as_deref().or(app.key.as_deref());
        let aws = behaviour.require_sigv4.as_ref().or(app.aws.as_ref());
        match self {
            Self::Signature => match aws {
                Some(key) => sigv4::verify(request, key).map_err(signature),
                None => Ok(()),
            },
            Self::Key(key) if wanted.is_none_or(|wanted| wanted == key) => match behaviour.require_sigv4 {
                Some(_) if dialect == Dialect::Bedrock => Err(signature("Missing Authentication Token")),
                _ => Ok(()),
            },
            Self::None if wanted.is_none() && dialect == Dialect::OpenAi => Ok(()),
            Self::Key(_) | Self::None => Err(refusal(dialect, matches!(self, Self::None))),
        }
    }
}

fn signature(why: &str) -> Problem {
    let kind = if why.contains("security token") {
        "UnrecognizedClientException"
    } else {
        "InvalidSignatureException"
    };
    Problem { kind: Some(kind.into()), ..Problem::new(StatusCode::FORBIDDEN, why) }
}

/// What each provider says to a wrong key, and to none.
fn refusal(dialect: Dialect, missing: bool) -> Problem {
    let unauthorized = |message: &str| Problem::new(StatusCode::UNAUTHORIZED, message);
    match dialect {
        Dialect::OpenAi => unauthorized("incorrect API key"),
        Dialect::Anthropic if missing => unauthorized("x-api-key header is required"),
        Dialect::Anthropic => unauthorized("invalid x-api-key"),
        Dialect::Gemini if missing => Problem::new(
            StatusCode::FORBIDDEN,
            "Method doesn't allow unregistered callers (callers without established identity).",
        ),
        Dialect::Gemini => {
            Problem::bad("API key not valid. Please pass a valid API key.").with_code("API_KEY_INVALID")
        }
        Dialect::Cohere if missing => unauthorized("no api key supplied"),
        Dialect::Cohere => unauthorized("invalid api token"),
        Dialect::Bedrock => signature(match missing {
            true => "Missing Authentication Token",
            false => "The security token included in the request is invalid.",
        }),
    }
}
