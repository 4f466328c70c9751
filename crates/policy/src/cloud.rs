//! Secrets of the clouds that are more than one word: AWS access keys and Google service accounts, as JSON.

use std::fmt;

use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// An AWS access key: `{"access_key_id": …, "secret_access_key": …, "session_token": …}`, the last one optional.
#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct AwsKeys {
    /// The key's id.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// The session, for temporary keys.
    #[serde(default)]
    pub session_token: Option<String>,
}

/// A Google service account, as its key file has it; other members of the file are of no use here.
#[derive(Clone, PartialEq, Eq, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct ServiceAccount {
    /// Who it is.
    pub client_email: String,
    /// Its RSA key, PEM.
    pub private_key: String,
    /// Which of its keys that is.
    #[serde(default)]
    pub private_key_id: Option<String>,
    /// Where it is exchanged for tokens.
    pub token_uri: String,
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeys").finish_non_exhaustive()
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("client_email", &self.client_email).finish_non_exhaustive()
    }
}

impl AwsKeys {
    /// Reads the secret's text.
    ///
    /// # Errors
    /// What it has to be; never any of its text.
    pub fn parse(secret: &str) -> Result<Self, &'static str> {
        serde_json::from_str(secret)
            .map_err(|_| "the secret must be a JSON object with access_key_id and secret_access_key")
    }
}

impl ServiceAccount {
    /// Reads the secret's text.
    ///
    /// # Errors
    /// What it has to be; never any of its text.
    pub fn parse(secret: &str) -> Result<Self, &'static str> {
        serde_json::from_str(secret).map_err(|_| "the secret must be a service account's key file in JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_never_shown() {
        let keys = AwsKeys::parse(r#"{"access_key_id":"AK","secret_access_key":"hush"}"#).unwrap();
        assert_eq!(keys.session_token, None);
        assert!(!format!("{keys:?}").contains("hush"));
        let error = AwsKeys::parse(r#"{"access_key_id":"AK","secret":"hush"}"#).unwrap_err();
        assert!(!error.contains("hush"));
        let account =
            r#"{"type":"service_account","client_email":"a@b","private_key":"hush","token_uri":"https://t"}"#;
        assert!(!format!("{:?}", ServiceAccount::parse(account).unwrap()).contains("hush"));
    }
}
