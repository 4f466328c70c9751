//! Seals of a provider's thoughts inside the ids of calls, for clients that have no other place for them
//! (docs/spec/cases.md#case-8).

use super::{Family, Part, PartKind, Signature, Text, ToolCall, signed_id};
use crate::canonical::{SignatureMac, shortened};

/// What a seal is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignedPart {
    /// The thoughts in front of the call.
    Thoughts,
    /// Thoughts that only the provider can read.
    Redacted,
    /// The call itself.
    Call,
}

/// A seal that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmbeddedSignature {
    on: SignedPart,
    signature: Signature<'static>,
    /// The sealed text, unless the seal is worth as much without it.
    text: Option<String>,
}

/// A call and the seals that its id carried.
pub(crate) type SignedCall<'a> = (ToolCall<'a>, Vec<EmbeddedSignature>);

/// Seals that wait for the id of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingSignatures {
    family: Option<Family>,
    /// One line each, its fields behind tabs: a letter and the seal, the item's id, the sealed text.
    lines: String,
    /// Thoughts that have no seal yet.
    thoughts: String,
    /// They were too much.
    too_long: bool,
    /// Some of it was too much; a provider that is given the rest would refuse it as altered.
    overflown: bool,
}

/// Most bytes of seals and thoughts that wait: more would not fit into an id anyway.
const MAX: usize = 64 << 10;

impl PendingSignatures {
    /// Keeps thoughts until their seal comes: Anthropic takes its seal only with the very text that it is on.
    pub(crate) fn think(&mut self, text: &str) {
        if self.thoughts.len() + text.len() > MAX {
            self.too_long = true;
        } else {
            self.thoughts.push_str(text);
        }
    }

    /// Keeps a seal. One of another family than those before it cannot be carried with them.
    pub(crate) fn push(&mut self, on: SignedPart, signature: &Signature<'_>) {
        let (mut thoughts, mut too_long) = (String::new(), false);
        if on == SignedPart::Thoughts {
            (thoughts, too_long) = (std::mem::take(&mut self.thoughts), std::mem::take(&mut self.too_long));
        }
        if self.family.is_some_and(|family| family != signature.family) {
            return;
        }
        let whole = signature.family == Family::Anthropic;
        self.overflown |= whole && too_long;
        let text = if whole { &*thoughts } else { "" };
        let item = signature.item.as_deref().unwrap_or_default();
        if self.lines.len() + signature.text.len() + item.len() + text.len() > MAX {
            self.overflown = true;
            return;
        }
        self.family = Some(signature.family);
        self.lines.push(match on {
            SignedPart::Thoughts => 't',
            SignedPart::Redacted => 'r',
            SignedPart::Call => 'c',
        });
        for (at, field) in [&signature.text, item, text].into_iter().enumerate() {
            if at > 0 {
                self.lines.push('\t');
            }
            escape(field, &mut self.lines);
        }
        self.lines.push('\n');
    }

    /// The id with the seals in it; none are left.
    pub(crate) fn onto(&mut self, id: &str, seal: &dyn SignatureMac) -> String {
        let seals = std::mem::take(self);
        match seals.family.filter(|_| !seals.overflown) {
            None => id.to_owned(),
            Some(family) => signed_id::embed_signature(
                id,
                &Signature { family, text: seals.lines.into(), item: None },
                seal,
            ),
        }
    }
}

fn escape(field: &str, out: &mut String) {
    for letter in field.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
}

fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        out.push(match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                _ => '\\',
            },
            other => other,
        });
    }
    out
}

/// An id's own part, and what it carries.
pub(crate) fn extract_signatures<'a>(
    id: Text<'a>,
    seal: &dyn SignatureMac,
) -> (Text<'a>, Vec<EmbeddedSignature>) {
    let (own, carried) = signed_id::extract_signature(&id, seal);
    let seals = match &carried {
        Some(carried) => carried.text.split('\n').filter_map(|line| read(line, carried.family)).collect(),
        None => Vec::new(),
    };
    let len = own.len();
    (shortened(id, len), seals)
}

fn read(line: &str, family: Family) -> Option<EmbeddedSignature> {
    let on = match line.chars().next()? {
        't' => SignedPart::Thoughts,
        'r' => SignedPart::Redacted,
        'c' => SignedPart::Call,
        _ => return None,
    };
    let mut fields = line[1..].split('\t').map(unescape);
    let text = fields.next()?.into();
    let item = fields.next().filter(|item| !item.is_empty()).map(Text::Owned);
    let sealed = fields.next().filter(|_| on == SignedPart::Thoughts && family == Family::Anthropic);
    Some(EmbeddedSignature { on, signature: Signature { family, text, item }, text: sealed })
}

/// Puts what was thought, said and called into its order: thoughts before the first call came before the text.
///
/// `thoughts` is what the client itself sent back of them.
pub(crate) fn in_order<'a>(
    said: Vec<Part<'a>>,
    thoughts: Option<Text<'a>>,
    calls: Vec<SignedCall<'a>>,
) -> Vec<Part<'a>> {
    let sealed = |carried: &&EmbeddedSignature| carried.on == SignedPart::Thoughts;
    let seals = calls.iter().flat_map(|(_, seals)| seals);
    let whole = seals.clone().any(|carried| carried.text.is_some());
    // Several thoughts came as one text, which cannot be split again; their seals hold them all the same.
    let mut thoughts = thoughts.filter(|_| !whole && seals.filter(sealed).count() <= 1);
    let mut parts = Vec::with_capacity(said.len() + calls.len() + 1);
    let mut seal_parts = |seals: Vec<EmbeddedSignature>, call: &mut ToolCall<'a>| {
        let mut before = Vec::new();
        for EmbeddedSignature { on, signature, text } in seals {
            match on {
                SignedPart::Thoughts => {
                    let text = text.map(Text::Owned).or_else(|| thoughts.take()).unwrap_or_default();
                    before.push(Part::new(PartKind::Reasoning { text, signature: Some(signature) }));
                }
                SignedPart::Redacted => before.push(Part::new(PartKind::RedactedReasoning(signature))),
                SignedPart::Call => call.signature = Some(signature),
            }
        }
        before
    };
    let (mut tail, mut said) = (Vec::new(), Some(said));
    for (at, (mut call, seals)) in calls.into_iter().enumerate() {
        let before = seal_parts(seals, &mut call);
        if at == 0 {
            parts.extend(before);
            tail.extend(said.take().unwrap_or_default());
        } else {
            tail.extend(before);
        }
        tail.push(Part::new(PartKind::ToolCall(call)));
    }
    if let Some(text) = thoughts {
        parts.insert(0, Part::new(PartKind::Reasoning { text, signature: None }));
    }
    parts.extend(tail);
    parts.extend(said.unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum;

    impl SignatureMac for Sum {
        fn tag(&self, bytes: &[u8]) -> [u8; 16] {
            [bytes.iter().fold(7, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(*byte)); 16]
        }
    }

    fn signature(family: Family, text: &'static str, item: Option<&'static str>) -> Signature<'static> {
        Signature { family, text: text.into(), item: item.map(Text::from) }
    }

    fn carried(on: SignedPart, signature: Signature<'static>) -> EmbeddedSignature {
        EmbeddedSignature { on, signature, text: None }
    }

    #[test]
    fn seals_come_back_in_order() {
        let all = [
            carried(SignedPart::Redacted, signature(Family::OpenAi, "", None)),
            carried(SignedPart::Thoughts, signature(Family::OpenAi, "abc==", Some("rs_1"))),
            carried(SignedPart::Call, signature(Family::OpenAi, "d", None)),
        ];
        let mut seals = PendingSignatures::default();
        seals.think("a summary, which the seal does not cover");
        all.iter().for_each(|carried| seals.push(carried.on, &carried.signature));
        seals.push(SignedPart::Call, &signature(Family::Gemini, "of another family", None));
        let id = seals.onto("call_1", &Sum);
        assert_eq!(extract_signatures(id.clone().into(), &Sum), ("call_1".into(), all.to_vec()));
        assert_eq!(extract_signatures((&*id).into(), &Sum).0, "call_1");
        assert_eq!(seals.onto("call_2", &Sum), "call_2", "they were given away");
    }

    #[test]
    fn claudes_thoughts_come_back_to_the_letter_whatever_the_client_says_they_were() {
        let mut seals = PendingSignatures::default();
        let texts = ["first\n\tindented \\n, \r\n", ""];
        for text in texts {
            text.split_inclusive('n').for_each(|piece| seals.think(piece));
            seals.push(SignedPart::Thoughts, &signature(Family::Anthropic, "c2Vh", None));
        }
        let id = seals.onto("call_1", &Sum);
        let (id, carried) = extract_signatures(id.into(), &Sum);
        let call = ToolCall { id, name: "f".into(), arguments: "{}".into(), signature: None, custom: false };
        let parts = in_order(Vec::new(), Some("something else".into()), vec![(call, carried)]);
        let thoughts: Vec<_> = parts
            .iter()
            .filter_map(|part| match &part.kind {
                PartKind::Reasoning { text, signature: Some(signature) } => Some((&**text, &*signature.text)),
                _ => None,
            })
            .collect();
        assert_eq!(thoughts, texts.map(|text| (text, "c2Vh")));
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn a_part_of_what_was_sealed_is_not_carried() {
        for (first, second) in [(MAX, 1), (MAX / 2, MAX / 2), (1, MAX)] {
            let mut seals = PendingSignatures::default();
            for length in [first, second] {
                seals.think(&"x".repeat(length));
                seals.push(SignedPart::Thoughts, &signature(Family::Anthropic, "c2Vh", None));
            }
            assert_eq!(seals.onto("call_1", &Sum), "call_1");
        }
    }

    #[test]
    fn what_is_forged_is_no_seal() {
        let mut seals = PendingSignatures::default();
        seals.push(SignedPart::Call, &signature(Family::Gemini, "x", None));
        let id = seals.onto("call_1", &Sum).replace("call_1", "call_2");
        assert_eq!(extract_signatures(id.into(), &Sum), ("call_2".into(), Vec::new()));
    }
}
