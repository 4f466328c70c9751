//! Tools that a provider runs by itself: another provider's model answers without them.

use super::{Text, Tool};
use crate::{dialect::Dialect, json::Json};

/// A tool that the provider of a dialect runs by itself.
#[derive(Clone, Copy, Debug)]
pub struct HostedTool {
    /// The dialect.
    pub dialect: Dialect,
    /// Its kind in the dialect; a `*` at the end stands for a date or a variant.
    pub kind: &'static str,
}

/// Every tool that a provider runs by itself, and that neither the client's data nor the client's own servers are in.
///
/// Such a tool is offered, not demanded: without it the model answers from what it knows. What the client runs
/// (`computer`, `bash`, `apply_patch`), what only the client can reach (`mcp`) and what searches the client's files is
/// not among them: the client waits for such calls, or for what they find.
pub const HOSTED_TOOLS: &[HostedTool] = &[
    hosted(Dialect::OpenAiResponses, "code_interpreter"),
    hosted(Dialect::OpenAiResponses, "image_generation"),
    hosted(Dialect::OpenAiResponses, "tool_search"),
    hosted(Dialect::OpenAiResponses, "web_search*"),
    hosted(Dialect::Anthropic, "code_execution_*"),
    hosted(Dialect::Anthropic, "tool_search_tool_*"),
    hosted(Dialect::Anthropic, "web_fetch_*"),
    hosted(Dialect::Anthropic, "web_search_*"),
    hosted(Dialect::Gemini, "codeExecution"),
    hosted(Dialect::Gemini, "enterpriseWebSearch"),
    hosted(Dialect::Gemini, "googleMaps"),
    hosted(Dialect::Gemini, "googleSearch"),
    hosted(Dialect::Gemini, "googleSearchRetrieval"),
    hosted(Dialect::Gemini, "urlContext"),
    hosted(Dialect::Bedrock, "systemTool"),
];

const fn hosted(dialect: Dialect, kind: &'static str) -> HostedTool {
    HostedTool { dialect, kind }
}

impl HostedTool {
    /// Whether a dialect's provider runs a kind of tool by itself.
    #[must_use]
    pub fn runs(dialect: Dialect, kind: &str) -> bool {
        HOSTED_TOOLS.iter().filter(|tool| tool.dialect == dialect).any(|tool| {
            match tool.kind.strip_suffix('*') {
                Some(prefix) => kind.starts_with(prefix),
                None => kind == tool.kind,
            }
        })
    }
}

/// What a dialect calls the kind of a tool that is no function: the tool's type or, where tools are unions, the member
/// that holds it.
pub(super) fn kind<'a>(dialect: Dialect, tool: &Tool<'a>) -> Text<'a> {
    let fields = || tool.foreign?.object().ok().flatten();
    let found = match dialect {
        Dialect::Gemini => None,
        Dialect::Bedrock => fields().and_then(|fields| fields.rest().next()).map(|(name, _)| name),
        _ => fields().and_then(|fields| fields.peek("type")).and_then(Json::text),
    };
    found.unwrap_or_else(|| tool.name.clone())
}

/// Whether it is a namespace of tools without a tool in it, which offers nothing.
pub(super) fn is_empty_namespace(kind: &str, tool: &Tool<'_>) -> bool {
    let tools = || tool.foreign?.object().ok().flatten()?.peek("tools")?.array().ok().flatten();
    kind == "namespace" && tools().is_none_or(|tools| tools.is_empty())
}
