//! Ids of calls and their results, for targets that need one everywhere or allow only some.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Text, ToolCall, ToolResult};

/// Gives calls and results their ids while a conversation is written in order.
///
/// Empty ids (Gemini) are minted, and results find their call by name and order (docs/spec/cases.md#case-5); ids
/// outside the target's alphabet become a hash of themselves, the same on call and result (docs/spec/cases.md#case-6).
/// An id that a later call of the conversation has again is told apart by a number.
#[derive(Debug)]
pub(crate) struct Ids {
    legal: fn(&str) -> bool,
    minted: usize,
    /// Ids that were written.
    written: HashSet<u128>,
    /// What became of the client's ids whose latest call did not get the id by which it is called.
    renamed: HashMap<u128, String>,
    /// Calls with a minted id that have no result yet: the tool and the id.
    unanswered: VecDeque<(String, String)>,
}

impl Ids {
    pub(crate) fn new(legal: fn(&str) -> bool) -> Self {
        Self {
            legal,
            minted: 0,
            written: HashSet::new(),
            renamed: HashMap::new(),
            unanswered: VecDeque::new(),
        }
    }

    /// The id of a call.
    pub(crate) fn call<'a>(&mut self, call: &'a ToolCall<'_>) -> Text<'a> {
        if !call.id.is_empty() {
            let id = fitted(&call.id, self.legal);
            if self.written.insert(fnv(id.as_bytes())) {
                return id;
            }
            let id = self.another(&call.id);
            self.renamed.insert(fnv(call.id.as_bytes()), id.clone());
            return id.into();
        }
        let id = self.mint();
        self.unanswered.push_back((call.name.to_string(), id.clone()));
        id.into()
    }

    /// The id of the call that a result belongs to.
    pub(crate) fn result<'a>(&mut self, result: &'a ToolResult<'_>) -> Text<'a> {
        if !result.id.is_empty() {
            return match self.renamed.get(&fnv(result.id.as_bytes())) {
                Some(id) => id.clone().into(),
                None => fitted(&result.id, self.legal),
            };
        }
        let at = self.unanswered.iter().position(|(name, _)| **name == *result.name);
        match at.and_then(|at| self.unanswered.remove(at)) {
            Some((_, id)) => id.into(),
            // A result without a call: an id that no call has, so that the provider refuses it by name.
            None => self.mint().into(),
        }
    }

    /// An id that no call before has.
    fn mint(&mut self) -> String {
        loop {
            self.minted += 1;
            let id = format!("call_{}", self.minted);
            if self.written.insert(fnv(id.as_bytes())) {
                return id;
            }
        }
    }

    /// An id for a call that has the same id as an earlier one.
    fn another(&mut self, id: &str) -> String {
        // A number of its own for each call, so that no client can make the search long.
        self.minted += 1;
        let id = hashed(&format!("{id}\n{}", self.minted));
        self.written.insert(fnv(id.as_bytes()));
        id
    }
}

/// The id as it is, or a hash of it where the target would refuse it.
pub(crate) fn fitted(id: &str, legal: impl Fn(&str) -> bool) -> Text<'_> {
    if legal(id) { id.into() } else { hashed(id).into() }
}

/// An id of 37 letters, digits and underscores that stands for another id.
fn hashed(id: &str) -> String {
    format!("call_{:032x}", fnv(id.as_bytes()))
}

/// FNV-1a in 128 bits: deterministic on every machine; a client that makes two ids collide confuses only itself.
pub(crate) fn fnv(bytes: &[u8]) -> u128 {
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
    fn minted_ids_are_not_those_of_other_calls() {
        let mut ids = Ids::new(|_| true);
        assert_eq!(ids.call(&call("call_1", "f")), "call_1");
        assert_eq!(ids.call(&call("", "f")), "call_2");
        assert_eq!(ids.result(&result("", "f")), "call_2");
    }

    #[test]
    fn an_id_that_comes_again_is_told_apart_with_its_result() {
        let mut ids = Ids::new(|_| true);
        let mut written = Vec::new();
        for _ in 0..3 {
            let id = ids.call(&call("call_0", "f")).into_owned();
            assert_eq!(ids.result(&result("call_0", "")), id);
            assert!(!written.contains(&id), "{id}");
            written.push(id);
        }
        assert_eq!(written[0], "call_0");
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
