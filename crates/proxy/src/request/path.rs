//! Which client API is at a path, as the SDK of each dialect writes it.

use wire::{Api, Dialect, scan::PathParamsRef};

/// What a path asks for.
#[derive(Debug)]
pub(crate) enum RouteMatch {
    /// A call of a model (POST).
    Call(ApiCall),
    /// The list of models (GET).
    Models,
    /// One model (GET), its name percent-encoded.
    Model(String),
}

/// Which API is called, and what the request line says of the call.
#[derive(Debug)]
pub(crate) struct ApiCall {
    pub(crate) api: Api,
    pub(crate) path: PathParams,
}

/// What the request line says, in dialects that put it there.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathParams {
    pub(crate) model: Option<String>,
    pub(crate) stream: Option<bool>,
    /// The version of Gemini's API.
    pub(crate) version: Option<&'static str>,
}

impl PathParams {
    pub(crate) fn borrowed(&self) -> PathParamsRef<'_> {
        PathParamsRef { model: self.model.as_deref(), stream: self.stream }
    }
}

/// The base paths under which a dialect's SDK may be pointed here, so that nothing has to be guessed.
const PREFIXES: [&str; 5] = ["/openai", "/anthropic", "/gemini", "/cohere", "/bedrock"];

/// The path without a dialect's prefix.
fn unprefixed(path: &str) -> &str {
    let behind = |prefix: &&str| path.strip_prefix(*prefix).filter(|rest| rest.starts_with('/'));
    PREFIXES.iter().find_map(behind).unwrap_or(path)
}

/// Finds what a path asks for, if any API is at that path.
pub(crate) fn match_path(path: &str, query: Option<&str>) -> Option<RouteMatch> {
    let path = unprefixed(path);
    if let Some(rest) = path.strip_prefix("/deployments/") {
        // Azure's clients name the deployment here and in the body's `model`; the body's is the one that counts.
        let (_, operation) = rest.split_once('/')?;
        return match_path(&format!("/v1/{operation}"), query)
            .filter(|found| matches!(found, RouteMatch::Call(_)));
    }
    let call = |api| Some(RouteMatch::Call(ApiCall { api, path: PathParams::default() }));
    match path {
        "/v1/chat/completions" => call(Api::Chat),
        "/v1/embeddings" => call(Api::Embeddings),
        "/v1/completions" => call(Api::Completions),
        "/v1/images/generations" => call(Api::Images),
        "/v1/audio/speech" => call(Api::Speech),
        "/v1/audio/transcriptions" => call(Api::Transcriptions),
        "/v1/audio/translations" => call(Api::Translations),
        "/v1/moderations" => call(Api::Moderations),
        "/v1/rerank" => call(Api::Rerank),
        "/v1/responses" => call(Api::Responses),
        "/v1/messages" => call(Api::Messages),
        "/v1/messages/count_tokens" => call(Api::CountTokens),
        "/v2/chat" => call(Api::Cohere),
        "/v1/models" | "/v1beta/models" => Some(RouteMatch::Models),
        _ => with_model(path, query),
    }
}

/// The dialect of clients that ask at such a path, even where there is no API.
pub(crate) fn dialect_of(path: &str) -> Dialect {
    let path = unprefixed(path);
    let families = [
        ("/v1/messages", Dialect::Anthropic),
        ("/v1/complete", Dialect::Anthropic),
        ("/v1/responses", Dialect::OpenAiResponses),
        ("/v1beta", Dialect::Gemini),
        ("/v1alpha", Dialect::Gemini),
        ("/v1/cachedContents", Dialect::Gemini),
        ("/v2", Dialect::Cohere),
        ("/model", Dialect::Bedrock),
    ];
    let under =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // Google's clients name a model and a verb.
    let verb = path.strip_prefix("/v1/models/").is_some_and(|rest| rest.contains(':'));
    let family = families.iter().find(|(prefix, _)| under(prefix)).map(|(_, dialect)| *dialect);
    family.unwrap_or(if verb { Dialect::Gemini } else { Dialect::OpenAiChat })
}

/// Paths that name the model.
fn with_model(path: &str, query: Option<&str>) -> Option<RouteMatch> {
    if let Some(rest) = path.strip_prefix("/model/") {
        let (model, verb) = rest.split_once('/')?;
        let stream = match verb {
            "converse" => false,
            "converse-stream" => true,
            _ => return None,
        };
        let path =
            PathParams { model: Some(wire::percent::decode(model)?), stream: Some(stream), version: None };
        return Some(RouteMatch::Call(ApiCall { api: Api::Converse, path }));
    }
    let (version, rest) = [("v1beta", "/v1beta/models/"), ("v1", "/v1/models/")]
        .into_iter()
        .find_map(|(version, prefix)| path.strip_prefix(prefix).map(|rest| (version, rest)))?;
    let Some((model, verb)) = rest.rsplit_once(':') else { return Some(RouteMatch::Model(rest.to_owned())) };
    let mut api = Api::Gemini;
    let mut stream = false;
    match verb {
        "generateContent" => {}
        "countTokens" => api = Api::GeminiCountTokens,
        // Without it the answer would be one growing JSON array, which no SDK asks for.
        "streamGenerateContent"
            if query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse")) =>
        {
            stream = true;
        }
        _ => return Some(RouteMatch::Model(rest.to_owned())),
    }
    let path = PathParams {
        model: Some(wire::percent::decode(model)?),
        stream: Some(stream),
        version: Some(version),
    };
    Some(RouteMatch::Call(ApiCall { api, path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(path: &str, query: Option<&str>) -> (Api, Option<String>, Option<bool>) {
        match match_path(path, query) {
            Some(RouteMatch::Call(ApiCall { api, path })) => (api, path.model, path.stream),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn a_path_where_no_api_is_belongs_to_a_dialect() {
        for (path, dialect) in [
            ("/v1/messages/batches", Dialect::Anthropic),
            ("/anthropic/v1/messages/batches", Dialect::Anthropic),
            ("/v1/responses/r_1/cancel", Dialect::OpenAiResponses),
            ("/v1beta/cachedContents", Dialect::Gemini),
            ("/v1beta/models/m:embedContent", Dialect::Gemini),
            ("/v1/models/m:predict", Dialect::Gemini),
            ("/v2/embed", Dialect::Cohere),
            ("/model/m/invoke", Dialect::Bedrock),
            ("/v1/files", Dialect::OpenAiChat),
            ("/v1/messagesx", Dialect::OpenAiChat),
            ("/", Dialect::OpenAiChat),
        ] {
            assert_eq!(dialect_of(path), dialect, "{path}");
        }
    }

    #[test]
    fn each_sdk_finds_its_api_with_and_without_its_prefix() {
        assert_eq!(call("/v1/messages", None).0, Api::Messages);
        assert_eq!(call("/v1/messages/count_tokens", None).0, Api::CountTokens);
        assert_eq!(call("/v1/models/m:countTokens", None).0, Api::GeminiCountTokens);
        assert_eq!(call("/anthropic/v1/messages", None).0, Api::Messages);
        assert_eq!(call("/openai/v1/responses", None).0, Api::Responses);
        let azure = "/openai/deployments/my-gpt/chat/completions";
        assert_eq!(call(azure, Some("api-version=2024-10-21")).0, Api::Chat);
        assert_eq!(call("/cohere/v2/chat", None).0, Api::Cohere);
        let converse = (Api::Converse, Some("a.b-v1:0".to_owned()), Some(true));
        assert_eq!(call("/bedrock/model/a.b-v1%3A0/converse-stream", None), converse);
        let gemini = (Api::Gemini, Some("p/m".to_owned()), Some(true));
        assert_eq!(call("/v1beta/models/p%2Fm:streamGenerateContent", Some("x=1&alt=sse")), gemini);
        let plain = (Api::Gemini, Some("p/m".to_owned()), Some(false));
        assert_eq!(call("/v1/models/p/m:generateContent", None), plain);
    }

    #[test]
    fn other_paths_are_models_or_nothing() {
        assert!(matches!(match_path("/v1/models", None), Some(RouteMatch::Models)));
        assert!(
            matches!(match_path("/v1/models/a/b:0", None), Some(RouteMatch::Model(name)) if name == "a/b:0")
        );
        for path in ["/", "/v1", "/openaiv1/models", "/model/x", "/model/x/invoke", "/v3/chat"] {
            assert!(match_path(path, None).is_none(), "{path}");
        }
    }
}
