//! AWS Signature Version 4 for one request to Bedrock.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign as sign_request},
    sign::v4::SigningParams,
};
use bytes::Bytes;
use http::Request;
use policy::AwsKeys;

/// The name of the service in signatures, which is not that of its host.
const SERVICE: &str = "bedrock";

/// Signs a request: host, date, session token and the body's digest.
pub(super) fn sign(
    request: &mut Request<Bytes>,
    keys: &AwsKeys,
    region: &str,
    now: SystemTime,
) -> Result<(), String> {
    let said = |error: &dyn std::error::Error| format!("the request cannot be signed: {error}");
    let session = keys.session_token.clone();
    let credentials =
        Credentials::new(&keys.access_key_id, &keys.secret_access_key, session, None, "portcullis");
    let identity = credentials.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| said(&error))?
        .into();
    let uri = request.uri().to_string();
    let body = SignableBody::Bytes(request.body());
    let signable = SignableRequest::new(request.method().as_str(), &uri, std::iter::empty(), body);
    let signed = sign_request(signable.map_err(|error| said(&error))?, &parameters);
    let (instructions, _) = signed.map_err(|error| said(&error))?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_request_carries_its_signature_and_no_secret() {
        let keys = AwsKeys {
            access_key_id: "AKID".into(),
            secret_access_key: "hush".into(),
            session_token: Some("session".into()),
        };
        let uri = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/a.b-v1%3A0/converse";
        let signed = |body: &'static [u8]| {
            let mut request = Request::post(uri).body(Bytes::from_static(body)).unwrap();
            sign(&mut request, &keys, "eu-central-1", UNIX_EPOCH + Duration::from_secs(1_790_000_000))
                .unwrap();
            assert_eq!(request.headers()["x-amz-security-token"], "session");
            request.headers()["authorization"].to_str().unwrap().to_owned()
        };
        let one = signed(b"{}");
        assert!(
            one.starts_with("AWS4-HMAC-SHA256 Credential=AKID/20260921/eu-central-1/bedrock/aws4_request")
        );
        assert!(!one.contains("hush"));
        assert_ne!(one, signed(b"{ }"), "the body is signed as well");
    }
}
