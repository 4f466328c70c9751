//! One scripted provider and its remote control.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;
use simulator::Simulator;
use tokio_util::sync::CancellationToken;

use super::{UPSTREAM, client::Plain, soon};

pub(crate) struct Sim {
    simulator: Simulator,
    client: Plain,
    stop: CancellationToken,
}

impl Sim {
    pub(crate) async fn start() -> Self {
        let stop = CancellationToken::new();
        let simulator = simulator::start("127.0.0.1:0".parse().unwrap(), stop.clone()).await.unwrap();
        Self { simulator, client: Plain::http1(), stop }
    }

    /// One that verifies signatures of requests to Bedrock.
    pub(crate) async fn with_aws_key(id: &str, secret: &str) -> Self {
        let (stop, listen) = (CancellationToken::new(), "127.0.0.1:0".parse().unwrap());
        let (id, secret) = (Some(id.to_owned()), Some(secret.to_owned()));
        let settings =
            simulator::Settings { listen, key: None, aws_access_key_id: id, aws_secret_access_key: secret };
        let simulator = simulator::start_with(settings, stop.clone()).await.unwrap();
        Self { simulator, client: Plain::http1(), stop }
    }

    pub(crate) fn url(&self) -> String {
        self.simulator.url()
    }

    async fn call(&self, method: Method, path: &str, body: String) -> (u16, Bytes) {
        let uri = format!("{}/_sim/{path}", self.url());
        let request = Request::builder().method(method).uri(uri).body(body.into()).unwrap();
        let reply = self.client.send(request).await;
        (reply.status, reply.body)
    }

    /// How it behaves from now on, whatever key it is asked with.
    pub(crate) async fn script(&self, behaviour: &str) {
        let put = self.call(Method::PUT, &format!("script/{UPSTREAM}"), behaviour.to_owned()).await;
        assert_eq!(put.0, 204, "{put:?}");
    }

    /// How it behaves towards one key.
    pub(crate) async fn script_key(&self, key: &str, behaviour: &str) {
        let put = self.call(Method::PUT, &format!("script/{UPSTREAM}?key={key}"), behaviour.to_owned()).await;
        assert_eq!(put.0, 204, "{put:?}");
    }

    /// How often it was asked with one key.
    pub(crate) async fn asked_with(&self, key: &str) -> usize {
        let (_, body) = self.call(Method::GET, &format!("requests?key={key}"), String::new()).await;
        let all: Value = serde_json::from_slice(&body).unwrap();
        all["requests"].as_array().unwrap().len()
    }

    /// What it was asked, oldest first.
    pub(crate) async fn requests(&self) -> Vec<Value> {
        let (_, body) = self.call(Method::GET, "requests", String::new()).await;
        let all: Value = serde_json::from_slice(&body).unwrap();
        all["requests"].as_array().unwrap().clone()
    }

    /// The bytes of the n-th request, from 1.
    pub(crate) async fn body(&self, n: usize) -> Bytes {
        self.call(Method::GET, &format!("requests/{n}/body"), String::new()).await.1
    }

    /// Waits until its counters are there, say `received=1` or `cancelled=1`.
    pub(crate) async fn wait(&self, goal: &str) {
        let path = format!("requests/wait?{goal}&timeout_ms=15000");
        let waited = soon(self.call(Method::GET, &path, String::new())).await;
        assert_eq!(waited.0, 200, "{goal}: {waited:?}");
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
