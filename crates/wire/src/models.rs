//! The list of models in the words of each dialect that has one (docs/spec/endpoints.md#lists-of-models).

use http::{HeaderMap, Uri};

use crate::{
    dialect::Dialect,
    json::out::{ObjectOut, object},
    provider::{Addressing, BasePath},
};

/// Who made the gateway's names, where a dialect wants to know.
const OWNER: &str = "portcullis";

/// What each dialect calls the model's moment of birth, which routes do not have.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// The dialect of a client that asks for models: four dialects share the path and are told apart by what their SDKs
/// send along (docs/spec/endpoints.md#lists-of-models), or by the prefix of the base URL.
#[must_use]
pub fn dialect_of(uri: &Uri, headers: &HeaderMap) -> Dialect {
    let has = |name: &str| headers.contains_key(name);
    let is = |name: &str, value: &str| {
        headers.get(name).is_some_and(|got| got.as_bytes().starts_with(value.as_bytes()))
    };
    let query_key = || uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("key=")));
    let path = uri.path();
    if path.starts_with("/anthropic/") || has("anthropic-version") {
        Dialect::Anthropic
    } else if path.starts_with("/gemini/")
        || path.starts_with("/v1beta/")
        || has("x-goog-api-key")
        || query_key()
    {
        Dialect::Gemini
    } else if path.starts_with("/cohere/") || is("user-agent", "cohere/") || is("x-fern-sdk-name", "cohere") {
        Dialect::Cohere
    } else {
        Dialect::OpenAiChat
    }
}

/// The answer to a request for the list.
#[must_use]
pub fn list(dialect: Dialect, names: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + names.len() * 96);
    object(&mut out, |o| match dialect {
        Dialect::Anthropic => {
            o.array("data", |a| names.iter().for_each(|name| a.object(|o| anthropic(o, name))));
            o.bool("has_more", false);
            o.text_if("first_id", names.first().copied());
            o.text_if("last_id", names.last().copied());
        }
        Dialect::Gemini => {
            o.array("models", |a| names.iter().for_each(|name| a.object(|o| gemini(o, name))));
        }
        Dialect::Cohere => {
            o.array("models", |a| names.iter().for_each(|name| a.object(|o| cohere(o, name))));
        }
        _ => {
            o.text("object", "list");
            o.array("data", |a| names.iter().for_each(|name| a.object(|o| openai(o, name))));
        }
    });
    out
}

/// Where a provider lists its models, as [`crate::upstream_path`] says where it is called, if behind this base.
///
/// As little of the list as the provider lets one ask for.
#[must_use]
pub fn path(base: &str, root: BasePath, dialect: Dialect, addressing: Addressing) -> Option<String> {
    let base = match root {
        BasePath::Base => base,
        BasePath::Instead(other) => other,
    };
    let rest = match (addressing, dialect) {
        (Addressing::AzureDeployments { api_version }, _) => {
            return Some(format!("{base}/openai/models?api-version={api_version}"));
        }
        // Both clouds list models at other hosts than they serve them at.
        (Addressing::Vertex, _) | (_, Dialect::Bedrock) => return None,
        (_, Dialect::OpenAiChat | Dialect::OpenAiResponses) => "/models",
        (_, Dialect::Anthropic) => "/v1/models?limit=1",
        (_, Dialect::Gemini) => "/v1beta/models?pageSize=1",
        (_, Dialect::Cohere) => "/v1/models?page_size=1",
    };
    Some(format!("{base}{rest}"))
}

/// The answer to a request for one model.
#[must_use]
pub fn show(dialect: Dialect, name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    object(&mut out, |o| match dialect {
        Dialect::Anthropic => anthropic(o, name),
        Dialect::Gemini => gemini(o, name),
        Dialect::Cohere => cohere(o, name),
        _ => openai(o, name),
    });
    out
}

fn openai(o: &mut ObjectOut<'_>, name: &str) {
    o.text("id", name);
    o.text("object", "model");
    o.number("created", 0);
    o.text("owned_by", OWNER);
}

fn anthropic(o: &mut ObjectOut<'_>, name: &str) {
    o.text("type", "model");
    o.text("id", name);
    o.text("display_name", name);
    o.text("created_at", EPOCH);
}

fn gemini(o: &mut ObjectOut<'_>, name: &str) {
    o.pieces("name", &["models/", name]);
    o.text("displayName", name);
    o.array("supportedGenerationMethods", |a| {
        a.text("generateContent");
        a.text("streamGenerateContent");
    });
}

fn cohere(o: &mut ObjectOut<'_>, name: &str) {
    o.text("name", name);
    o.array("endpoints", |a| a.text("chat"));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn each_dialect_lists_its_models_somewhere() {
        use Dialect as D;
        let standard = |base, root, dialect| path(base, root, dialect, Addressing::Standard);
        assert_eq!(standard("/v1", BasePath::Base, D::OpenAiChat).unwrap(), "/v1/models");
        assert_eq!(standard("/v1", BasePath::Instead(""), D::Anthropic).unwrap(), "/v1/models?limit=1");
        assert_eq!(standard("", BasePath::Base, D::Gemini).unwrap(), "/v1beta/models?pageSize=1");
        assert_eq!(standard("", BasePath::Base, D::Bedrock), None);
        assert_eq!(path("/v1/projects/p", BasePath::Base, D::Gemini, Addressing::Vertex), None);
        let azure = Addressing::AzureDeployments { api_version: "2024-10-21" };
        let azure = path("", BasePath::Base, D::OpenAiChat, azure).unwrap();
        assert_eq!(azure, "/openai/models?api-version=2024-10-21");
    }

    #[test]
    fn each_dialect_has_its_list() {
        let read = |dialect| -> Value { serde_json::from_slice(&list(dialect, &["chat", "a/b"])).unwrap() };
        assert_eq!(read(Dialect::OpenAiChat)["data"][1]["id"], "a/b");
        let anthropic = read(Dialect::Anthropic);
        assert_eq!((&anthropic["first_id"], &anthropic["last_id"]), (&json!("chat"), &json!("a/b")));
        assert_eq!(read(Dialect::Gemini)["models"][1]["name"], "models/a/b");
        assert_eq!(read(Dialect::Cohere)["models"][0], json!({ "name": "chat", "endpoints": ["chat"] }));
        let one: Value = serde_json::from_slice(&show(Dialect::Gemini, "x")).unwrap();
        assert_eq!(one["name"], "models/x");
    }
}
