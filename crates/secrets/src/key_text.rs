//! The text of a tenant's key: `sk-pc-` id `_` secret checksum, shown once and never stored.

use std::fmt;

use zeroize::Zeroizing;

use crate::master::random;

const PREFIX: &str = "sk-pc-";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID: usize = 12;
const SECRET: usize = 43; // 62^43 > 2^256
const CHECK: usize = 6; // 62^6 > 2^32, a CRC-32C
const LENGTH: usize = PREFIX.len() + ID + 1 + SECRET + CHECK;

/// A freshly minted key; its text is erased on drop.
pub struct ApiKeySecret(Zeroizing<String>);

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

impl ApiKeySecret {
    /// Mints a key with 256 random bits.
    #[must_use]
    pub fn mint() -> Self {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        push_random(&mut text, ID);
        text.push('_');
        push_random(&mut text, SECRET);
        let check = checksum(text.as_bytes());
        text.push_str(&check);
        Self(text)
    }

    /// The text, to be shown to its owner once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Whether a text has the shape and the checksum of a key: typing errors and foreign keys are told apart
/// from unknown keys before any digest is computed.
#[must_use]
pub fn is_well_formed_key(text: &str) -> bool {
    if text.len() != LENGTH || !text.is_ascii() || !text.starts_with(PREFIX) {
        return false;
    }
    let (body, check) = text.as_bytes().split_at(LENGTH - CHECK);
    check == checksum(body).as_bytes()
}

fn push_random(text: &mut String, count: usize) {
    let target = text.len() + count;
    while text.len() < target {
        // 248 is the largest multiple of 62 in a byte: above it the draw would be uneven.
        let draw = random::<64>();
        let fair = draw.iter().filter(|byte| **byte < 248).take(target - text.len());
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(*byte % 62)])));
    }
}

fn checksum(bytes: &[u8]) -> String {
    let mut rest = u64::from(crc32c::crc32c(bytes));
    let mut digits = [0u8; CHECK];
    for digit in &mut digits {
        *digit = ALPHABET[usize::try_from(rest % 62).unwrap_or_default()];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_keys_are_recognised_and_changed_ones_are_not() {
        let key = ApiKeySecret::mint();
        assert!(is_well_formed_key(key.reveal()));
        assert_ne!(key.reveal(), ApiKeySecret::mint().reveal());
        for position in 0..key.reveal().len() {
            let mut changed = key.reveal().as_bytes().to_vec();
            changed[position] = if changed[position] == b'x' { b'y' } else { b'x' };
            assert!(!is_well_formed_key(std::str::from_utf8(&changed).unwrap()), "position {position}");
        }
        assert!(!is_well_formed_key("sk-proj-abc"));
        assert!(!is_well_formed_key(""));
    }
}
