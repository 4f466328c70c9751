//! The imagined request as a proxy would read it: its API, its body, and what one scan finds there.

use admin_api::ExplainRequest;
use axum::body::Bytes;
use serde_json::{Map, Value, json};
use wire::{Api, RequestFacts, Shape, scan::PathParamsRef};

use crate::rest::error::ApiError;

/// Longest `model`, in bytes: proxies take no longer one.
const MAX_MODEL: usize = 512;

/// A request as it was understood.
pub(super) struct Question {
    pub(super) api: Api,
    pub(super) facts: RequestFacts,
    body: Bytes,
    /// The model, in APIs whose request line names it.
    in_path: Option<String>,
}

impl Question {
    /// Reads what was asked.
    pub(super) fn read(asked: &ExplainRequest) -> Result<Self, ApiError> {
        let api = api(asked.api.as_deref())?;
        if asked.body.is_some() && asked.prompt.is_some() {
            return Err(ApiError::invalid("prompt", "cannot be given beside `body`"));
        }
        if api.is_upload() {
            return Self::upload(asked, api);
        }
        let mut body = body(asked, api)?;
        let model = model(asked, &body)?;
        let in_path = wire::codec(api.dialect()).has_model_in_path();
        if !in_path {
            body.entry("model").or_insert_with(|| model.clone().into());
        }
        let body = Bytes::from(Value::Object(body).to_string());
        let in_path = in_path.then_some(model);
        let facts = scan(api, in_path.as_deref(), &body)?;
        Ok(Self { api, facts, body, in_path })
    }

    /// A form is no JSON; nothing of it but the model matters for its route.
    fn upload(asked: &ExplainRequest, api: Api) -> Result<Self, ApiError> {
        let given = [("body", asked.body.is_some()), ("prompt", asked.prompt.is_some())];
        if let Some((field, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(ApiError::invalid(
                field,
                format!("cannot be given: {} is a form upload", api.name()),
            ));
        }
        let facts = RequestFacts::plain(model(asked, &Map::new())?, 0..0);
        Ok(Self { api, facts, body: Bytes::new(), in_path: None })
    }

    /// Input tokens, estimated as proxies do: four bytes each, and none of what is billed by piece.
    pub(super) fn input_tokens(&self) -> u64 {
        match self.api.usage_of_request(&self.facts) {
            Some(_) => 0,
            None => (self.body.len() as u64).div_ceil(4),
        }
    }

    /// What only a whole reading of the body tells.
    pub(super) fn shape(&self) -> Shape {
        wire::shape(self.api, path(self.in_path.as_deref()), &self.body)
    }
}

fn path(model: Option<&str>) -> PathParamsRef<'_> {
    PathParamsRef { model, stream: model.map(|_| false) }
}

fn api(name: Option<&str>) -> Result<Api, ApiError> {
    let Some(name) = name else { return Ok(Api::Chat) };
    Api::from_name(name).ok_or_else(|| {
        let mut known = Api::ALL.map(Api::name).to_vec();
        known.dedup();
        ApiError::invalid("api", format!("there is no API {name:?}; there are {}", known.join(", ")))
    })
}

/// The body, where the client's is not given the least one that says the prompt.
fn body(asked: &ExplainRequest, api: Api) -> Result<Map<String, Value>, ApiError> {
    let body = asked.body.clone().unwrap_or_else(|| saying(api, asked.prompt.as_deref().unwrap_or_default()));
    match body {
        Value::Object(fields) => Ok(fields),
        _ => Err(ApiError::invalid("body", "expected an object, as the client sends it")),
    }
}

fn saying(api: Api, prompt: &str) -> Value {
    match api {
        Api::Responses | Api::Embeddings | Api::Moderations | Api::Speech => json!({ "input": prompt }),
        Api::Completions | Api::Images => json!({ "prompt": prompt }),
        Api::Rerank => json!({ "query": prompt, "documents": [prompt] }),
        // The dialect requires a bound of the output.
        Api::Messages => {
            json!({ "max_tokens": 1_024, "messages": [{ "role": "user", "content": prompt }] })
        }
        Api::Gemini | Api::GeminiCountTokens => {
            json!({ "contents": [{ "role": "user", "parts": [{ "text": prompt }] }] })
        }
        Api::Converse => json!({ "messages": [{ "role": "user", "content": [{ "text": prompt }] }] }),
        _ => json!({ "messages": [{ "role": "user", "content": prompt }] }),
    }
}

/// The model may be said beside the body, in it, or in both, but not differently.
fn model(asked: &ExplainRequest, body: &Map<String, Value>) -> Result<String, ApiError> {
    let field = if asked.model.is_some() { "model" } else { "body.model" };
    let model = match (asked.model.as_deref(), body.get("model")) {
        (None, None) => return Err(ApiError::invalid("model", "is required, here or in the body")),
        (Some(model), None) => model,
        (said, Some(Value::String(model))) if said.is_none_or(|said| said == model) => model,
        (None, Some(_)) => return Err(ApiError::invalid("body.model", "expected a text")),
        (Some(said), Some(_)) => {
            return Err(ApiError::invalid("body.model", format!("differs from `model`, which is {said:?}")));
        }
    };
    match model.len() {
        0 => Err(ApiError::invalid(field, "is empty")),
        1..=MAX_MODEL => Ok(model.to_owned()),
        _ => Err(ApiError::invalid(field, format!("is longer than {MAX_MODEL} bytes"))),
    }
}

fn scan(api: Api, model: Option<&str>, body: &Bytes) -> Result<RequestFacts, ApiError> {
    wire::codec(api.dialect()).scan(api, path(model), body).map_err(|error| {
        let field = error.field.map_or_else(|| "body".to_owned(), |field| format!("body.{field}"));
        ApiError::invalid(&field, error.to_string())
    })
}
