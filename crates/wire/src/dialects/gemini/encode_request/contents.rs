//! Writing `contents`.

use std::fmt::Write as _;

use super::groups::{Group, Groups, Said, Side, is_google, is_media};
use crate::{
    canonical::{
        Call, Content, LossReport, Part, PartKind, Signature, ToolCall, ToolResult, Unsupported,
        content::content_place,
    },
    dialects::gemini::part_out,
    json::{
        Json,
        out::{ArrayOut, ObjectOut},
    },
};

/// What Google documents for a step without its seal (docs/spec/cases.md#case-9).
const SKIP: &str = "skip_thought_signature_validator";

/// Writes the conversation.
pub(super) fn write(
    call: &Call<'_>,
    newer: bool,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let groups = Groups::of(call, newer, losses)?;
    let asked = groups.iter().rposition(|group| group.side == Side::User);
    let mut writer = Writer { losses, newer, calls: Vec::new(), images: 0 };
    o.array("contents", |a| {
        groups.iter().enumerate().try_for_each(|(at, group)| {
            // Only steps of the current turn have to carry their seals.
            let current = newer && asked.is_none_or(|asked| at > asked);
            a.object(|o| writer.group(group, current, o))
        })
    })
}

struct Writer<'c, 'a, 'l> {
    losses: &'l mut LossReport,
    newer: bool,
    /// The calls of the model's last content, which the next one must answer.
    calls: Vec<&'c ToolCall<'a>>,
    /// Media of results that were written behind them so far.
    images: usize,
}

impl<'c, 'a> Writer<'c, 'a, '_> {
    fn group(
        &mut self,
        group: &Group<'c, 'a>,
        current: bool,
        o: &mut ObjectOut<'_>,
    ) -> Result<(), Unsupported> {
        o.text("role", if group.side == Side::Model { "model" } else { "user" });
        o.array("parts", |a| match group.side {
            Side::User => self.user(&group.parts, a),
            Side::Model => self.model(&group.parts, current, a),
            Side::Results => self.results(&group.parts, a),
        })
    }

    fn user(&mut self, parts: &[Said<'_, '_>], a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        self.unanswered()?;
        for said in parts {
            if let Some(number) = said.image {
                a.object(|o| o.text("text", &format!("image {number}:")));
            }
            match &said.part.kind {
                PartKind::Foreign { raw, .. } => a.raw(*raw),
                PartKind::Text(text) if said.instructions => {
                    a.object(|o| o.pieces("text", &["\n<system>\n", text, "\n</system>\n"]));
                }
                _ => a.object(|o| self.content(said.part, o)),
            }
        }
        Ok(())
    }

    /// Text or a medium.
    fn content(&mut self, part: &Part<'_>, o: &mut ObjectOut<'_>) {
        match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => o.text("text", text),
            kind => {
                part_out::media(kind, o);
                if let PartKind::Image(image) = kind {
                    self.detail(image.detail.as_deref(), o);
                }
            }
        }
    }

    fn detail(&mut self, detail: Option<&str>, o: &mut ObjectOut<'_>) {
        let level = match detail {
            Some("low") => "MEDIA_RESOLUTION_LOW",
            Some("high") => "MEDIA_RESOLUTION_HIGH",
            Some("original") => "MEDIA_RESOLUTION_ULTRA_HIGH",
            _ => return,
        };
        if self.newer {
            o.object("mediaResolution", |o| o.text("level", level));
        } else {
            self.losses.hint(content_place(self.losses.client(), Content::ImageDetail));
        }
    }

    fn model(
        &mut self,
        parts: &[Said<'c, 'a>],
        current: bool,
        a: &mut ArrayOut<'_>,
    ) -> Result<(), Unsupported> {
        self.calls.clear();
        let mut seals = PendingSignatures::default();
        for (at, said) in parts.iter().enumerate() {
            let next = parts.get(at + 1).map(|said| &said.part.kind);
            match &said.part.kind {
                PartKind::Reasoning { text, signature } => {
                    let later = seals.thoughts(signature.as_ref(), next);
                    if !text.is_empty() || later.is_some() {
                        a.object(|o| {
                            o.text("text", text);
                            if !text.is_empty() {
                                o.bool("thought", true);
                            }
                            o.text_if("thoughtSignature", later);
                        });
                    }
                }
                PartKind::RedactedReasoning(signature) => a.object(|o| {
                    o.text("text", "");
                    o.text("thoughtSignature", &signature.text);
                }),
                PartKind::ToolCall(call) => {
                    let first = self.calls.is_empty();
                    if self.calls.len() >= super::super::common::MOST_CALLS {
                        return Err(Unsupported {
                            field: format!("tool call {:?}", call.id),
                            target: "Gemini generateContent: it is one of more than 1024 at once".to_owned(),
                        });
                    }
                    self.calls.push(call);
                    let seal = seals.call(call).or((first && current).then_some(SKIP));
                    a.object(|o| self.call(call, seal, o))?;
                }
                PartKind::Foreign { raw, .. } => a.raw(*raw),
                _ => {
                    let seal = seals.content(next, parts.get(at + 2).map(|said| &said.part.kind));
                    a.object(|o| {
                        self.content(said.part, o);
                        o.text_if("thoughtSignature", seal);
                    });
                }
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: &ToolCall<'_>,
        seal: Option<&str>,
        o: &mut ObjectOut<'_>,
    ) -> Result<(), Unsupported> {
        let arguments = if call.custom { None } else { Some(arguments(call)?) };
        o.object("functionCall", |o| {
            self.id(call, o);
            o.text("name", &call.name);
            match arguments {
                Some(arguments) => o.raw("args", arguments),
                // A free-form call, which the client allowed to be bent.
                None => o.object("args", |o| o.text("input", &call.arguments)),
            }
        });
        o.text_if("thoughtSignature", seal);
        Ok(())
    }

    /// Older models match by name and order; newer ones make ids themselves and want them back.
    fn id(&self, call: &ToolCall<'_>, o: &mut ObjectOut<'_>) {
        if self.newer && !call.id.is_empty() {
            o.text("id", &call.id);
        }
    }

    fn results(&mut self, parts: &[Said<'c, 'a>], a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        let mut results: Vec<&ToolResult<'_>> = Vec::with_capacity(parts.len());
        results.extend(parts.iter().filter_map(|said| match &said.part.kind {
            PartKind::ToolResult(result) => Some(result),
            _ => None,
        }));
        for call in std::mem::take(&mut self.calls) {
            let answers = |result: &&ToolResult<'_>| {
                if result.id.is_empty() || call.id.is_empty() {
                    result.name == call.name
                } else {
                    result.id == call.id
                }
            };
            let Some(at) = results.iter().position(answers) else { return Err(lacks_result(call)) };
            let result = results.remove(at);
            a.object(|o| self.result(call, result, o));
        }
        match results.first() {
            None => Ok(()),
            Some(result) => Err(Unsupported {
                field: format!(
                    "tool result {:?}",
                    if result.id.is_empty() { &result.name } else { &result.id }
                ),
                target: "Gemini generateContent: no call before it awaits it".to_owned(),
            }),
        }
    }

    /// Every call has to be answered before anybody speaks again.
    fn unanswered(&mut self) -> Result<(), Unsupported> {
        self.calls.first().map_or(Ok(()), |call| Err(lacks_result(call)))
    }

    fn result(&mut self, call: &ToolCall<'_>, result: &ToolResult<'_>, o: &mut ObjectOut<'_>) {
        let media: Vec<_> = result.content.iter().filter(|part| is_media(part)).collect();
        let mut text = String::new();
        for part in &result.content {
            match &part.kind {
                PartKind::Text(more) => line(&mut text, more),
                PartKind::Document(document) if !is_media(part) => {
                    line(&mut text, document.text.as_deref().unwrap_or_default());
                }
                _ => {}
            }
        }
        if !self.newer {
            for _ in &media {
                self.images += 1;
                line(&mut text, "");
                let _ = write!(text, "see image {}", self.images);
            }
        }
        o.object("functionResponse", |o| {
            self.id(call, o);
            o.text("name", &call.name);
            response(result, &text, o);
            if self.newer && !media.is_empty() {
                o.array("parts", |a| {
                    media.iter().for_each(|part| {
                        a.object(|o| {
                            part_out::media(&part.kind, o);
                        });
                    })
                });
            }
        });
    }
}

/// What the tool answered: Google reads `output` and `error`.
fn response(result: &ToolResult<'_>, text: &str, o: &mut ObjectOut<'_>) {
    let key = if result.error { "error" } else { "output" };
    match result.structured {
        Some(json) if text.is_empty() => match json.object().ok().flatten() {
            Some(members) if !result.error || members.peek("error").is_some() => o.raw("response", json),
            _ => o.object("response", |o| o.raw(key, json)),
        },
        Some(json) => o.object("response", |o| {
            o.raw(key, json);
            o.text("text", text);
        }),
        None => o.object("response", |o| o.text(key, text)),
    }
}

fn line(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}

fn lacks_result(call: &ToolCall<'_>) -> Unsupported {
    Unsupported {
        field: format!("tool call {:?}", if call.id.is_empty() { &call.name } else { &call.id }),
        target: "Gemini generateContent: it lacks its result".to_owned(),
    }
}

/// The arguments as the object that Gemini wants (docs/spec/cases.md#case-3, #case-4).
fn arguments<'c>(call: &'c ToolCall<'_>) -> Result<Json<'c>, Unsupported> {
    super::super::common::arguments(&call.arguments).ok_or_else(|| Unsupported {
        field: format!("arguments of the tool call {:?}", call.id),
        target: "Gemini generateContent: they are no JSON object".to_owned(),
    })
}

/// Puts seals back to where Gemini made them: on the call they came with, else on the text before them. Other
/// dialects carry them on thoughts.
#[derive(Default)]
struct PendingSignatures<'c> {
    /// The seal for the next call.
    held: Option<&'c str>,
    /// The next part is empty thoughts, and the part before it has taken their seal.
    taken: bool,
}

impl<'c> PendingSignatures<'c> {
    /// The seal that stays on thoughts.
    fn thoughts(
        &mut self,
        signature: Option<&'c Signature<'_>>,
        next: Option<&PartKind<'_>>,
    ) -> Option<&'c str> {
        let taken = std::mem::take(&mut self.taken);
        let seal = signature.filter(|signature| !taken && is_google(signature)).map(|seal| &*seal.text)?;
        match next {
            Some(PartKind::ToolCall(call)) if !call.signature.as_ref().is_some_and(is_google) => {
                self.held = Some(seal);
                None
            }
            _ => Some(seal),
        }
    }

    fn call(&mut self, call: &'c ToolCall<'_>) -> Option<&'c str> {
        let held = self.held.take();
        call.signature.as_ref().filter(|signature| is_google(signature)).map(|seal| &*seal.text).or(held)
    }

    /// The seal of text or a medium: that of empty thoughts right behind it, unless a call needs it.
    fn content(&mut self, next: Option<&'c PartKind<'_>>, after: Option<&PartKind<'_>>) -> Option<&'c str> {
        let Some(PartKind::Reasoning { text, signature: Some(signature) }) = next else { return None };
        let for_call = matches!(after, Some(PartKind::ToolCall(call)) if call.signature.is_none());
        if !text.is_empty() || for_call || !is_google(signature) {
            return None;
        }
        self.taken = true;
        Some(&signature.text)
    }
}
