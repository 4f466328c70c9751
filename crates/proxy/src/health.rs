//! The health of targets and keys as this proxy knows it, and who hears of changes.

use std::sync::Arc;

use policy::{Target, live::Change};
use tokio::sync::Notify;

/// Hears of changes.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Something is to be told to the other replicas.
    pub(crate) news: Arc<Notify>,
}

impl Health {
    /// A target went out of use, or came back.
    pub(crate) fn told(&self, _target: &Target, _change: Change) {
        self.changed();
    }

    /// Something changed that the other replicas should know soon.
    pub(crate) fn changed(&self) {
        self.news.notify_one();
    }
}
