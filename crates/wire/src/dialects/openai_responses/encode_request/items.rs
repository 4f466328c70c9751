//! Writing the conversation as items.

use std::{borrow::Cow, collections::HashSet};

use crate::{
    canonical::{
        Call, Content, Document, Family, Field, Image, LossReport, Media, NameParts, Part, PartKind, Role,
        Signature, ToolCall, ToolResult, Turn, Unsupported, content::content_place, ids::Ids, split_name,
    },
    dialect::Dialect,
    json::out::{ArrayOut, ObjectOut},
    openai::part::{cache_out, file_name},
    quirks::Quirks,
};

/// Writes items in order, with an account of the ids of calls.
pub(super) struct Writer<'w> {
    losses: &'w mut LossReport,
    quirks: &'w Quirks,
    ids: Ids,
    /// Ids of free-form calls: their results are items of another type.
    custom: HashSet<String>,
}

/// Longest id of a call that OpenAI takes.
const MAX_ID: usize = 64;

impl<'w> Writer<'w> {
    pub(super) fn new(losses: &'w mut LossReport, quirks: &'w Quirks) -> Self {
        Self { losses, quirks, ids: Ids::new(|id| id.len() <= MAX_ID), custom: HashSet::new() }
    }

    /// Writes `instructions` and `input`.
    pub(super) fn conversation(&mut self, call: &Call<'_>, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
        let mut turns = &call.turns[..];
        if let [first, rest @ ..] = turns
            && let (Role::System, None, [Part { kind: PartKind::Text(text), cache: None }]) =
                (first.role, &first.name, &first.parts[..])
        {
            o.text("instructions", text);
            turns = rest;
        }
        o.array("input", |a| turns.iter().try_for_each(|turn| self.turn(turn, a)))
    }

    fn turn(&mut self, turn: &Turn<'_>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        if turn.name.is_some() {
            self.losses.field(Field::ParticipantName)?;
        }
        match turn.role {
            Role::Tool => turn.parts.iter().try_for_each(|part| match &part.kind {
                PartKind::ToolResult(result) => self.result(result, a),
                _ => self.lose(part),
            }),
            Role::Assistant => self.assistant(turn, a),
            Role::System => self.said("system", turn, a),
            Role::Developer if self.quirks.no_developer_role => self.said("system", turn, a),
            Role::Developer => self.said("developer", turn, a),
            Role::User => self.said("user", turn, a),
        }
    }

    fn said(&mut self, role: &str, turn: &Turn<'_>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        let parts = self.sayable(&turn.parts)?;
        if parts.is_empty() {
            return Ok(());
        }
        a.object(|o| {
            o.text("type", "message");
            o.text("role", role);
            self.content("content", &parts, o);
        });
        Ok(())
    }

    /// What can be said of parts, the rest accounted for.
    fn sayable<'p, 'a>(&mut self, parts: &'p [Part<'a>]) -> Result<Vec<&'p Part<'a>>, Unsupported> {
        let mut sayable = Vec::with_capacity(parts.len());
        for part in parts {
            if self.expressible(part) {
                sayable.push(part);
            } else {
                self.lose(part)?;
            }
        }
        Ok(sayable)
    }

    fn expressible(&self, part: &Part<'_>) -> bool {
        // Ids of files mean the same in both of OpenAI's dialects and nothing elsewhere.
        let files = matches!(self.losses.client(), Dialect::OpenAiChat | Dialect::OpenAiResponses);
        let media = |media: &Media<'_>| files || !matches!(media, Media::File(_));
        match &part.kind {
            PartKind::Text(_) | PartKind::Refusal(_) => true,
            PartKind::Image(image) => media(&image.media),
            PartKind::Document(document) => {
                document.media.as_ref().is_some_and(media) || document.text.is_some()
            }
            PartKind::Foreign { .. } => self.losses.client() == Dialect::OpenAiResponses,
            _ => false,
        }
    }

    fn lose(&mut self, part: &Part<'_>) -> Result<(), Unsupported> {
        self.losses.content(Content::of(part))
    }

    /// Text as a string where there is nothing else, else parts.
    fn content(&mut self, key: &str, parts: &[&Part<'_>], o: &mut ObjectOut<'_>) {
        match parts {
            [Part { kind: PartKind::Text(text) | PartKind::Refusal(text), cache: None }] => o.text(key, text),
            _ => o.array(key, |a| parts.iter().for_each(|part| self.part(part, a))),
        }
    }

    fn part(&mut self, part: &Part<'_>, a: &mut ArrayOut<'_>) {
        if let PartKind::Foreign { raw, .. } = part.kind {
            return a.raw(raw);
        }
        a.object(|o| {
            match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => {
                    o.text("type", "input_text");
                    o.text("text", text);
                }
                PartKind::Image(image) => write_image(image, o),
                PartKind::Document(document) => write_document(document, o),
                // Refused or dropped before.
                _ => o.text("type", "input_text"),
            }
            cache_out(part.cache, self.quirks.cache_marks, self.losses, o);
        });
    }

    /// Writes what the model said, thought and called, each as an item of its own, in order
    /// (docs/spec/cases.md#case-24).
    fn assistant(&mut self, turn: &Turn<'_>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        let is_said = |part: &Part<'_>| matches!(part.kind, PartKind::Text(_) | PartKind::Refusal(_));
        let mut rest = &turn.parts[..];
        while let Some(part) = rest.first() {
            if let Some(ttl) = part.cache {
                self.losses.cache_mark(ttl);
            }
            let said = rest.iter().take_while(|part| is_said(part)).count();
            if said > 0 {
                message(&rest[..said], a);
                rest = &rest[said..];
                continue;
            }
            rest = &rest[1..];
            match &part.kind {
                PartKind::ToolCall(call) => self.call(call, a),
                PartKind::Reasoning { text, signature: Some(signature) } => reasoning(text, signature, a),
                PartKind::RedactedReasoning(signature) => reasoning("", signature, a),
                // Thoughts without a seal cannot be told from invented ones.
                PartKind::Reasoning { .. } => {}
                PartKind::Foreign { raw, .. } if self.expressible(part) => a.raw(*raw),
                _ => self.lose(part)?,
            }
        }
        Ok(())
    }

    fn call(&mut self, call: &ToolCall<'_>, a: &mut ArrayOut<'_>) {
        let id = self.ids.call(call);
        if call.custom {
            self.custom.insert(id.clone().into_owned());
        }
        a.object(|o| {
            let (kind, input) =
                if call.custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
            o.text("type", kind);
            o.text("call_id", &id);
            let NameParts { namespace, name } = split_name(&call.name);
            o.text("name", name);
            o.text_if("namespace", namespace);
            let empty = !call.custom && call.arguments.trim().is_empty();
            o.text(input, if empty { "{}" } else { &call.arguments });
        });
    }

    fn result(&mut self, result: &ToolResult<'_>, a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        let id = self.ids.result(result);
        if result.error {
            self.losses.hint(content_place(self.losses.client(), Content::ErrorMark));
        }
        let mut parts = self.sayable(&result.content)?;
        let structured = result.structured.map(|json| Part::text(Cow::Borrowed(json.raw())));
        parts.extend(structured.as_ref());
        let custom = self.custom.contains(&*id);
        a.object(|o| {
            o.text("type", if custom { "custom_tool_call_output" } else { "function_call_output" });
            o.text("call_id", &id);
            if parts.is_empty() {
                o.text("output", "");
            } else {
                self.content("output", &parts, o);
            }
        });
        Ok(())
    }
}

/// A message of the model: a string where it is one text, else parts.
fn message(parts: &[Part<'_>], a: &mut ArrayOut<'_>) {
    a.object(|o| {
        o.text("type", "message");
        o.text("role", "assistant");
        if let [Part { kind: PartKind::Text(text), .. }] = parts {
            return o.text("content", text);
        }
        o.array("content", |a| {
            for part in parts {
                a.object(|o| match &part.kind {
                    PartKind::Refusal(words) => {
                        o.text("type", "refusal");
                        o.text("refusal", words);
                    }
                    PartKind::Text(text) => {
                        o.text("type", "output_text");
                        o.text("text", text);
                        o.array("annotations", |_| ());
                    }
                    _ => {}
                });
            }
        });
    });
}

/// Thoughts go back to their own family only (docs/spec/cases.md#case-9).
fn reasoning(text: &str, signature: &Signature<'_>, a: &mut ArrayOut<'_>) {
    if signature.family != Family::OpenAi {
        return;
    }
    a.object(|o| {
        o.text("type", "reasoning");
        o.text_if("id", signature.item.as_deref());
        o.array("summary", |a| {
            if !text.is_empty() {
                a.object(|o| {
                    o.text("type", "summary_text");
                    o.text("text", text);
                });
            }
        });
        o.text("encrypted_content", &signature.text);
    });
}

fn write_image(image: &Image<'_>, o: &mut ObjectOut<'_>) {
    o.text("type", "input_image");
    match &image.media {
        Media::Base64 { mime, data } => o.pieces("image_url", &["data:", mime, ";base64,", data]),
        Media::Url { url, .. } => o.text("image_url", url),
        Media::File(id) => o.text("file_id", id),
    }
    o.text("detail", image.detail.as_deref().unwrap_or("auto"));
}

fn write_document(document: &Document<'_>, o: &mut ObjectOut<'_>) {
    if let (None, Some(text)) = (&document.media, &document.text) {
        o.text("type", "input_text");
        let heads = [document.name.as_deref(), document.context.as_deref()];
        let pieces = heads.into_iter().flatten().flat_map(|head| [head, "\n\n"]);
        let pieces: Vec<&str> = pieces.chain([&**text]).collect();
        return o.pieces("text", &pieces);
    }
    o.text("type", "input_file");
    match &document.media {
        Some(Media::Base64 { mime, data }) => {
            o.text("filename", file_name(document.name.as_deref(), mime));
            o.pieces("file_data", &["data:", mime, ";base64,", data]);
        }
        Some(Media::Url { url, .. }) => o.text("file_url", url),
        Some(Media::File(id)) => o.text("file_id", id),
        None => {}
    }
}
