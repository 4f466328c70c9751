//! Where the proxy's configuration comes from: the control plane's Watch, and the last good snapshot on disk.
//!
//! A version is applied as a whole or not at all. What does not compile is nacked with its reason and dropped, the
//! version before it serves on, and the next delta starts from that one: both sides go by the last *acked* version.
//!
//! A single row that this build cannot read (a new kind, a new field) is no reason to refuse the rest: it becomes an
//! [`UnreadableRow`](policy::UnreadableRow), which disables what leans on it. Its bytes are kept, so that a newer build reads it from the same file.

mod backoff;
mod client;
mod file;
mod persist;
mod row_set;
mod session;
mod settings;
mod status;
mod stream;
mod tls;

pub use client::ConfigClient;
pub use file::{SnapshotError, SnapshotFile};
pub use session::{Bearer, ControlPlane, Session, SessionSettings};
pub use settings::{ConfigSettings, Install};
pub use status::{ConfigStatus, Rejected};
pub use tls::PeerTls;
