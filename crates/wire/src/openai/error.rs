//! Errors of OpenAI's dialects and their copies: reading and classifying them.

use crate::{
    error::{ErrorAnswer, ErrorClass, ProviderError, provider_error},
    error_phrases,
};

/// Reads an error answer.
pub(crate) fn decode(answer: &ErrorAnswer<'_>) -> (ErrorClass, Option<ProviderError>) {
    let said = provider_error(answer.body);
    match said {
        Some(said) => (classify(answer.status, &said), Some(said)),
        None => (ErrorClass::of_status(answer.status), None),
    }
}

/// Classifies an error; status 0: it was inside an answer or a stream (docs/spec/errors.md#classes).
pub(crate) fn classify(status: u16, said: &ProviderError) -> ErrorClass {
    let word = |text: &Option<String>| text.as_deref().map(str::to_ascii_lowercase).unwrap_or_default();
    let (code, kind) = (word(&said.code), word(&said.kind));
    let known = by_word(&code).or_else(|| by_word(&kind));
    if let Some(class) = known {
        return match class {
            // A key that is not accepted is accepted for no model, whatever the sentence speaks of.
            ErrorClass::RateLimited => error_phrases::narrowed(class, &said.message),
            class => class,
        };
    }
    // A text that is longer than a field may be: of the prompt it is the prompt that is too long.
    if code == "string_above_max_length" {
        let prompt = ["messages", "input", "instructions", "prompt"];
        let blamed = said.param.as_deref().unwrap_or_default();
        let of_prompt = prompt.iter().any(|field| blamed.starts_with(field));
        return if of_prompt { ErrorClass::ContextTooLong } else { ErrorClass::BadRequest };
    }
    // Vendors that have no word for it say it in a sentence.
    if let Some(class) = error_phrases::class(status, &said.message) {
        return class;
    }
    // Errors inside a stream have no status; several vendors write one as the code.
    let status = if status == 0 { code.parse().unwrap_or(0) } else { status };
    match ErrorClass::of_status(status) {
        ErrorClass::ServerError if kind == "invalid_request_error" && status == 0 => ErrorClass::BadRequest,
        class if status == 401 => class,
        class => error_phrases::narrowed(class, &said.message),
    }
}

fn by_word(word: &str) -> Option<ErrorClass> {
    Some(match word {
        "context_length_exceeded"
        | "exceed_context_size_error"
        | "model_max_prompt_tokens_exceeded"
        | "tokens_limit_reached"
        // Zhipu.
        | "1261" => ErrorClass::ContextTooLong,
        "insufficient_quota"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "insufficient_balance" => ErrorClass::NoCredit,
        "invalid_api_key" | "authentication_error" | "account_deactivated" => ErrorClass::BadCredential,
        "rate_limit_exceeded" | "rate_limit_error" | "requests" | "tokens" => ErrorClass::RateLimited,
        "content_policy_violation"
        | "invalid_prompt"
        | "content_filter"
        | "contentfilter"
        | "data_inspection_failed"
        | "datainspectionfailed"
        | "moderation_blocked"
        | "responsibleaipolicyviolation"
        | "bio_policy"
        | "misalignment_policy_violation"
        | "image_content_policy_violation"
        // MiniMax, of input and output; Zhipu.
        | "1026"
        | "1027"
        | "1301" => ErrorClass::ContentBlocked,
        "model_not_found" => ErrorClass::ModelForbidden,
        "deploymentnotfound" => ErrorClass::NotFound,
        "slow_down" | "overloaded" | "overloaded_error" | "engine_overloaded" => ErrorClass::Overloaded,
        "server_error" | "internal_error" | "vector_store_timeout" => ErrorClass::ServerError,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str) -> ErrorClass {
        decode(&ErrorAnswer { status, error_type: None, body: body.as_bytes() }).0
    }

    #[test]
    fn codes_speak_before_types_before_phrases_before_status() {
        use ErrorClass as C;
        let cases: [(u16, &str, C); 20] = [
            (
                429,
                r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                C::NoCredit,
            ),
            (
                429,
                r#"{"error":{"message":"m","type":"requests","code":"rate_limit_exceeded"}}"#,
                C::RateLimited,
            ),
            (429, r#"{"error":{"message":"m"}}"#, C::RateLimited),
            (400, r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#, C::ContextTooLong),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","code":null}}"#,
                C::ContextTooLong,
            ),
            (400, r#"{"message":"Current length is 9 while limit is 8"}"#, C::ContextTooLong),
            (400, r#"{"error":{"message":"m","code":"string_above_max_length"}}"#, C::BadRequest),
            (
                400,
                r#"{"error":{"message":"m","param":"messages[1].content","code":"string_above_max_length"}}"#,
                C::ContextTooLong,
            ),
            (413, r#"{"error":{"message":"m","code":"tokens_limit_reached"}}"#, C::ContextTooLong),
            (403, r#"{"error":{"code":403,"message":"... and your input was flagged"}}"#, C::ContentBlocked),
            (403, r#"{"error":{"message":"m","code":"model_not_found"}}"#, C::ModelForbidden),
            (
                400,
                r#"{"error":{"message":"m","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
                C::ContentBlocked,
            ),
            (401, r#"{"error":{"message":"m","code":"invalid_api_key"}}"#, C::BadCredential),
            (404, r#"{"error":{"message":"m","code":"model_not_found"}}"#, C::ModelForbidden),
            (503, r#"{"error":{"message":"m","type":"server_error","code":"slow_down"}}"#, C::Overloaded),
            (422, r#"{"detail":[{"loc":["body"],"msg":"x"}]}"#, C::BadRequest),
            (402, "Payment required", C::NoCredit),
            (0, r#"{"error":{"message":"m","code":502}}"#, C::ServerError),
            (0, r#"{"error":{"message":"m","code":429}}"#, C::RateLimited),
            (0, r#"{"error":{"message":"m","type":"invalid_request_error"}}"#, C::BadRequest),
        ];
        for (status, body, expected) in cases {
            assert_eq!(class(status, body), expected, "{status} {body}");
        }
    }
}
