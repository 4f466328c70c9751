//! Reading a document of a call.

use super::keep;
use crate::{
    canonical::{Document, Extra, Malformed, Part, PartKind, Text},
    json::Json,
    read::{Members, Place},
};

/// A string, or an object, all of it for the model to read, which is kept as it is written.
pub(super) fn document<'a>(
    json: Json<'a>,
    cite: bool,
    place: &Place<'_>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Part<'a>, Malformed> {
    let (name, text) = match json.text() {
        Some(text) => (None, text),
        None => {
            let mut document = Members::open(json, place)?;
            let data = document.object("data")?.ok_or_else(|| document.missing("data"))?;
            let id = document.text("id")?;
            keep(document, extra);
            (id, Text::Borrowed(data.raw()))
        }
    };
    let document = Document { media: None, text: Some(text), name, context: None, cite };
    Ok(Part::new(PartKind::Document(document)))
}
