//! The end user and the metadata of a call within what a target takes of them: both are hints
//! (docs/spec/requests.md#identifiers).

use super::{Call, Field, LossReport, Text, ids::fnv};

/// What a target takes as metadata.
#[derive(Clone, Copy)]
pub(crate) struct MetadataRule {
    /// Most pairs.
    pub(crate) pairs: usize,
    /// Whether it takes a name.
    pub(crate) name: fn(&str) -> bool,
    /// Whether it takes a value.
    pub(crate) value: fn(&str) -> bool,
}

/// The end user for a target that takes names of so many characters; a longer one becomes a digest of itself, which
/// tells users apart as well, and that is said.
pub(crate) fn end_user<'c>(call: &'c Call<'_>, most: usize, losses: &mut LossReport) -> Option<Text<'c>> {
    let user = call.user.as_deref()?;
    if user.len() <= most || user.chars().count() <= most {
        return Some(user.into());
    }
    losses.hint(Field::User.name_in(losses.client()));
    Some(format!("user_{:032x}", fnv(user.as_bytes())).into())
}

/// The pairs of metadata that a target takes, in order; that others are left out is said.
pub(crate) fn metadata<'c, 'a>(
    call: &'c Call<'a>,
    rule: MetadataRule,
    losses: &mut LossReport,
) -> Vec<&'c (Text<'a>, Text<'a>)> {
    let legal = |(name, value): &&(Text<'_>, Text<'_>)| (rule.name)(name) && (rule.value)(value);
    let pairs: Vec<_> = call.metadata.iter().filter(legal).take(rule.pairs).collect();
    if pairs.len() < call.metadata.len() {
        losses.hint(Field::Metadata.name_in(losses.client()));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn losses() -> LossReport {
        LossReport::new(Dialect::Anthropic, Dialect::OpenAiChat, domain::Strictness::Default)
    }

    #[test]
    fn a_long_user_becomes_a_digest_and_a_short_one_stays() {
        let mut losses = losses();
        let mut call = Call { user: Some("u".repeat(64).into()), ..Call::default() };
        assert_eq!(end_user(&call, 64, &mut losses).as_deref(), call.user.as_deref());
        call.user = Some("é".repeat(64).into());
        assert_eq!(end_user(&call, 64, &mut losses).as_deref(), call.user.as_deref(), "characters count");
        assert_eq!(losses.encoded(Vec::new()).unwrap().dropped, [""; 0]);
        let mut losses = self::losses();
        let digest = |text: String, losses: &mut LossReport| {
            let call = Call { user: Some(text.into()), ..Call::default() };
            end_user(&call, 64, losses).unwrap().into_owned()
        };
        let (one, other) = (digest("a".repeat(150), &mut losses), digest("b".repeat(10_000), &mut losses));
        assert!(one.len() <= 64 && other.len() <= 64 && one != other, "{one} {other}");
        assert_eq!(one, digest("a".repeat(150), &mut losses), "the same in each request");
        assert_eq!(losses.encoded(Vec::new()).unwrap().dropped, ["metadata.user_id"]);
    }

    #[test]
    fn pairs_that_a_target_refuses_are_left_out_and_said() {
        let rule =
            MetadataRule { pairs: 2, name: |name| name.len() < 3, value: |value| !value.contains('!') };
        let pair = |name: &'static str, value: &'static str| (name.into(), value.into());
        let call = Call {
            metadata: vec![
                pair("long", "x"),
                pair("a", "x!"),
                pair("b", "1"),
                pair("c", "2"),
                pair("d", "3"),
            ],
            ..Call::default()
        };
        let mut losses = losses();
        let kept: Vec<_> = metadata(&call, rule, &mut losses).iter().map(|(name, _)| &**name).collect();
        assert_eq!(kept, ["b", "c"]);
        assert_eq!(losses.encoded(Vec::new()).unwrap().dropped.len(), 1);
    }
}
