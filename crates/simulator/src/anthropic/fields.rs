//! What Anthropic's messages take, after the types of the official Python client 2.12.0.

use crate::field_schema::FieldSchema::{
    self, Any, Bool, Either, Enum, Int, List, Map, Num, Object, Ref, Str, Tagged, Text,
};
use crate::field_schema::NUM;

static CACHE: FieldSchema = Object(&[("type!", Enum(&["ephemeral"])), ("ttl", Enum(&["5m", "1h"]))]);
static TEXT: FieldSchema =
    Object(&[("type!", Str), ("text!", Text), ("cache_control", Ref(&CACHE)), ("citations", List(&Map))]);
static BASE64_IMAGE: FieldSchema = Object(&[
    ("type!", Str),
    ("data!", Str),
    ("media_type!", Enum(&["image/jpeg", "image/png", "image/gif", "image/webp"])),
]);
static URL: FieldSchema = Object(&[("type!", Str), ("url!", Str)]);
static FILE: FieldSchema = Object(&[("type!", Str), ("file_id!", Str)]);
static IMAGE: FieldSchema = Object(&[
    ("type!", Str),
    ("source!", Tagged("type", &[("base64", &BASE64_IMAGE), ("url", &URL), ("file", &FILE)])),
    ("cache_control", Ref(&CACHE)),
    ("transformations", Map),
]);
static BASE64_PDF: FieldSchema =
    Object(&[("type!", Str), ("data!", Str), ("media_type!", Enum(&["application/pdf"]))]);
static PLAIN: FieldSchema = Object(&[("type!", Str), ("data!", Str), ("media_type!", Enum(&["text/plain"]))]);
static CONTENT: FieldSchema = Object(&[("type!", Str), ("content!", Either(&[&Str, &List(&Map)]))]);
static DOCUMENT: FieldSchema = Object(&[
    ("type!", Str),
    (
        "source!",
        Tagged(
            "type",
            &[
                ("base64", &BASE64_PDF),
                ("text", &PLAIN),
                ("content", &CONTENT),
                ("url", &URL),
                ("file", &FILE),
            ],
        ),
    ),
    ("cache_control", Ref(&CACHE)),
    ("citations", Map),
    ("context", Str),
    ("title", Str),
]);
static SEARCH_RESULT: FieldSchema = Object(&[
    ("type!", Str),
    ("content!", List(&TEXT)),
    ("source!", Str),
    ("title!", Str),
    ("cache_control", Ref(&CACHE)),
    ("citations", Map),
]);
static THINKING: FieldSchema = Object(&[("type!", Str), ("signature!", Str), ("thinking!", Str)]);
static REDACTED: FieldSchema = Object(&[("type!", Str), ("data!", Str)]);
static TOOL_USE: FieldSchema = Object(&[
    ("type!", Str),
    ("id!", Str),
    ("input!", Map),
    ("name!", Str),
    ("cache_control", Ref(&CACHE)),
    ("caller", Map),
    ("toolset_name", Str),
]);
static TOOL_RESULT: FieldSchema = Object(&[
    ("type!", Str),
    ("tool_use_id!", Str),
    ("cache_control", Ref(&CACHE)),
    (
        "content",
        Either(&[
            &Str,
            &List(&Tagged(
                "type",
                &[
                    ("text", &TEXT),
                    ("image", &IMAGE),
                    ("document", &DOCUMENT),
                    ("search_result", &SEARCH_RESULT),
                ],
            )),
        ]),
    ),
    ("is_error", Bool),
    ("toolset_name", Str),
]);
static BLOCK: FieldSchema = Tagged(
    "type",
    &[
        ("text", &TEXT),
        ("image", &IMAGE),
        ("document", &DOCUMENT),
        ("search_result", &SEARCH_RESULT),
        ("thinking", &THINKING),
        ("redacted_thinking", &REDACTED),
        ("tool_use", &TOOL_USE),
        ("tool_result", &TOOL_RESULT),
        ("server_tool_use", &Map),
        ("web_search_tool_result", &Map),
        ("web_fetch_tool_result", &Map),
        ("code_execution_tool_result", &Map),
        ("container_upload", &Map),
    ],
);
static MESSAGE: FieldSchema = Object(&[
    ("role!", Enum(&["user", "assistant", "system"])),
    ("content!", Either(&[&Text, &List(&BLOCK)])),
]);

// Tools that Anthropic runs itself have other types, which the reader lets pass.
pub(super) static TOOL: FieldSchema = Object(&[
    (
        "input_schema!",
        Object(&[
            ("type!", Enum(&["object"])),
            ("properties", Map),
            ("required", List(&Str)),
            ("additionalProperties", Any),
            ("$defs", Map),
            ("definitions", Map),
            ("$schema", Str),
            ("title", Str),
            ("description", Str),
            ("anyOf", List(&Any)),
            ("oneOf", List(&Any)),
            ("allOf", List(&Any)),
            ("$ref", Str),
        ]),
    ),
    ("name!", Str),
    ("allowed_callers", List(&Str)),
    ("cache_control", Ref(&CACHE)),
    ("defer_loading", Bool),
    ("description", Str),
    ("eager_input_streaming", Bool),
    ("input_examples", List(&Map)),
    ("strict", Bool),
    ("type", Enum(&["custom"])),
]);

static CHOICE_AUTO: FieldSchema = Object(&[("type!", Str), ("disable_parallel_tool_use", Bool)]);
static CHOICE_TOOL: FieldSchema =
    Object(&[("type!", Str), ("name!", Str), ("disable_parallel_tool_use", Bool)]);
static CHOICE_NONE: FieldSchema = Object(&[("type!", Str)]);
static CHOICE: FieldSchema = Tagged(
    "type",
    &[("auto", &CHOICE_AUTO), ("any", &CHOICE_AUTO), ("tool", &CHOICE_TOOL), ("none", &CHOICE_NONE)],
);

static DISPLAY: FieldSchema = Enum(&["summarized", "omitted"]);
static ENABLED: FieldSchema =
    Object(&[("type!", Str), ("budget_tokens!", Num(1024.0, f64::MAX)), ("display", Ref(&DISPLAY))]);
static ADAPTIVE: FieldSchema = Object(&[("type!", Str), ("display", Ref(&DISPLAY))]);
static BARE: FieldSchema = Object(&[("type!", Str)]);
static THINKING_CONFIG: FieldSchema = Tagged(
    "type",
    &[("enabled", &ENABLED), ("disabled", &BARE), ("between_tools", &BARE), ("adaptive", &ADAPTIVE)],
);
/// How hard the model tries and in what form it answers; Bedrock takes the same beside its own fields.
pub(crate) static OUTPUT_CONFIG: FieldSchema = Object(&[
    ("effort", Enum(&["low", "medium", "high", "xhigh", "max"])),
    ("format", Object(&[("type!", Enum(&["json_schema"])), ("schema!", Map)])),
]);

// What each kind of edit may say differs; the kinds themselves are known by name.
static EDIT: FieldSchema = Tagged(
    "type",
    &[("clear_tool_uses_20250919", &Map), ("clear_thinking_20251015", &Map), ("compact_20260112", &Map)],
);

/// Fields that only creating has, as those of [`COMMON`] are part of counting too.
macro_rules! request {
    ($($own:expr),* $(,)?) => {
        Object(&[
            ("messages!", List(&MESSAGE)),
            ("cache_control", Ref(&CACHE)),
            ("context_management", Object(&[("edits", List(&EDIT))])),
            ("output_config", Ref(&OUTPUT_CONFIG)),
            ("speed", Enum(&["fast", "standard"])),
            ("system", Either(&[&Str, &List(&TEXT)])),
            ("thinking", Ref(&THINKING_CONFIG)),
            ("tool_choice", Ref(&CHOICE)),
            ("tools", List(&Map)),
            $($own),*
        ])
    };
}

/// The body of `POST /v1/messages`; `model` is missing behind Google's paths, which have `anthropic_version` instead.
pub(super) static CREATE: FieldSchema = request![
    ("max_tokens!", Num(0.0, 1e9)),
    ("model", Str),
    ("anthropic_version", Str),
    ("container", Any),
    ("diagnostics", Map),
    ("inference_geo", Str),
    ("metadata", Object(&[("user_id", Str)])),
    ("service_tier", Enum(&["auto", "standard_only"])),
    ("stop_sequences", List(&Text)),
    ("stream", Bool),
    ("temperature", Num(0.0, 1.0)),
    ("top_k", Int),
    ("top_p", NUM),
];

/// The body of `POST /v1/messages/count_tokens`.
pub(super) static COUNT: FieldSchema =
    request![("model", Str), ("anthropic_version", Str), ("user_profile_id", Str), ("workspace_id", Str)];
