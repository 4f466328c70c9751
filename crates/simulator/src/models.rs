//! The list of models, in the dialect of the client.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

use crate::credential::Credential;
use crate::endpoint::{Dialect, Endpoint};
use crate::problem::Problem;
use crate::reply::refuse;
use crate::{App, CREATED, MODELS};

/// Lists [`MODELS`]; the dialect follows from the headers, as no path tells it.
pub(crate) fn answer(app: &App, uri: &Uri, headers: &HeaderMap) -> Response {
    let query = uri.query().unwrap_or_default();
    let endpoint = if headers.contains_key("anthropic-version") {
        Endpoint::Messages
    } else if headers.contains_key("x-goog-api-key") || query.split('&').any(|pair| pair.starts_with("key="))
    {
        Endpoint::Generate
    } else if headers.get("x-fern-sdk-name").is_some_and(|name| name == "cohere") {
        Endpoint::CohereChat
    } else {
        Endpoint::Chat
    };
    let dialect = endpoint.dialect();
    let credential = Credential::of(endpoint, headers, query);
    if app.key.as_deref().is_some_and(|key| credential.key() != Some(key)) {
        return refuse(dialect, &Problem::new(http::StatusCode::UNAUTHORIZED, "incorrect API key"), 0);
    }
    let list = |one: fn(&str) -> Value| MODELS.into_iter().map(one).collect::<Value>();
    let document = match dialect {
        Dialect::Anthropic => json!({
            "data": list(|id| json!({"type": "model", "id": id, "display_name": id,
                "created_at": "2023-11-14T22:13:20Z"})),
            "has_more": false, "first_id": MODELS.first(), "last_id": MODELS.last(),
        }),
        Dialect::Gemini => json!({"models": list(|id| json!({"name": format!("models/{id}"),
            "inputTokenLimit": 1_000_000, "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"]}))}),
        Dialect::Cohere => json!({"models": list(|id| json!({"name": id, "endpoints": ["chat"],
            "context_length": 256_000}))}),
        Dialect::OpenAi | Dialect::Bedrock => json!({"object": "list", "data": list(|id| {
            json!({"id": id, "object": "model", "created": CREATED, "owned_by": "simulator"})
        })}),
    };
    Json(document).into_response()
}
