//! Routes that lead back to themselves through each other's pools.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::RouteSpec;

/// One way back to where it began: routes in order, each with the field that names the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle<'a>(pub Vec<(&'a str, String)>);

impl Cycle<'_> {
    /// What is said of it at its route of this number: `a cycle: a → b → a`.
    #[must_use]
    pub fn told(&self, from: usize) -> String {
        const SHOWN: usize = 10;
        let names =
            |most| self.0.iter().cycle().skip(from).take(most).map(|(name, _)| *name).collect::<Vec<_>>();
        match self.0.len().checked_sub(SHOWN) {
            None | Some(0) => format!("a cycle: {}", names(self.0.len() + 1).join(" → ")),
            Some(more) => {
                format!("a cycle: {} → … and {more} more, back to the first", names(SHOWN).join(" → "))
            }
        }
    }
}

/// A route on the way that is being followed, and where it has not been followed yet.
struct Step<'a> {
    name: &'a str,
    field: String,
    left: std::vec::IntoIter<(String, &'a str)>,
}

/// The cycles among one owner's routes.
///
/// There are no others: an operator's route never leads to a tenant's, and a tenant's own routes shadow the
/// operator's. Every edge is followed once, so a route that closes several cycles shows at least one of them.
#[must_use]
pub fn cycles<'a>(routes: &BTreeMap<&'a str, &'a RouteSpec>) -> Vec<Cycle<'a>> {
    let mut found = Vec::new();
    let mut done = HashSet::new();
    for start in routes.keys().copied() {
        // By hand, not by recursion: a chain may be as long as a document.
        let (mut trail, mut places): (Vec<Step<'a>>, HashMap<&str, usize>) = (Vec::new(), HashMap::new());
        let mut next = Some(start);
        loop {
            if let Some((name, spec)) = next.take().and_then(|name| routes.get_key_value(name))
                && !done.contains(name)
            {
                places.insert(name, trail.len());
                trail.push(Step { name, field: String::new(), left: spec.routes().into_iter() });
            }
            let Some(step) = trail.last_mut() else { break };
            match step.left.next() {
                None => {
                    done.insert(step.name);
                    places.remove(step.name);
                    trail.pop();
                }
                Some((field, to)) => {
                    step.field = field;
                    match places.get(to) {
                        Some(at) => {
                            let steps = trail[*at..].iter().map(|step| (step.name, step.field.clone()));
                            found.push(Cycle(steps.collect()));
                        }
                        None => next = Some(to),
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(routes: &[(&'static str, &[&str])]) -> Vec<String> {
        let spec = |to: &&[&str]| {
            let pools = to.iter().enumerate().map(|(at, to)| format!(r#""p{at}":{{"route":"{to}"}}"#));
            let pools = pools.collect::<Vec<_>>().join(",");
            serde_json::from_str::<RouteSpec>(&format!(r#"{{"pools":{{{pools}}}}}"#)).unwrap()
        };
        let specs: Vec<_> = routes.iter().map(|(name, to)| (*name, spec(to))).collect();
        let routes = specs.iter().map(|(name, spec)| (*name, spec)).collect();
        cycles(&routes).iter().map(|cycle| format!("{}: {}", cycle.0[0].1, cycle.told(0))).collect()
    }

    #[test]
    fn cycles_are_found_wherever_they_begin() {
        assert_eq!(found(&[("a", &["a"])]), ["pools.p0.route: a cycle: a → a"]);
        assert_eq!(found(&[("a", &["x", "b"]), ("b", &["a"])]), ["pools.p1.route: a cycle: a → b → a"]);
        let (b, c) = ("pools.p0.route: a cycle: b → c → b", "pools.p0.route: a cycle: c → c");
        assert_eq!(found(&[("a", &["b"]), ("b", &["c"]), ("c", &["c", "b"])]), [c, b]);
        // Two ways to one place are none, and neither is an unknown name.
        assert_eq!(found(&[("a", &["b", "c", "gone"]), ("b", &["d"]), ("c", &["d"]), ("d", &[])]), [""; 0]);
    }

    #[test]
    fn a_chain_as_long_as_a_document_is_followed() {
        let names: Vec<String> = (0..20_000).map(|number| format!("r{number:05}")).collect();
        let to = |next: &String| {
            serde_json::from_str::<RouteSpec>(&format!(r#"{{"pools":{{"p":{{"route":"{next}"}}}}}}"#))
                .unwrap()
        };
        let specs: Vec<_> = names.iter().skip(1).chain(names.first()).map(to).collect();
        let routes = names.iter().map(String::as_str).zip(&specs).collect();
        let [cycle] = cycles(&routes).try_into().unwrap();
        assert_eq!(cycle.0.len(), 20_000);
        let told = cycle.told(19_999);
        assert!(told.starts_with("a cycle: r19999 → r00000 → ") && told.len() < 200, "{told}");
    }
}
