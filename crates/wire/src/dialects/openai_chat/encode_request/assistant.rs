//! Writing what the model said, thought and called.

use super::messages::Writer;
use crate::{
    canonical::{Family, Part, PartKind, Role, Signature, Text, ToolCall, Turn, Unsupported},
    json::{
        Json,
        out::{ArrayOut, ObjectOut},
    },
    quirks::ReasoningReplay,
};

/// One message, taken apart.
#[derive(Default)]
struct Said<'t, 'a> {
    text: String,
    refusal: Option<&'t str>,
    thoughts: String,
    /// `reasoning_details`, as their provider wrote them.
    details: Option<&'t str>,
    calls: Vec<&'t ToolCall<'a>>,
}

impl Writer<'_> {
    /// Writes a turn of the model; `last`: it stands at the end, so the model is to go on with it.
    pub(super) fn assistant(
        &mut self,
        turn: &Turn<'_>,
        last: bool,
        a: &mut ArrayOut<'_>,
    ) -> Result<(), Unsupported> {
        debug_assert_eq!(turn.role, Role::Assistant);
        let said = self.take_apart(turn)?;
        let nothing = said.text.is_empty() && said.refusal.is_none() && said.calls.is_empty();
        if nothing && said.thoughts.is_empty() {
            return Ok(());
        }
        let name = self.name(turn)?;
        a.object(|o| {
            o.text("role", "assistant");
            o.text_if("name", name);
            self.thoughts(&said, o);
            o.text_if("refusal", said.refusal);
            if !said.calls.is_empty() {
                o.array("tool_calls", |a| said.calls.iter().for_each(|call| self.call(call, a)));
            }
            if last && self.quirks.prefix_flag && said.calls.is_empty() {
                o.bool("prefix", true);
            }
        });
        Ok(())
    }

    fn take_apart<'t, 'a>(&mut self, turn: &'t Turn<'a>) -> Result<Said<'t, 'a>, Unsupported> {
        let mut said = Said::default();
        let mut behind_text = true;
        for part in &turn.parts {
            let text = matches!(part.kind, PartKind::Text(_));
            match &part.kind {
                PartKind::Text(text) => {
                    // What stood between them is told apart; blocks that a citation cut are not.
                    if !behind_text && !said.text.is_empty() {
                        said.text.push('\n');
                    }
                    said.text.push_str(text);
                }
                PartKind::Refusal(text) => said.refusal = Some(text),
                PartKind::ToolCall(call) => said.calls.push(call),
                PartKind::Reasoning { text, signature } => thought(&mut said, text, signature.as_ref()),
                PartKind::RedactedReasoning(signature) => details(&mut said, signature),
                _ => self.lose(part)?,
            }
            behind_text = text;
            self.unmarked(part);
        }
        Ok(said)
    }

    /// A mark on what the model said: content is one string here.
    fn unmarked(&mut self, part: &Part<'_>) {
        if let Some(ttl) = part.cache {
            self.losses.cache_mark(ttl);
        }
    }

    /// Writes the content, and the thoughts where the provider wants them.
    fn thoughts(&self, said: &Said<'_, '_>, o: &mut ObjectOut<'_>) {
        let thoughts = &said.thoughts;
        match self.quirks.thoughts_back {
            ReasoningReplay::ThinkingPart if !thoughts.is_empty() => {
                return o.array("content", |a| {
                    a.object(|o| {
                        o.text("type", "thinking");
                        o.array("thinking", |a| a.object(|o| text_part(thoughts, o)));
                    });
                    if !said.text.is_empty() {
                        a.object(|o| text_part(&said.text, o));
                    }
                });
            }
            ReasoningReplay::ReasoningContent if !thoughts.is_empty() || !said.calls.is_empty() => {
                o.text("reasoning_content", thoughts);
            }
            ReasoningReplay::Reasoning if !thoughts.is_empty() => o.text("reasoning", thoughts),
            ReasoningReplay::ReasoningDetails => {
                let details = said.details.and_then(|details| Json::parse(details.as_bytes()).ok());
                match details {
                    Some(details) => o.raw("reasoning_details", details),
                    None if !thoughts.is_empty() => o.text("reasoning", thoughts),
                    None => {}
                }
            }
            _ => {}
        }
        if said.text.is_empty() && (!said.calls.is_empty() || said.refusal.is_some()) {
            o.null("content");
        } else {
            o.text("content", &said.text);
        }
    }

    fn call(&mut self, call: &ToolCall<'_>, a: &mut ArrayOut<'_>) {
        let id = self.ids.call(call);
        let id = self.nine(id);
        a.object(|o| {
            o.text("id", &id);
            let (kind, input) = if call.custom { ("custom", "input") } else { ("function", "arguments") };
            o.text("type", kind);
            o.object(kind, |o| {
                o.text("name", &call.name);
                let empty = !call.custom && call.arguments.trim().is_empty();
                o.text(input, if empty { "{}" } else { &call.arguments });
            });
        });
    }

    /// The id as it is, or nine letters and digits made of it (docs/spec/cases.md#case-6).
    pub(super) fn nine<'i>(&self, id: Text<'i>) -> Text<'i> {
        let nine = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if nine || !self.quirks.nine_letter_ids {
            return id;
        }
        // FNV-1a in 64 bits, in base 36.
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let mut hash = id.bytes().fold(0xcbf2_9ce4_8422_2325, step);
        let digits = std::iter::repeat_with(|| {
            let digit = u32::try_from(hash % 36).unwrap_or_default();
            hash /= 36;
            char::from_digit(digit, 36).unwrap_or('0')
        });
        digits.take(9).collect::<String>().into()
    }
}

/// Thoughts go back unless another family sealed them (docs/spec/cases.md#case-9).
fn thought<'t>(said: &mut Said<'t, '_>, text: &str, signature: Option<&'t Signature<'_>>) {
    if signature.is_some_and(|signature| signature.family != Family::Compatible) {
        return;
    }
    said.thoughts.push_str(text);
    if let Some(signature) = signature {
        details(said, signature);
    }
}

fn details<'t>(said: &mut Said<'t, '_>, signature: &'t Signature<'_>) {
    if signature.family == Family::Compatible {
        said.details = Some(&signature.text);
    }
}

fn text_part(text: &str, o: &mut ObjectOut<'_>) {
    o.text("type", "text");
    o.text("text", text);
}
