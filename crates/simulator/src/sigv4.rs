//! Verification of AWS Signature Version 4, written from its specification and apart from any signer's code.

use aws_lc_rs::hmac;
use http::{HeaderMap, Method, Uri};

use crate::digest::{hex, sha256};
use crate::script::AwsKey;

/// How the `authorization` header of a signed request starts.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service that signatures must be scoped to.
const SERVICE: &str = "bedrock";

/// A request as it was signed.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body_digest: &'a [u8; 32],
}

/// The parts of an `authorization` header.
struct Claim<'a> {
    access_key_id: &'a str,
    /// Date, region, service, `aws4_request`.
    scope: Vec<&'a str>,
    signed_headers: &'a str,
    signature: &'a str,
}

fn claim(authorization: &str) -> Option<Claim<'_>> {
    let rest = authorization.strip_prefix(ALGORITHM)?;
    let part =
        |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let mut credential = part("Credential")?.split('/');
    Some(Claim {
        access_key_id: credential.next()?,
        scope: credential.collect(),
        signed_headers: part("SignedHeaders")?,
        signature: part("Signature")?,
    })
}

/// Checks the request's signature against a key.
///
/// # Errors
/// Why it does not hold, as AWS words it.
pub(crate) fn verify(request: &Signed<'_>, key: &AwsKey) -> Result<(), &'static str> {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let claim = header("authorization").and_then(claim).ok_or("Missing Authentication Token")?;
    if claim.access_key_id != key.access_key_id {
        return Err("The security token included in the request is invalid.");
    }
    let [date, region, SERVICE, "aws4_request"] = claim.scope[..] else {
        return Err("Credential should be scoped to correct service: 'bedrock'.");
    };
    let time =
        header("x-amz-date").ok_or("Authorization header requires existence of 'X-Amz-Date' header.")?;
    let names: Vec<&str> = claim.signed_headers.split(';').collect();
    if !time.starts_with(date) || !names.contains(&"host") {
        return Err("The request signature we calculated does not match the signature you provided.");
    }
    let canonical = canonical(request, &names);
    let scope = claim.scope.join("/");
    let to_sign = [ALGORITHM, time, &scope, &hex(&sha256(canonical.as_bytes()))].join("\n");
    let mut secret = ["AWS4", &key.secret_access_key].concat().into_bytes();
    for part in [date, region, SERVICE, "aws4_request"] {
        secret = sign(&secret, part);
    }
    if hex(&sign(&secret, &to_sign)) != claim.signature {
        return Err("The request signature we calculated does not match the signature you provided.");
    }
    Ok(())
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn canonical(request: &Signed<'_>, names: &[&str]) -> String {
    let mut query: Vec<&str> = request.uri.query().unwrap_or_default().split('&').collect();
    query.sort_unstable();
    let headers: String = names.iter().map(|name| canonical_header(request.headers, name)).collect();
    [
        request.method.as_str(),
        &encode_again(request.uri.path()),
        &query.join("&"),
        &headers,
        &names.join(";"),
        &hex(request.body_digest),
    ]
    .join("\n")
}

/// `name:value` with single spaces, repeated values joined by commas, and a line end.
fn canonical_header(headers: &HeaderMap, name: &str) -> String {
    let one = |value: &http::HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let values: Vec<String> = headers.get_all(name).iter().map(one).collect();
    format!("{name}:{}\n", values.join(","))
}

/// The path as it was sent, encoded once more: every service but S3 signs it so.
fn encode_again(path: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    path.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TIME: &str = "20261122T170000Z";

    fn key(secret: &str) -> AwsKey {
        AwsKey { access_key_id: "AKIDEXAMPLE".into(), secret_access_key: secret.into() }
    }

    /// Signed by botocore 1.44.5 with the secret `wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY`.
    fn headers(signature: &str) -> HeaderMap {
        let authorization = format!(
            "{ALGORITHM} Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
        );
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("host", "bedrock.example"),
            ("x-amz-date", TIME),
        ] {
            headers.insert(name, HeaderValue::try_from(value).unwrap());
        }
        headers
    }

    fn check(signature: &str, secret: &str, body: &[u8]) -> Result<(), &'static str> {
        let uri = Uri::from_static("https://bedrock.example/model/m.v1%3A0/converse");
        let headers = headers(signature);
        let request =
            Signed { method: &Method::POST, uri: &uri, headers: &headers, body_digest: &sha256(body) };
        verify(&request, &key(secret))
    }

    #[test]
    fn a_signature_holds_for_its_key_and_its_bytes_only() {
        let signature = "1708d1cefda9c2790fb7ad44a4e1071b070877ee39eead16a68317db6b372250";
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        assert_eq!(check(signature, secret, b"{}"), Ok(()));
        assert!(check(signature, "another", b"{}").unwrap_err().contains("does not match"));
        assert!(check(signature, secret, b"{ }").unwrap_err().contains("does not match"));
        let nothing = HeaderMap::new();
        let uri = Uri::from_static("/model/m/converse");
        let unsigned = Signed { method: &Method::POST, uri: &uri, headers: &nothing, body_digest: &[0; 32] };
        assert_eq!(verify(&unsigned, &key(secret)), Err("Missing Authentication Token"));
    }
}
