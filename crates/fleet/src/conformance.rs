//! The one suite that both stores pass.
