//! Where a call goes at a provider: what follows the base URL.

use crate::{
    api::Api,
    dialect::Dialect,
    percent,
    provider::{Addressing, BasePath},
};

/// What a path is made of.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// What is called.
    pub api: Api,
    /// In which dialect.
    pub dialect: Dialect,
    /// How the provider lays out its paths.
    pub addressing: Addressing,
    /// The model's name at the provider.
    pub model: &'a str,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Gemini's version in the path, where the client said one and is not translated.
    pub version: Option<&'a str>,
}

/// The path and query behind a base path, which depends on the dialect where a provider speaks several.
///
/// `base` is the path of the base URL without a slash at its end.
#[must_use]
pub fn upstream_path(base: &str, root: BasePath, to: &Destination<'_>) -> String {
    let base = match root {
        BasePath::Base => base,
        BasePath::Instead(other) => other,
    };
    let rest = match to.addressing {
        Addressing::Standard => standard(to),
        Addressing::AzureDeployments { api_version } => {
            let (model, operation) = (percent::encode(to.model), to.api.openai_path());
            format!("/openai/deployments/{model}{operation}?api-version={api_version}")
        }
        Addressing::Vertex => vertex(to),
    };
    format!("{base}{rest}")
}

fn standard(to: &Destination<'_>) -> String {
    if to.api == Api::Embeddings {
        return crate::embed::path(to.dialect, to.model);
    }
    match to.api {
        Api::CountTokens => return "/v1/messages/count_tokens".to_owned(),
        Api::GeminiCountTokens => return gemini(to, "countTokens"),
        _ => {}
    }
    if !to.api.generates() {
        return to.api.openai_path().to_owned();
    }
    match to.dialect {
        Dialect::OpenAiChat => Api::Chat.openai_path().to_owned(),
        Dialect::OpenAiResponses => "/responses".to_owned(),
        Dialect::Anthropic => "/v1/messages".to_owned(),
        Dialect::Gemini => gemini(to, verb(to.stream)),
        Dialect::Cohere => "/v2/chat".to_owned(),
        Dialect::Bedrock => {
            format!("/model/{}/converse{}", percent::encode(to.model), if to.stream { "-stream" } else { "" })
        }
    }
}

fn gemini(to: &Destination<'_>, verb: &str) -> String {
    let model = to.model.strip_prefix("models/").unwrap_or(to.model);
    format!("/{}/models/{}:{verb}", to.version.unwrap_or("v1beta"), percent::encode(model))
}

/// Vertex: the publisher's path; the base URL holds project and location.
fn vertex(to: &Destination<'_>) -> String {
    let model = percent::encode(to.model);
    match (to.dialect, to.stream) {
        (Dialect::Anthropic, false) => format!("/publishers/anthropic/models/{model}:rawPredict"),
        (Dialect::Anthropic, true) => format!("/publishers/anthropic/models/{model}:streamRawPredict"),
        _ if to.api == Api::GeminiCountTokens => format!("/publishers/google/models/{model}:countTokens"),
        (_, stream) => format!("/publishers/google/models/{model}:{}", verb(stream)),
    }
}

const fn verb(stream: bool) -> &'static str {
    if stream { "streamGenerateContent?alt=sse" } else { "generateContent" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(base: &str, root: BasePath, dialect: Dialect, model: &str, stream: bool) -> String {
        let (api, addressing) = (Api::Chat, Addressing::Standard);
        upstream_path(base, root, &Destination { api, dialect, addressing, model, stream, version: None })
    }

    #[test]
    fn each_dialect_has_its_path() {
        use Dialect as D;
        assert_eq!(path("/v1", BasePath::Base, D::OpenAiChat, "m", true), "/v1/chat/completions");
        assert_eq!(path("/v1", BasePath::Instead(""), D::Anthropic, "m", true), "/v1/messages");
        assert_eq!(
            path("", BasePath::Instead("/anthropic"), D::Anthropic, "m", true),
            "/anthropic/v1/messages"
        );
        let gemini = path("", BasePath::Base, D::Gemini, "models/gemini-2.5-flash", true);
        assert_eq!(gemini, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
        let nova = path("", BasePath::Base, D::Bedrock, "eu.amazon.nova-lite-v1:0", true);
        assert_eq!(nova, "/model/eu.amazon.nova-lite-v1%3A0/converse-stream");
        assert_eq!(path("", BasePath::Base, D::Bedrock, "arn:x/y", false), "/model/arn%3Ax%2Fy/converse");
    }

    #[test]
    fn clouds_lay_out_their_own() {
        let mut to = Destination {
            api: Api::Chat,
            dialect: Dialect::Anthropic,
            addressing: Addressing::Vertex,
            model: "claude-sonnet-4-5@20250929",
            stream: true,
            version: None,
        };
        let base = "/v1/projects/p/locations/l";
        let claude = upstream_path(base, BasePath::Base, &to);
        let expected =
            format!("{base}/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict");
        assert_eq!(claude, expected);
        let count = Destination { api: Api::GeminiCountTokens, dialect: Dialect::Gemini, model: "g", ..to };
        let count = upstream_path(base, BasePath::Base, &Destination { stream: false, ..count });
        assert_eq!(count, format!("{base}/publishers/google/models/g:countTokens"));
        to.addressing = Addressing::AzureDeployments { api_version: "2024-10-21" };
        let azure = upstream_path("", BasePath::Base, &Destination { model: "my dep", ..to });
        assert_eq!(azure, "/openai/deployments/my%20dep/chat/completions?api-version=2024-10-21");
    }
}
