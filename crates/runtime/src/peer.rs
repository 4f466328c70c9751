//! How planes know each other: short-lived JWTs bought with a join token, or client certificates.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use tonic::{
    Extensions, Request, Status,
    service::Interceptor,
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};

use crate::grpc::Caller;

const AUDIENCE: &str = "portcullis-fleet";
const ISSUER: &str = "portcullis";
/// Life of a token, in seconds; proxies renew at two thirds of it.
const LIFE: u32 = 900;

/// Mints and checks the tokens of one fleet.
pub struct PeerTokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// A proxy that proved it belongs to the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The name it joined by, or `certificate` for one that came by certificate only.
    pub name: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    exp: u64,
}

impl PeerTokens {
    /// From the HMAC key derived of the master key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.leeway = 60; // clocks of a fleet differ
        Self { encoding: EncodingKey::from_secret(key), decoding: DecodingKey::from_secret(key), validation }
    }

    /// A token for one proxy and its life in seconds; `now` in seconds since the Unix epoch.
    ///
    /// # Errors
    /// When the token cannot be encoded.
    #[allow(clippy::result_large_err, reason = "tonic's own error type")]
    pub fn mint(&self, proxy: &str, now: u64) -> Result<(String, u32), Status> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: proxy.to_owned(),
            iat: now,
            exp: now + u64::from(LIFE),
        };
        let jwt = encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|_| Status::internal("cannot mint a token"))?;
        Ok((jwt, LIFE))
    }

    /// Who sent a request; its connection may stay from then on.
    ///
    /// # Errors
    /// `Unauthenticated` without a valid token or a client certificate that TLS verified.
    #[allow(clippy::result_large_err, reason = "tonic's own error type")]
    pub fn authorize<T>(&self, request: &Request<T>) -> Result<Peer, Status> {
        let peer = self.identify(request)?;
        if let Some(caller) = request.extensions().get::<Caller>() {
            caller.introduce();
        }
        Ok(peer)
    }

    #[allow(clippy::result_large_err, reason = "tonic's own error type")]
    fn identify<T>(&self, request: &Request<T>) -> Result<Peer, Status> {
        let extensions = request.extensions();
        if certified::<Caller>(extensions) || certified::<TcpConnectInfo>(extensions) {
            return Ok(Peer { name: "certificate".to_owned() });
        }
        let bearer = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let refused = || Status::unauthenticated("join first: no valid token and no client certificate");
        let token = decode::<Claims>(bearer.ok_or_else(refused)?, &self.decoding, &self.validation);
        token.map(|token| Peer { name: token.claims.sub }).map_err(|_| refused())
    }
}

/// Whether TLS verified a certificate of the client; `C` is what the server's connections tell of themselves.
fn certified<C: Clone + Send + Sync + 'static>(extensions: &Extensions) -> bool {
    let tls = extensions.get::<TlsConnectInfo<C>>();
    tls.and_then(TlsConnectInfo::peer_certs).is_some_and(|certificates| !certificates.is_empty())
}

/// Lets requests of known peers pass, by their head alone: of others not a byte of the body is read. The handler
/// finds the [`Peer`] in the extensions.
#[derive(Clone)]
pub struct PeersOnly(pub Arc<PeerTokens>);

impl Interceptor for PeersOnly {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let peer = self.0.authorize(&request)?;
        request.extensions_mut().insert(peer);
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrying(token: &str) -> Request<()> {
        let mut request = Request::new(());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    fn now() -> u64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn only_fresh_tokens_of_the_same_key_are_accepted() {
        let tokens = PeerTokens::new(&[7; 32]);
        let (jwt, life) = tokens.mint("proxy-1", now()).unwrap();
        assert_eq!(tokens.authorize(&carrying(&jwt)).unwrap().name, "proxy-1");
        assert!(PeerTokens::new(&[8; 32]).authorize(&carrying(&jwt)).is_err());
        let (old, _) = tokens.mint("proxy-1", now() - u64::from(life) - 120).unwrap();
        assert!(tokens.authorize(&carrying(&old)).is_err());
        assert!(tokens.authorize(&Request::new(())).is_err());
    }

    /// Another host mints with its own clock: a minute of difference to ours may cost no proxy its link.
    #[test]
    fn a_clock_that_is_a_minute_off_is_tolerated_and_three_minutes_are_not() {
        let tokens = PeerTokens::new(&[7; 32]);
        let accepted = |minted: u64| {
            let (jwt, _) = tokens.mint("proxy-1", minted).unwrap();
            tokens.authorize(&carrying(&jwt)).is_ok()
        };
        let (now, life) = (now(), u64::from(LIFE));
        assert!(accepted(now + 60) && accepted(now - 60));
        // The proxy renews at two thirds of its own clock's life: there it must still hold on a clock a minute ahead.
        assert!(accepted(now - life * 2 / 3 - 60));
        // In the last second of its life, seen by a clock 50 s or three minutes ahead.
        assert!(accepted(now - life - 50));
        assert!(!accepted(now - life - 180));
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        // {"alg":"none"} . {claims} . (nothing)
        let unsigned =
            "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ4IiwiYXVkIjoicG9ydGN1bGxpcy1mbGVldCJ9.";
        assert!(PeerTokens::new(&[7; 32]).authorize(&carrying(unsigned)).is_err());
    }
}
