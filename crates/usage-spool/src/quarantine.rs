//! Events the ledger refuses for their content: set aside as files, one each, never dropped.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use crate::{error::SpoolError, segment::sync_dir};

/// Most events kept. A ledger that refuses more than this refuses everything, and then the events are better off in
/// the spool: it stops there, loudly, instead of moving all of them here.
const MAX_FILES: usize = 1_000;

/// The folder `quarantine`: `REQUEST.event`, each the protobuf of a `portcullis.v1.UsageEvent`.
#[derive(Debug)]
pub(crate) struct Quarantine {
    dir: PathBuf,
    limit: usize,
}

impl Quarantine {
    /// Creates the folder if need be.
    pub(crate) fn open(dir: PathBuf) -> Result<Self, SpoolError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(SpoolError::io("create the folder", &dir))?;
        Ok(Self { dir, limit: MAX_FILES })
    }

    /// Keeps one event, durably; the same event again (after a crash before its ack) replaces itself.
    pub(crate) fn keep(&self, request: &[u8], event: &[u8], reason: &str) -> Result<(), SpoolError> {
        let name: String = request.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let path = self.dir.join(format!("{name}.event"));
        let files = fs::read_dir(&self.dir)
            .map_err(SpoolError::io("list the folder", &self.dir))?
            .take(self.limit)
            .count();
        if files >= self.limit && !path.exists() {
            let full = io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "it holds its limit of refused events; see to them",
            );
            return Err(SpoolError::io("add to the quarantine", &self.dir)(full));
        }
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(event)?;
            file.sync_all()?;
            sync_dir(&self.dir)
        };
        write().map_err(SpoolError::io("write", &path))?;
        tracing::error!(
            request = name, file = %path.display(), reason,
            "spool: a usage event was refused for its content and set aside; its cost is missing from the ledger"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_up_to_its_limit_and_replaces_the_same_event() {
        let dir = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::open(dir.path().join("quarantine")).unwrap();
        quarantine.limit = 2;
        quarantine.keep(&[1; 16], b"one", "bad").unwrap();
        quarantine.keep(&[2; 16], b"two", "bad").unwrap();
        quarantine.keep(&[1; 16], b"one again", "bad").unwrap();
        let error = quarantine.keep(&[3; 16], b"three", "bad").unwrap_err();
        assert!(error.to_string().contains("limit"), "{error}");
        let kept =
            fs::read(dir.path().join("quarantine").join(format!("{}.event", "01".repeat(16)))).unwrap();
        assert_eq!(kept, b"one again");
    }
}
