//! Reading the items of a client's call.

use crate::{
    canonical::{
        Document, Extra, Family, Image, Malformed, Media, Part, PartKind, Role, Signature, SignatureMac,
        Text, ToolCall, ToolResult, Turn, data_uri::media, join_name, shortened, signed_id,
    },
    json::Json,
    openai::part::cache_in,
    read::{Members, Place},
};

/// Reads items into turns, and collects members that the canonical call has no place for.
pub(super) struct Items<'a, 's> {
    seal: &'s dyn SignatureMac,
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) extra: Vec<Extra<'a>>,
}

/// What a seal in `encrypted_content` that the gateway wrapped is on: thoughts, or thoughts that only the provider can read.
pub(super) const THOUGHTS: &str = "t";
pub(super) const REDACTED: &str = "r";

impl<'a, 's> Items<'a, 's> {
    pub(super) const fn new(seal: &'s dyn SignatureMac) -> Self {
        Self { seal, turns: Vec::new(), extra: Vec::new() }
    }

    /// Reads one item.
    pub(super) fn read(&mut self, json: Json<'a>, place: &Place<'_>) -> Result<(), Malformed> {
        let mut item = Members::open(json, place)?;
        let kind = item.text("type")?;
        // What the provider's answer said of itself.
        item.raw("status");
        match kind.as_deref() {
            None if item.peek("role").is_none() => Err(stored(place)),
            None | Some("message") => self.message(item),
            Some("item_reference") => Err(stored(place)),
            Some("function_call") => self.call(item, false),
            Some("custom_tool_call") => self.call(item, true),
            Some("function_call_output" | "custom_tool_call_output") => self.result(item),
            Some("reasoning") => self.reasoning(item),
            Some(kind) => {
                let kind = Text::Owned(kind.to_owned());
                self.say(Role::Assistant, Part::new(PartKind::Foreign { kind, raw: json }));
                Ok(())
            }
        }
    }

    /// Adds a part to what the same side said before.
    fn say(&mut self, role: Role, part: Part<'a>) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.parts.push(part),
            _ => self.turns.push(Turn::new(role, vec![part])),
        }
    }

    fn message(&mut self, mut item: Members<'a, '_>) -> Result<(), Malformed> {
        item.raw("id");
        item.raw("phase");
        let role = match &*item.need_text("role")? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "developer" => Role::Developer,
            other => {
                return Err(item.place.key("role").malformed(format!("has the unknown value {other:?}")));
            }
        };
        let content = item.raw("content").ok_or_else(|| item.missing("content"))?;
        let parts = self.content(content, &item.place.key("content"))?;
        self.keep(item);
        if role == Role::Assistant {
            parts.into_iter().for_each(|part| self.say(role, part));
        } else {
            self.turns.push(Turn::new(role, parts));
        }
        Ok(())
    }

    fn call(&mut self, mut item: Members<'a, '_>, custom: bool) -> Result<(), Malformed> {
        item.raw("id");
        let (id, signature) = self.id(item.need_text("call_id")?);
        let name = join_name(item.text("namespace")?, item.need_text("name")?);
        let arguments = item.text(if custom { "input" } else { "arguments" })?.unwrap_or_default();
        direct(&mut item);
        self.keep(item);
        let call = ToolCall { id, name, arguments, signature, custom };
        self.say(Role::Assistant, Part::new(PartKind::ToolCall(call)));
        Ok(())
    }

    fn result(&mut self, mut item: Members<'a, '_>) -> Result<(), Malformed> {
        item.raw("id");
        let (id, _) = self.id(item.need_text("call_id")?);
        let output = item.raw("output").ok_or_else(|| item.missing("output"))?;
        let content = self.content(output, &item.place.key("output"))?;
        let name = item.text("name")?.unwrap_or_default();
        direct(&mut item);
        self.keep(item);
        let result = ToolResult { id, name, content, structured: None, error: false };
        self.say(Role::Tool, Part::new(PartKind::ToolResult(result)));
        Ok(())
    }

    fn reasoning(&mut self, mut item: Members<'a, '_>) -> Result<(), Malformed> {
        let id = item.text("id")?;
        let mut texts = Vec::new();
        for key in ["summary", "content"] {
            let list = item.place.key(key);
            for (at, json) in item.array(key)?.into_iter().enumerate() {
                let place = list.index(at);
                texts.push(Members::open(json, &place)?.need_text("text")?);
            }
        }
        let sealed = item.text("encrypted_content")?.filter(|sealed| !sealed.is_empty());
        self.keep(item);
        let text = joined(texts);
        let kind = match sealed {
            None => PartKind::Reasoning { text, signature: None },
            Some(sealed) => match signed_id::extract_signature(&sealed, self.seal) {
                (REDACTED, Some(signature)) => PartKind::RedactedReasoning(signature),
                (THOUGHTS, Some(signature)) => PartKind::Reasoning { text, signature: Some(signature) },
                _ => {
                    let signature = Signature { family: Family::OpenAi, text: sealed, item: id };
                    PartKind::Reasoning { text, signature: Some(signature) }
                }
            },
        };
        self.say(Role::Assistant, Part::new(kind));
        Ok(())
    }

    /// A string or an array of parts.
    pub(super) fn content(&mut self, json: Json<'a>, place: &Place<'_>) -> Result<Vec<Part<'a>>, Malformed> {
        if let Some(text) = json.text() {
            return Ok(vec![Part::text(text)]);
        }
        let wrong = || place.malformed("must be a string or an array of parts");
        let parts = json.array().map_err(|error| place.malformed(error.to_string()))?.ok_or_else(wrong)?;
        parts.into_iter().enumerate().map(|(at, part)| self.part(part, &place.index(at))).collect()
    }

    fn part(&mut self, json: Json<'a>, place: &Place<'_>) -> Result<Part<'a>, Malformed> {
        let mut part = Members::open(json, place)?;
        let kind = part.need_text("type")?;
        let kind = match &*kind {
            "input_text" | "output_text" | "text" => {
                // Notes on what the model said already; they tell it nothing when they come back.
                part.raw("annotations");
                part.raw("logprobs");
                PartKind::Text(part.need_text("text")?)
            }
            "refusal" => PartKind::Refusal(part.need_text("refusal")?),
            "input_image" => {
                let (url, id) = (part.text("image_url")?, part.text("file_id")?);
                let media =
                    url.map(media).or(id.map(Media::File)).ok_or_else(|| part.missing("image_url"))?;
                PartKind::Image(Image { media, detail: part.text("detail")? })
            }
            "input_file" => PartKind::Document(file(&mut part)?),
            _ => return Ok(Part::new(PartKind::Foreign { kind, raw: json })),
        };
        let cache = cache_in(&mut part)?;
        self.keep(part);
        Ok(Part { kind, cache })
    }

    /// An id without the seal of another family that the gateway hid in it.
    fn id(&self, id: Text<'a>) -> (Text<'a>, Option<Signature<'a>>) {
        let (own, signature) = signed_id::extract_signature(&id, self.seal);
        let len = own.len();
        (shortened(id, len), signature)
    }

    /// Keeps the members that were not read: other dialects cannot place them.
    pub(super) fn keep(&mut self, members: Members<'a, '_>) {
        let place = *members.place;
        for (name, value) in members.rest() {
            self.extra.push(Extra { name: place.key(&name).to_string().into(), value });
        }
    }
}

/// The complaint about what only OpenAI's servers hold (docs/spec/cases.md#case-21).
pub(super) fn stored(place: &Place<'_>) -> Malformed {
    place.malformed("names what only the provider stores; this target needs the items themselves")
}

/// Takes `caller` where it says what is so anyway.
fn direct(item: &mut Members<'_, '_>) {
    let caller = item.peek("caller").and_then(|caller| caller.object().ok().flatten());
    let kind = caller.and_then(|caller| caller.peek("type")).and_then(Json::text);
    if kind.as_deref() == Some("direct") {
        item.raw("caller");
    }
}

fn file<'a>(part: &mut Members<'a, '_>) -> Result<Document<'a>, Malformed> {
    let (data, url, id) = (part.text("file_data")?, part.text("file_url")?, part.text("file_id")?);
    let media = match (data.map(media), url, id) {
        (Some(data @ Media::Base64 { .. }), ..) => data,
        (Some(_), ..) => {
            return Err(part.place.key("file_data").malformed("must be a data URI in base64"));
        }
        (None, Some(url), _) => Media::Url { url, mime: None },
        (None, None, Some(id)) => Media::File(id),
        (None, None, None) => return Err(part.missing("file_data")),
    };
    let name = part.text("filename")?;
    Ok(Document { media: Some(media), text: None, name, context: None, cite: false })
}

/// Several summaries as one text.
pub(super) fn joined(mut texts: Vec<Text<'_>>) -> Text<'_> {
    match texts.len() {
        0 => Text::Borrowed(""),
        1 => texts.remove(0),
        _ => Text::Owned(texts.join("\n\n")),
    }
}
