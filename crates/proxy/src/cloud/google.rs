//! A Google service account's assertion exchanged for a bearer token (RFC 7523 §2.1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Limited};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use policy::ServiceAccount;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::upstream::{TrackedBody, Upstream};

/// What the token is for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Life of the assertion, in seconds; Google takes at most an hour.
const ASSERTED: u64 = 3_600;
const CONNECT: Duration = Duration::from_secs(5);
const EXCHANGE: Duration = Duration::from_secs(15);
const MAX_ANSWER: usize = 64 << 10;

/// A token, ready to be sent.
pub(super) struct Token {
    pub(super) header: HeaderValue,
    pub(super) life: Duration,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

/// Exchanges an account for a token.
///
/// # Errors
/// In words without secrets.
pub(super) async fn exchange(
    account: &ServiceAccount,
    upstream: &Upstream,
    now: SystemTime,
) -> Result<Token, String> {
    let body = Bytes::from(form(account, now)?);
    let mut request = Request::new(TrackedBody::new(body, crate::upstream::SentFlag::default()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = account.token_uri.parse().map_err(|_| "token_uri is no address".to_owned())?;
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, form);
    let answer = timeout(EXCHANGE, async {
        let response = upstream.send(CONNECT, request).await.map_err(|error| error.detail)?;
        if !response.status().is_success() {
            return Err(format!("the token endpoint answered {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        Ok(body.map_err(|_| "the token endpoint's answer broke off".to_owned())?.to_bytes())
    });
    let answer = answer.await.map_err(|_| "the token endpoint did not answer in time".to_owned())??;
    read(&answer)
}

/// The body of the exchange.
fn form(account: &ServiceAccount, now: SystemTime) -> Result<String, String> {
    let iat = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = Claims {
        iss: &account.client_email,
        scope: SCOPE,
        aud: &account.token_uri,
        iat,
        exp: iat + ASSERTED,
    };
    let mut header = Header::new(Algorithm::RS256);
    header.kid.clone_from(&account.private_key_id);
    let key = EncodingKey::from_rsa_pem(account.private_key.as_bytes());
    let key = key.map_err(|_| "private_key is no RSA key in PEM".to_owned())?;
    let assertion =
        encode(&header, &claims, &key).map_err(|_| "the assertion cannot be signed".to_owned())?;
    Ok(format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"))
}

fn read(answer: &[u8]) -> Result<Token, String> {
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|_| "the token endpoint's answer holds no token".to_owned())?;
    let bearer = Zeroizing::new(format!("Bearer {}", answer.access_token));
    let mut header =
        HeaderValue::from_str(&bearer).map_err(|_| "the token cannot stand in a header".to_owned())?;
    header.set_sensitive(true);
    // A token without a life would be fetched without end.
    Ok(Token { header, life: Duration::from_secs(answer.expires_in.max(10)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_a_header_that_logs_do_not_show() {
        let token = read(br#"{"access_token":"hush","expires_in":3599,"token_type":"Bearer"}"#).unwrap();
        assert_eq!((token.header.is_sensitive(), token.life.as_secs()), (true, 3_599));
        for bad in ["{}", "hush", r#"{"access_token":"hu\nsh","expires_in":1}"#] {
            let error = read(bad.as_bytes()).map(drop).unwrap_err();
            assert!(!error.contains("hu"), "{error}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_said_without_showing_it() {
        let account = ServiceAccount {
            client_email: "a@b".into(),
            private_key: "hush".into(),
            private_key_id: None,
            token_uri: "https://t/token".into(),
        };
        assert_eq!(form(&account, UNIX_EPOCH).unwrap_err(), "private_key is no RSA key in PEM");
    }
}
