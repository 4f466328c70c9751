//! A blocking HTTP client in which no status is an error and every wait has a bound.

use std::io::Read;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use ureq::http::{HeaderMap, Request, Response, header};
use ureq::{Agent, Body};

/// Bound of one exchange, body included.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest body taken, in bytes.
const MAX_BODY: u64 = 256 * 1024 * 1024;

/// A client of one base URL, plain HTTP, with a bearer token or without.
#[derive(Clone)]
pub struct Http {
    agent: Agent,
    base: String,
    bearer: Option<String>,
}

/// A whole answer.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Response headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Vec<u8>,
}

/// A response with a body that is still coming. Dropping it hangs up.
pub struct Streaming {
    /// HTTP status.
    pub status: u16,
    /// Response headers.
    pub headers: HeaderMap,
    /// The rest of the body; reading fails after 30 seconds in all.
    pub body: Box<dyn Read + Send>,
}

impl Http {
    /// A client of `base` (`http://host:port`, perhaps with a path), which sends `bearer` with every request.
    ///
    /// Connections are not reused, proxies in the environment are not used, and redirects are not followed: a test
    /// sees what the service said to this request.
    pub fn new(base: &str, bearer: Option<&str>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(TIMEOUT));
        Self {
            agent: config.build().into(),
            base: base.trim_end_matches('/').to_owned(),
            bearer: bearer.map(str::to_owned),
        }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When no whole answer came in time; so for all methods.
    pub fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.request("GET", path, &[], None)
    }

    /// `DELETE path`.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub fn delete(&self, path: &str) -> anyhow::Result<Reply> {
        self.request("DELETE", path, &[], None)
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.request("POST", path, &[], Some(body.to_string().as_bytes()))
    }

    /// `PUT path` with a JSON body.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub fn put(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.request("PUT", path, &[], Some(body.to_string().as_bytes()))
    }

    /// `PATCH path` with a JSON body.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.request("PATCH", path, &[], Some(body.to_string().as_bytes()))
    }

    /// Any method, with more headers and the bytes of a body; the body is called JSON unless a header says otherwise.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> anyhow::Result<Reply> {
        let (parts, body) = self.send(method, path, headers, body)?.into_parts();
        let body = body.into_with_config().limit(MAX_BODY).read_to_vec();
        let body = body.with_context(|| format!("{method} {path}: body"))?;
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// `POST path` with a JSON body, returning as soon as the headers are there.
    ///
    /// # Errors
    /// When no headers came in time.
    pub fn open(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> anyhow::Result<Streaming> {
        let sent = self.send("POST", path, headers, Some(body.to_string().as_bytes()))?;
        let (parts, body) = sent.into_parts();
        let body = Box::new(body.into_reader());
        Ok(Streaming { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> anyhow::Result<Response<Body>> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if body.is_some() && !typed {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match body {
            Some(bytes) => self.agent.run(request.body(bytes)?),
            None => self.agent.run(request.body(())?),
        };
        sent.with_context(|| format!("{method} {path}"))
    }
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is something else; the text holds status and body.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("status {}, not JSON: {}", self.status, self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A response header, when it is there once at least and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Answers one connection with `answer` and returns the request's head and body.
    fn answer_once(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let request = read_request(&stream);
            (&stream).write_all(answer.as_bytes()).unwrap();
            request
        });
        (base, served)
    }

    fn read_request(stream: &TcpStream) -> String {
        let mut reader = BufReader::new(stream);
        let mut request = String::new();
        while reader.read_line(&mut request).unwrap() > 2 {}
        let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |n| n.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        request + std::str::from_utf8(&body).unwrap()
    }

    #[test]
    fn a_status_is_an_answer_and_the_token_is_sent() {
        let (base, served) = answer_once("HTTP/1.1 503 Busy\r\nx-a: b\r\ncontent-length: 7\r\n\r\n{\"a\":1}");
        let reply = Http::new(&base, Some("secret")).post("/x", &serde_json::json!({"q": 2})).unwrap();
        assert_eq!((reply.status, reply.header("x-a")), (503, Some("b")));
        assert_eq!(reply.json().unwrap()["a"], 1);
        let request = served.join().unwrap().to_lowercase();
        assert!(request.starts_with("post /x http/1.1"), "{request}");
        assert!(request.contains("authorization: bearer secret"), "{request}");
        assert!(request.contains("content-type: application/json"), "{request}");
        assert!(request.ends_with("{\"q\":2}"), "{request}");
    }

    #[test]
    fn redirects_are_shown_and_a_cut_body_is_an_error() {
        let (base, _) =
            answer_once("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(Http::new(&base, None).get("/").unwrap().status, 302);
        let (base, _) = answer_once("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort");
        assert!(Http::new(&base, None).get("/").is_err());
    }

    #[test]
    fn an_open_answer_can_be_read_piece_by_piece() {
        let (base, _) = answer_once("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd");
        let mut open = Http::new(&base, None).open("/", &[], &Value::Null).unwrap();
        let mut first = [0; 2];
        open.body.read_exact(&mut first).unwrap();
        assert_eq!((open.status, &first), (200, b"ab"));
    }
}
