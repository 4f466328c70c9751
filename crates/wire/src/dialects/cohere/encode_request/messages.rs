//! Writing the conversation.

use super::documents;
use crate::{
    canonical::{
        Call, Content, Field, Image, LossReport, Media, Part, PartKind, Role, ToolCall, ToolResult, Turn,
        Unsupported, content::content_place, ids::Ids,
    },
    dialect::Dialect,
    json::out::{self, ArrayOut, ObjectOut},
};

/// Writes `messages`.
pub(super) fn write(
    call: &Call<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let mut turns = &call.turns[..];
    if let [before @ .., last] = turns
        && last.role == Role::Assistant
    {
        // Cohere does not continue what the model has begun to say.
        losses.content(Content::TrailingTurn)?;
        turns = before;
    }
    let own = losses.client() == Dialect::Cohere;
    let mut writer = Writer { losses, own, ids: Ids::new(|_| true), late: Vec::new(), images: 0 };
    o.array("messages", |a| {
        turns.iter().try_for_each(|turn| writer.turn(turn, a))?;
        writer.flush(a);
        Ok(())
    })
}

struct Writer<'c, 'a, 'l> {
    losses: &'l mut LossReport,
    own: bool,
    ids: Ids,
    /// Images of results, for a message behind all of them (docs/spec/cases.md#case-13).
    late: Vec<&'c Image<'a>>,
    images: usize,
}

impl<'c, 'a> Writer<'c, 'a, '_> {
    fn turn(&mut self, turn: &'c Turn<'a>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        if turn.name.is_some() {
            self.losses.field(Field::ParticipantName)?;
        }
        if turn.role != Role::Tool {
            self.flush(a);
        }
        let mut parts = Vec::with_capacity(turn.parts.len());
        for part in &turn.parts {
            if self.admits(part, turn.role)? {
                parts.push(part);
            }
        }
        match turn.role {
            Role::System | Role::Developer => self.said("system", &parts, a),
            Role::User | Role::Tool => {
                let is_result = |part: &&&Part<'_>| matches!(part.kind, PartKind::ToolResult(_));
                for part in parts.iter().filter(is_result) {
                    if let PartKind::ToolResult(result) = &part.kind {
                        self.result(result, a)?;
                    }
                }
                parts.retain(|part| !is_result(&part));
                if turn.role == Role::User && !(parts.is_empty() && has_results(turn)) {
                    self.flush(a);
                    self.said("user", &parts, a);
                }
            }
            Role::Assistant if parts.is_empty() => {}
            Role::Assistant => a.object(|o| self.assistant(&parts, o)),
        }
        Ok(())
    }

    /// Whether a part is said where it stands; what is lost with harm is accounted for.
    fn admits(&mut self, part: &Part<'_>, role: Role) -> Result<bool, Unsupported> {
        let lost = match &part.kind {
            PartKind::Text(_) | PartKind::Refusal(_) | PartKind::ToolResult(_) => false,
            // A seal means that the thoughts are another provider's (docs/spec/cases.md#case-9).
            PartKind::Reasoning { signature, .. } => return Ok(self.own || signature.is_none()),
            PartKind::RedactedReasoning(_) => return Ok(false),
            PartKind::ToolCall(call) => {
                if call.custom {
                    self.losses.content(Content::FreeFormCall)?;
                }
                return Ok(true);
            }
            PartKind::Image(image) => role != Role::User || matches!(image.media, Media::File(_)),
            PartKind::Document(document) => {
                if role == Role::User && documents::text(document).is_some() {
                    return Ok(false);
                }
                true
            }
            PartKind::Audio(_) | PartKind::Video(_) => true,
            PartKind::Foreign { .. } => !self.own,
        };
        if lost {
            self.losses.content(Content::of(part))?;
        }
        Ok(!lost)
    }

    fn said(&mut self, role: &str, parts: &[&Part<'_>], a: &mut ArrayOut<'_>) {
        a.object(|o| {
            o.text("role", role);
            content(parts, o);
        });
    }

    /// Text in front of calls is their plan.
    fn assistant(&mut self, parts: &[&'c Part<'a>], o: &mut ObjectOut<'_>) {
        o.text("role", "assistant");
        let calls: Vec<_> = parts
            .iter()
            .filter_map(|part| match &part.kind {
                PartKind::ToolCall(call) => Some(call),
                _ => None,
            })
            .collect();
        let is_text = |part: &&&Part<'_>| matches!(part.kind, PartKind::Text(_) | PartKind::Refusal(_));
        let (texts, others): (Vec<&Part<'_>>, Vec<&Part<'_>>) = parts
            .iter()
            .filter(|part| !matches!(part.kind, PartKind::ToolCall(_)))
            .partition(|part| !calls.is_empty() && is_text(part));
        if !others.is_empty() {
            content(&others, o);
        }
        if !texts.is_empty() {
            let plan: Vec<&str> = texts.iter().map(|part| text(part)).collect();
            o.text("tool_plan", &plan.join("\n"));
        }
        if calls.is_empty() {
            return;
        }
        o.array("tool_calls", |a| {
            for call in calls {
                let id = self.ids.call(call);
                a.object(|o| {
                    o.text("id", &id);
                    o.text("type", "function");
                    o.object("function", |o| {
                        o.text("name", &call.name);
                        o.text("arguments", &arguments(call));
                    });
                });
            }
        });
    }

    fn result(&mut self, result: &'c ToolResult<'a>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        if result.error {
            self.losses.hint(content_place(self.losses.client(), Content::ErrorMark));
        }
        let mut pieces = Vec::new();
        if let Some(structured) = result.structured {
            pieces.push(Piece::Text(structured.raw().into()));
        }
        for part in &result.content {
            match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => {
                    pieces.push(Piece::Text(text.as_ref().into()))
                }
                PartKind::Document(document) if documents::text(document).is_some() => {
                    pieces.push(Piece::Document(part));
                }
                PartKind::Image(image) if !matches!(image.media, Media::File(_)) => {
                    self.images += 1;
                    self.late.push(image);
                    pieces.push(Piece::Text(format!("see image {}", self.images).into()));
                    self.losses.hint(content_place(self.losses.client(), Content::ResultMedia));
                }
                PartKind::Foreign { raw, .. } if self.own => pieces.push(Piece::Raw(*raw)),
                _ => self.losses.content(Content::of(part))?,
            }
        }
        let id = self.ids.result(result);
        a.object(|o| {
            o.text("role", "tool");
            o.text("tool_call_id", &id);
            match &pieces[..] {
                [] => o.text("content", ""),
                [Piece::Text(text)] => o.text("content", text),
                pieces => o.array("content", |a| pieces.iter().for_each(|piece| piece.write(a))),
            }
        });
        Ok(())
    }

    fn flush(&mut self, a: &mut ArrayOut<'_>) {
        if self.late.is_empty() {
            return;
        }
        let first = self.images - self.late.len() + 1;
        let late = std::mem::take(&mut self.late);
        a.object(|o| {
            o.text("role", "user");
            o.array("content", |a| {
                for (number, image) in (first..).zip(late) {
                    a.object(|o| {
                        o.text("type", "text");
                        o.text("text", &format!("image {number}:"));
                    });
                    a.object(|o| self::image(image, o));
                }
            });
        });
    }
}

/// The arguments as the text of an object; none at all are an empty one (docs/spec/cases.md#case-3).
fn arguments<'c>(call: &'c ToolCall<'_>) -> std::borrow::Cow<'c, str> {
    if call.custom {
        let mut object = Vec::with_capacity(call.arguments.len() + 16);
        out::object(&mut object, |o| o.text("input", &call.arguments));
        return String::from_utf8_lossy(&object).into_owned().into();
    }
    if call.arguments.trim().is_empty() { "{}".into() } else { call.arguments.as_ref().into() }
}

/// What stands in a result.
enum Piece<'r, 'a> {
    Text(std::borrow::Cow<'r, str>),
    Document(&'r Part<'a>),
    Raw(crate::json::Json<'a>),
}

impl Piece<'_, '_> {
    fn write(&self, a: &mut ArrayOut<'_>) {
        match self {
            Self::Raw(raw) => a.raw(*raw),
            Self::Text(text) => a.object(|o| {
                o.text("type", "text");
                o.text("text", text);
            }),
            Self::Document(part) => a.object(|o| {
                o.text("type", "document");
                if let PartKind::Document(document) = &part.kind {
                    let text = documents::text(document).unwrap_or_default();
                    o.object("document", |o| documents::data(document, &text, o));
                }
            }),
        }
    }
}

fn has_results(turn: &Turn<'_>) -> bool {
    turn.parts.iter().any(|part| matches!(part.kind, PartKind::ToolResult(_)))
}

fn text<'p>(part: &'p Part<'_>) -> &'p str {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => text,
        _ => "",
    }
}

/// Writes `content`: a string where it is one plain text.
fn content(parts: &[&Part<'_>], o: &mut ObjectOut<'_>) {
    match parts {
        [] => o.text("content", ""),
        [Part { kind: PartKind::Text(text) | PartKind::Refusal(text), .. }] => o.text("content", text),
        parts => o.array("content", |a| {
            for part in parts {
                match &part.kind {
                    PartKind::Foreign { raw, .. } => a.raw(*raw),
                    PartKind::Image(image) => a.object(|o| self::image(image, o)),
                    PartKind::Reasoning { text, .. } => a.object(|o| {
                        o.text("type", "thinking");
                        o.text("thinking", text);
                    }),
                    _ => a.object(|o| {
                        o.text("type", "text");
                        o.text("text", text(part));
                    }),
                }
            }
        }),
    }
}

fn image(image: &Image<'_>, o: &mut ObjectOut<'_>) {
    o.text("type", "image_url");
    o.object("image_url", |o| {
        match &image.media {
            Media::Base64 { mime, data } => o.pieces("url", &["data:", mime, ";base64,", data]),
            Media::Url { url, .. } | Media::File(url) => o.text("url", url),
        }
        // The finest that Cohere knows is `high`.
        let detail = image.detail.as_deref().map(|detail| if detail == "original" { "high" } else { detail });
        o.text_if("detail", detail);
    });
}
