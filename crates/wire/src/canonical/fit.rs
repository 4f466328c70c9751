//! What a model takes, where its dialect could say more: efforts, pairs that exclude each other, marks for the cache,
//! and modes that have to be said in words.

use super::{
    Call, Effort, Field, LossReport, OutputFormat, Part, PartKind, Reasoning, Role, Support, TargetFacts,
    ToolMode, Turn, namespace,
};
use crate::{dialect::Dialect, quirks::Thinking};

/// Most cache marks that Anthropic and Bedrock take in one request (the vendors' documentation of prompt caching).
const MOST_MARKS: usize = 4;

/// What stands for a format of the answer that a target has no mode for (docs/spec/cases.md#case-28).
const ANSWER_IN_JSON: &str = "Answer with one JSON object and nothing else.";

/// Brings a call into what the target's model takes. What that loses is a hint, and named.
pub fn fit_call(call: &mut Call<'_>, target: Dialect, facts: &TargetFacts<'_>, losses: &mut LossReport) {
    if target != Dialect::OpenAiResponses {
        namespace::flatten(call, losses);
    }
    match target {
        Dialect::OpenAiChat | Dialect::OpenAiResponses if facts.quirks.thinking == Thinking::Effort => {
            openai_effort(&mut call.reasoning, facts, losses);
        }
        Dialect::Gemini => gemini_effort(&mut call.reasoning, facts.model, losses),
        Dialect::Anthropic | Dialect::Bedrock => {
            json_in_words(call, losses);
            keep_last_marks(call, losses);
            if facts.model.contains("claude") {
                claude_pairs(call, facts, losses);
            }
        }
        Dialect::Cohere => end_with_the_user(call),
        _ => {}
    }
}

/// Cohere's last message is the user's or a tool's: a system message behind them becomes text of the user, in the message
/// that the user ended with.
fn end_with_the_user(call: &mut Call<'_>) {
    let Some(mut last) = call.turns.pop_if(|last| matches!(last.role, Role::System | Role::Developer)) else {
        return;
    };
    for part in &mut last.parts {
        if let PartKind::Text(text) = &mut part.kind {
            *text = format!("\n<system>\n{text}\n</system>\n").into();
        }
    }
    last.role = Role::User;
    match call.turns.last_mut().filter(|before| before.role == Role::User) {
        Some(user) => user.parts.append(&mut last.parts),
        None => call.turns.push(last),
    }
}

/// The nearest effort that the model has. Switching thoughts off is no word of OpenAI's older models, and of a model that
/// nobody knows only what the client said in this word is repeated.
fn openai_effort(asked: &mut Reasoning, facts: &TargetFacts<'_>, losses: &mut LossReport) {
    let Some(effort) = asked.asked_effort() else { return };
    if facts.reasoning == Support::Unsupported {
        lose_effort(asked, effort, losses);
        return;
    }
    match efforts(facts.model) {
        Some(known) if known.contains(&effort) => {}
        Some(known) => {
            let above = known.iter().find(|known| **known > effort);
            let nearest = above.or(known.last()).copied();
            losses.hint(Field::Effort.name_in(losses.client()));
            (asked.effort, asked.mode) = (nearest, None);
        }
        None if effort == Effort::None && asked.effort.is_none() => lose_effort(asked, effort, losses),
        None => {}
    }
}

fn lose_effort(asked: &mut Reasoning, effort: Effort, losses: &mut LossReport) {
    let name = Field::Effort.name_in(losses.client());
    // A model that does not think is switched off already.
    if effort == Effort::None {
        losses.note(name)
    } else {
        losses.hint(name)
    }
    (asked.effort, asked.budget, asked.mode) = (None, None, None);
}

/// The efforts of OpenAI's models, from the least on; `None` where they are not known
/// (docs/spec/reasoning.md#efforts-of-models).
fn efforts(model: &str) -> Option<&'static [Effort]> {
    use Effort as E;
    let name = model.rsplit('/').next().unwrap_or(model);
    let starts = |prefix: &str| name.starts_with(prefix);
    if starts("o1") || starts("o3") || starts("o4") {
        return Some(&[E::Low, E::Medium, E::High]);
    }
    if !starts("gpt-5") {
        return None;
    }
    match name.as_bytes().get(5..7) {
        // `gpt-5.1` and later ones can be switched off.
        Some([b'.', b'0'..=b'9']) => Some(&[E::None, E::Low, E::Medium, E::High, E::XHigh]),
        _ => Some(&[E::Minimal, E::Low, E::Medium, E::High]),
    }
}

/// Gemini 3 Pro has no `MINIMAL`.
fn gemini_effort(asked: &mut Reasoning, model: &str, losses: &mut LossReport) {
    let is_third_pro = model.contains("gemini-3") && model.contains("pro");
    if is_third_pro && asked.asked_effort().is_some_and(|effort| effort < Effort::Low) {
        losses.hint(Field::Effort.name_in(losses.client()));
        (asked.effort, asked.budget, asked.mode) = (Some(Effort::Low), None, None);
    }
}

/// A mode for JSON without a schema is said in words where there is none.
fn json_in_words(call: &mut Call<'_>, losses: &mut LossReport) {
    if !matches!(call.format, OutputFormat::Json) {
        return;
    }
    losses.note(format!("{} (as an instruction)", Field::Format.name_in(losses.client())));
    call.format = OutputFormat::Text;
    let system = |turn: &&Turn<'_>| matches!(turn.role, Role::System | Role::Developer);
    let behind = call.turns.iter().take_while(system).count();
    call.turns.insert(behind, Turn::new(Role::System, vec![Part::text(ANSWER_IN_JSON)]));
}

/// The last marks cover what the ones before them do.
fn keep_last_marks(call: &mut Call<'_>, losses: &mut LossReport) {
    let tools = call.tools.iter_mut().map(|tool| &mut tool.cache);
    let parts = call.turns.iter_mut().flat_map(|turn| &mut turn.parts).map(|part| &mut part.cache);
    let marks: Vec<_> = tools.chain(parts).chain([&mut call.cache]).filter(|mark| mark.is_some()).collect();
    let too_many = marks.len().saturating_sub(MOST_MARKS);
    for ttl in marks.into_iter().take(too_many).filter_map(Option::take) {
        losses.cache_mark(ttl);
    }
}

/// What Claude refuses together: a forced tool with thoughts, a temperature with thoughts, and from 4.1 to 4.6 a
/// temperature with `top_p` (docs/spec/anthropic.md#pairs).
fn claude_pairs(call: &mut Call<'_>, facts: &TargetFacts<'_>, losses: &mut LossReport) {
    let client = losses.client();
    let forced = call
        .tool_choice
        .as_ref()
        .is_some_and(|choice| matches!(choice.mode, ToolMode::Required | ToolMode::Named(_)));
    if forced && call.reasoning.wanted() {
        losses.hint(Field::Reasoning.name_in(client));
        call.reasoning = Reasoning { show: call.reasoning.show, ..Reasoning::default() };
    }
    if facts.sampling == Support::Unsupported {
        return;
    }
    let sampling = &mut call.sampling;
    let is_one = |value: crate::json::Json<'_>| value.f64() == Some(1.0);
    if call.reasoning.wanted() {
        if sampling.temperature.take_if(|value| !is_one(*value)).is_some() {
            losses.hint(Field::Temperature.name_in(client));
        }
        if sampling.top_k.take().is_some() {
            losses.hint(Field::TopK.name_in(client));
        }
    }
    // Of a model that nobody knows, what the client asked for is sent.
    let known = facts.sampling == Support::Supported;
    let takes_both =
        ["claude-3", "claude-2", "-4-0", "-4-2025"].iter().any(|part| facts.model.contains(part));
    if known && sampling.temperature.is_some() && !takes_both && sampling.top_p.take().is_some() {
        losses.hint(Field::TopP.name_in(client));
    }
}
