//! Why a verb ended otherwise than well, and the exit status for it.

use std::io;

/// What went wrong; shown as one line.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A flag, a variable or the document itself is wrong; the text names the field.
    #[error("{0}")]
    Config(String),
    /// The server refused, or could not be asked.
    #[error("{0}")]
    Failed(String),
    /// `diff` found differences, which are on stdout: nothing more to say.
    #[error("the server's configuration differs")]
    Differences,
    /// `diff` could not compare.
    #[error("{0}")]
    DiffFailed(String),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// 1: failed, or `diff` found differences; 2: `diff` could not compare; 64: wrong usage or document.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Differences | Self::Output(_) => 1,
            Self::DiffFailed(_) => 2,
            Self::Config(_) => 64,
        }
    }

    /// Whether the exit status says it all: the reader of the output went away, or a diff is on stdout.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        match self {
            Self::Differences => true,
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            _ => false,
        }
    }
}
