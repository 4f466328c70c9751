//! Seals of other providers' thoughts inside the ids of calls, since Chat Completions has no place for them
//! (DIALECTS §7.8).

use crate::{
    canon::{Family, Signature, Text, carry},
    dialect::Seal,
    openai::part::shortened,
};

/// What a seal is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// The thoughts in front of the call.
    Thoughts,
    /// Thoughts that only the provider can read.
    Redacted,
    /// The call itself.
    Call,
}

/// Seals that wait for the id of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Seals {
    family: Option<Family>,
    /// One line each: a letter, the seal, and its item's id behind a tab. Seals themselves hold neither.
    lines: String,
}

/// Most bytes of seals that wait: more would not fit into an id anyway.
const MAX: usize = 64 << 10;

impl Seals {
    /// Keeps a seal. One of another family than those before it cannot be carried with them.
    pub(super) fn push(&mut self, on: On, signature: &Signature<'_>) {
        let plain = |text: &str| !text.contains(['\n', '\t']);
        let same = self.family.is_none_or(|family| family == signature.family);
        let item = signature.item.as_deref().unwrap_or_default();
        if !same
            || !plain(&signature.text)
            || !plain(item)
            || self.lines.len() + signature.text.len() + item.len() > MAX
        {
            return;
        }
        self.family = Some(signature.family);
        self.lines.push(match on {
            On::Thoughts => 't',
            On::Redacted => 'r',
            On::Call => 'c',
        });
        self.lines.push_str(&signature.text);
        if !item.is_empty() {
            self.lines.push('\t');
            self.lines.push_str(item);
        }
        self.lines.push('\n');
    }

    /// The id with the seals in it; none are left.
    pub(super) fn onto(&mut self, id: &str, seal: &dyn Seal) -> String {
        let seals = std::mem::take(self);
        match seals.family {
            None => id.to_owned(),
            Some(family) => {
                carry::carry(id, &Signature { family, text: seals.lines.into(), item: None }, seal)
            }
        }
    }
}

/// An id's own part, and what it carries.
pub(super) fn open<'a>(id: Text<'a>, seal: &dyn Seal) -> (Text<'a>, Vec<(On, Signature<'static>)>) {
    let (own, carried) = carry::open(&id, seal);
    let Some(carried) = carried else {
        let len = own.len();
        return (shortened(id, len), Vec::new());
    };
    let read = |line: &str| {
        let on = match line.chars().next()? {
            't' => On::Thoughts,
            'r' => On::Redacted,
            'c' => On::Call,
            _ => return None,
        };
        let (text, item) = line[1..].split_once('\t').map_or((&line[1..], None), |(t, i)| (t, Some(i)));
        let item = item.map(|item| Text::Owned(item.to_owned()));
        Some((on, Signature { family: carried.family, text: Text::Owned(text.to_owned()), item }))
    };
    let seals = carried.text.lines().filter_map(read).collect();
    let len = own.len();
    (shortened(id, len), seals)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum;

    impl Seal for Sum {
        fn tag(&self, bytes: &[u8]) -> [u8; 16] {
            [bytes.iter().fold(7, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(*byte)); 16]
        }
    }

    fn signature(family: Family, text: &'static str, item: Option<&'static str>) -> Signature<'static> {
        Signature { family, text: text.into(), item: item.map(Text::from) }
    }

    #[test]
    fn seals_come_back_in_order() {
        let all = [
            (On::Redacted, signature(Family::OpenAi, "", None)),
            (On::Thoughts, signature(Family::OpenAi, "abc==", Some("rs_1"))),
            (On::Call, signature(Family::OpenAi, "d", None)),
        ];
        let mut seals = Seals::default();
        all.iter().for_each(|(on, signature)| seals.push(*on, signature));
        seals.push(On::Call, &signature(Family::Gemini, "of another family", None));
        let id = seals.onto("call_1", &Sum);
        assert_eq!(open(id.clone().into(), &Sum), ("call_1".into(), all.to_vec()));
        assert_eq!(open((&*id).into(), &Sum).0, "call_1");
        assert_eq!(seals.onto("call_2", &Sum), "call_2", "they were given away");
    }

    #[test]
    fn what_is_forged_is_no_seal() {
        let mut seals = Seals::default();
        seals.push(On::Call, &signature(Family::Gemini, "x", None));
        let id = seals.onto("call_1", &Sum).replace("call_1", "call_2");
        assert_eq!(open(id.into(), &Sum), ("call_2".into(), Vec::new()));
    }
}
