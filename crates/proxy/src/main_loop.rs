//! The proxy as a program of its own: keys from the environment, the ready line, signals.

use std::{io::Write as _, sync::Arc};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use runtime::{ConfigError, Readiness};
use secrets::{Keyring, MasterKey};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{App, Settings};

/// The master key; from the environment only, because a command line is everybody's to read.
#[derive(Args, Clone)]
pub struct KeySettings {
    /// 32 random bytes (`openssl rand -hex 32`), the same on control plane and proxies.
    #[arg(long = "master-key", env = "PORTCULLIS_MASTER_KEY", hide_env_values = true, hide = true)]
    master_key: Option<String>,
    /// Earlier master keys, separated by commas, that may still open what they sealed.
    #[arg(
        long,
        env = "PORTCULLIS_EARLIER_MASTER_KEYS",
        hide_env_values = true,
        hide = true,
        value_delimiter = ','
    )]
    earlier_master_keys: Vec<String>,
}

impl KeySettings {
    /// The current key as configured, if it is.
    ///
    /// # Errors
    /// When it is weak.
    pub fn current(&self) -> Result<Option<MasterKey>, ConfigError> {
        let parse = |text: &String| {
            MasterKey::parse(text).map_err(|weak| ConfigError::new("PORTCULLIS_MASTER_KEY", weak))
        };
        self.master_key.as_ref().map(parse).transpose()
    }

    /// The keyring of a current key and the earlier ones.
    ///
    /// # Errors
    /// When an earlier key is weak.
    pub fn keyring(&self, current: &MasterKey) -> Result<Arc<Keyring>, ConfigError> {
        let name = "PORTCULLIS_EARLIER_MASTER_KEYS";
        let parse = |text: &String| MasterKey::parse(text).map_err(|weak| ConfigError::new(name, weak));
        let earlier = self.earlier_master_keys.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Keyring::new(current, &earlier)))
    }
}

/// How a service says that it is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// In words.
    #[default]
    Text,
    /// One line of JSON on stdout.
    Json,
}

/// Runs the proxy until a signal.
///
/// # Errors
/// [`ConfigError`] for what the operator has to change.
pub async fn run(settings: Settings, keys: KeySettings, output: Output) -> anyhow::Result<()> {
    let missing =
        || ConfigError::new("PORTCULLIS_MASTER_KEY", "must be set: 32 random bytes, as on the control plane");
    let keyring = keys.keyring(&keys.current()?.ok_or_else(missing)?)?;
    let shutdown = runtime::shutdown::on_signal().context("installing signal handlers")?;
    let app = App::build(settings, keyring).await?;
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
    let text = match output {
        Output::Json => line.to_string(),
        Output::Text => format!("ready: data plane {}, ops {}", line["data_plane"], line["ops"]),
    };
    let mut stdout = std::io::stdout().lock();
    // Nobody may be reading; that is no reason to stop serving.
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}
