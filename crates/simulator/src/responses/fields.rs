//! What OpenAI's responses take, after the types of the official Python client 3.54.0.

use crate::field_schema::FieldSchema::{
    self, Any, Bool, Either, Enum, List, Map, Num, Object, Ref, Str, Tagged,
};

static BREAKPOINT: FieldSchema = Object(&[("mode!", Enum(&["explicit"])), ("ttl", Enum(&["30m", "12h"]))]);
static DETAIL: FieldSchema = Enum(&["low", "high", "auto", "original"]);
static TEXT: FieldSchema =
    Object(&[("type!", Str), ("text!", Str), ("prompt_cache_breakpoint", Ref(&BREAKPOINT))]);
static IMAGE: FieldSchema = Object(&[
    ("type!", Str),
    ("detail", Ref(&DETAIL)),
    ("file_id", Str),
    ("image_url", Str),
    ("prompt_cache_breakpoint", Ref(&BREAKPOINT)),
]);
static FILE: FieldSchema = Object(&[
    ("type!", Str),
    ("detail", Ref(&DETAIL)),
    ("file_data", Str),
    ("file_id", Str),
    ("file_url", Str),
    ("filename", Str),
    ("prompt_cache_breakpoint", Ref(&BREAKPOINT)),
]);
static OUTPUT_TEXT: FieldSchema =
    Object(&[("type!", Str), ("text!", Str), ("annotations", List(&Any)), ("logprobs", List(&Any))]);
static REFUSAL: FieldSchema = Object(&[("type!", Str), ("refusal!", Str)]);
static INPUT_PARTS: FieldSchema =
    List(&Tagged("type", &[("input_text", &TEXT), ("input_image", &IMAGE), ("input_file", &FILE)]));
static OUTPUT_PARTS: FieldSchema =
    List(&Tagged("type", &[("output_text", &OUTPUT_TEXT), ("refusal", &REFUSAL)]));
static INPUT_CONTENT: FieldSchema = Either(&[&Str, &INPUT_PARTS]);
static OUTPUT_CONTENT: FieldSchema = Either(&[&Str, &OUTPUT_PARTS]);

static INPUT_MESSAGE: FieldSchema = Object(&[
    ("role!", Str),
    ("content!", Ref(&INPUT_CONTENT)),
    ("type", Str),
    ("status", Str),
    ("phase", Str),
    ("id", Str),
]);
static OUTPUT_MESSAGE: FieldSchema = Object(&[
    ("role!", Str),
    ("content!", Ref(&OUTPUT_CONTENT)),
    ("type", Str),
    ("status", Str),
    ("phase", Str),
    ("id", Str),
]);
static MESSAGE: FieldSchema = Tagged(
    "role",
    &[
        ("user", &INPUT_MESSAGE),
        ("assistant", &OUTPUT_MESSAGE),
        ("system", &INPUT_MESSAGE),
        ("developer", &INPUT_MESSAGE),
    ],
);
static CALL: FieldSchema = Object(&[
    ("type!", Str),
    ("arguments!", Str),
    ("call_id!", Str),
    ("name!", Str),
    ("id", Str),
    ("status", Str),
    ("async", Bool),
    ("caller", Map),
    ("namespace", Str),
]);
static CALL_OUTPUT: FieldSchema = Object(&[
    ("type!", Str),
    ("output!", Ref(&INPUT_CONTENT)),
    ("call_id!", Str),
    ("id", Str),
    ("status", Str),
    ("caller", Map),
    ("name", Str),
    ("namespace", Str),
]);
static REASONING: FieldSchema = Object(&[
    ("type!", Str),
    // Clients that keep nothing at OpenAI leave it out.
    ("id", Str),
    ("summary!", List(&Object(&[("type!", Enum(&["summary_text"])), ("text!", Str)]))),
    ("content", List(&Map)),
    ("encrypted_content", Str),
    ("status", Str),
]);
/// One item of a conversation; those that only OpenAI's own tools make are not looked into.
static ITEM: FieldSchema = Tagged(
    "type",
    &[
        ("message", &MESSAGE),
        ("function_call", &CALL),
        ("function_call_output", &CALL_OUTPUT),
        ("reasoning", &REASONING),
        ("item_reference", &Map),
        ("custom_tool_call", &Map),
        ("custom_tool_call_output", &Map),
        ("file_search_call", &Map),
        ("web_search_call", &Map),
        ("computer_call", &Map),
        ("computer_call_output", &Map),
        ("image_generation_call", &Map),
        ("code_interpreter_call", &Map),
        ("compaction", &Map),
        ("mcp_call", &Map),
        ("mcp_list_tools", &Map),
        ("mcp_approval_request", &Map),
        ("mcp_approval_response", &Map),
        ("local_shell_call", &Map),
        ("local_shell_call_output", &Map),
        ("shell_call", &Map),
        ("shell_call_output", &Map),
        ("apply_patch_call", &Map),
        ("apply_patch_call_output", &Map),
        ("tool_search_call", &Map),
        ("tool_search_output", &Map),
    ],
);

static FUNCTION: FieldSchema = Object(&[
    ("type!", Str),
    ("name!", Str),
    ("description", Str),
    ("parameters", Map),
    ("strict", Bool),
    ("allowed_callers", List(&Str)),
    ("async", Bool),
    ("defer_loading", Bool),
    ("output_schema", Map),
]);
static NAMESPACE: FieldSchema = Object(&[
    ("type!", Str),
    ("name!", Str),
    ("description", Str),
    ("tools!", List(&Tagged("type", &[("function", &FUNCTION), ("custom", &Map)]))),
]);
static TOOL: FieldSchema = Tagged(
    "type",
    &[
        ("function", &FUNCTION),
        ("custom", &Map),
        ("namespace", &NAMESPACE),
        ("tool_search", &Map),
        ("file_search", &Map),
        ("web_search", &Map),
        ("web_search_2025_08_26", &Map),
        ("web_search_preview", &Map),
        ("web_search_preview_2025_03_11", &Map),
        ("local_shell", &Map),
        ("shell", &Map),
        ("apply_patch", &Map),
        ("computer", &Map),
        ("computer_use_preview", &Map),
        ("code_interpreter", &Map),
        ("image_generation", &Map),
        ("mcp", &Map),
    ],
);
static NAMED: FieldSchema = Object(&[("type!", Str), ("name!", Str)]);
static ALLOWED: FieldSchema =
    Object(&[("type!", Str), ("mode!", Enum(&["auto", "required"])), ("tools!", List(&Map))]);
static CHOICE: FieldSchema = Either(&[
    &Enum(&["none", "auto", "required"]),
    &Tagged(
        "type",
        &[
            ("function", &NAMED),
            ("custom", &NAMED),
            ("allowed_tools", &ALLOWED),
            ("file_search", &Map),
            ("web_search_preview", &Map),
            ("image_generation", &Map),
            ("code_interpreter", &Map),
            ("mcp", &Map),
        ],
    ),
]);
static BARE: FieldSchema = Object(&[("type!", Str)]);
static SCHEMA: FieldSchema =
    Object(&[("type!", Str), ("name!", Str), ("schema!", Map), ("description", Str), ("strict", Bool)]);
static TEXT_CONFIG: FieldSchema = Object(&[
    ("format", Tagged("type", &[("text", &BARE), ("json_object", &BARE), ("json_schema", &SCHEMA)])),
    ("verbosity", Enum(&["low", "medium", "high"])),
]);
static REASONING_CONFIG: FieldSchema = Object(&[
    ("context", Enum(&["auto", "current_turn", "all_turns"])),
    ("effort", Enum(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
    ("generate_summary", Enum(&["auto", "concise", "detailed"])),
    ("mode", Str),
    ("summary", Enum(&["auto", "concise", "detailed"])),
]);

/// The body of `POST /v1/responses`.
pub(super) static CREATE: FieldSchema = Object(&[
    ("access_programs", Map),
    ("background", Bool),
    ("background_options", Map),
    ("client_metadata", Map),
    ("context_management", List(&Map)),
    ("conversation", Any),
    ("image", Map),
    ("include", List(&Str)),
    ("input!", Either(&[&Str, &List(&ITEM)])),
    ("instructions", Str),
    ("max_output_tokens", Num(16.0, 1e9)),
    ("max_tool_calls", Num(1.0, 1e9)),
    ("metadata", Map),
    ("model", Str),
    ("moderation", Map),
    ("parallel_tool_calls", Bool),
    ("previous_response_id", Str),
    ("prompt", Map),
    ("prompt_cache_key", Str),
    ("prompt_cache_options", Map),
    ("prompt_cache_retention", Enum(&["in_memory", "24h"])),
    ("reasoning", Ref(&REASONING_CONFIG)),
    ("safety_identifier", Str),
    ("service_tier", Enum(&["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"])),
    ("store", Bool),
    ("stream", Bool),
    ("stream_options", Object(&[("include_obfuscation", Bool)])),
    ("temperature", Num(0.0, 2.0)),
    ("text", Ref(&TEXT_CONFIG)),
    ("tool_choice", Ref(&CHOICE)),
    ("tools", List(&TOOL)),
    ("top_logprobs", Num(0.0, 20.0)),
    ("top_p", Num(0.0, 1.0)),
    ("truncation", Enum(&["auto", "disabled"])),
    ("user", Str),
]);

/// The body of `POST /v1/responses/input_tokens`.
pub(super) static COUNT: FieldSchema = Object(&[
    ("conversation", Any),
    ("input", Either(&[&Str, &List(&ITEM)])),
    ("instructions", Str),
    ("model", Str),
    ("parallel_tool_calls", Bool),
    ("personality", Str),
    ("previous_response_id", Str),
    ("reasoning", Ref(&REASONING_CONFIG)),
    ("text", Ref(&TEXT_CONFIG)),
    ("tool_choice", Ref(&CHOICE)),
    ("tools", List(&TOOL)),
    ("truncation", Enum(&["auto", "disabled"])),
]);
