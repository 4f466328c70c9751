//! Dependencies that a crate must not have even at third hand.

use std::collections::VecDeque;

use crate::workspace::Resolved;
use crate::{Verdict, verdict};

/// Crate, what it must never reach, and why.
const FORBIDDEN: [(&str, &str, &str); 3] = [
    ("proxy", "sqlx", "the data plane carries no SQL"),
    ("policy", "tokio", "decisions are pure"),
    ("wire", "tokio", "converting bytes does no I/O"),
];

/// Checks every forbidden pair over normal and build dependencies.
pub(crate) fn check(packages: &[Resolved]) -> Verdict {
    let violation = |&(from, to, why): &(&str, &str, &str)| {
        path(packages, from, to).map(|path| format!("{}: {why}", path.join(" -> ")))
    };
    verdict(FORBIDDEN.iter().filter_map(violation).collect(), || {
        let pairs: Vec<String> = FORBIDDEN.iter().map(|(from, to, _)| format!("no {to} in {from}")).collect();
        pairs.join(", ")
    })
}

/// The shortest path between two packages, by name.
fn path(packages: &[Resolved], from: &str, to: &str) -> Option<Vec<String>> {
    let start = packages.iter().position(|package| package.name == from)?;
    let mut came_from: Vec<Option<usize>> = vec![None; packages.len()];
    came_from[start] = Some(start);
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        if packages[at].name == to {
            return Some(walk_back(packages, &came_from, at));
        }
        for &next in &packages[at].dependencies {
            if came_from[next].is_none() {
                came_from[next] = Some(at);
                queue.push_back(next);
            }
        }
    }
    None
}

fn walk_back(packages: &[Resolved], came_from: &[Option<usize>], end: usize) -> Vec<String> {
    let previous = |&at: &usize| came_from[at].filter(|&before| before != at);
    let mut names: Vec<String> =
        std::iter::successors(Some(end), previous).map(|at| packages[at].name.clone()).collect();
    names.reverse();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(edges: &[(&str, &[usize])]) -> Vec<Resolved> {
        let one =
            |(name, to): &(&str, &[usize])| Resolved { name: (*name).into(), dependencies: to.to_vec() };
        edges.iter().map(one).collect()
    }

    #[test]
    fn a_forbidden_package_is_found_at_third_hand_with_the_way_to_it() {
        let graph = packages(&[("proxy", &[1, 2]), ("bytes", &[]), ("store", &[1, 3]), ("sqlx", &[0])]);
        let violations = check(&graph).unwrap_err();
        assert_eq!(violations, ["proxy -> store -> sqlx: the data plane carries no SQL"]);
    }

    #[test]
    fn others_may_use_it() {
        let graph =
            packages(&[("proxy", &[1]), ("tokio", &[]), ("policy", &[]), ("store", &[4]), ("sqlx", &[1])]);
        assert!(check(&graph).is_ok());
    }
}
