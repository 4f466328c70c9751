//! The proxy as a program of its own: keys from the environment, the ready line, signals.

use anyhow::Context as _;
use runtime::Readiness;
pub use runtime::service::{KeySettings, Output};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{App, Settings};

/// Runs the proxy until a signal.
///
/// # Errors
/// [`runtime::ConfigError`] for what the operator has to change.
pub async fn run(settings: Settings, keys: KeySettings, output: Output) -> anyhow::Result<()> {
    let keyring = keys.keyring(&keys.shared()?)?;
    let shutdown = runtime::shutdown::on_signal().context("installing signal handlers")?;
    let app = App::build(settings, keyring, None).await?;
    let line = json!({
        "data_plane": format!("http://{}", app.data_plane()?),
        "ops": format!("http://{}", app.ops()?),
        "admin": null, "grpc": null, "admin_token": null, "key": null,
    });
    tokio::spawn(announce(app.readiness(), line, output, shutdown.clone()));
    app.run(shutdown).await
}

/// Says where the proxy is once it is ready to serve.
async fn announce(
    readiness: Readiness,
    line: serde_json::Value,
    output: Output,
    shutdown: CancellationToken,
) {
    if !readiness.ready(&shutdown).await {
        return;
    }
    let at = |field: &str| line[field].as_str().unwrap_or_default();
    let text = format!("ready: data plane {}, ops {}", at("data_plane"), at("ops"));
    runtime::service::announce(output, &line, &text);
}
