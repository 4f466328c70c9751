//! Everything made of the master key: sealed provider secrets, key digests, the snapshot file's cipher.

mod key_text;
mod keyring;
mod master;
mod seal;

pub use key_text::{ApiKeySecret, is_well_formed_key};
pub use keyring::{ApiKeyDigests, Digest, Keyring};
pub use master::{MasterKey, WeakSecret, check_token_strength, random_token};
pub use seal::{Binding, OpenError};

/// Whether two secrets are the same, in a time that does not tell how much of them is.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}
