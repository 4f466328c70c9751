//! The log of the running process: its level, its writer, and the token that lets other hosts change it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use secrets::same;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::lines::LogWriter;

/// Longest directives, in bytes.
const MAX_DIRECTIVES: usize = 4 << 10;

/// The subscriber is the process's, and so is what changes it; empty until the log is installed.
pub(super) static CONTROL: OnceLock<Control> = OnceLock::new();

/// What changes and reads the log of the running process.
pub(super) struct Control {
    pub(super) filter: reload::Handle<EnvFilter, Registry>,
    pub(super) directives: Mutex<Arc<str>>,
    pub(super) lines: LogWriter,
    pub(super) token: Option<String>,
}

impl Control {
    pub(super) fn directives(&self) -> Arc<str> {
        Arc::clone(&self.directives.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn apply(&self, directives: &str, filter: EnvFilter) -> Result<(), reload::Error> {
        let mut current = self.directives.lock().unwrap_or_else(PoisonError::into_inner);
        self.filter.reload(filter)?;
        *current = directives.into();
        Ok(())
    }

    pub(super) fn is_token(&self, presented: &str) -> bool {
        self.token.as_ref().is_some_and(|token| same(token.as_bytes(), presented.as_bytes()))
    }
}

/// Reads directives. A bare word has to be a level: the filter would take `inof` for the name of a module.
pub(super) fn parse(directives: &str) -> Result<EnvFilter, String> {
    if directives.len() > MAX_DIRECTIVES {
        return Err(format!("is longer than {MAX_DIRECTIVES} bytes"));
    }
    let parts: Vec<&str> = directives.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err("is empty; say a level, such as info".to_owned());
    }
    match parts.iter().find(|part| !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err()) {
        Some(word) => Err(format!("{word:?} is no level; they are off, error, warn, info, debug, trace")),
        None => parts.join(",").parse::<EnvFilter>().map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_refused() {
        for good in
            ["info", "WARN", "info,proxy=debug", " info , portcullis::request=off", "off,proxy[a]=info"]
        {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["", " , ", "inof", "info,proxy", "proxy=loud", "a=b=c"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&"a=info,".repeat(1_000)).is_err());
    }
}
