//! What Gemini takes, after the types of the official Python client google-genai 3.4.0.

use crate::field_schema::FieldSchema::{
    self, Any, Bool, Either, Enum, Int, List, Map, Num, Object, Ref, Str,
};
use crate::field_schema::NUM;

static BLOB: FieldSchema = Object(&[("data!", Str), ("mimeType!", Str), ("displayName", Str)]);
static FILE: FieldSchema = Object(&[("fileUri!", Str), ("mimeType", Str), ("displayName", Str)]);
static CALL: FieldSchema = Object(&[
    ("id", Str),
    ("name!", Str),
    ("args", Map),
    ("partialArgs", List(&Map)),
    ("willContinue", Bool),
]);
static RESULT: FieldSchema = Object(&[
    ("id", Str),
    ("name!", Str),
    ("response!", Map),
    ("parts", List(&Object(&[("inlineData", Ref(&BLOB)), ("fileData", Ref(&FILE))]))),
    ("willContinue", Bool),
    ("scheduling", Str),
]);
static PART: FieldSchema = Object(&[
    ("text", Str),
    ("inlineData", Ref(&BLOB)),
    ("fileData", Ref(&FILE)),
    ("functionCall", Ref(&CALL)),
    ("functionResponse", Ref(&RESULT)),
    ("executableCode", Map),
    ("codeExecutionResult", Map),
    ("toolCall", Map),
    ("toolResponse", Map),
    ("thought", Bool),
    ("thoughtSignature", Str),
    ("mediaResolution", Map),
    ("videoMetadata", Map),
    ("partMetadata", Map),
    ("audioTranscription", Map),
    ("mediaProcessing", Map),
    ("speechMetadata", Map),
    ("documentMetadata", Map),
    ("spreadsheetMetadata", Map),
    ("audioMetadata", Map),
]);
/// One message.
pub(super) static CONTENT: FieldSchema =
    Object(&[("role", Enum(&["user", "model", "function"])), ("parts!", List(&PART))]);

static FUNCTION: FieldSchema = Object(&[
    ("name!", Str),
    ("description", Str),
    ("parameters", Map),
    ("parametersJsonSchema", Map),
    ("response", Map),
    ("responseJsonSchema", Map),
    ("behavior", Str),
]);
static TOOL: FieldSchema = Object(&[
    ("functionDeclarations", List(&FUNCTION)),
    ("retrieval", Map),
    ("computerUse", Map),
    ("fileSearch", Map),
    ("googleSearch", Map),
    ("googleMaps", Map),
    ("codeExecution", Map),
    ("enterpriseWebSearch", Map),
    ("googleSearchRetrieval", Map),
    ("parallelAiSearch", Map),
    ("urlContext", Map),
    ("mcpServers", List(&Map)),
    ("exaAiSearch", Map),
]);
static TOOL_CONFIG: FieldSchema = Object(&[
    (
        "functionCallingConfig",
        Object(&[
            ("mode", Enum(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])),
            ("allowedFunctionNames", List(&Str)),
            ("streamFunctionCallArguments", Bool),
        ]),
    ),
    ("retrievalConfig", Map),
    ("includeServerSideToolInvocations", Bool),
]);
static THINKING: FieldSchema = Object(&[
    ("includeThoughts", Bool),
    ("thinkingBudget", Int),
    ("thinkingLevel", Enum(&["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"])),
]);
static CONFIG: FieldSchema = Object(&[
    ("audioTimestamp", Bool),
    ("audioTranscriptionConfig", Map),
    ("candidateCount", Num(1.0, 8.0)),
    ("enableAffectiveDialog", Bool),
    ("enableEnhancedCivicAnswers", Bool),
    ("frequencyPenalty", Num(-2.0, 2.0)),
    ("imageConfig", Map),
    ("logprobs", Num(0.0, 20.0)),
    ("maxOutputTokens", Num(1.0, 1e9)),
    ("mediaResolution", Str),
    ("modelConfig", Map),
    ("modelSelectionConfig", Map),
    ("presencePenalty", Num(-2.0, 2.0)),
    ("responseFormat", Any),
    ("responseJsonSchema", Any),
    ("responseLogprobs", Bool),
    ("responseMimeType", Str),
    ("responseModalities", List(&Str)),
    ("responseSchema", Map),
    ("routingConfig", Map),
    ("seed", Int),
    ("speechConfig", Map),
    ("stopSequences", List(&Str)),
    ("temperature", Num(0.0, 2.0)),
    ("thinkingConfig", Ref(&THINKING)),
    ("topK", NUM),
    ("topP", Num(0.0, 1.0)),
    ("translationConfig", Map),
]);

/// The body of `:generateContent` and `:streamGenerateContent`.
pub(super) static GENERATE: FieldSchema = Object(&[
    ("contents!", List(&CONTENT)),
    ("model", Str),
    ("systemInstruction", Ref(&CONTENT)),
    ("tools", List(&TOOL)),
    ("toolConfig", Ref(&TOOL_CONFIG)),
    ("safetySettings", List(&Object(&[("category!", Str), ("threshold!", Str), ("method", Str)]))),
    ("generationConfig", Ref(&CONFIG)),
    ("cachedContent", Str),
    ("continuationToken", Str),
    ("labels", Map),
    ("modelArmorConfig", Map),
    ("serviceTier", Str),
    ("store", Bool),
]);

/// The body of `:countTokens`.
pub(super) static COUNT: FieldSchema = Object(&[
    ("contents", List(&CONTENT)),
    ("generateContentRequest", Ref(&GENERATE)),
    ("model", Str),
    ("instances", List(&Map)),
    ("systemInstruction", Ref(&CONTENT)),
    ("tools", List(&TOOL)),
    ("generationConfig", Ref(&CONFIG)),
]);

/// The body of `:embedContent`, and one of `:batchEmbedContents`.
pub(super) static EMBED: FieldSchema = Object(&[
    ("content!", Ref(&CONTENT)),
    ("model", Str),
    ("taskType", Str),
    ("title", Str),
    ("outputDimensionality", Num(1.0, 4096.0)),
    ("autoTruncate", Bool),
    (
        "embedContentConfig",
        Object(&[
            ("taskType", Str),
            ("title", Str),
            ("outputDimensionality", Num(1.0, 4096.0)),
            ("autoTruncate", Bool),
            ("documentOcr", Bool),
            ("audioTrackExtraction", Bool),
        ]),
    ),
]);
/// The body of `:batchEmbedContents`.
pub(super) static BATCH: FieldSchema = Object(&[("requests!", List(&EMBED)), ("model", Str)]);
/// The body of Vertex's `:predict` for embeddings.
pub(super) static PREDICT: FieldSchema = Object(&[
    (
        "instances!",
        List(&Object(&[
            ("content!", Str),
            ("task_type", Str),
            ("taskType", Str),
            ("title", Str),
            ("mimeType", Str),
        ])),
    ),
    (
        "parameters",
        Object(&[
            ("outputDimensionality", Num(1.0, 4096.0)),
            ("autoTruncate", Bool),
            ("auto_truncate", Either(&[&Bool])),
        ]),
    ),
]);
