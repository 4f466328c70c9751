//! AES-256-GCM: the envelope around provider secrets and the cipher of the snapshot file.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::master::random;

/// What a ciphertext belongs to; moved to another row or owner it does not open.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The owning tenant's id; zero for the operator's.
    pub owner: uuid::Uuid,
    /// The row's id.
    pub row: uuid::Uuid,
}

/// Why a ciphertext did not open; says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not of the shape that we write.
    #[error("sealed data is damaged or of an unknown version")]
    Shape,
    /// Sealed under a master key that is not configured here.
    #[error("sealed under another master key (PORTCULLIS_MASTER_KEY differs)")]
    OtherKey,
    /// The tag does not match.
    #[error("sealed data was changed or belongs to another row")]
    Tag,
}

/// Version of the formats below; part of the associated data.
const FORMAT: u8 = 1;

pub(crate) fn cipher(key: &[u8; 32]) -> LessSafeKey {
    // The key has the length of the algorithm by type, which is all this call checks.
    match UnboundKey::new(&AES_256_GCM, key) {
        Ok(key) => LessSafeKey::new(key),
        Err(_) => std::process::abort(),
    }
}

pub(crate) fn encrypt(key: &LessSafeKey, plain: &[u8], aad: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE_LEN] = random();
    let mut body = plain.to_vec();
    if key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body).is_err() {
        std::process::abort(); // only for plaintexts beyond 2^36 bytes
    }
    [nonce.as_slice(), &body].concat()
}

pub(crate) fn decrypt(key: &LessSafeKey, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(OpenError::Shape)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Shape)?;
    let mut body = Zeroizing::new(body.to_vec());
    let length = key.open_in_place(nonce, Aad::from(aad), &mut body).map_err(|_| OpenError::Tag)?.len();
    body.truncate(length);
    Ok(body)
}

/// Wrapped data key: nonce, 32 bytes, tag.
const WRAPPED: usize = NONCE_LEN + 32 + 16;

/// Envelope: version, id of the key-encryption key, wrapped data key, nonce and ciphertext.
///
/// A data key of its own per secret lets a rotation rewrap 60 bytes instead of touching secrets.
pub(crate) fn seal(kek: &LessSafeKey, kek_id: [u8; 4], secret: &[u8], binding: Binding) -> Vec<u8> {
    let aad = binding.aad();
    let data_key = Zeroizing::new(random::<32>());
    let mut out = vec![FORMAT];
    out.extend_from_slice(&kek_id);
    out.extend_from_slice(&encrypt(kek, data_key.as_slice(), &aad));
    out.extend_from_slice(&encrypt(&cipher(&data_key), secret, &aad));
    out
}

/// An envelope taken apart.
pub(crate) struct Envelope<'a> {
    pub(crate) kek_id: [u8; 4],
    wrapped: &'a [u8],
    body: &'a [u8],
}

/// Takes an envelope apart.
pub(crate) fn parts(sealed: &[u8]) -> Result<Envelope<'_>, OpenError> {
    let rest = sealed.strip_prefix(&[FORMAT]).ok_or(OpenError::Shape)?;
    let (id, rest) = rest.split_first_chunk::<4>().ok_or(OpenError::Shape)?;
    let (wrapped, body) = rest.split_at_checked(WRAPPED).ok_or(OpenError::Shape)?;
    Ok(Envelope { kek_id: *id, wrapped, body })
}

pub(crate) fn open(
    kek: &LessSafeKey,
    envelope: &Envelope<'_>,
    binding: Binding,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let aad = binding.aad();
    let data_key = decrypt(kek, envelope.wrapped, &aad)?;
    let data_key: &[u8; 32] = data_key.as_slice().try_into().map_err(|_| OpenError::Shape)?;
    decrypt(&cipher(data_key), envelope.body, &aad)
}

impl Binding {
    fn aad(&self) -> [u8; 33] {
        let mut aad = [FORMAT; 33];
        aad[..16].copy_from_slice(self.owner.as_bytes());
        aad[16..32].copy_from_slice(self.row.as_bytes());
        aad
    }
}
