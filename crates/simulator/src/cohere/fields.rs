//! What Cohere takes, after the types of the official Python client 7.3.1.

use crate::field_schema::FieldSchema::{
    self, Any, Bool, Either, Enum, Int, List, Map, Num, Object, Ref, Str, Tagged,
};
use crate::field_schema::NUM;

static TEXT: FieldSchema = Object(&[("type!", Str), ("text!", Str)]);
static THINKING: FieldSchema = Object(&[("type!", Str), ("thinking!", Str)]);
static IMAGE: FieldSchema = Object(&[
    ("type!", Str),
    ("image_url!", Object(&[("url!", Str), ("detail", Enum(&["auto", "low", "high"]))])),
]);
static DOCUMENT: FieldSchema =
    Object(&[("type!", Str), ("document!", Object(&[("data!", Map), ("id", Str)]))]);
static CALLS: FieldSchema = List(&Object(&[
    ("id!", Str),
    ("type!", Enum(&["function"])),
    ("function!", Object(&[("name!", Str), ("arguments!", Str)])),
]));

static USER: FieldSchema = Object(&[
    ("role!", Str),
    ("content!", Either(&[&Str, &List(&Tagged("type", &[("text", &TEXT), ("image_url", &IMAGE)]))])),
]);
static ASSISTANT: FieldSchema = Object(&[
    ("role!", Str),
    ("content", Either(&[&Str, &List(&Tagged("type", &[("text", &TEXT), ("thinking", &THINKING)]))])),
    ("tool_calls", Ref(&CALLS)),
    ("tool_plan", Str),
    ("citations", List(&Map)),
]);
static SYSTEM: FieldSchema =
    Object(&[("role!", Str), ("content!", Either(&[&Str, &List(&Tagged("type", &[("text", &TEXT)]))]))]);
static TOOL_RESULT: FieldSchema = Object(&[
    ("role!", Str),
    ("tool_call_id!", Str),
    ("content!", Either(&[&Str, &List(&Tagged("type", &[("text", &TEXT), ("document", &DOCUMENT)]))])),
]);

/// The body of `POST /v2/chat`.
pub(super) static CHAT: FieldSchema = Object(&[
    ("model!", Str),
    (
        "messages!",
        List(&Tagged(
            "role",
            &[
                ("user", &USER),
                ("assistant", &ASSISTANT),
                ("system", &SYSTEM),
                ("developer", &SYSTEM),
                ("tool", &TOOL_RESULT),
            ],
        )),
    ),
    (
        "tools",
        List(&Object(&[
            ("type!", Enum(&["function"])),
            ("function!", Object(&[("name!", Str), ("description", Str), ("parameters!", Map)])),
        ])),
    ),
    ("strict_tools", Bool),
    ("documents", List(&Either(&[&Str, &Map]))),
    ("citation_options", Map),
    ("response_format", Object(&[("type!", Enum(&["text", "json_object"])), ("json_schema", Map)])),
    ("safety_mode", Enum(&["CONTEXTUAL", "STRICT", "OFF"])),
    ("max_tokens", Num(0.0, 1e9)),
    ("stop_sequences", List(&Str)),
    ("temperature", Num(0.0, f64::MAX)),
    ("seed", Int),
    ("frequency_penalty", Num(0.0, 1.0)),
    ("presence_penalty", Num(0.0, 1.0)),
    ("k", Num(0.0, 500.0)),
    ("p", Num(0.01, 0.99)),
    ("logprobs", Bool),
    ("tool_choice", Enum(&["REQUIRED", "NONE"])),
    ("thinking", Object(&[("type!", Enum(&["enabled", "disabled"])), ("token_budget", Num(1.0, 1e9))])),
    ("priority", Num(0.0, 999.0)),
    ("stream", Bool),
]);

/// The body of `POST /v2/embed`.
pub(super) static EMBED: FieldSchema = Object(&[
    ("model!", Str),
    ("input_type!", Enum(&["search_document", "search_query", "classification", "clustering", "image"])),
    ("texts", List(&Str)),
    ("images", List(&Str)),
    ("inputs", List(&Object(&[("content!", List(&Map))]))),
    ("max_tokens", Int),
    ("output_dimension", Num(1.0, 4096.0)),
    ("embedding_types", List(&Enum(&["float", "int8", "uint8", "binary", "ubinary", "base64"]))),
    ("truncate", Enum(&["NONE", "START", "END"])),
    ("priority", Num(0.0, 999.0)),
]);

/// The body of `POST /v2/rerank`, and of the rerank endpoints that other vendors made after it.
pub(super) static RERANK: FieldSchema = Object(&[
    ("model!", Str),
    ("query!", Str),
    ("documents!", List(&Either(&[&Str, &Map]))),
    ("top_n", Num(1.0, 1e6)),
    ("max_tokens_per_doc", NUM),
    ("return_documents", Bool),
    ("relevant_spans", Any),
    ("priority", Num(0.0, 999.0)),
]);

/// The body of `POST /v1/tokenize`.
pub(super) static TOKENIZE: FieldSchema = Object(&[("model!", Str), ("text!", Str)]);
