//! How vendors of this dialect let clients ask for thinking, beside OpenAI's own `reasoning_effort`.

use crate::{
    canonical::{Effort, Reasoning, ReasoningMode, Show},
    json::{Fields, Json, JsonKind},
    read::Members,
};

/// Reads `thinking`, `reasoning`, `enable_thinking` and `thinking_budget`, where they have one of the forms that are
/// known; others stay unknown fields, and all of them do beside OpenAI's own field.
pub(super) fn read(body: &mut Members<'_, '_>, reasoning: &mut Reasoning) {
    if reasoning.effort.is_some() {
        return;
    }
    for (key, read) in FORMS {
        if body.peek(key).is_some_and(|value| read(value, reasoning).is_some()) {
            body.raw(key);
        }
    }
}

type Form = fn(Json<'_>, &mut Reasoning) -> Option<()>;

const FORMS: [(&str, Form); 4] = [
    ("thinking", thinking),
    ("reasoning", object),
    ("enable_thinking", |value, said| {
        said.mode = Some(if value.bool()? { ReasoningMode::On } else { ReasoningMode::Off });
        Some(())
    }),
    ("thinking_budget", |value, said| {
        said.budget = Some(value.u64()?);
        Some(())
    }),
];

/// `{type, budget_tokens}`.
fn thinking(value: Json<'_>, said: &mut Reasoning) -> Option<()> {
    let mut fields = value.object().ok()??;
    let mode = match &*fields.take("type")?.text()? {
        "enabled" => ReasoningMode::On,
        "adaptive" => ReasoningMode::Adaptive,
        "disabled" => ReasoningMode::Off,
        _ => return None,
    };
    let budget = number(&mut fields, "budget_tokens")?;
    ends(fields)?;
    (said.mode, said.budget) = (Some(mode), budget);
    Some(())
}

/// `{effort, max_tokens, enabled, exclude}`.
fn object(value: Json<'_>, said: &mut Reasoning) -> Option<()> {
    let mut fields = value.object().ok()??;
    let effort = match fields.take("effort") {
        Some(word) => Some(Effort::from_name(&word.text()?)?),
        None => None,
    };
    let budget = number(&mut fields, "max_tokens")?;
    let mut flag = |key| fields.take(key).map_or(Some(None), |value| Some(Some(value.bool()?)));
    let (enabled, exclude) = (flag("enabled")?, flag("exclude")?);
    ends(fields)?;
    let mode = enabled.map(|on| if on { ReasoningMode::On } else { ReasoningMode::Off });
    *said = Reasoning { effort, budget, mode, show: (exclude == Some(true)).then_some(Show::Hidden) };
    Some(())
}

/// A number that may be missing.
#[allow(clippy::option_option, reason = "missing is not the same as wrong")]
fn number(fields: &mut Fields<'_>, key: &str) -> Option<Option<u64>> {
    fields.take(key).map_or(Some(None), |value| Some(Some(value.u64()?)))
}

/// Nothing else is said.
fn ends(fields: Fields<'_>) -> Option<()> {
    fields.rest().all(|(_, value)| value.kind() == JsonKind::Null).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Place;

    fn said(body: &str) -> (Reasoning, Vec<String>) {
        let mut members = Members::open(Json::parse(body.as_bytes()).unwrap(), &Place::ROOT).unwrap();
        let mut reasoning = Reasoning::default();
        read(&mut members, &mut reasoning);
        (reasoning, members.rest().map(|(name, _)| name.into_owned()).collect())
    }

    #[test]
    fn known_forms_are_read_and_others_stay() {
        let on = |budget| Reasoning { mode: Some(ReasoningMode::On), budget, ..Reasoning::default() };
        for (body, expected) in [
            (r#"{"thinking":{"type":"enabled","budget_tokens":2048}}"#, on(Some(2_048))),
            (r#"{"thinking":{"type":"enabled"}}"#, on(None)),
            (r#"{"enable_thinking":true,"thinking_budget":9}"#, on(Some(9))),
            (
                r#"{"reasoning":{"effort":"high","exclude":true}}"#,
                Reasoning { effort: Some(Effort::High), show: Some(Show::Hidden), ..Reasoning::default() },
            ),
            (
                r#"{"thinking":{"type":"disabled"}}"#,
                Reasoning { mode: Some(ReasoningMode::Off), ..Reasoning::default() },
            ),
        ] {
            assert_eq!(said(body), (expected, Vec::new()), "{body}");
        }
        for body in [
            r#"{"thinking":{"type":"novel"}}"#,
            r#"{"thinking":{"type":"enabled","novelty":1}}"#,
            r#"{"thinking":true}"#,
            r#"{"thinking_budget":-1}"#,
            r#"{"reasoning":{"effort":"enormous"}}"#,
            r#"{"enable_thinking":"yes"}"#,
        ] {
            let (reasoning, rest) = said(body);
            assert_eq!((reasoning, rest.len()), (Reasoning::default(), 1), "{body}");
        }
    }
}
