//! Telling lines of program code from prose and data by signs that cost little.
//!
//! No sign is proof; together they are right about most lines of most files. What neither is nor is not code by itself
//! (a comment, a closing bracket, an indented line) is left to its neighbours.

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A statement, a definition, a tag.
    Code,
    /// What its neighbours are.
    Either,
    /// A sentence, a list, a heading.
    Prose,
    /// A line of a log, a stack trace, or JSON.
    Data,
}

/// Fenced languages that are no programs.
const NO_PROGRAMS: [&str; 20] = [
    "csv",
    "ini",
    "json",
    "json5",
    "jsonc",
    "jsonl",
    "log",
    "logs",
    "markdown",
    "md",
    "ndjson",
    "none",
    "output",
    "plain",
    "plaintext",
    "text",
    "toml",
    "tsv",
    "txt",
    "yaml",
];

/// Starts of lines that need nothing else.
const STARTS: [&str; 32] = [
    "#!/",
    "#![",
    "#[",
    "#define ",
    "#else",
    "#endif",
    "#if",
    "#include",
    "#pragma",
    "<!DOCTYPE",
    "<?php",
    "<?xml",
    "ALTER TABLE ",
    "CREATE INDEX ",
    "CREATE OR REPLACE ",
    "CREATE TABLE ",
    "CREATE VIEW ",
    "DELETE FROM ",
    "FROM ",
    "GROUP BY ",
    "INNER JOIN ",
    "INSERT INTO ",
    "JOIN ",
    "LEFT JOIN ",
    "ORDER BY ",
    "SELECT ",
    "WHERE ",
    "export default ",
    "try {",
    "try:",
    "using namespace ",
    "} ",
];

/// Keywords, and what one of has to stand behind them: English begins sentences with some of them as well.
const KEYWORDS: [(&str, &[&str]); 27] = [
    ("abstract ", &["(", " class "]),
    ("async ", &["(", "{"]),
    ("class ", &[":", "(", "<"]),
    ("const ", &[" = "]),
    ("def ", &["(", ":"]),
    ("elif ", &[":"]),
    ("else if ", &["(", "{"]),
    ("except ", &[":"]),
    ("export ", &["=", "(", "{"]),
    ("final ", &[" = ", ";"]),
    ("fn ", &["("]),
    ("for (", &[";", " of ", " in ", " : "]),
    ("fun ", &["("]),
    ("func ", &["("]),
    ("function ", &["("]),
    ("if (", &[")"]),
    ("impl ", &["{", "<"]),
    ("let ", &[" = "]),
    ("local ", &[" = "]),
    ("private ", &["(", ";", " = "]),
    ("protected ", &["(", ";", " = "]),
    ("public ", &["(", ";", " class "]),
    ("static ", &["(", ";", " = "]),
    ("switch (", &[")"]),
    ("val ", &[" = "]),
    ("var ", &[" = "]),
    ("while (", &[")"]),
];

/// Words that begin a line of code as well as one of a sentence.
const WEAK: [&str; 19] = [
    "assert", "await", "break", "case", "continue", "default", "do", "done", "else", "end", "fi", "finally",
    "pass", "raise", "return", "then", "throw", "use", "yield",
];

/// The language that a fence names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FenceLanguage {
    /// One that programs are written in.
    Program,
    /// Another one, such as `text` or `yaml`.
    Other,
    /// It names none.
    Unnamed,
}

/// Reads the language of a fence (CommonMark §4.5, the info string).
pub(super) fn language(info: &str) -> FenceLanguage {
    let end = info.find([' ', ',', '{', ':']).unwrap_or(info.len());
    let language = info[..end].to_ascii_lowercase();
    match &*language {
        "" => FenceLanguage::Unnamed,
        name if name == "yml" || NO_PROGRAMS.contains(&name) => FenceLanguage::Other,
        _ => FenceLanguage::Program,
    }
}

/// What ends the comment that a line begins and does not end.
pub(super) fn opens_comment(trimmed: &str) -> Option<&'static str> {
    [("/*", "*/"), ("<!--", "-->"), ("\"\"\"", "\"\"\"")]
        .into_iter()
        .find(|(begin, end)| trimmed.strip_prefix(begin).is_some_and(|rest| !rest.contains(end)))
        .map(|(_, end)| end)
}

/// What a line looks like. It is not blank.
pub(super) fn sign(line: &str) -> Sign {
    let text = line.trim();
    if is_json(text) || is_log(text) {
        Sign::Data
    } else if is_list(text) {
        Sign::Prose
    } else if is_code(text) {
        Sign::Code
    } else if line.starts_with("  ") || line.starts_with('\t') || may_be_code(text) {
        Sign::Either
    } else {
        Sign::Prose
    }
}

fn is_json(text: &str) -> bool {
    let begins = ["{\"", "{ \"", "[{", "[\""].iter().any(|start| text.starts_with(start));
    begins || (text.starts_with('"') && text.contains("\":"))
}

/// A time, a level, an address, or a frame of a stack in front.
fn is_log(text: &str) -> bool {
    let bare = text.trim_start_matches(['[', '(']);
    let head = bare.as_bytes();
    let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = head.get(digits).copied();
    let date = digits == 4 && matches!(behind, Some(b'-' | b'/'));
    let clock = digits == 2 && behind == Some(b':');
    let frame = digits > 0 && bare[digits..].starts_with(": ");
    let first = bare.split([' ', ']', ')', ':', '\t']).next().unwrap_or_default();
    let level = matches!(
        first,
        "TRACE" | "DEBUG" | "INFO" | "NOTICE" | "WARN" | "WARNING" | "ERROR" | "FATAL" | "CRITICAL"
    );
    let address = digits > 0 && first.bytes().filter(|byte| *byte == b'.').count() == 3;
    let syslog = head.get(3) == Some(&b' ')
        && head.get(4..6).is_some_and(|day| day.iter().all(|byte| byte.is_ascii_digit() || *byte == b' '))
        && head.get(9) == Some(&b':');
    let pairs = ["level=", "lvl=", "msg=", "time=", "ts="].iter().any(|key| text.starts_with(key));
    let java = text.starts_with("at ") && text.ends_with(')');
    let python = text.starts_with("File \"") || text.starts_with("Traceback (");
    date || clock || frame || level || address || syslog || pairs || java || python
}

/// Markdown's lists, quotes and tables.
fn is_list(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = digits > 0 && (text[digits..].starts_with(". ") || text[digits..].starts_with(") "));
    numbered || ["- ", "* ", "+ ", "> ", "| ", "• "].iter().any(|mark| text.starts_with(mark))
}

fn is_code(text: &str) -> bool {
    if text.ends_with(['?', '.', '!']) {
        return false;
    }
    let ends_statement = text.ends_with(';')
        && (words(text) <= 3
            || has_call(text)
            || text.contains('=')
            || text.contains("::")
            || is_property(text));
    ends_statement
        || (text.len() > 1 && text.ends_with('{'))
        || STARTS.iter().any(|start| text.starts_with(start))
        || KEYWORDS.iter().any(|(start, needs)| {
            text.strip_prefix(start).is_some_and(|_| needs.iter().any(|need| text.contains(need)))
        })
        || is_block(text)
        || is_import(text)
        || is_tag(text)
        || is_assignment(text)
        || is_call(text)
}

/// `color: red`
fn is_property(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, _)| !name.contains(' '))
}

/// Python's headers of blocks, decorators and a shell's prompt; methods in a chain.
fn is_block(text: &str) -> bool {
    let header = text.ends_with(':')
        && (has_call(text)
            || ["if ", "while ", "with "].iter().any(|start| text.starts_with(start)) && is_symbolic(text)
            || (text.starts_with("for ") && text.contains(" in ") && words(text) <= 8));
    let behind = |mark: char| text.strip_prefix(mark).is_some_and(|rest| rest.starts_with(is_word));
    let decorator = behind('@') && (words(text) == 1 || has_call(text));
    let prompt =
        text.strip_prefix("$ ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    header || decorator || prompt || (behind('.') && has_call(text))
}

/// Signs that a sentence has no use for.
fn is_symbolic(text: &str) -> bool {
    [" == ", " != ", " not ", " in ", " is ", " < ", " > ", " <= ", " >= ", "_", "(", "["]
        .iter()
        .any(|sign| text.contains(sign))
}

fn is_import(text: &str) -> bool {
    let import = |rest: &str| {
        rest.starts_with(['{', '"', '\'', '(', '*']) || rest.contains(" from '") || words(rest) <= 3
    };
    text.strip_prefix("import ").is_some_and(import)
        || (text.starts_with("from ") && text.split(' ').nth(2) == Some("import"))
        || (["package ", "namespace "].iter().any(|start| text.starts_with(start)) && words(text) == 2)
}

/// A line of markup: a tag from its beginning to its end. Addresses of mail stand in angle brackets as well.
fn is_tag(text: &str) -> bool {
    let inside = text.strip_prefix('<').filter(|_| text.ends_with('>'));
    inside.is_some_and(|inside| {
        inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') && !inside.contains('@')
    })
}

/// `let`-less assignments: few words in front of the sign, all of them names.
fn is_assignment(text: &str) -> bool {
    const SIGNS: [&str; 6] = [" = ", " := ", " += ", " -= ", " |= ", " <- "];
    let at = SIGNS.iter().filter_map(|sign| text.find(sign)).min();
    let Some(left) = at.map(|at| &text[..at]) else { return false };
    let name = |c: char| is_word(c) || ".[]<>:*&$@'\",()-".contains(c);
    words(left) <= 3
        && left.split(' ').all(|word| word.chars().all(name))
        && left.starts_with(|c: char| c.is_ascii_alphabetic() || "_$@*(".contains(c))
}

/// A call that is all of the line.
fn is_call(text: &str) -> bool {
    let Some(open) = text.find('(') else { return false };
    let called = text[..open].trim_start_matches("await ");
    let name = |c: char| is_word(c) || ".:!->$".contains(c);
    !called.is_empty()
        && called.chars().all(name)
        && called.starts_with(|c: char| c.is_ascii_alphabetic() || "_$".contains(c))
        && text.ends_with([')', '(', ',', '['])
}

fn may_be_code(text: &str) -> bool {
    let brackets = text.chars().all(|c| "{}[]();,".contains(c));
    let comment = ["//", "#", "--", "/*", "*/", "\"\"\"", "'''"].iter().any(|mark| text.starts_with(mark));
    let first = text.split(|c: char| !is_word(c)).next().unwrap_or_default();
    let literal = text.starts_with(['"', '\'', '`']);
    let unfinished = text.ends_with(['(', '[', '\\', '=']) || text.ends_with("&&") || text.ends_with("||");
    let operators = [" && ", " || ", " == ", " != ", "=>", "->", "::"].iter().any(|sign| text.contains(sign));
    brackets || comment || WEAK.contains(&first) || literal || unfinished || operators
}

/// Whether a name stands right in front of a bracket.
fn has_call(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| pair[1] == b'(' && is_word(char::from(pair[0])))
}

fn words(text: &str) -> usize {
    text.split_ascii_whitespace().count()
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
