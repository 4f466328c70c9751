//! The demo: the built-in simulator as a provider of every dialect, a route for each, one tenant with one key.

use anyhow::Context as _;
use control_plane::node::DataDir;
use serde::{Deserialize, Serialize};
use std::{iter, net::SocketAddr};

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

/// The demo's dialects besides OpenAI Chat: each has a provider `demo-DIALECT` and a route of its own name.
const DIALECTS: [&str; 5] = ["responses", "messages", "gemini", "cohere", "converse"];

/// The demo's providers, by name, and where they are: one simulator on a port that differs from start to start.
pub(crate) fn providers(simulator: SocketAddr) -> impl Iterator<Item = (String, String)> {
    let openai = format!("http://{simulator}/v1");
    let others = DIALECTS.into_iter().map(move |dialect| {
        // Of the others the version is a part of the path.
        let version = if dialect == "responses" { "/v1" } else { "" };
        (format!("demo-{dialect}"), format!("http://{simulator}{version}"))
    });
    iter::once(("demo".to_owned(), openai)).chain(others)
}

/// The demo's configuration.
pub(crate) fn document(simulator: SocketAddr) -> String {
    let mut providers = String::new();
    let mut prices = String::new();
    let mut routes = String::new();
    for (name, base_url) in self::providers(simulator) {
        let own = name.strip_prefix("demo-");
        let dialect = own.map_or(String::new(), |dialect| format!("dialect: {dialect}, "));
        providers += &format!(
            "  {name}: {{ kind: simulator, {dialect}base_url: \"{base_url}\",\n    \
             credentials: [ {{ name: main, secret: {{ value: demo-provider-key }} }} ] }}\n"
        );
        prices += &format!(
            "  - {{ model: {name}/echo-large, effective_from: 2026-01-01, \
             input: $2.50, cached_input: $1.25, output: $10 }}\n"
        );
        if let Some(dialect) = own {
            routes += &format!("  {dialect}: {{ targets: [ {name}/echo-large ] }}\n");
        }
    }
    format!(
        r#"apiVersion: portcullis/v1
providers:
{providers}models:
  demo/echo-large:  {{ context: 128000, max_output: 16384 }}
  demo/echo-small:  {{ context: 32000, max_output: 4096 }}
  demo/embed-small: {{ context: 8192 }}
prices:
{prices}  - {{ model: demo/echo-small, effective_from: 2026-01-01, input: $0.15, cached_input: $0.075, output: $0.60 }}
  - {{ model: demo/embed-small, effective_from: 2026-01-01, input: $0.02, output: $0 }}
routes:
  chat:  {{ targets: [ demo/echo-large, demo/echo-small ] }}
  embed: {{ targets: [ demo/embed-small ] }}
{routes}tenants:
  demo:
    keys: [ {{ name: demo }} ]
"#
    )
}
