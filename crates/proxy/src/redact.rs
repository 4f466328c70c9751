//! Blotting a credential out of what a provider says, also where it only quotes parts of it.

/// Shortest run of a secret that is blotted out; providers quote `sk-proj-…abcd`, which is no secret.
const RUN: usize = 12;
/// Shorter secrets are words that stand in any text; no provider issues such keys.
const SHORTEST: usize = 8;

/// The text without the secret and without any run of 12 characters of it. A secret under eight characters is not
/// searched for.
pub(crate) fn redact(text: &str, secret: &str) -> String {
    if secret.len() < SHORTEST {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = common_run(rest, secret);
        if run > 0 {
            out.push_str("[redacted]");
            rest = &rest[run..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Length of the longest run of the secret (12 bytes at least, or all of a shorter one) at the text's start.
fn common_run(text: &str, secret: &str) -> usize {
    let shortest = RUN.min(secret.len());
    if !text.is_char_boundary(shortest.min(text.len())) || text.len() < shortest {
        return 0;
    }
    let starts = secret.match_indices(&text[..shortest]).map(|(start, _)| start);
    starts
        .map(|start| text.bytes().zip(secret[start..].bytes()).take_while(|(a, b)| a == b).count())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_run_of_a_secret_is_left() {
        let secret = "sk-live-0123456789abcdefghij";
        assert_eq!(redact(&format!("bad key {secret}!"), secret), "bad key [redacted]!");
        assert_eq!(redact("bad key 0123456789abcdef…", secret), "bad key [redacted]…");
        assert_eq!(redact("bad key sk-live…ghij", secret), "bad key sk-live…ghij");
        assert_eq!(redact("é sk", ""), "é sk");
        assert_eq!(redact("the shortish one", "shortish"), "the [redacted] one");
        assert_eq!(redact("a test of a none key", "none"), "a test of a none key");
    }
}
