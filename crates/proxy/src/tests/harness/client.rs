//! The application in front of the proxy.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use super::{rows::Keys, soon};

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    /// The error's code, once its shape was checked.
    pub(crate) fn code(&self) -> String {
        let error = &self.json()["error"];
        assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
        assert!(error["portcullis"]["request_id"] == self.header("x-portcullis-request-id"), "{self:?}");
        error["code"].as_str().unwrap().to_owned()
    }
}

/// A client without a key.
#[derive(Clone)]
pub(crate) struct Plain(Pool<HttpConnector, Full<Bytes>>);

impl Plain {
    pub(crate) fn http1() -> Self {
        Self(Pool::builder(TokioExecutor::new()).build_http())
    }

    pub(crate) fn http2() -> Self {
        Self(Pool::builder(TokioExecutor::new()).http2_only(true).build_http())
    }

    /// Returns once the head is there.
    pub(crate) async fn open(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        soon(self.0.request(request)).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        let (head, body) = self.open(request).await.into_parts();
        let body = soon(body.collect()).await.unwrap().to_bytes();
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }
}

/// A body that comes in pieces and does not say how long it is.
type Pieces = StreamBody<tokio_stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// A client of the proxy.
pub(crate) struct Client {
    pub(crate) plain: Plain,
    pub(crate) base: String,
    pub(crate) keys: Keys,
}

impl Client {
    pub(crate) fn new(proxy: SocketAddr, keys: Keys) -> Self {
        Self { plain: Plain::http1(), base: format!("http://{proxy}"), keys }
    }

    /// A request with the good key, to be changed by the test.
    pub(crate) fn request(&self, method: Method, path: &str, body: &str) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.keys.good))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_owned()))
            .unwrap()
    }

    /// `POST /v1/chat/completions` with more headers.
    pub(crate) fn asking(&self, body: &str, headers: &[(&'static str, &str)]) -> Request<Full<Bytes>> {
        let mut request = self.request(Method::POST, "/v1/chat/completions", body);
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    pub(crate) async fn chat(&self, body: &str) -> Reply {
        self.plain.send(self.asking(body, &[])).await
    }

    /// Sends pieces of a body of unknown length.
    pub(crate) async fn send_chunked(&self, head: Parts, pieces: Vec<Bytes>) -> Reply {
        let frames: Vec<_> = pieces.into_iter().map(|piece| Ok(Frame::data(piece))).collect();
        let body: Pieces = StreamBody::new(tokio_stream::iter(frames));
        let pool: Pool<HttpConnector, Pieces> = Pool::builder(TokioExecutor::new()).build_http();
        let (head, body) = soon(pool.request(Request::from_parts(head, body))).await.unwrap().into_parts();
        let body = soon(body.collect()).await.unwrap().to_bytes();
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// A plain request of the route `chat`.
    pub(crate) async fn say(&self, text: &str) -> Reply {
        self.chat(&plain_body(text)).await
    }

    /// The same, streamed.
    pub(crate) async fn stream(&self, text: &str) -> Reply {
        self.chat(&stream_body(text)).await
    }

    /// The same, as soon as its head is there.
    pub(crate) async fn open_stream(&self, text: &str) -> Response<Incoming> {
        self.plain.open(self.asking(&stream_body(text), &[])).await
    }
}

pub(crate) fn plain_body(text: &str) -> String {
    format!(r#"{{"model":"chat","messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

pub(crate) fn stream_body(text: &str) -> String {
    format!(r#"{{"model":"chat","stream":true,"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

/// The events of a stream that are JSON, in order.
pub(crate) fn chunks(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// What the model said in a stream.
pub(crate) fn text_of(stream: &str) -> String {
    let chunks = chunks(stream);
    let deltas = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    deltas.collect()
}

/// The gateway's comment, which has to stand directly before the terminal event.
pub(crate) fn account(stream: &str) -> Value {
    let (_, account) = stream.split_once("\n: portcullis ").unwrap_or_else(|| panic!("no account: {stream}"));
    let (json, rest) = account.split_once('\n').unwrap();
    assert_eq!(
        rest.replace("\r\n", "\n"),
        "data: [DONE]\n\n",
        "the account stands in the block of the terminal event"
    );
    serde_json::from_str(json).unwrap()
}
