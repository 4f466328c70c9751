//! What every service's `main` needs: keys from the environment, the ready line, tasks that end together.

use std::{io::Write as _, sync::Arc};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use secrets::{Keyring, MasterKey};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ConfigError;

/// The master key; better given by environment, because a command line is everybody's to read.
#[derive(Args, Clone)]
pub struct KeySettings {
    /// 32 random bytes (`openssl rand -hex 32`), the same on control plane, ledger and proxies.
    #[arg(long, env = "PORTCULLIS_MASTER_KEY", hide_env_values = true)]
    master_key: Option<String>,
    /// Earlier master keys, separated by commas, that may still open what they sealed.
    #[arg(long, env = "PORTCULLIS_EARLIER_MASTER_KEYS", hide_env_values = true, value_delimiter = ',')]
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
        // A variable set to nothing, as in files that list every variable, is not set.
        self.master_key.as_ref().filter(|text| !text.is_empty()).map(parse).transpose()
    }

    /// The current key, in a process that shares it with others and so cannot make one up.
    ///
    /// # Errors
    /// When it is weak or not configured.
    pub fn shared(&self) -> Result<MasterKey, ConfigError> {
        let missing = "must be set: 32 random bytes, the same on control plane, ledger and proxies";
        self.current()?.ok_or_else(|| ConfigError::new("PORTCULLIS_MASTER_KEY", missing))
    }

    /// The keyring of a current key and the earlier ones.
    ///
    /// # Errors
    /// When an earlier key is weak.
    pub fn keyring(&self, current: &MasterKey) -> Result<Arc<Keyring>, ConfigError> {
        let name = "PORTCULLIS_EARLIER_MASTER_KEYS";
        let parse = |text: &String| MasterKey::parse(text).map_err(|weak| ConfigError::new(name, weak));
        let earlier = self
            .earlier_master_keys
            .iter()
            .filter(|text| !text.is_empty())
            .map(parse)
            .collect::<Result<Vec<_>, _>>()?;
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

/// Prints the ready line: JSON for programs, the text for people.
pub fn announce(output: Output, json: &Value, text: &str) {
    let mut stdout = std::io::stdout().lock();
    let written = match output {
        Output::Json => writeln!(stdout, "{json}"),
        Output::Text => writeln!(stdout, "{text}"),
    };
    // The output may have no reader; that is no reason to stop serving.
    let _ = written.and_then(|()| stdout.flush());
}

/// Waits for all tasks; one that ends early takes the process down in order.
///
/// # Errors
/// The first that a task met.
pub async fn join_all(
    mut tasks: JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        shutdown.cancel();
        let ended = ended.context("a task panicked").and_then(|ended| ended);
        if result.is_ok() {
            result = ended;
        }
    }
    result
}
