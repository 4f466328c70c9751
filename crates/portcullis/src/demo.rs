//! The demo: the built-in simulator as provider, two routes, one tenant with one key.

use anyhow::Context as _;
use control_plane::node::DataDir;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What the demo keeps in `DATA_DIR/demo.json`, so that later starts print the same secrets.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secrets {
    pub(crate) admin_token: String,
    pub(crate) key: String,
}

/// Reads what an earlier start kept.
pub(crate) fn read(data: &DataDir) -> anyhow::Result<Option<Secrets>> {
    let text = data.read("demo.json")?;
    text.map(|text| serde_json::from_str(&text).context("DATA_DIR/demo.json")).transpose()
}

/// Keeps the secrets, mode 0600.
pub(crate) fn keep(data: &DataDir, secrets: &Secrets) -> anyhow::Result<()> {
    data.write("demo.json", &serde_json::to_string_pretty(secrets)?)
}

/// Where the demo's provider is; the simulator's port differs from start to start.
pub(crate) fn base_url(simulator: SocketAddr) -> String {
    format!("http://{simulator}/v1")
}

/// The demo's configuration.
pub(crate) fn document(simulator: SocketAddr) -> String {
    let base_url = base_url(simulator);
    format!(
        r#"apiVersion: portcullis/v1
providers:
  demo:
    kind: simulator
    base_url: {base_url}
    credentials: [ {{ name: main, secret: {{ value: demo-provider-key }} }} ]
models:
  demo/echo-large:  {{ context: 128000, max_output: 16384 }}
  demo/echo-small:  {{ context: 32000, max_output: 4096 }}
  demo/embed-small: {{ context: 8192 }}
prices:
  - {{ model: demo/echo-large, effective_from: 2026-01-01, input: $2.50, cached_input: $1.25, output: $10 }}
  - {{ model: demo/echo-small, effective_from: 2026-01-01, input: $0.15, cached_input: $0.075, output: $0.60 }}
  - {{ model: demo/embed-small, effective_from: 2026-01-01, input: $0.02, output: $0 }}
routes:
  chat:  {{ targets: [ demo/echo-large, demo/echo-small ] }}
  embed: {{ targets: [ demo/embed-small ] }}
tenants:
  demo:
    keys: [ {{ name: demo }} ]
"#
    )
}
