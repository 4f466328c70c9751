//! Names of attributes and metrics: OpenTelemetry's conventions for generative AI (repository `semantic-conventions-genai`, status
//! Development, read on 2026-11-22), its stable ones for HTTP, and our own under `portcullis.`.

use wire::Api;

pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const HTTP_METHOD: &str = "http.request.method";
pub(super) const HTTP_ROUTE: &str = "http.route";
pub(super) const HTTP_STATUS: &str = "http.response.status_code";
pub(super) const SERVER_ADDRESS: &str = "server.address";
pub(super) const SERVER_PORT: &str = "server.port";
pub(super) const SERVICE_INSTANCE: &str = "service.instance.id";
pub(super) const SERVICE_NAME: &str = "service.name";
pub(super) const SERVICE_VERSION: &str = "service.version";
pub(super) const URL_SCHEME: &str = "url.scheme";

pub(super) const GEN_AI_INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub(super) const GEN_AI_CACHE_READ: &str = "gen_ai.usage.cache_read.input_tokens";
pub(super) const GEN_AI_CACHE_WRITE: &str = "gen_ai.usage.cache_creation.input_tokens";
pub(super) const GEN_AI_OPERATION: &str = "gen_ai.operation.name";
pub(super) const GEN_AI_OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
pub(super) const GEN_AI_PROVIDER: &str = "gen_ai.provider.name";
pub(super) const GEN_AI_REASONING: &str = "gen_ai.usage.reasoning.output_tokens";
pub(super) const GEN_AI_REQUEST_MODEL: &str = "gen_ai.request.model";
pub(super) const GEN_AI_STREAM: &str = "gen_ai.request.stream";
pub(super) const GEN_AI_TOKEN_TYPE: &str = "gen_ai.token.type";
pub(super) const GEN_AI_TTFC: &str = "gen_ai.response.time_to_first_chunk";

pub(super) const FIRST_CHUNK: &str = "gen_ai.client.operation.time_to_first_chunk";
pub(super) const OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
pub(super) const TOKEN_USAGE: &str = "gen_ai.client.token.usage";

pub(super) const API: &str = "portcullis.api";
pub(super) const ATTEMPT: &str = "portcullis.attempt";
pub(super) const ATTEMPTS: &str = "portcullis.attempts";
pub(super) const CACHE: &str = "portcullis.cache";
pub(super) const COST: &str = "portcullis.cost.usd";
pub(super) const COST_NANOS: &str = "portcullis.cost.usd_nanos";
pub(super) const CREDENTIAL: &str = "portcullis.credential";
pub(super) const ESTIMATED: &str = "portcullis.estimated";
pub(super) const FALLBACK: &str = "portcullis.fallback";
pub(super) const FEATURE: &str = "portcullis.feature";
pub(super) const KEY: &str = "portcullis.key";
pub(super) const LIMIT: &str = "portcullis.limit";
pub(super) const OUTCOME: &str = "portcullis.outcome";
pub(super) const OVERHEAD_US: &str = "portcullis.overhead_us";
pub(super) const POOL: &str = "portcullis.pool";
pub(super) const PROVIDER: &str = "portcullis.provider";
pub(super) const REASON: &str = "portcullis.reason";
pub(super) const REGION: &str = "portcullis.region";
pub(super) const REQUEST_ID: &str = "portcullis.request_id";
pub(super) const ROUTE: &str = "portcullis.route";
pub(super) const RULE: &str = "portcullis.rule";
pub(super) const STREAM: &str = "portcullis.stream";
pub(super) const TAGS: &str = "portcullis.tags";
pub(super) const TENANT: &str = "portcullis.tenant";
pub(super) const USER: &str = "portcullis.user";

/// Every client API with the template of its path; where streams have a path of their own, that of plain answers.
const APIS: [(Api, &str); 14] = [
    (Api::Chat, "/v1/chat/completions"),
    (Api::Responses, "/v1/responses"),
    (Api::Messages, "/v1/messages"),
    (Api::Gemini, "/v1beta/models/{model}:generateContent"),
    (Api::Cohere, "/v2/chat"),
    (Api::Converse, "/model/{model}/converse"),
    (Api::Embeddings, "/v1/embeddings"),
    (Api::Completions, "/v1/completions"),
    (Api::Images, "/v1/images/generations"),
    (Api::Speech, "/v1/audio/speech"),
    (Api::Transcriptions, "/v1/audio/transcriptions"),
    (Api::Translations, "/v1/audio/translations"),
    (Api::Moderations, "/v1/moderations"),
    (Api::Rerank, "/v1/rerank"),
];

fn find(name: &str) -> Option<(Api, &'static str)> {
    APIS.into_iter().find(|(api, _)| api.name() == name)
}

/// The value of `gen_ai.operation.name` for a client API, by its name in usage records.
pub(super) fn operation(api: &str) -> &'static str {
    find(api).map_or("chat", |(api, _)| api.operation())
}

/// The template of an API's path, if the span's name has one.
pub(super) fn route(api: &str) -> Option<&'static str> {
    if api == "models" { Some("/v1/models") } else { find(api).map(|(_, route)| route) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operations_are_the_conventions_own() {
        for (api, expected) in
            [("chat", "chat"), ("embeddings", "embeddings"), (Api::Gemini.name(), "generate_content")]
        {
            assert_eq!(operation(api), expected);
        }
        assert_eq!(route(Api::Messages.name()), Some("/v1/messages"));
        assert_eq!((route("models"), route("nonsense")), (Some("/v1/models"), None));
        // No two share a name, or the second would never be found.
        assert!(APIS.iter().all(|(api, _)| find(api.name()).is_some_and(|(found, _)| found == *api)));
    }
}
