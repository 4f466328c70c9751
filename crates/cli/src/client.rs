//! A blocking client of the admin API: bounded waits, no redirects, errors as one line.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use admin_api::Problem;
use serde_json::Value;
use ureq::{
    Agent, Body,
    http::Response,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::{CliError, Connection};

/// Most rows that one listing asks for at once.
const PAGE: &str = "500";
const PATIENCE: Duration = Duration::from_secs(60);
const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;

pub(crate) struct Client {
    agent: Agent,
    base: String,
    authorization: String,
}

impl Client {
    pub(crate) fn new(connection: &Connection) -> Result<Self, CliError> {
        let token = connection.token.as_deref().map(str::trim).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| {
            CliError::Config("--token: is required (or set PORTCULLIS_ADMIN_TOKEN)".to_owned())
        })?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CliError::Config("--token: contains characters that a token cannot have".to_owned()));
        }
        let base = connection.server.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(CliError::Config(format!("--server: {base:?} must start with http:// or https://")));
        }
        // TLS needs the provider named: the client is built without a default one.
        let mut tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        if let Some(path) = &connection.ca_file {
            tls = tls.root_certs(read_certificates(path)?);
        }
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(Duration::from_secs(5)))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build())
            .build()
            .new_agent();
        Ok(Self { agent, base, authorization: format!("Bearer {token}") })
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, CliError> {
        let request = self.agent.get(self.url(path)).header("authorization", &self.authorization);
        self.answer(request.call())
    }

    pub(crate) fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, CliError> {
        let request = self.agent.post(self.url(path)).header("authorization", &self.authorization);
        match body {
            None => self.answer(request.send_empty()),
            // With its length known it goes out in one piece, which every proxy in between takes.
            Some(body) => {
                self.answer(request.content_type("application/json").send(body.to_string().as_bytes()))
            }
        }
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Value, CliError> {
        let request = self.agent.delete(self.url(path)).header("authorization", &self.authorization);
        self.answer(request.call())
    }

    /// All pages of a listing.
    pub(crate) fn pages(&self, path: &str, only: &[(&str, Option<&str>)]) -> Result<Vec<Value>, CliError> {
        let mut rows: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let query = query(&[&[("limit", Some(PAGE))], only, &[("cursor", cursor.as_deref())]].concat());
            let mut page = self.get(&format!("/{path}{query}"))?;
            if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
                rows.extend(items);
            }
            let next = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if next.is_none() || next == cursor {
                return Ok(rows);
            }
            cursor = next;
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.base)
    }

    fn answer(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Value, CliError> {
        let failed = |error: ureq::Error| match error {
            ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => CliError::Failed(
                format!("{}: nothing listens there (--server, PORTCULLIS_SERVER)", self.base),
            ),
            error => CliError::Failed(format!("{}: {error}", self.base)),
        };
        let mut response = answer.map_err(failed)?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec().map_err(failed)?;
        if status.is_success() {
            if body.is_empty() {
                return Ok(Value::Null);
            }
            let foreign =
                |_| CliError::Failed(format!("{} is not an admin API: its answer is not JSON", self.base));
            return serde_json::from_slice(&body).map_err(foreign);
        }
        let message = match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => problem.detail,
            Err(_) => format!("{} answered {status}", self.base),
        };
        Err(CliError::Failed(message))
    }
}

fn read_certificates(path: &std::path::Path) -> Result<RootCerts, CliError> {
    let wrong =
        |error: &dyn std::fmt::Display| CliError::Config(format!("--ca-file: {}: {error}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
    let items = parse_pem(&pem).collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
    let certificates: Vec<_> = items
        .into_iter()
        .filter_map(
            |item| if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None },
        )
        .collect();
    if certificates.is_empty() {
        return Err(wrong(&"holds no certificate"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// Percent-encodes a path segment or query value (RFC 3986); slashes of compound names stay.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `?a=b&c=d` of the parameters that have a value.
pub(crate) fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let written: Vec<String> = parameters
        .iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}={}", encode(value))))
        .collect();
    if written.is_empty() { String::new() } else { format!("?{}", written.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(server: &str, token: Option<&str>) -> Connection {
        Connection { server: server.to_owned(), token: token.map(str::to_owned), ca_file: None }
    }

    #[test]
    fn settings_that_cannot_work_name_the_flag() {
        for (server, token, flag) in [
            ("http://localhost", None, "--token"),
            ("http://localhost", Some(" "), "--token"),
            ("http://localhost", Some("a\nb"), "--token"),
            ("localhost:8081", Some("t"), "--server"),
        ] {
            let error = Client::new(&connection(server, token)).err().unwrap();
            assert!(error.to_string().starts_with(flag) && error.exit_code() == 64, "{error}");
        }
        let file = Connection {
            ca_file: Some("/nowhere.pem".into()),
            ..connection("https://localhost", Some("token"))
        };
        assert!(Client::new(&file).err().unwrap().to_string().starts_with("--ca-file"));
        assert!(!format!("{:?}", connection("http://x", Some("canary"))).contains("canary"));
    }

    #[test]
    fn urls_are_encoded() {
        assert_eq!(encode("a/b c?d#é"), "a/b%20c%3Fd%23%C3%A9");
        assert_eq!(query(&[("a", Some("1&2")), ("b", None), ("c", Some("3"))]), "?a=1%262&c=3");
        assert_eq!(query(&[("a", None)]), "");
    }
}
