//! The conversation as users and the model speak by turns: for dialects without a role for tools.

use crate::canonical::{
    Call, Content, Family, Field, LossReport, Part, PartKind, Role, Signature, Turn, Unsupported,
};

/// One message: everything that one side says until the other speaks.
#[derive(Debug)]
pub(crate) struct Message<'c, 'a> {
    /// Whether the model speaks.
    pub(crate) assistant: bool,
    /// What is said; results of tools first, as these dialects demand it.
    pub(crate) parts: Vec<Said<'c, 'a>>,
}

/// A part and how it is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'c, 'a> {
    pub(crate) part: &'c Part<'a>,
    /// It stood in a system turn in mid-conversation and becomes the user's text, tagged as instructions.
    pub(crate) instructions: bool,
}

/// What a target cannot take, of a part that the client sent.
pub(crate) type Inexpressible<'f> = dyn Fn(&Part<'_>) -> Option<Content> + 'f;

/// The turns behind the leading system turns, neighbours of one side joined (docs/spec/cases.md#case-1, #case-7,
/// #case-25, #case-26).
///
/// Blank text and thoughts that the target could not read are left out.
pub(crate) fn alternate<'c, 'a>(
    call: &'c Call<'a>,
    losses: &mut LossReport,
    inexpressible: &Inexpressible<'_>,
) -> Result<Vec<Message<'c, 'a>>, Unsupported> {
    let mut messages: Vec<Message<'c, 'a>> = Vec::new();
    for turn in &call.turns[call.leading_system()..] {
        if turn.name.is_some() {
            losses.field(Field::ParticipantName)?;
        }
        let instructions = turn.role.is_system();
        if instructions {
            losses.field(Field::SystemTurn)?;
        }
        let parts = sayable(turn, losses, inexpressible)?;
        if parts.is_empty() {
            continue;
        }
        let parts = parts.into_iter().map(|part| Said { part, instructions });
        let assistant = turn.role == Role::Assistant;
        match messages.last_mut() {
            Some(last) if last.assistant == assistant => last.parts.extend(parts),
            _ => messages.push(Message { assistant, parts: parts.collect() }),
        }
    }
    for message in messages.iter_mut().filter(|message| !message.assistant) {
        message.parts.sort_by_key(|said| !matches!(said.part.kind, PartKind::ToolResult(_)));
    }
    Ok(messages)
}

fn sayable<'c, 'a>(
    turn: &'c Turn<'a>,
    losses: &mut LossReport,
    inexpressible: &Inexpressible<'_>,
) -> Result<Vec<&'c Part<'a>>, Unsupported> {
    let mut parts = Vec::with_capacity(turn.parts.len());
    for part in turn.parts.iter().filter(|part| is_sayable(part)) {
        match inexpressible(part) {
            Some(content) => losses.content(content)?,
            None => parts.push(part),
        }
    }
    Ok(parts)
}

/// Whether a part has anything to say there: no blank text, no thoughts without a seal that Claude made.
pub(crate) fn is_sayable(part: &Part<'_>) -> bool {
    let ours = |signature: &Signature<'_>| signature.family == Family::Anthropic;
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => !text.trim().is_empty(),
        PartKind::Reasoning { signature, .. } => signature.as_ref().is_some_and(ours),
        PartKind::RedactedReasoning(signature) => ours(signature),
        _ => true,
    }
}

/// Whether Claude can think in what comes next: while tools run, only where its last turn begins with thoughts that it
/// sealed (docs/spec/reasoning.md#sending-reasoning-back).
pub(crate) fn can_continue_thinking(messages: &[Message<'_, '_>]) -> bool {
    let is_result = |said: &Said<'_, '_>| matches!(said.part.kind, PartKind::ToolResult(_));
    let in_loop = messages.last().is_some_and(|last| !last.assistant && last.parts.iter().any(is_result));
    let last = messages.iter().rev().find(|message| message.assistant).filter(|_| in_loop);
    last.and_then(|message| message.parts.first()).is_none_or(|said| {
        matches!(said.part.kind, PartKind::Reasoning { .. } | PartKind::RedactedReasoning(_))
    })
}

#[cfg(test)]
mod tests {
    use domain::Strictness;

    use super::*;
    use crate::{
        canonical::{ToolCall, ToolResult},
        dialect::Dialect,
    };

    fn call_of(turns: Vec<Turn<'static>>) -> Call<'static> {
        Call { turns, ..Call::default() }
    }

    fn result(id: &'static str) -> Part<'static> {
        Part::new(PartKind::ToolResult(ToolResult {
            id: id.into(),
            name: "".into(),
            content: Vec::new(),
            structured: None,
            error: false,
        }))
    }

    fn shape(messages: &[Message<'_, '_>]) -> Vec<String> {
        let part = |said: &Said<'_, '_>| match &said.part.kind {
            PartKind::Text(text) if said.instructions => format!("!{text}"),
            PartKind::Text(text) => text.to_string(),
            PartKind::ToolResult(result) => format!("={}", result.id),
            PartKind::ToolCall(call) => format!("{}()", call.id),
            _ => "?".to_owned(),
        };
        let message = |message: &Message<'_, '_>| {
            let parts: Vec<_> = message.parts.iter().map(part).collect();
            format!("{}: {}", if message.assistant { "a" } else { "u" }, parts.join(" "))
        };
        messages.iter().map(message).collect()
    }

    #[test]
    fn results_come_first_and_neighbours_are_joined() {
        let tool = ToolCall {
            id: "1".into(),
            name: "f".into(),
            arguments: "".into(),
            signature: None,
            custom: false,
        };
        let call = call_of(vec![
            Turn::new(Role::System, vec![Part::text("rules")]),
            Turn::new(Role::User, vec![Part::text("hi")]),
            Turn::new(Role::Assistant, vec![Part::text(" \n"), Part::new(PartKind::ToolCall(tool))]),
            Turn::new(Role::Tool, vec![result("1")]),
            Turn::new(Role::User, vec![Part::text("and")]),
            Turn::new(Role::Tool, vec![result("2")]),
            Turn::new(Role::Assistant, vec![Part::text(" ")]),
            Turn::new(Role::User, vec![Part::text("more")]),
        ]);
        let mut losses = LossReport::new(Dialect::OpenAiChat, Dialect::Anthropic, Strictness::Default);
        let messages = alternate(&call, &mut losses, &|_| None).unwrap();
        assert_eq!(shape(&messages), ["u: hi", "a: 1()", "u: =1 =2 and more"]);
    }

    #[test]
    fn a_later_system_turn_becomes_tagged_text_and_is_refused_in_strict_mode() {
        let call = call_of(vec![
            Turn::new(Role::User, vec![Part::text("hi")]),
            Turn::new(Role::Developer, vec![Part::text("rules")]),
        ]);
        let mut losses = LossReport::new(Dialect::OpenAiChat, Dialect::Anthropic, Strictness::Default);
        let messages = alternate(&call, &mut losses, &|_| None).unwrap();
        assert_eq!(shape(&messages), ["u: hi !rules"]);
        assert_eq!(losses.encoded(Vec::new()).unwrap().dropped, ["messages[].role"]);
        let mut strict = LossReport::new(Dialect::OpenAiChat, Dialect::Anthropic, Strictness::Strict);
        alternate(&call, &mut strict, &|_| None).unwrap();
        assert_eq!(strict.encoded(Vec::new()).unwrap_err().field, "messages[].role");
    }
}
