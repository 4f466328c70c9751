//! Counts of requests that are under way, given back when the guard is dropped, and the line of those that wait.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use super::line::{Bounds, Clock, Give, InLine, Line};
use crate::queue::{Refused, Waiting};

/// How many requests are under way; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge(Arc<Counted>);

/// What clones share.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// This and the line's count of waiters are sequentially consistent: who gives a place back and sees nobody
    /// wait did so before somebody who came to wait looked for a place.
    count: AtomicU32,
    /// There from the first request on that had to wait.
    line: OnceLock<Box<Line>>,
}

/// A request that is under way until this is dropped; who waits for its place gets it then.
#[derive(Debug)]
#[must_use = "the request counts only as long as this is held"]
pub struct InFlight(Option<Arc<Counted>>);

impl Gauge {
    pub(super) fn begin(&self) -> InFlight {
        self.0.count.fetch_add(1, SeqCst);
        InFlight(Some(Arc::clone(&self.0)))
    }

    /// Begins unless `limit` are under way already, or somebody waits, who would be overtaken.
    pub(super) fn try_begin(&self, limit: u32) -> Option<InFlight> {
        if self.waiting() > 0 { None } else { self.0.try_begin(limit) }
    }

    pub(super) fn count(&self) -> u32 {
        self.0.count.load(SeqCst)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.line.get().map_or(0, |line| line.waiting())
    }

    /// Waits in line for a place, which is handed to `give`, perhaps before this returns.
    pub(super) fn wait(
        &self,
        who: Waiting,
        bounds: Bounds,
        clock: impl FnOnce() -> Clock,
        give: Give,
    ) -> Result<InLine, Refused> {
        let line = self.0.line.get_or_init(|| Box::new(Line::new(clock())));
        let ticket = line.join(who, bounds, give, &self.0)?;
        Ok(InLine { counted: Arc::clone(&self.0), ticket })
    }
}

impl Counted {
    pub(super) fn line(&self) -> Option<&Line> {
        self.line.get().map(|line| &**line)
    }

    pub(super) fn try_begin(self: &Arc<Self>, limit: u32) -> Option<InFlight> {
        let more = |count: u32| (count < limit).then(|| count + 1);
        self.count.fetch_update(SeqCst, SeqCst, more).ok().map(|_| InFlight(Some(Arc::clone(self))))
    }
}

impl InFlight {
    /// Gives the place back without a look at the line, for whoever is looking at it already.
    pub(super) fn give_back(mut self) {
        if let Some(counted) = self.0.take() {
            counted.count.fetch_sub(1, SeqCst);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(counted) = self.0.take() {
            counted.count.fetch_sub(1, SeqCst);
            if let Some(line) = counted.line() {
                line.serve(&counted);
            }
        }
    }
}
