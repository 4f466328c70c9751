//! What reading and writing Google's dialect have in common.

use crate::{
    canonical::Malformed,
    json::Json,
    read::{Members, Place},
};

/// Most calls of one turn: each result looks for its own among them.
pub(super) const MOST_CALLS: usize = 1_024;

/// What ends an event of Google's streams.
pub(super) const END_OF_EVENT: &[u8] = b"\r\n\r\n";

/// Opens an object with members in either case; they are read in camelCase.
pub(super) fn open<'a, 'p>(json: Json<'a>, place: &'p Place<'p>) -> Result<Members<'a, 'p>, Malformed> {
    Members::open_renamed(json, place, |key| key.contains('_').then(|| camel(key)))
}

/// `thought_signature` in camelCase.
pub(super) fn camel(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut upper = false;
    for letter in key.chars() {
        match letter {
            '_' if !out.is_empty() => upper = true,
            letter if std::mem::take(&mut upper) => out.push(letter.to_ascii_uppercase()),
            letter => out.push(letter),
        }
    }
    out
}

/// Whether a model is of the third generation or later: it thinks by levels, wants its seals back and takes media in
/// results. Aliases without a number (`gemini-flash-latest`) name new models.
pub(super) fn is_newer(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let Some(rest) = name.strip_prefix("gemini-") else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse::<u32>().map_or(true, |generation| generation >= 3)
}

/// Arguments as an object; none at all are an empty one (docs/spec/cases.md#case-3).
pub(super) fn arguments(text: &str) -> Option<Json<'_>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Json::EMPTY_OBJECT);
    }
    let json = Json::parse(text.as_bytes()).ok()?;
    match json.object() {
        _ if json.is_null() => Some(Json::EMPTY_OBJECT),
        Ok(Some(_)) => Some(json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_both_cases() {
        for (name, expected) in
            [("max_output_tokens", "maxOutputTokens"), ("topP", "topP"), ("_x", "_x"), ("a__b_", "aB")]
        {
            assert_eq!(camel(name), expected);
        }
    }

    #[test]
    fn generations_are_told_from_names() {
        for model in ["gemini-3-pro", "models/gemini-3.5-flash", "gemini-flash-latest", "gemini-12-x"] {
            assert!(is_newer(model), "{model}");
        }
        for model in ["gemini-2.5-pro", "gemini-1.5-flash-002", "gemma-3", "tunedModels/mine"] {
            assert!(!is_newer(model), "{model}");
        }
    }
}
