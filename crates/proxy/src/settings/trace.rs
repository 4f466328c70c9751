//! Settings of OpenTelemetry: where spans go, how many of them, and which traces the gateway takes part in.

use std::{fmt, path::PathBuf};

use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use runtime::{ConfigError, telemetry::Sampling};

/// Settings of OpenTelemetry.
#[derive(Args, Clone, Debug)]
pub struct TraceSettings {
    /// The collector's OTLP address (`http://collector:4317`); without it no span leaves the process.
    #[arg(long, env = "PORTCULLIS_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// How OTLP is spoken; over HTTP it is protobuf, to the address's path and `/v1/traces`.
    #[arg(long, env = "PORTCULLIS_OTLP_PROTOCOL", default_value = "grpc")]
    pub otlp_protocol: OtlpProtocol,
    /// Headers for the collector, `name=value,name=value`, percent-encoded; better given by environment.
    #[arg(long, env = "PORTCULLIS_OTLP_HEADERS", hide_env_values = true)]
    pub otlp_headers: Option<OtlpHeaders>,
    /// Certificate authority of the collector, PEM; without it Mozilla's.
    #[arg(long, env = "PORTCULLIS_OTLP_CA")]
    pub otlp_ca: Option<PathBuf>,
    /// Sends OpenTelemetry's metrics of generative AI as well, once a minute; `/metrics` has more.
    #[arg(long, env = "PORTCULLIS_OTLP_METRICS")]
    pub otlp_metrics: bool,
    /// The share of requests that are traced, 0.0 to 1.0; errors and fallbacks always are.
    #[arg(long, env = "PORTCULLIS_TRACE_SAMPLE", default_value_t = 0.01)]
    pub trace_sample: f64,
    /// What becomes of a client's `traceparent`.
    #[arg(long, env = "PORTCULLIS_TRACE_CONTEXT_IN", default_value = "continue")]
    pub trace_context_in: ContextIn,
    /// Whether providers are sent a `traceparent`; `baggage` and `tracestate` never are.
    #[arg(long, env = "PORTCULLIS_TRACE_CONTEXT_OUT", default_value = "off")]
    pub trace_context_out: ContextOut,
}

/// A transport of OTLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OtlpProtocol {
    /// gRPC, usually on port 4317.
    #[default]
    Grpc,
    /// Protobuf over HTTP, usually on port 4318.
    #[value(alias = "http/protobuf")]
    Http,
}

/// What becomes of a client's trace context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ContextIn {
    /// The request belongs to the client's trace, and is sampled as the client says.
    #[default]
    Continue,
    /// The request has a trace of its own, linked to the client's.
    Link,
    /// As if there were none.
    Ignore,
}

/// Whether providers learn the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ContextOut {
    /// They do not.
    #[default]
    Off,
    /// They get a `traceparent`.
    On,
}

/// Headers as configured; they may hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OtlpHeaders(String);

impl From<String> for OtlpHeaders {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for OtlpHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpHeaders(..)")
    }
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            otlp_protocol: OtlpProtocol::Grpc,
            otlp_headers: None,
            otlp_ca: None,
            otlp_metrics: false,
            trace_sample: 0.01,
            trace_context_in: ContextIn::Continue,
            trace_context_out: ContextOut::Off,
        }
    }
}

impl TraceSettings {
    /// The collector's address, if there is one.
    ///
    /// # Errors
    /// When it is no address to send to.
    pub(crate) fn endpoint(&self) -> Result<Option<Uri>, ConfigError> {
        // A variable set to nothing, as in files that list every variable, is not set.
        let Some(text) = self.otlp_endpoint.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        // The text is not repeated: what is wrong with it may be a password.
        let bad = || ConfigError::new("--otlp-endpoint", "must be http://HOST[:PORT] or https://HOST[:PORT]");
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => Err(ConfigError::new(
                "--otlp-endpoint",
                "holds a password; put it into PORTCULLIS_OTLP_HEADERS",
            )),
            Some(_) if scheme && uri.query().is_none() => Ok(Some(uri)),
            _ => Err(bad()),
        }
    }

    /// The headers, marked sensitive.
    pub(crate) fn headers(&self) -> Result<HeaderMap, ConfigError> {
        // Neither name nor value is repeated: a secret may have slipped in front of the `=`.
        let bad = || ConfigError::new("--otlp-headers", "must be name=value,name=value, percent-encoded");
        let mut headers = HeaderMap::new();
        let text = self.otlp_headers.as_ref().map_or("", |headers| headers.0.as_str());
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(bad)?;
            let name: HeaderName = name.trim().parse().map_err(|_| bad())?;
            let value = percent_decoded(value.trim()).ok_or_else(bad)?;
            let mut value = HeaderValue::from_bytes(&value).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        Ok(headers)
    }

    pub(crate) fn sampling(&self) -> Result<Sampling, ConfigError> {
        Sampling::new(self.trace_sample).map_err(|error| ConfigError::new("--trace-sample", error))
    }
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            byte => byte,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Result<Option<Uri>, ConfigError> {
        TraceSettings { otlp_endpoint: Some(text.to_owned()), ..TraceSettings::default() }.endpoint()
    }

    fn headers(text: &str) -> Result<HeaderMap, ConfigError> {
        let otlp_headers = Some(OtlpHeaders(text.to_owned()));
        TraceSettings { otlp_headers, ..TraceSettings::default() }.headers()
    }

    #[test]
    fn an_endpoint_is_an_address_without_secrets() {
        assert_eq!(endpoint("").unwrap(), None);
        assert!(endpoint("https://collector.example:4318/otel").unwrap().is_some());
        for bad in [
            "collector:4317",
            "ftp://collector",
            "http://",
            "/v1",
            "http://c?key=secret",
            "http://u:secret@c",
        ] {
            let error = endpoint(bad).unwrap_err();
            assert_eq!(error.field, "--otlp-endpoint", "{bad}");
            assert!(!error.message.contains("secret"), "{error}");
        }
    }

    #[test]
    fn headers_are_decoded_and_kept_from_view() {
        let good = headers("authorization=Basic%20c2VjcmV0, x-team = a=b ,").unwrap();
        assert_eq!(good["authorization"], "Basic c2VjcmV0");
        assert_eq!(good["x-team"], "a=b");
        assert!(good.values().all(HeaderValue::is_sensitive));
        assert!(headers("").unwrap().is_empty());
        for bad in ["secret", "a b=secret", "a=secret%2", "a=secret%0a", "=secret"] {
            let error = headers(bad).unwrap_err();
            assert_eq!(error.field, "--otlp-headers", "{bad}");
            assert!(!error.message.contains("secret"), "{error}");
        }
        assert!(!format!("{:?}", OtlpHeaders("secret".to_owned())).contains("secret"));
    }

    #[test]
    fn a_share_is_a_share() {
        for (share, good) in [(0.0, true), (1.0, true), (-0.1, false), (1.1, false), (f64::NAN, false)] {
            let settings = TraceSettings { trace_sample: share, ..TraceSettings::default() };
            assert_eq!(settings.sampling().is_ok(), good, "{share}");
        }
    }
}
