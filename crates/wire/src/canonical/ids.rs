//! Ids of calls and their results, for targets that need one everywhere or allow only some.

use std::collections::VecDeque;

use super::{Text, ToolCall, ToolResult};

/// Gives calls and results their ids while a conversation is written in order.
///
/// Empty ids (Gemini) are minted, and results find their call by name and order (docs/spec/cases.md#case-5); ids
/// outside the target's alphabet become a hash of themselves, the same on call and result (docs/spec/cases.md#case-6).
#[derive(Debug)]
pub(crate) struct Ids {
    legal: fn(&str) -> bool,
    minted: usize,
    /// Calls with a minted id that have no result yet: the tool and the id.
    unanswered: VecDeque<(String, String)>,
}

impl Ids {
    pub(crate) const fn new(legal: fn(&str) -> bool) -> Self {
        Self { legal, minted: 0, unanswered: VecDeque::new() }
    }

    /// The id of a call.
    pub(crate) fn call<'a>(&mut self, call: &'a ToolCall<'_>) -> Text<'a> {
        if !call.id.is_empty() {
            return self.legal(&call.id);
        }
        let id = self.mint();
        self.unanswered.push_back((call.name.to_string(), id.clone()));
        id.into()
    }

    /// The id of the call that a result belongs to.
    pub(crate) fn result<'a>(&mut self, result: &'a ToolResult<'_>) -> Text<'a> {
        if !result.id.is_empty() {
            return self.legal(&result.id);
        }
        let at = self.unanswered.iter().position(|(name, _)| **name == *result.name);
        match at.and_then(|at| self.unanswered.remove(at)) {
            Some((_, id)) => id.into(),
            // A result without a call: an id that no call has, so that the provider refuses it by name.
            None => self.mint().into(),
        }
    }

    fn mint(&mut self) -> String {
        self.minted += 1;
        format!("call_{}", self.minted)
    }

    fn legal<'a>(&self, id: &'a str) -> Text<'a> {
        if (self.legal)(id) { id.into() } else { format!("call_{:032x}", fnv(id.as_bytes())).into() }
    }
}

/// FNV-1a in 128 bits: deterministic on every machine; a client that makes two ids collide confuses only itself.
fn fnv(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(id: &'a str, name: &'a str) -> ToolCall<'a> {
        ToolCall { id: id.into(), name: name.into(), arguments: "".into(), signature: None, custom: false }
    }

    fn result<'a>(id: &'a str, name: &'a str) -> ToolResult<'a> {
        let (id, name) = (id.into(), name.into());
        ToolResult { id, name, content: Vec::new(), structured: None, error: false }
    }

    #[test]
    fn results_without_ids_find_their_calls_by_name_and_order() {
        let mut ids = Ids::new(|_| true);
        let calls: Vec<_> = ["f", "g", "f"].map(|name| ids.call(&call("", name)).into_owned()).into();
        assert_eq!(calls, ["call_1", "call_2", "call_3"]);
        let results: Vec<_> = ["g", "f", "f"].map(|name| ids.result(&result("", name)).into_owned()).into();
        assert_eq!(results, ["call_2", "call_1", "call_3"]);
        assert_eq!(ids.result(&result("", "f")), "call_4");
    }

    #[test]
    fn illegal_ids_become_the_same_legal_one_on_call_and_result() {
        let mut ids = Ids::new(|id| id.len() <= 64 && !id.contains(':'));
        assert_eq!(ids.call(&call("toolu_1", "f")), "toolu_1");
        let hashed = ids.call(&call("functions.f:0", "f")).into_owned();
        assert_eq!(hashed.len(), 37);
        assert_eq!(ids.result(&result("functions.f:0", "")), hashed);
        assert_ne!(ids.call(&call("functions.f:1", "f")), hashed);
        assert!(ids.call(&call(&"x".repeat(65), "f")).len() <= 64);
    }
}
