//! docs/routing.md lists facts, functions and presets as they are.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use domain::{Action, AttemptOutcome, FailureClass, Preset};
use policy::rules::{FACTS, FUNCTIONS, Fact, Program, REPLY_FACTS, source};

const PAGE: &str = include_str!("../../../docs/routing.md");

/// The rows of the table that has this row in it.
fn table(of: &str) -> Vec<&'static str> {
    let lines: Vec<&str> = PAGE.lines().collect();
    let at = lines.iter().position(|line| line.starts_with(of));
    assert!(at.is_some(), "no row begins with {of}");
    let head = lines[..at.unwrap()].iter().rposition(|line| line.starts_with("|---")).unwrap();
    lines[head + 1..].iter().take_while(|line| line.starts_with('|')).copied().collect()
}

fn row(cells: &[&str]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn facts(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(|fact| row(&[&format!("`{}`", fact.name), fact.kind, fact.doc])).collect()
}

#[test]
fn facts_of_requests_and_answers() {
    let wanted = facts(FACTS);
    assert_eq!(table("| `request.api`"), wanted, "{}", wanted.join("\n"));
    let wanted = facts(REPLY_FACTS);
    assert_eq!(table("| `reply.text`"), wanted, "{}", wanted.join("\n"));
}

#[test]
fn functions() {
    let wanted: Vec<_> =
        FUNCTIONS.iter().map(|function| row(&[&format!("`{}`", function.form), function.doc])).collect();
    assert_eq!(table("| `size(x)"), wanted, "{}", wanted.join("\n"));
}

/// Every class that an outcome has, with what usually follows.
#[test]
fn classes_of_failures() {
    fn word<T: serde::de::DeserializeOwned>(cell: &str) -> T {
        serde_json::from_str(&cell.trim().replace('`', "\"")).unwrap()
    }
    let rows = table("| `connect` | no connection");
    let listed = rows.iter().map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        (word::<FailureClass>(cells[1]), word::<Action>(cells[3]))
    });
    let mut classes: Vec<_> = AttemptOutcome::ALL.into_iter().filter_map(FailureClass::of).collect();
    classes.sort_unstable();
    let wanted: Vec<_> = classes.into_iter().map(|class| (class, class.usual())).collect();
    assert_eq!(listed.collect::<Vec<_>>(), wanted);
}

#[test]
fn presets() {
    let preset = |preset: Preset| {
        let condition = source(preset);
        assert!(Program::rule(condition).is_ok(), "{condition}");
        // A pipe ends a cell, also within code.
        row(&[&format!("`{}`", preset.as_str()), &format!("`{}`", condition.replace('|', "\\|"))])
    };
    let wanted: Vec<_> = Preset::ALL.into_iter().map(preset).collect();
    assert_eq!(table("| `small_prompt`"), wanted, "{}", wanted.join("\n"));
}
