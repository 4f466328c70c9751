//! Which API a path belongs to. Only the end of a path counts, so a base URL may have whatever prefix.

use http::Method;

/// The dialect that errors are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
    Gemini,
    Cohere,
    Bedrock,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Chat,
    Completions,
    Embeddings,
    Images,
    Speech,
    Transcriptions,
    Moderations,
    Rerank,
    Responses,
    InputTokens,
    Messages,
    CountMessages,
    /// Anthropic's messages behind Google's paths: plain, streamed, counted.
    RawPredict,
    StreamRawPredict,
    CountRawPredict,
    Generate,
    StreamGenerate,
    CountContents,
    EmbedContent,
    BatchEmbed,
    Predict,
    CohereChat,
    CohereEmbed,
    CohereRerank,
    Tokenize,
    Converse,
    ConverseStream,
    Invoke,
    CountConverse,
    Models,
}

impl Endpoint {
    pub(crate) fn dialect(self) -> Dialect {
        use Endpoint as E;
        match self {
            E::Chat | E::Completions | E::Embeddings | E::Images | E::Speech => Dialect::OpenAi,
            E::Transcriptions | E::Moderations | E::Rerank | E::Responses | E::InputTokens => Dialect::OpenAi,
            E::Models => Dialect::OpenAi,
            E::Messages | E::CountMessages => Dialect::Anthropic,
            E::RawPredict | E::StreamRawPredict | E::CountRawPredict => Dialect::Anthropic,
            E::Generate | E::StreamGenerate | E::CountContents => Dialect::Gemini,
            E::EmbedContent | E::BatchEmbed | E::Predict => Dialect::Gemini,
            E::CohereChat | E::CohereEmbed | E::CohereRerank | E::Tokenize => Dialect::Cohere,
            E::Converse | E::ConverseStream | E::Invoke | E::CountConverse => Dialect::Bedrock,
        }
    }

    /// Whether Google's platform serves it, which takes Google's tokens.
    pub(crate) fn on_vertex(self) -> bool {
        matches!(self, Self::RawPredict | Self::StreamRawPredict | Self::CountRawPredict)
    }
}

/// An endpoint, with the model when the path names it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    pub(crate) model: Option<String>,
}

impl Target {
    fn new(endpoint: Endpoint, model: Option<String>) -> Self {
        Self { endpoint, model }
    }

    /// What a request to this path asks for; nothing when no provider has such a path.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        if *method == Method::GET {
            return path.ends_with("/models").then(|| Self::new(Endpoint::Models, None));
        }
        if *method != Method::POST {
            return None;
        }
        bedrock(path).or_else(|| google(path)).or_else(|| by_end(path))
    }
}

fn bedrock(path: &str) -> Option<Target> {
    let (_, rest) = path.split_once("/model/")?;
    let (model, operation) = rest.rsplit_once('/')?;
    let endpoint = match operation {
        "converse" => Endpoint::Converse,
        "converse-stream" => Endpoint::ConverseStream,
        "invoke" => Endpoint::Invoke,
        "count-tokens" => Endpoint::CountConverse,
        _ => return None,
    };
    Some(Target::new(endpoint, Some(decode(model))))
}

fn google(path: &str) -> Option<Target> {
    let decoded = decode(path);
    let (before, last) = decoded.rsplit_once("/models/").or_else(|| decoded.rsplit_once("/tunedModels/"))?;
    let (model, verb) = last.rsplit_once(':')?;
    let anthropic = before.ends_with("/publishers/anthropic");
    let endpoint = match verb {
        "rawPredict" if anthropic && model.starts_with("count-tokens") => Endpoint::CountRawPredict,
        "rawPredict" if anthropic => Endpoint::RawPredict,
        "streamRawPredict" if anthropic => Endpoint::StreamRawPredict,
        "generateContent" => Endpoint::Generate,
        "streamGenerateContent" => Endpoint::StreamGenerate,
        "countTokens" => Endpoint::CountContents,
        "embedContent" => Endpoint::EmbedContent,
        "batchEmbedContents" => Endpoint::BatchEmbed,
        "predict" => Endpoint::Predict,
        _ => return None,
    };
    // Counting has no model in its path: the body names it.
    let model = (endpoint != Endpoint::CountRawPredict).then(|| model.to_owned());
    Some(Target::new(endpoint, model))
}

fn by_end(path: &str) -> Option<Target> {
    const ENDS: [(&str, Endpoint); 16] = [
        ("/chat/completions", Endpoint::Chat),
        ("/completions", Endpoint::Completions),
        ("/embeddings", Endpoint::Embeddings),
        ("/images/generations", Endpoint::Images),
        ("/audio/speech", Endpoint::Speech),
        ("/audio/transcriptions", Endpoint::Transcriptions),
        ("/moderations", Endpoint::Moderations),
        ("/v2/rerank", Endpoint::CohereRerank),
        ("/rerank", Endpoint::Rerank),
        ("/responses", Endpoint::Responses),
        ("/responses/input_tokens", Endpoint::InputTokens),
        ("/messages", Endpoint::Messages),
        ("/messages/count_tokens", Endpoint::CountMessages),
        ("/v2/chat", Endpoint::CohereChat),
        ("/v2/embed", Endpoint::CohereEmbed),
        ("/v1/tokenize", Endpoint::Tokenize),
    ];
    let (_, endpoint) = ENDS.into_iter().find(|(end, _)| path.ends_with(end))?;
    // Azure's classic paths name the model as a deployment; the body may name it too.
    let deployment =
        path.split_once("/deployments/").and_then(|(_, rest)| rest.split('/').next()).map(decode);
    Some(Target::new(endpoint, deployment))
}

/// Percent-decoded; what is not UTF-8 or not an escape stays as it is.
pub(crate) fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| byte == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match escape.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart_by_their_end() {
        for (path, endpoint, model) in [
            ("/v1/chat/completions", Endpoint::Chat, None),
            ("/api/paas/v4/chat/completions", Endpoint::Chat, None),
            ("/openai/deployments/gpt%2D4/chat/completions", Endpoint::Chat, Some("gpt-4")),
            ("/v1/completions", Endpoint::Completions, None),
            ("/v1/responses/input_tokens", Endpoint::InputTokens, None),
            ("/anthropic/v1/messages", Endpoint::Messages, None),
            ("/v1beta/models/gemini-3:streamGenerateContent", Endpoint::StreamGenerate, Some("gemini-3")),
            ("/v1/models/gemini-3%3AcountTokens", Endpoint::CountContents, Some("gemini-3")),
            ("/v1/projects/p/locations/l/publishers/google/models/g:predict", Endpoint::Predict, Some("g")),
            (
                "/v1/projects/p/locations/l/publishers/anthropic/models/c@1:streamRawPredict",
                Endpoint::StreamRawPredict,
                Some("c@1"),
            ),
            (
                "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
                Endpoint::CountRawPredict,
                None,
            ),
            ("/v2/chat", Endpoint::CohereChat, None),
            ("/v1/rerank", Endpoint::Rerank, None),
            ("/v2/rerank", Endpoint::CohereRerank, None),
            ("/model/anthropic.claude-v2%3A0/converse", Endpoint::Converse, Some("anthropic.claude-v2:0")),
            ("/model/arn%3Aaws%3Ax%2Fy/converse-stream", Endpoint::ConverseStream, Some("arn:aws:x/y")),
        ] {
            let want = Target { endpoint, model: model.map(str::to_owned) };
            assert_eq!(Target::of(&Method::POST, path), Some(want), "{path}");
        }
        assert_eq!(Target::of(&Method::POST, "/v1/nothing"), None);
        assert_eq!(Target::of(&Method::GET, "/v1/chat/completions"), None);
        assert_eq!(Target::of(&Method::GET, "/v1/models").map(|t| t.endpoint), Some(Endpoint::Models));
    }

    #[test]
    fn only_escapes_are_decoded() {
        assert_eq!(decode("a%2Fb%zz%4"), "a/b%zz%4");
        assert_eq!(decode("%ff"), "%ff");
    }
}
