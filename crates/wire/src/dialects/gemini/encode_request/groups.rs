//! The conversation in Gemini's contents: what the user says, what the model says, and results alone.

use crate::{
    canonical::{
        Call, Content, Document, Family, Field, LossReport, Media, Part, PartKind, Role, Signature,
        ToolResult, Turn, Unsupported, content::content_place,
    },
    dialect::Dialect,
};

/// Who speaks in a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    User,
    Model,
    /// Results: nothing else may stand beside them (docs/spec/cases.md#case-1).
    Results,
}

/// One content.
#[derive(Debug)]
pub(super) struct Group<'c, 'a> {
    pub(super) side: Side,
    pub(super) parts: Vec<Said<'c, 'a>>,
}

/// A part and how it is said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'c, 'a> {
    pub(super) part: &'c Part<'a>,
    /// It stood in a system turn in mid-conversation and becomes the user's text, tagged as instructions.
    pub(super) instructions: bool,
    /// It was in a result, and the text of the result calls it by this number.
    pub(super) image: Option<usize>,
}

/// Sorts the turns behind the leading system turns into contents.
pub(super) struct Groups<'c, 'a, 'l> {
    losses: &'l mut LossReport,
    /// Whether results may hold media.
    newer: bool,
    own: bool,
    groups: Vec<Group<'c, 'a>>,
    /// Media of results, for the content behind all of them.
    late: Vec<Said<'c, 'a>>,
    images: usize,
}

impl<'c, 'a, 'l> Groups<'c, 'a, 'l> {
    /// Neighbours of one side are joined (docs/spec/cases.md#case-26); what cannot be said is refused or left out.
    pub(super) fn of(
        call: &'c Call<'a>,
        newer: bool,
        losses: &'l mut LossReport,
    ) -> Result<Vec<Group<'c, 'a>>, Unsupported> {
        let own = losses.client() == Dialect::Gemini;
        let mut groups = Self { losses, newer, own, groups: Vec::new(), late: Vec::new(), images: 0 };
        for turn in &call.turns[call.leading_system()..] {
            groups.turn(turn)?;
        }
        groups.flush();
        Ok(groups.groups)
    }

    fn turn(&mut self, turn: &'c Turn<'a>) -> Result<(), Unsupported> {
        if turn.name.is_some() {
            self.losses.field(Field::ParticipantName)?;
        }
        let instructions = turn.role.is_system();
        if instructions {
            self.losses.field(Field::SystemTurn)?;
        }
        for part in &turn.parts {
            if !self.admits(part)? {
                continue;
            }
            let said = Said { part, instructions, image: None };
            match (&part.kind, turn.role) {
                (PartKind::ToolResult(result), _) => self.result(result, said)?,
                (_, Role::Assistant) => self.push(Side::Model, said),
                _ => self.push(Side::User, said),
            }
        }
        Ok(())
    }

    fn result(&mut self, result: &'c ToolResult<'a>, said: Said<'c, 'a>) -> Result<(), Unsupported> {
        self.join(Side::Results, said);
        for part in &result.content {
            if self.admits(part)? && is_media(part) && !self.newer {
                // See docs/spec/cases.md#case-13.
                self.images += 1;
                self.late.push(Said { part, instructions: false, image: Some(self.images) });
                self.losses.hint(content_place(self.losses.client(), Content::ResultMedia));
            }
        }
        Ok(())
    }

    /// Whether a part is said; what is lost with harm is accounted for.
    fn admits(&mut self, part: &Part<'_>) -> Result<bool, Unsupported> {
        let lost = match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => return Ok(!text.is_empty()),
            PartKind::Reasoning { signature, .. } => {
                return Ok(signature.as_ref().map_or(self.own, is_google));
            }
            PartKind::RedactedReasoning(signature) => return Ok(is_google(signature)),
            PartKind::ToolCall(call) => {
                if call.custom {
                    self.losses.content(Content::FreeFormCall)?;
                }
                return Ok(true);
            }
            PartKind::ToolResult(_) => false,
            PartKind::Foreign { .. } => !self.own,
            PartKind::Image(image) => is_elsewhere(&image.media),
            PartKind::Audio(media) | PartKind::Video(media) => is_elsewhere(media),
            PartKind::Document(document) => {
                self.notes(document)?;
                document.media.as_ref().is_some_and(is_elsewhere)
            }
        };
        if lost {
            self.losses.content(Content::of(part))?;
        }
        Ok(!lost)
    }

    /// What a document has beside its bytes.
    fn notes(&mut self, document: &Document<'_>) -> Result<(), Unsupported> {
        if document.context.is_some() {
            self.losses.content(Content::DocumentContext)?;
        }
        if document.cite {
            self.losses.content(Content::DocumentCitations)?;
        }
        Ok(())
    }

    /// Results stay together, whatever their media become.
    fn push(&mut self, side: Side, said: Said<'c, 'a>) {
        self.flush();
        self.join(side, said);
    }

    fn flush(&mut self) {
        for said in std::mem::take(&mut self.late) {
            self.join(Side::User, said);
        }
    }

    fn join(&mut self, side: Side, said: Said<'c, 'a>) {
        match self.groups.last_mut() {
            Some(last) if last.side == side => last.parts.push(said),
            _ => self.groups.push(Group { side, parts: vec![said] }),
        }
    }
}

pub(super) fn is_media(part: &Part<'_>) -> bool {
    match &part.kind {
        PartKind::Image(_) | PartKind::Audio(_) | PartKind::Video(_) => true,
        PartKind::Document(document) => document.text.is_none() || document.media.is_some(),
        _ => false,
    }
}

pub(super) fn is_google(signature: &Signature<'_>) -> bool {
    signature.family == Family::Gemini
}

/// Whether another provider holds the file: Google's are named by address.
fn is_elsewhere(media: &Media<'_>) -> bool {
    matches!(media, Media::File(id) if !id.contains("://"))
}
