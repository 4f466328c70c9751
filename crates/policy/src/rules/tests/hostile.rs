//! Sources that are made to break a parser, a walk over its tree or an evaluation.

use proptest::prelude::*;

use super::*;

/// Stack of a test's thread is 2 MiB, as is that of a worker that compiles a snapshot; this leaves room for who calls.
const STACK: usize = 1 << 20;

/// Compiles, and evaluates what compiles, on a stack of half a worker's.
fn survives(source: &str) -> Result<Program, RuleError> {
    let source = source.to_owned();
    let run = move || {
        let program = Program::rule(&source)?;
        let _decided = program.matches(&request(&tags()));
        Ok(program)
    };
    std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap()
}

#[test]
fn nesting_of_every_kind_is_refused_or_survived() {
    let around =
        |left: &str, right: &str, times: usize| format!("{}true{}", left.repeat(times), right.repeat(times));
    for source in [
        "(".repeat(10_000),
        "(".repeat(1_000),
        "[".repeat(1_000),
        "{".repeat(1_000),
        "!(".repeat(500),
        "-!".repeat(500),
        "a.".repeat(500),
        "a[".repeat(500),
        "a?".repeat(500),
        "f(".repeat(500),
        "'".repeat(999),
        "\\".repeat(1_000),
        "`".repeat(1_000),
        // 130 bytes that take another parser of CEL a gigabyte.
        "!!(!!!!!!(!!!!(((((!!(!!(!!!!((".repeat(4) + "1",
        around("[", "]", 400),
        around("!(", ")", 200),
        around("1 == (", ")", 100),
        around("[1].all(x,", ")", 60),
        "-!".repeat(490) + "true",
        "true?true:".repeat(99) + "true",
        format!("{}true{}", "true?".repeat(90), ":true".repeat(90)),
        format!("1{} == 1", "+1".repeat(490)),
        format!("request.tags{} == ''", ".a".repeat(490)),
        format!("request.tags{} == ''", "[0]".repeat(320)),
        format!("a{}{{", ".a".repeat(490)),
    ] {
        assert!(survives(&source).is_err(), "{source}");
    }
    // Operators of logic are balanced by the parser, so a long list of alternatives is no deep tree.
    assert!(survives(&["true"; 120].join(" || ")).is_ok());
    assert!(survives(&around("(", ")", 200)).is_ok(), "parentheses around nothing else are one");
    assert!(survives(&around("!(", ")", 14)).is_ok());
    assert!(survives(&("true?true:".repeat(14) + "true")).is_ok());
    assert!(survives(&format!("1{} == 1", "+1".repeat(13))).is_ok());
}

/// Pieces of sources.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "request.model", "request.tags", "request.images", "request.stream", "request.code_share", "tenant.tier", "reply.text",
    "'x'", "'\\u00e4'", "r'\\d'", "b'\\xff'", "1", "-1", "2u", "0", "1.5", "1e308", "9223372036854775807", "true", "null",
    "[", "]", "{", "}", "(", ")", ",", ":", "?", ".", "!", "-", " + ", " - ", " * ", " / ", " % ", " == ", " != ", " < ", " in ",
    " && ", " || ", "has(", ".size()", "size(", ".exists(x, ", ".all(x, ", ".map(x, ", ".filter(x, x ", "x", ".matches('a*')",
    ".contains(", "int(", "double(", "string(", ".team", "['team']", "ä", "\n", "//", "\\", "`", "'''", "\"",
];

/// Sources of pieces, which come far: some of them compile.
fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

/// Expressions that are CEL for sure, of operators over facts and literals of all types.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "request.model",
        "request.tags",
        "request.images",
        "request.stream",
        "request.code_share",
        "1",
        "0",
        "-9223372036854775808",
        "2u",
        "1.5",
        "'x'",
        "'team'",
        "true",
        "null",
        "[]",
        "[1, 'a']",
        "{'team': 1}",
        "{1: [2]}",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "&&", "||",
        ]);
        let call = prop::sample::select(vec!["size", "int", "double", "string", "!", "-"]);
        let member = prop::sample::select(vec!["contains", "startsWith", "endsWith"]);
        let macros = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(left, op, right)| format!("({left} {op} {right})")),
            (call, inner.clone()).prop_map(|(call, inner)| format!("{call}({inner})")),
            (inner.clone(), member, inner.clone())
                .prop_map(|(text, call, part)| format!("{text}.{call}({part})")),
            (inner.clone(), inner.clone()).prop_map(|(list, index)| format!("{list}[{index}]")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), macros, inner)
                .prop_map(|(list, name, body)| format!("{list}.{name}(x, x == {body})")),
        ]
    })
}

/// What every source has to stand, and whether it compiles.
fn stands(source: &str) -> bool {
    let replies = Program::acceptance(source).map(|program| program.accepts(&REPLY));
    let Ok(program) = Program::rule(source) else { return replies.is_ok() };
    let _decided = program.matches(&request(&tags()));
    let _decided = program.matches(&Facts::default());
    assert!(program.steps() <= MAX_STEPS);
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(source in any::<String>()) {
        stands(&source);
    }

    #[test]
    fn no_line_of_signs_panics(source in "[a-z0-9.,:?!'\"`()\\[\\]{}+*/%<>=&| \\\\-]{0,60}") {
        stands(&source);
    }

    #[test]
    fn no_heap_of_pieces_panics(source in pieces()) {
        stands(&source);
    }

    #[test]
    fn no_expression_panics_as_a_condition(source in expressions()) {
        stands(&format!("{source} == 1"));
        stands(&format!("[{source}].all(y, y == 'x')"));
    }
}
