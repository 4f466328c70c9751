//! Media types and Bedrock's words for them, and names of documents that it takes.

use std::collections::HashSet;

/// Images.
const IMAGES: [(&str, &str); 4] =
    [("png", "image/png"), ("jpeg", "image/jpeg"), ("gif", "image/gif"), ("webp", "image/webp")];
/// Documents.
const DOCUMENTS: [(&str, &str); 9] = [
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];
/// Sound.
const AUDIO: [(&str, &str); 15] = [
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("opus", "audio/opus"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("mp4", "audio/mp4"),
    ("ogg", "audio/ogg"),
    ("mkv", "audio/x-matroska"),
    ("mka", "audio/mka"),
    ("x-aac", "audio/x-aac"),
    ("m4a", "audio/m4a"),
    ("mpeg", "audio/x-mpeg"),
    ("mpga", "audio/mpga"),
    ("pcm", "audio/pcm"),
    ("webm", "audio/webm"),
];
/// Moving pictures.
const VIDEOS: [(&str, &str); 9] = [
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("mkv", "video/x-matroska"),
    ("webm", "video/webm"),
    ("flv", "video/x-flv"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpg"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
];

/// Other names of media types, as clients write them.
const ALIASES: [(&str, &str); 5] = [
    ("image/jpg", "image/jpeg"),
    ("audio/mp3", "audio/mpeg"),
    ("audio/x-wav", "audio/wav"),
    ("audio/wave", "audio/wav"),
    ("application/x-pdf", "application/pdf"),
];

/// A kind of medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Document,
    Audio,
    Video,
}

impl Kind {
    const fn table(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Image => &IMAGES,
            Self::Document => &DOCUMENTS,
            Self::Audio => &AUDIO,
            Self::Video => &VIDEOS,
        }
    }

    /// Bedrock's word for a media type; parameters of the type are ignored.
    pub(super) fn format(self, mime: &str) -> Option<&'static str> {
        let mime = mime.split(';').next().unwrap_or_default().trim();
        let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(mime));
        let mime = alias.map_or(mime, |(_, mime)| mime);
        let found = self.table().iter().find(|(_, known)| known.eq_ignore_ascii_case(mime));
        found.map(|(format, _)| *format)
    }

    /// The media type of Bedrock's word.
    pub(super) fn mime(self, format: &str) -> Option<&'static str> {
        self.table().iter().find(|(known, _)| *known == format).map(|(_, mime)| *mime)
    }
}

/// Names documents: letters, digits, single spaces, hyphens, round and square brackets, and no name twice.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name that Bedrock takes, as near to the client's as can be.
    pub(super) fn name(&mut self, wanted: Option<&str>) -> String {
        /// Room for the longest number behind it, below the 200 characters that are allowed.
        const LONGEST: usize = 180;
        let mut name = String::new();
        for letter in wanted.unwrap_or_default().chars() {
            let letter = match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '(' | ')' | '[' | ']' => letter,
                _ if letter.is_whitespace() => ' ',
                _ => '-',
            };
            if name.len() < LONGEST && !(letter == ' ' && (name.is_empty() || name.ends_with(' '))) {
                name.push(letter);
            }
        }
        name.truncate(name.trim_end().len());
        if name.is_empty() {
            name.push_str("document");
        }
        let mut unique = name.clone();
        let mut count = 1;
        while !self.0.insert(unique.clone()) {
            count += 1;
            unique = format!("{name} {count}");
        }
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_media_types_are_each_others_inverse() {
        for kind in [Kind::Image, Kind::Document, Kind::Audio, Kind::Video] {
            for (format, mime) in kind.table() {
                assert_eq!((kind.format(mime), kind.mime(format)), (Some(*format), Some(*mime)));
            }
        }
        assert_eq!(Kind::Document.format("Text/Plain; charset=utf-8"), Some("txt"));
        assert_eq!((Kind::Image.format("image/tiff"), Kind::Image.format("image/jpg")), (None, Some("jpeg")));
    }

    #[test]
    fn names_are_legal_and_unique() {
        let mut names = Names::default();
        assert_eq!(names.name(Some("  Tides \t of\u{a0}2026 (new).pdf ")), "Tides of 2026 (new)-pdf");
        assert_eq!(names.name(Some("Tides of 2026 (new)-pdf")), "Tides of 2026 (new)-pdf 2");
        assert_eq!((names.name(None), names.name(Some(" "))), ("document".into(), "document 2".into()));
        assert_eq!(names.name(Some(&"é".repeat(500))), "-".repeat(180));
    }
}
