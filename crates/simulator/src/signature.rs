//! Signatures of reasoning: opaque to clients, bound to the dialect, the model and the text they were made for.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Not a secret: readers of this may forge a simulator's signature.
const KEY: &[u8] = b"portcullis simulator: signatures of reasoning";
/// Opens every signature, so that the text cannot be taken for another provider's.
const MARK: &str = "sim1";

fn seal(dialect: &str, model: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY);
    let sealed = hmac::sign(&key, [dialect, "\n", model, "\n", text].concat().as_bytes());
    sealed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature of `text`, base64.
pub(crate) fn mint(dialect: &str, model: &str, text: &str) -> String {
    STANDARD.encode([MARK, dialect, model, &seal(dialect, model, text)].join("\n"))
}

/// Whether `signature` is what [`mint`] makes of these.
pub(crate) fn fits(signature: &str, dialect: &str, model: &str, text: &str) -> bool {
    signature == mint(dialect, model, text)
}

/// Whether `signature` is one of this dialect and model, for whatever text.
pub(crate) fn is_of(signature: &str, dialect: &str, model: &str) -> bool {
    let opened = STANDARD.decode(signature).unwrap_or_default();
    opened.starts_with([MARK, dialect, model, ""].join("\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_fits_only_what_it_was_made_for() {
        let signature = mint("anthropic", "m", "because");
        assert!(fits(&signature, "anthropic", "m", "because"));
        assert!(is_of(&signature, "anthropic", "m"));
        for (dialect, model) in [("bedrock", "m"), ("anthropic", "n"), ("anthropic", "")] {
            assert!(!is_of(&signature, dialect, model), "{dialect} {model}");
        }
        for (dialect, model, text) in
            [("bedrock", "m", "because"), ("anthropic", "n", "because"), ("anthropic", "m", "Because")]
        {
            assert!(!fits(&signature, dialect, model, text));
        }
    }
}
