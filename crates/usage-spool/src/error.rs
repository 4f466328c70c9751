//! The errors of the spool: each text names the file or folder and tells the operator what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

/// What the spool can answer instead of success.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process holds the folder. The caller exits (64): two writers would charge twice.
    #[error(
        "usage spool {}: another process holds its lock; stop that process, or give this one a data directory of its own",
        dir.display()
    )]
    Locked {
        /// The spool's folder.
        dir: PathBuf,
    },
    /// A segment holds something no crash leaves behind. The caller exits (64); no file was changed.
    #[error(
        "usage spool segment {} is damaged at byte {offset}: {what}; nothing was changed. Restore the file, or move it \
         out of the folder and start again (the usage it held is then lost)",
        file.display()
    )]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Position of the damage, in bytes from the start of the file.
        offset: u64,
        /// What is wrong at this position.
        what: &'static str,
    },
    /// A segment was written by a newer version. The caller exits (64); no file was changed.
    #[error(
        "usage spool segment {} has format version {found}, this binary reads up to {known}; start the newer version \
         again and let it drain, or move the file out of the folder",
        file.display()
    )]
    Newer {
        /// The segment.
        file: PathBuf,
        /// The version it names.
        found: u32,
        /// The newest version this binary reads.
        known: u32,
    },
    /// The bound for unreported usage is reached: no further request may be admitted (503).
    #[error("usage spool is full: {bytes} bytes wait for the ledger, the limit is {limit}")]
    Full {
        /// Bytes on disk.
        bytes: u64,
        /// The configured bound in bytes.
        limit: u64,
    },
    /// One record is larger than any correct caller makes it.
    #[error("usage record of {bytes} bytes is larger than the {limit} a spool takes")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The largest size in bytes.
        limit: usize,
    },
    /// A second reporter was asked for; two would send everything twice.
    #[error("the usage spool has a reporter already")]
    SecondReporter,
    /// The file system refused. What was accepted before is kept.
    #[error("usage spool: cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl SpoolError {
    /// For `map_err`: an I/O error with what was tried and where.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}
