//! The master key: 256 bits from the operator, refused when weak, erased on drop.

use base64::Engine as _;
use zeroize::Zeroizing;

/// The root of every derived key.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// Why a secret is refused; never repeats the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Not 32 bytes in hexadecimal or base64.
    #[error("must be 32 random bytes, as 64 hexadecimal digits or in base64")]
    Shape,
    /// Too regular to be random.
    #[error("is too regular to be random; make one with `openssl rand -hex 32`")]
    Regular,
    /// A token with a word that everybody tries.
    #[error("holds a word that is easily guessed; make one with `openssl rand -hex 32`")]
    Word,
    /// A token that is too short.
    #[error("is too short; use at least 24 random characters")]
    Short,
}

impl MasterKey {
    /// Reads what the operator configured.
    ///
    /// # Errors
    /// When it is not 32 bytes, or too regular to have been drawn at random.
    pub fn parse(text: &str) -> Result<Self, WeakSecret> {
        let text = text.trim();
        let decoded = match text.len() {
            64 => decode_hex(text),
            _ => base64::engine::general_purpose::STANDARD.decode(text).ok(),
        };
        let decoded = Zeroizing::new(decoded.ok_or(WeakSecret::Shape)?);
        let bytes: [u8; 32] = decoded.as_slice().try_into().map_err(|_| WeakSecret::Shape)?;
        // 32 random bytes hold fewer than 20 different values once in about 10^9 keys.
        if different(&bytes) < 20 || steps(&bytes) > 12 {
            return Err(WeakSecret::Regular);
        }
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// A new one from the system's generator.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()))
    }

    /// As 64 hexadecimal digits, to be kept in a file of mode 0600.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(self.0.as_slice()))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Refuses admin and join tokens that could be guessed.
///
/// # Errors
/// When it is shorter than 24 characters, made of few different ones, counts or repeats, or holds a word that
/// stands in examples.
pub fn check_token_strength(token: &str) -> Result<(), WeakSecret> {
    if token.len() < 24 {
        return Err(WeakSecret::Short);
    }
    let lower = token.to_ascii_lowercase();
    if WORDS.iter().any(|word| lower.contains(word)) {
        return Err(WeakSecret::Word);
    }
    let bytes = token.as_bytes();
    if different(bytes) < 10 || steps(bytes) * 2 > bytes.len() || repeats(bytes) {
        return Err(WeakSecret::Regular);
    }
    Ok(())
}

/// What stands in examples and in guesses, and in no random token: one of 43 characters holds any of them once in
/// about 10^9.
const WORDS: [&str; 6] = ["changeme", "change-me", "password", "passwort", "admin-token", "join-token"];

/// How many neighbours differ by one at most: in an alphabet or in digits that count nearly all.
fn steps(bytes: &[u8]) -> usize {
    bytes.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count()
}

/// Whether it is a shorter text over and over, the last time perhaps in part.
fn repeats(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).any(|period| bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b))
}

/// A token of 256 random bits behind a readable prefix.
#[must_use]
pub fn random_token(prefix: &str) -> String {
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random::<32>());
    format!("{prefix}{encoded}")
}

fn different(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The generator seeds itself from the kernel at start; after that it cannot fail.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses_weak_keys() {
        let key = MasterKey::generate();
        assert_eq!(MasterKey::parse(&key.to_hex()).unwrap().bytes(), key.bytes());
        let weak = ["", "changeme", &"0".repeat(64), &"0123456789abcdef".repeat(4), &"zz".repeat(32)];
        assert!(weak.iter().all(|text| MasterKey::parse(text).is_err()));
        let counting: String = (0..32u8).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(MasterKey::parse(&counting).err(), Some(WeakSecret::Regular));
    }

    #[test]
    fn tokens_that_can_be_guessed_are_refused() {
        assert!(check_token_strength("admin").is_err());
        assert!(check_token_strength(&"ab".repeat(20)).is_err());
        for weak in [
            "abcdefghijklmnopqrstuvwxyz",
            "0123456789012345678901234",
            "portcullis-admin-token-changeme",
            "My-Password-1-Is-Fairly-Long-z",
            "k3Jq9xT7bLw2k3Jq9xT7bLw2",
        ] {
            assert!(check_token_strength(weak).is_err(), "{weak}");
        }
        assert!((0..1_000).all(|_| check_token_strength(&random_token("pc-admin-")).is_ok()));
        assert!(check_token_strength(&MasterKey::generate().to_hex()).is_ok());
    }
}
