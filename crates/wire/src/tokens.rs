//! Counting tokens exactly, for OpenAI's families with public vocabularies; never instead of the provider's usage.
//!
//! The vocabularies take some 67 MB once they are loaded, which happens on the first count. A build without the
//! feature `exact-tokens` has neither; there [`crate::input_bound`] is all there is.

use crate::canonical::{Call, Part, PartKind};

/// Tokens that frame one message, and those that begin the answer (OpenAI's cookbook, "How to count tokens").
const MESSAGE: u64 = 3;
const ANSWER: u64 = 3;
/// A participant's name costs its text and one more.
const NAME: u64 = 1;

/// A count of a call's input tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub tokens: u64,
    /// False where something is in the call that only the provider can count (tools, schemas, media):
    /// then its text is counted, and the provider adds to it.
    pub exact: bool,
}

/// Counts the tokens of a text in the vocabulary of a model, if that is public.
#[must_use]
pub fn count(model: &str, text: &str) -> Option<u64> {
    let vocabulary = match family(model)? {
        Family::O200k => bpe_openai::o200k_base(),
        Family::Cl100k => bpe_openai::cl100k_base(),
    };
    Some(vocabulary.count(text) as u64)
}

/// Counts the input tokens of a call, if the model's vocabulary is public.
#[must_use]
pub fn count_call(model: &str, call: &Call<'_>) -> Option<Counted> {
    let mut counted = Counted { tokens: ANSWER, exact: call.tools.is_empty() };
    if let crate::canonical::OutputFormat::Schema(_) = call.format {
        counted.exact = false;
    }
    for turn in &call.turns {
        counted.tokens += MESSAGE;
        if let Some(name) = &turn.name {
            counted.tokens += NAME + count(model, name)?;
        }
        for part in &turn.parts {
            counted.part(model, part)?;
        }
    }
    Some(counted)
}

impl Counted {
    fn part(&mut self, model: &str, part: &Part<'_>) -> Option<()> {
        let texts: &[&str] = match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => &[text],
            PartKind::ToolCall(call) => {
                self.exact = false;
                &[&call.name, &call.arguments]
            }
            PartKind::ToolResult(result) => {
                self.exact = false;
                return result.content.iter().try_for_each(|part| self.part(model, part));
            }
            _ => {
                self.exact = false;
                &[]
            }
        };
        for text in texts {
            self.tokens += count(model, text)?;
        }
        Some(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    O200k,
    Cl100k,
}

/// The vocabulary of a model, by the start of its name; a prefix such as `openai/` is passed over.
fn family(model: &str) -> Option<Family> {
    const O200K: [&str; 8] = ["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-oss", "o1", "o3", "o4"];
    const CL100K: [&str; 4] = ["gpt-4", "gpt-3.5", "text-embedding-3", "text-embedding-ada"];
    let name = model.rsplit('/').next()?;
    let name = name.strip_prefix("chat").unwrap_or(name);
    let starts = |names: &[&str]| names.iter().any(|known| name.starts_with(known));
    if starts(&O200K) {
        return Some(Family::O200k);
    }
    starts(&CL100K).then_some(Family::Cl100k)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bound::input_bound,
        canonical::{Role, Turn},
    };

    #[test]
    fn texts_are_counted_in_their_models_vocabulary() {
        // Known counts of OpenAI's own tokeniser.
        assert_eq!(count("gpt-4o-mini", "tiktoken is great!"), Some(6));
        assert_eq!(count("gpt-4", "tiktoken is great!"), Some(6));
        assert_eq!(count("openai/o4-mini", "お誕生日おめでとう"), Some(8));
        assert_eq!(count("gpt-4", "お誕生日おめでとう"), Some(9));
        assert_eq!(count("claude-sonnet-4-5", "hi"), None);
    }

    #[test]
    fn a_call_is_counted_and_never_above_its_bound() {
        let body = br#"{"model":"gpt-4o","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello there"}]}"#;
        let turns = vec![
            Turn::new(Role::System, vec![Part::text("Be brief.")]),
            Turn::new(Role::User, vec![Part::text("Hello there")]),
        ];
        let call = Call { turns, ..Call::default() };
        let counted = count_call("gpt-4o", &call).unwrap();
        assert_eq!(counted, Counted { tokens: 3 + 2 * 3 + 3 + 2, exact: true });
        let facts = crate::scan(crate::Api::Chat, body).unwrap();
        assert!(counted.tokens <= input_bound(&facts, body.len()));
        assert_eq!(count_call("llama", &call), None);
    }
}
