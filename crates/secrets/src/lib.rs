//! Everything made of the master key: sealed provider secrets, key digests, the snapshot file's cipher.

mod key_text;
mod keyring;
mod master;
mod seal;

pub use key_text::{KeyText, looks_like_a_key};
pub use keyring::{Digest, KeySeal, Keyring};
pub use master::{MasterKey, WeakSecret, check_token_strength, random_token};
pub use seal::{Binding, OpenError};
