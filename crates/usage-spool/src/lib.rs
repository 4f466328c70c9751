//! The usage spool: what a request will cost and did cost, on this proxy's own disk until the ledger has it.
//!
//! A record is one `write` into the page cache, so it survives the death of the process at any point; a background
//! thread brings records to the disk at most 50 ms later, so power loss costs no more than that. The [`Reporter`]
//! reads the same files and sends events until the ledger acknowledges them. A process that opens the folder of a dead
//! one books every intent without an event at its reservation.
//!
//! ```text
//! intent ──▶ send upstream ──▶ event ──▶ Reporter ──▶ ledger ──▶ acked ──▶ segment deleted
//!    └── not sent after all ─▶ void
//! ```

mod acked;
mod authority;
mod backlog;
mod batch;
mod error;
mod folder_lock;
mod frame;
mod limits;
mod log;
mod open_intents;
mod quarantine;
mod recovery;
mod report;
mod segment;
mod shared;
mod spool;
mod syncer;
mod tail;

pub use authority::BudgetJournal;
pub use error::SpoolError;
pub use limits::SpoolLimits;
pub use recovery::Recovery;
pub use report::{Reporter, Sink, SinkError, Undelivered};
pub use shared::Listener;
pub use spool::Spool;
