//! Tools in a namespace, which OpenAI Responses alone has: one name of two halves, and no namespaces for other dialects
//! (docs/spec/cases.md#case-35).

use super::{Call, LossReport, Text, Tool, foreign_tool};
use crate::{dialect::Dialect, json::Json};

/// Stands between the halves. No provider takes it in a name, so such a name is always replaced before it is sent.
const SEPARATOR: char = '\u{1f}';

/// A namespaced tool's name in two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameParts<'n> {
    /// The namespace, where the tool is in one.
    pub namespace: Option<&'n str>,
    /// The name within it.
    pub name: &'n str,
}

/// The canonical name of a tool in a namespace.
#[must_use]
pub fn join_name<'a>(namespace: Option<Text<'a>>, name: Text<'a>) -> Text<'a> {
    match namespace.filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => Text::Owned(format!("{namespace}{SEPARATOR}{name}")),
        None => name,
    }
}

/// The halves of a canonical name.
#[must_use]
pub fn split_name(name: &str) -> NameParts<'_> {
    match name.split_once(SEPARATOR) {
        Some((namespace, name)) => NameParts { namespace: Some(namespace), name },
        None => NameParts { namespace: None, name },
    }
}

/// Takes the tools of a call out of their namespaces, for a target that has none. What a namespace says of all of its tools
/// is left out, and named.
pub(super) fn flatten(call: &mut Call<'_>, losses: &mut LossReport) {
    let client = losses.client();
    if client != Dialect::OpenAiResponses || !call.tools.iter().any(|tool| is_namespace(client, tool)) {
        return;
    }
    let tools = std::mem::take(&mut call.tools);
    for tool in tools {
        let inner = if is_namespace(client, &tool) { inner(&tool) } else { None };
        let Some(inner) = inner else {
            call.tools.push(tool);
            continue;
        };
        if inner.is_described {
            losses.hint("tools[].description (namespace)");
        }
        call.tools.extend(inner.tools);
    }
}

fn is_namespace(client: Dialect, tool: &Tool<'_>) -> bool {
    tool.foreign.is_some() && foreign_tool::kind(client, tool) == "namespace"
}

/// What is in a namespace.
struct Inner<'a> {
    tools: Vec<Tool<'a>>,
    is_described: bool,
}

/// What is in a namespace; nothing where it has no list of tools.
fn inner<'a>(namespace: &Tool<'a>) -> Option<Inner<'a>> {
    let fields = namespace.foreign?.object().ok().flatten()?;
    let listed = fields.peek("tools")?.array().ok().flatten()?;
    let tools = listed.into_iter().map(|json| member(namespace, json)).collect();
    let description = fields.peek("description").and_then(Json::text);
    Some(Inner { tools, is_described: description.is_some_and(|text| !text.is_empty()) })
}

/// One tool; what is no function keeps its own words.
fn member<'a>(namespace: &Tool<'a>, json: Json<'a>) -> Tool<'a> {
    let fields = json.object().ok().flatten();
    let field = |name: &str| fields.as_ref().and_then(|fields| fields.peek(name));
    let name = field("name").and_then(Json::text).unwrap_or_default();
    let name = join_name(Some(namespace.name.clone()), name);
    let is_function = field("type").and_then(Json::text).is_none_or(|kind| kind == "function");
    if !is_function {
        return Tool {
            name,
            description: None,
            schema: None,
            strict: None,
            cache: None,
            foreign: Some(json),
        };
    }
    let schema = field("parameters").filter(|schema| schema.object().is_ok_and(|object| object.is_some()));
    Tool {
        name,
        description: field("description").and_then(Json::text),
        schema,
        strict: field("strict").and_then(Json::bool),
        cache: None,
        foreign: None,
    }
}
