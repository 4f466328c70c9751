//! Keys derived from the master key by HKDF-SHA-256 (RFC 5869), one per purpose, with ids for rotation.

use std::fmt;

use aws_lc_rs::{aead::LessSafeKey, hkdf, hmac};
use zeroize::Zeroizing;

use crate::{
    Binding, MasterKey, OpenError,
    seal::{self, cipher},
};

/// HMAC-SHA-256 of a key or token under the pepper.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// What is stored of a tenant's key: the digest, and the one before it during a grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiKeyDigests {
    /// Digest of the key.
    pub current: Digest,
    /// Digest of the key it replaced, and until when that one is accepted (µs since the Unix epoch).
    pub previous: Option<(Digest, i64)>,
}

impl ApiKeyDigests {
    /// The stored form: 32 bytes, or 72 with a predecessor.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.current.0.to_vec();
        if let Some((digest, until)) = self.previous {
            out.extend_from_slice(&digest.0);
            out.extend_from_slice(&until.to_be_bytes());
        }
        out
    }

    /// Reads the stored form; `None` when it has another shape.
    #[must_use]
    pub fn decode(stored: &[u8]) -> Option<Self> {
        let (current, rest) = stored.split_first_chunk::<32>()?;
        let previous = match rest.split_first_chunk::<32>() {
            Some((digest, until)) => Some((Digest(*digest), i64::from_be_bytes(until.try_into().ok()?))),
            None if rest.is_empty() => None,
            None => return None,
        };
        Some(Self { current: Digest(*current), previous })
    }
}

struct Derived {
    id: [u8; 4],
    kek: LessSafeKey,
    pepper: hmac::Key,
    snapshot: LessSafeKey,
    tokens: Zeroizing<[u8; 32]>,
}

/// The derived keys of the current master key and of earlier ones that may still be read.
pub struct Keyring {
    current: Derived,
    earlier: Vec<Derived>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(…)")
    }
}

impl Keyring {
    /// Derives all keys; `earlier` master keys still open what they sealed, but seal nothing more.
    #[must_use]
    pub fn new(current: &MasterKey, earlier: &[MasterKey]) -> Self {
        Self { current: Derived::of(current), earlier: earlier.iter().map(Derived::of).collect() }
    }

    /// Seals a provider secret for one row.
    #[must_use]
    pub fn seal(&self, secret: &[u8], binding: Binding) -> Vec<u8> {
        seal::seal(&self.current.kek, self.current.id, secret, binding)
    }

    /// Opens a provider secret of one row.
    ///
    /// # Errors
    /// When it is damaged, sealed under an unknown master key, or belongs to another row.
    pub fn open(&self, sealed: &[u8], binding: Binding) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let envelope = seal::parts(sealed)?;
        let derived = self.all().find(|derived| derived.id == envelope.kek_id).ok_or(OpenError::OtherKey)?;
        seal::open(&derived.kek, &envelope, binding)
    }

    /// Encrypts the snapshot file.
    #[must_use]
    pub fn seal_file(&self, plain: &[u8]) -> Vec<u8> {
        let id = self.current.id;
        [id.as_slice(), &seal::encrypt(&self.current.snapshot, plain, &id)].concat()
    }

    /// Decrypts the snapshot file.
    ///
    /// # Errors
    /// As for [`Keyring::open`].
    pub fn open_file(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (id, body) = sealed.split_first_chunk::<4>().ok_or(OpenError::Shape)?;
        let derived = self.all().find(|derived| derived.id == *id).ok_or(OpenError::OtherKey)?;
        seal::decrypt(&derived.snapshot, body, id)
    }

    /// The digest under which a new key or token is stored.
    #[must_use]
    pub fn digest(&self, text: &str) -> Digest {
        self.current.digest(text)
    }

    /// The digests under which a presented key may be stored, the current pepper's first.
    pub fn digests<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Digest> + 'a {
        self.all().map(move |derived| derived.digest(text))
    }

    /// The HMAC key of the short-lived JWTs between planes.
    #[must_use]
    pub fn token_key(&self) -> &[u8; 32] {
        &self.current.tokens
    }

    fn all(&self) -> impl Iterator<Item = &Derived> {
        std::iter::once(&self.current).chain(&self.earlier)
    }
}

impl Derived {
    fn of(master: &MasterKey) -> Self {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"portcullis").extract(master.bytes());
        let derive = |purpose: &'static str| {
            let mut key = Zeroizing::new([0u8; 32]);
            // 32 bytes is one block of the hash, far below the limit of 255.
            let filled =
                prk.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut *key));
            if filled.is_err() {
                std::process::abort();
            }
            key
        };
        let id = derive("key id v1");
        Self {
            id: [id[0], id[1], id[2], id[3]],
            kek: cipher(&derive("key-encryption key v1")),
            pepper: hmac::Key::new(hmac::HMAC_SHA256, derive("pepper v1").as_slice()),
            snapshot: cipher(&derive("snapshot v1")),
            tokens: derive("tokens v1"),
        }
    }

    fn digest(&self, text: &str) -> Digest {
        let tag = hmac::sign(&self.pepper, text.as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(tag.as_ref());
        Digest(digest)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn binding() -> Binding {
        Binding { owner: Uuid::nil(), row: Uuid::now_v7() }
    }

    #[test]
    fn a_sealed_secret_opens_only_in_its_row_and_under_its_key() {
        let master = MasterKey::generate();
        let ring = Keyring::new(&master, &[]);
        let place = binding();
        let sealed = ring.seal(b"sk-secret", place);
        assert_eq!(ring.open(&sealed, place).unwrap().as_slice(), b"sk-secret");
        assert_eq!(ring.open(&sealed, binding()).err(), Some(OpenError::Tag));
        let other = Keyring::new(&MasterKey::generate(), &[]);
        assert_eq!(other.open(&sealed, place).err(), Some(OpenError::OtherKey));
        let rotated = Keyring::new(&MasterKey::generate(), &[master]);
        assert!(rotated.open(&sealed, place).is_ok());
        for cut in 0..sealed.len() {
            assert!(ring.open(&sealed[..cut], place).is_err());
        }
    }

    #[test]
    fn a_changed_file_is_refused_at_every_byte() {
        let ring = Keyring::new(&MasterKey::generate(), &[]);
        let sealed = ring.seal_file(b"snapshot");
        assert_eq!(ring.open_file(&sealed).unwrap().as_slice(), b"snapshot");
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(ring.open_file(&changed).is_err(), "byte {position}");
        }
    }

    #[test]
    fn a_key_seal_round_trips() {
        let ring = Keyring::new(&MasterKey::generate(), &[]);
        for previous in [None, Some((ring.digest("old"), 5))] {
            let seal = ApiKeyDigests { current: ring.digest("new"), previous };
            assert_eq!(ApiKeyDigests::decode(&seal.encode()), Some(seal));
        }
        assert_eq!(ApiKeyDigests::decode(b"short"), None);
    }
}
