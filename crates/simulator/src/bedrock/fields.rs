//! What Bedrock takes, after the service model `bedrock-runtime` of botocore 1.44.5.

use crate::anthropic::fields::OUTPUT_CONFIG;
use crate::field_schema::FieldSchema::{
    self, Any, Bool, Either, Enum, Int, List, Map, Num, Object, OneOf, Ref, Str, Text,
};
use crate::field_schema::NUM;

static S3: FieldSchema = Object(&[("uri!", Str), ("bucketOwner", Str)]);
static IMAGE: FieldSchema = Object(&[
    ("format!", Enum(&["png", "jpeg", "gif", "webp"])),
    ("source!", OneOf(&[("bytes", Str), ("s3Location", Ref(&S3))])),
]);
static DOCUMENT: FieldSchema = Object(&[
    ("format", Enum(&["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"])),
    ("name!", Str),
    (
        "source!",
        OneOf(&[
            ("bytes", Str),
            ("s3Location", Ref(&S3)),
            ("text", Str),
            ("content", List(&OneOf(&[("text", Str)]))),
        ]),
    ),
    ("context", Str),
    ("citations", Object(&[("enabled!", Bool)])),
]);
static MEDIA: FieldSchema =
    Object(&[("format!", Str), ("source!", OneOf(&[("bytes", Str), ("s3Location", Ref(&S3))]))]);
static SEARCH_RESULT: FieldSchema = Object(&[
    ("source!", Str),
    ("title!", Str),
    ("content!", List(&Object(&[("text!", Str)]))),
    ("citations", Map),
]);
static CACHE_POINT: FieldSchema = Object(&[("type!", Enum(&["default"])), ("ttl", Enum(&["5m", "1h"]))]);
static TOOL_USE: FieldSchema = Object(&[("toolUseId!", Str), ("name!", Str), ("input!", Any), ("type", Str)]);
static TOOL_RESULT: FieldSchema = Object(&[
    ("toolUseId!", Str),
    (
        "content!",
        List(&OneOf(&[
            ("json", Any),
            ("text", Str),
            ("image", Ref(&IMAGE)),
            ("document", Ref(&DOCUMENT)),
            ("video", Ref(&MEDIA)),
            ("searchResult", Ref(&SEARCH_RESULT)),
        ])),
    ),
    ("status", Enum(&["success", "error"])),
    ("type", Str),
]);
static REASONING: FieldSchema =
    OneOf(&[("reasoningText", Object(&[("text!", Str), ("signature", Str)])), ("redactedContent", Str)]);
static BLOCK: FieldSchema = OneOf(&[
    ("text", Text),
    ("image", Ref(&IMAGE)),
    ("document", Ref(&DOCUMENT)),
    ("video", Ref(&MEDIA)),
    ("audio", Ref(&MEDIA)),
    ("toolUse", Ref(&TOOL_USE)),
    ("toolResult", Ref(&TOOL_RESULT)),
    ("guardContent", Map),
    ("cachePoint", Ref(&CACHE_POINT)),
    ("reasoningContent", Ref(&REASONING)),
    ("citationsContent", Map),
    ("searchResult", Ref(&SEARCH_RESULT)),
    ("toolAddition", Map),
    ("toolRemoval", Map),
]);
static MESSAGES: FieldSchema =
    List(&Object(&[("role!", Enum(&["user", "assistant", "system"])), ("content!", List(&BLOCK))]));
static SYSTEM: FieldSchema =
    List(&OneOf(&[("text", Text), ("guardContent", Map), ("cachePoint", Ref(&CACHE_POINT))]));
static TOOL: FieldSchema = OneOf(&[
    (
        "toolSpec",
        Object(&[
            ("name!", Str),
            ("description", Text),
            ("inputSchema!", OneOf(&[("json", Map)])),
            ("strict", Bool),
        ]),
    ),
    ("systemTool", Object(&[("name!", Str)])),
    ("cachePoint", Ref(&CACHE_POINT)),
]);
static NOTHING: FieldSchema = Object(&[]);
static TOOL_CONFIG: FieldSchema = Object(&[
    ("tools!", List(&TOOL)),
    (
        "toolChoice",
        OneOf(&[("auto", Ref(&NOTHING)), ("any", Ref(&NOTHING)), ("tool", Object(&[("name!", Str)]))]),
    ),
]);
// What Claude and Nova take beyond the common fields.
static MORE: FieldSchema = Object(&[
    (
        "thinking",
        Object(&[
            ("type!", Enum(&["enabled", "disabled", "adaptive"])),
            ("budget_tokens", Num(1024.0, 1e9)),
            ("display", Str),
        ]),
    ),
    ("reasoningConfig", Map),
    ("output_config", Ref(&OUTPUT_CONFIG)),
    ("top_k", Int),
    ("inferenceConfig", Map),
    ("tool_choice", Map),
    ("anthropic_beta", List(&Str)),
    ("anthropic_version", Str),
]);
static OUTPUT: FieldSchema = Object(&[
    (
        "textFormat",
        Object(&[
            ("type!", Enum(&["json_schema"])),
            (
                "structure!",
                OneOf(&[("jsonSchema", Object(&[("schema!", Str), ("name", Str), ("description", Str)]))]),
            ),
        ]),
    ),
    ("effort", Enum(&["low", "medium", "high", "xhigh", "max"])),
]);

/// The body of `converse` and `converse-stream`.
pub(super) static CONVERSE: FieldSchema = Object(&[
    ("messages!", Ref(&MESSAGES)),
    ("system", Ref(&SYSTEM)),
    (
        "inferenceConfig",
        Object(&[
            ("maxTokens", Num(1.0, 1e9)),
            ("temperature", Num(0.0, 1.0)),
            ("topP", Num(0.0, 1.0)),
            ("stopSequences", List(&Text)),
        ]),
    ),
    ("toolConfig", Ref(&TOOL_CONFIG)),
    ("guardrailConfig", Map),
    ("additionalModelRequestFields", Ref(&MORE)),
    ("promptVariables", Map),
    ("additionalModelResponseFieldPaths", List(&Str)),
    ("requestMetadata", Map),
    ("performanceConfig", Object(&[("latency", Enum(&["standard", "optimized"]))])),
    ("serviceTier", Object(&[("type!", Enum(&["priority", "default", "flex", "reserved"]))])),
    ("outputConfig", Ref(&OUTPUT)),
]);

/// The body of `count-tokens`.
pub(super) static COUNT: FieldSchema = Object(&[(
    "input!",
    OneOf(&[
        (
            "converse",
            Object(&[
                ("messages", Ref(&MESSAGES)),
                ("system", Ref(&SYSTEM)),
                ("toolConfig", Ref(&TOOL_CONFIG)),
                ("additionalModelRequestFields", Map),
            ]),
        ),
        ("invokeModel", Object(&[("body!", Str)])),
    ]),
)]);

/// The body of `invoke` for Amazon's Titan embeddings.
pub(super) static TITAN: FieldSchema = Object(&[
    ("inputText!", Text),
    ("dimensions", Num(1.0, 4096.0)),
    ("normalize", Bool),
    ("embeddingTypes", List(&Enum(&["float", "binary"]))),
]);

/// The body of `invoke` for Cohere's embeddings.
pub(super) static COHERE: FieldSchema = Object(&[
    ("texts", List(&Str)),
    ("images", List(&Str)),
    ("inputs", List(&Map)),
    ("input_type!", Enum(&["search_document", "search_query", "classification", "clustering", "image"])),
    ("truncate", Either(&[&Enum(&["NONE", "START", "END", "LEFT", "RIGHT"])])),
    ("embedding_types", List(&Str)),
    ("output_dimension", Num(1.0, 4096.0)),
    ("max_tokens", NUM),
]);
