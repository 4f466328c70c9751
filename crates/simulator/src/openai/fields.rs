//! What OpenAI's chat completions take, after the types of the official Python client 3.54.0.

use crate::field_schema::FieldSchema::{
    self, Any, Bool, Either, Enum, Int, List, Map, Num, Object, Ref, Str, Tagged,
};

static BREAKPOINT: FieldSchema = Object(&[("mode!", Enum(&["explicit"])), ("ttl", Enum(&["30m", "12h"]))]);
static TEXT: FieldSchema =
    Object(&[("type!", Str), ("text!", Str), ("prompt_cache_breakpoint", Ref(&BREAKPOINT))]);
static IMAGE: FieldSchema = Object(&[
    ("type!", Str),
    ("image_url!", Object(&[("url!", Str), ("detail", Enum(&["auto", "low", "high", "original"]))])),
    ("prompt_cache_breakpoint", Ref(&BREAKPOINT)),
]);
static AUDIO: FieldSchema = Object(&[
    ("type!", Str),
    ("input_audio!", Object(&[("data!", Str), ("format!", Enum(&["wav", "mp3"]))])),
    ("prompt_cache_breakpoint", Ref(&BREAKPOINT)),
]);
static FILE: FieldSchema = Object(&[
    ("type!", Str),
    ("file!", Object(&[("file_data", Str), ("file_id", Str), ("filename", Str)])),
    ("prompt_cache_breakpoint", Ref(&BREAKPOINT)),
]);
static REFUSAL: FieldSchema = Object(&[("type!", Str), ("refusal!", Str)]);

static TEXT_PARTS: FieldSchema = List(&Tagged("type", &[("text", &TEXT)]));
static USER_PARTS: FieldSchema = List(&Tagged(
    "type",
    &[("text", &TEXT), ("image_url", &IMAGE), ("input_audio", &AUDIO), ("file", &FILE)],
));
static ASSISTANT_PARTS: FieldSchema = List(&Tagged("type", &[("text", &TEXT), ("refusal", &REFUSAL)]));
static TEXT_CONTENT: FieldSchema = Either(&[&Str, &TEXT_PARTS]);
static USER_CONTENT: FieldSchema = Either(&[&Str, &USER_PARTS]);
static ASSISTANT_CONTENT: FieldSchema = Either(&[&Str, &ASSISTANT_PARTS]);

static FUNCTION_CALL: FieldSchema =
    Object(&[("id!", Str), ("type!", Str), ("function!", Object(&[("name!", Str), ("arguments!", Str)]))]);
static CUSTOM_CALL: FieldSchema =
    Object(&[("id!", Str), ("type!", Str), ("custom!", Object(&[("name!", Str), ("input!", Str)]))]);
static CALLS: FieldSchema = List(&Tagged("type", &[("function", &FUNCTION_CALL), ("custom", &CUSTOM_CALL)]));

static SYSTEM: FieldSchema = Object(&[("role!", Str), ("content!", Ref(&TEXT_CONTENT)), ("name", Str)]);
static USER: FieldSchema = Object(&[("role!", Str), ("content!", Ref(&USER_CONTENT)), ("name", Str)]);
// The last three are not OpenAI's: compatible vendors want their reasoning back in them.
static ASSISTANT: FieldSchema = Object(&[
    ("role!", Str),
    ("content", Ref(&ASSISTANT_CONTENT)),
    ("name", Str),
    ("refusal", Str),
    ("audio", Object(&[("id!", Str)])),
    ("function_call", Object(&[("name!", Str), ("arguments!", Str)])),
    ("tool_calls", Ref(&CALLS)),
    ("annotations", List(&Any)),
    ("reasoning_content", Str),
    ("reasoning", Str),
    ("reasoning_details", List(&Any)),
]);
static TOOL_RESULT: FieldSchema =
    Object(&[("role!", Str), ("content!", Ref(&TEXT_CONTENT)), ("tool_call_id!", Str)]);
static FUNCTION_RESULT: FieldSchema = Object(&[("role!", Str), ("content!", Str), ("name!", Str)]);
static MESSAGE: FieldSchema = Tagged(
    "role",
    &[
        ("user", &USER),
        ("system", &SYSTEM),
        ("developer", &SYSTEM),
        ("assistant", &ASSISTANT),
        ("tool", &TOOL_RESULT),
        ("function", &FUNCTION_RESULT),
    ],
);

static FUNCTION: FieldSchema =
    Object(&[("name!", Str), ("description", Str), ("parameters", Map), ("strict", Bool)]);
static FUNCTION_TOOL: FieldSchema = Object(&[("type!", Str), ("function!", Ref(&FUNCTION))]);
static CUSTOM_TOOL: FieldSchema =
    Object(&[("type!", Str), ("custom!", Object(&[("name!", Str), ("description", Str), ("format", Map)]))]);
static TOOL: FieldSchema = Tagged("type", &[("function", &FUNCTION_TOOL), ("custom", &CUSTOM_TOOL)]);
static NAMED_CHOICE: FieldSchema = Object(&[("type!", Str), ("function!", Object(&[("name!", Str)]))]);
static CUSTOM_CHOICE: FieldSchema = Object(&[("type!", Str), ("custom!", Object(&[("name!", Str)]))]);
static ALLOWED_CHOICE: FieldSchema = Object(&[
    ("type!", Str),
    ("allowed_tools!", Object(&[("mode!", Enum(&["auto", "required"])), ("tools!", List(&Map))])),
]);
static CHOICE: FieldSchema = Either(&[
    &Enum(&["none", "auto", "required"]),
    &Tagged(
        "type",
        &[("function", &NAMED_CHOICE), ("custom", &CUSTOM_CHOICE), ("allowed_tools", &ALLOWED_CHOICE)],
    ),
]);

static TEXT_FORMAT: FieldSchema = Object(&[("type!", Str)]);
static SCHEMA_FORMAT: FieldSchema = Object(&[
    ("type!", Str),
    ("json_schema!", Object(&[("name!", Str), ("description", Str), ("schema", Map), ("strict", Bool)])),
]);
static FORMAT: FieldSchema =
    Tagged("type", &[("text", &TEXT_FORMAT), ("json_object", &TEXT_FORMAT), ("json_schema", &SCHEMA_FORMAT)]);

/// The body of `POST /v1/chat/completions`.
pub(super) static CHAT: FieldSchema = Object(&[
    ("messages!", List(&MESSAGE)),
    ("model", Str),
    ("audio", Map),
    ("frequency_penalty", Num(-2.0, 2.0)),
    ("function_call", Any),
    ("functions", List(&FUNCTION)),
    ("logit_bias", Map),
    ("logprobs", Bool),
    ("max_completion_tokens", Int),
    ("max_tokens", Int),
    ("metadata", Map),
    ("modalities", List(&Enum(&["text", "audio"]))),
    ("moderation", Map),
    ("n", Int),
    ("parallel_tool_calls", Bool),
    ("prediction", Map),
    ("presence_penalty", Num(-2.0, 2.0)),
    ("prompt_cache_key", Str),
    ("prompt_cache_options", Map),
    ("prompt_cache_retention", Enum(&["in_memory", "24h"])),
    ("reasoning_effort", Enum(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
    ("response_format", Ref(&FORMAT)),
    ("safety_identifier", Str),
    ("seed", Int),
    ("service_tier", Enum(&["auto", "default", "flex", "scale", "priority", "fast"])),
    ("stop", Either(&[&Str, &List(&Str)])),
    ("store", Bool),
    ("stream", Bool),
    ("stream_options", Object(&[("include_obfuscation", Bool), ("include_usage", Bool)])),
    ("temperature", Num(0.0, 2.0)),
    ("tool_choice", Ref(&CHOICE)),
    ("tools", List(&TOOL)),
    ("top_logprobs", Num(0.0, 20.0)),
    ("top_p", Num(0.0, 1.0)),
    ("user", Str),
    ("verbosity", Enum(&["low", "medium", "high"])),
    ("web_search_options", Map),
]);
