//! Sentences in which providers say that a prompt is too long or was refused, where they have no code for it.
//!
//! Vendors serve each other's dialects, so one list is for all. The sentences are field reports
//! (docs/spec/errors.md#sentences); each is long enough not to stand in a message about anything else.

use crate::error::ErrorClass;

const TOO_LONG: [&str; 29] = [
    "context the overflows",                             // LM Studio
    "context window exceeds limit",                      // MiniMax
    "decrease input length or",                          // Anthropic
    "exceed context limit",                              // Anthropic
    "exceeded max context length",                       // Ollama
    "exceeded model token limit",                        // Moonshot
    "exceeded this model context window limit",          // Cloudflare
    "exceeds maximum input length",                      // DeepInfra
    "exceeds the available context size",                // llama.cpp
    "exceeds the context length",                        // Ollama
    "exceeds the context window",                        // OpenAI Responses
    "input is too long",                                 // Bedrock
    "input tokens exceed the configured limit",          // OpenAI
    "input tokens exceeded",                             // Nova
    "inputs must have less than",                        // TGI
    "inputs tokens + max_new_tokens must be",            // TGI
    "is too long to fit into the model",                 // vLLM
    "longer than the maximum model length",              // vLLM
    "longer than the models context length",             // SGLang
    "maximum context length",                            // OpenAI, vLLM, Mistral, OpenRouter
    "maximum prompt length is",                          // xAI
    "prompt exceeds max length",                         // Zhipu
    "prompt is too long",                                // Anthropic, Fireworks
    "range of input length should be",                   // Qwen
    "reached context length of",                         // LM Studio
    "reduce the length of the messages",                 // Groq
    "too many input tokens",                             // Bedrock
    "token count exceeds",                               // Vertex
    "tokens to keep from the initial prompt is greater", // LM Studio
];

const BLOCKED: [&str; 10] = [
    "blocked by content filtering policy",       // Anthropic, also on Bedrock
    "blocked by our content filter",             // Bedrock's Titan
    "content exists risk",                       // DeepSeek
    "content management policy",                 // Azure
    "data may contain inappropriate content",    // Qwen
    "input was flagged",                         // OpenRouter
    "potentially violating our usage policy",    // OpenAI
    "rejected as a result of our safety system", // OpenAI
    "rejected because it was considered high risk", // Moonshot
    "violates usage guidelines",                 // xAI
];

/// What a 402 says of a request that asks for more than the credit covers.
const TOO_DEAR: [&str; 3] = [
    "can only afford",       // OpenRouter
    "fewer max_tokens",      // OpenRouter
    "lower your max_tokens", // Requesty
];

/// What a message says of a request that was refused; status 0: it stood inside a stream or an answer.
pub(crate) fn class(status: u16, message: &str) -> Option<ErrorClass> {
    // Backticks and quotes come and go around names of fields.
    let message: String =
        message.chars().filter(|c| !matches!(c, '`' | '\'')).map(|c| c.to_ascii_lowercase()).collect();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    // Cerebras.
    let lengths = message.contains("current length is") && message.contains("while limit is");
    match status {
        0 | 400 | 413 | 422 if lengths || says(&TOO_LONG) => Some(ErrorClass::ContextTooLong),
        0 | 400 | 403 | 422 if says(&BLOCKED) => Some(ErrorClass::ContentBlocked),
        402 if says(&TOO_DEAR) => Some(ErrorClass::BadRequest),
        _ => None,
    }
}

/// A class that blames the credential, narrowed to one model where the message speaks of a model: a wrong guess costs
/// one attempt per model, the other way round it would cost every model of the provider.
pub(crate) fn narrowed(class: ErrorClass, message: &str) -> ErrorClass {
    let speaks_of_model = || {
        let message = message.to_ascii_lowercase();
        ["model", "deployment"].iter().any(|word| message.contains(word))
    };
    match class {
        ErrorClass::BadCredential if speaks_of_model() => ErrorClass::ModelForbidden,
        ErrorClass::RateLimited if speaks_of_model() => ErrorClass::ModelRateLimited,
        class => class,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        codec,
        dialect::Dialect as D,
        error::{ErrorAnswer, ErrorClass as C},
    };

    /// Error answers as providers write them: dialect, status, the exception's name in the header, body.
    const ANSWERS: [(D, u16, Option<&str>, &str, C); 28] = [
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiResponses,
            400,
            None,
            r#"{"error":{"message":"Your input exceeds the context window of this model.","type":"invalid_request_error","param":"input","code":null}}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"object":"error","message":"The decoder prompt (length 5000) is longer than the maximum model length of 4096.","type":"BadRequestError","param":null,"code":400}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiChat,
            422,
            None,
            r#"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens","error_type":"validation"}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiChat,
            422,
            None,
            r#"{"error":"Input validation error: `inputs` must have less than 1024 tokens. Given: 1207","error_type":"validation"}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"error":"the input length exceeds the context length"}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"object":"error","message":"Prompt contains 40000 tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","code":"3051"}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"code":"invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 150000 tokens."}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"error":{"message":"Invalid request: Your request exceeded model token limit: 8192","type":"invalid_request_error"}}"#,
            C::ContextTooLong,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"error":{"code":"1261","message":"Prompt exceeds max length"}}"#,
            C::ContextTooLong,
        ),
        (
            D::Anthropic,
            400,
            None,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            C::ContextTooLong,
        ),
        (
            D::Anthropic,
            400,
            None,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000"}}"#,
            C::ContextTooLong,
        ),
        (
            D::Anthropic,
            413,
            None,
            r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            C::TooLarge,
        ),
        (
            D::Gemini,
            400,
            None,
            r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
            C::ContextTooLong,
        ),
        (
            D::Gemini,
            400,
            None,
            r#"{"error":{"code":400,"message":"Unable to submit request because the input token count is 40000 but model only supports up to 32768.","status":"INVALID_ARGUMENT"}}"#,
            C::ContextTooLong,
        ),
        (
            D::Cohere,
            400,
            None,
            r#"{"message":"too many tokens: size limit exceeded by 11326 tokens. The limit for this model is 128000 tokens."}"#,
            C::ContextTooLong,
        ),
        (
            D::Bedrock,
            400,
            Some("ValidationException"),
            r#"{"message":"Input is too long for requested model."}"#,
            C::ContextTooLong,
        ),
        (
            D::Bedrock,
            400,
            Some("ValidationException"),
            r#"{"message":"The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length."}"#,
            C::ContextTooLong,
        ),
        (
            D::Bedrock,
            429,
            Some("ThrottlingException"),
            r#"{"message":"Too many tokens, please wait before trying again."}"#,
            C::RateLimited,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            C::ContentBlocked,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"error":{"message":"filtered","code":null,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            C::ContentBlocked,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"error":{"message":"Your request was rejected as a result of our safety system.","code":"content_policy_violation"}}"#,
            C::ContentBlocked,
        ),
        (
            D::OpenAiChat,
            400,
            None,
            r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","code":"invalid_request_error"}}"#,
            C::ContentBlocked,
        ),
        (
            D::OpenAiChat,
            403,
            None,
            r#"{"error":{"code":403,"message":"Your chosen model requires moderation and your input was flagged for violence."}}"#,
            C::ContentBlocked,
        ),
        (
            D::OpenAiChat,
            403,
            None,
            r#"{"code":"permission-denied","error":"Content violates usage guidelines."}"#,
            C::ContentBlocked,
        ),
        (
            D::Anthropic,
            400,
            None,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#,
            C::ContentBlocked,
        ),
        (
            D::Bedrock,
            400,
            Some("ValidationException"),
            r#"{"message":"This request has been blocked by our content filters."}"#,
            C::ContentBlocked,
        ),
    ];

    #[test]
    fn too_long_and_blocked_in_everybodys_words() {
        for (dialect, status, error_type, body, expected) in ANSWERS {
            let answer = ErrorAnswer { status, error_type, body: body.as_bytes() };
            let (class, said) = codec(dialect).decode_error(&answer);
            assert_eq!(class, expected, "{body}");
            // Inside a stream the words are the same, without a status.
            if expected != C::TooLarge && expected != C::RateLimited {
                assert_eq!(codec(dialect).classify_error(&said.unwrap()), expected, "inside: {body}");
            }
        }
    }

    #[test]
    fn other_faults_stay_what_they_are() {
        let cases = [
            (
                D::OpenAiChat,
                500,
                r#"{"error":{"message":"the maximum context length worker died"}}"#,
                C::ServerError,
            ),
            (
                D::OpenAiChat,
                429,
                r#"{"error":{"message":"Request too large: input is too long per minute"}}"#,
                C::RateLimited,
            ),
            (D::OpenAiChat, 401, r#"{"error":{"message":"your input was flagged"}}"#, C::BadCredential),
            (D::OpenAiChat, 400, r#"{"error":{"message":"current length is wrong"}}"#, C::BadRequest),
            (D::Cohere, 400, r#"{"message":"invalid role"}"#, C::BadRequest),
            (D::Cohere, 403, r#"{"message":"no"}"#, C::BadCredential),
        ];
        for (dialect, status, body, expected) in cases {
            let answer = ErrorAnswer { status, error_type: None, body: body.as_bytes() };
            assert_eq!(codec(dialect).decode_error(&answer).0, expected, "{body}");
        }
    }
}
