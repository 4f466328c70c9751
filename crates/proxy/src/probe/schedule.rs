//! When which probe is sent: as often as its provider's settings say, give or take a tenth, and never two at once.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use domain::{ProbeSpec, ProbeTimes, ResourceId, Task};
use policy::{Endpoint, Target};
use tokio::time::Instant;

use super::list;
use crate::health::ConfiguredTargets;

/// What one probe looks at: a model at an endpoint, or the endpoint for all its models.
pub(super) type Subject = (ResourceId, Option<String>);

/// A probe that is sent again and again.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) endpoint: Arc<Endpoint>,
    /// The targets that its finding is about; never empty.
    pub(super) targets: Vec<Arc<Target>>,
    pub(super) times: ProbeTimes,
}

struct Planned {
    job: Arc<Job>,
    due: Instant,
    /// When the one that runs began.
    began: Option<Instant>,
}

/// All probes of one snapshot.
#[derive(Default)]
pub(super) struct Schedule {
    planned: HashMap<Subject, Planned>,
    /// Endpoints that have no list of models, which the log says once.
    warned: HashSet<ResourceId>,
}

impl Schedule {
    /// Takes over what a new snapshot wants. What is new begins at any moment of its first interval: thousands of
    /// probes must not go out at once.
    pub(super) fn follow(&mut self, targets: &ConfiguredTargets, mut draw: impl FnMut() -> u64) {
        let mut before = std::mem::take(&mut self.planned);
        let now = Instant::now();
        for target in targets.all() {
            let Some(subject) = subject(target) else {
                self.warn(&target.endpoint);
                continue;
            };
            let Some(times) = target.endpoint.probe.times() else { continue };
            let endpoint = Arc::clone(&target.endpoint);
            let planned = self.planned.entry(subject.clone()).or_insert_with(|| {
                let held = before.remove(&subject).filter(|held| held.job.times == times);
                let (due, began) = held.map_or_else(
                    || (now + share(times.every.std(), draw(), 0, 1_000_000), None),
                    |held| (held.due, held.began),
                );
                let job = Arc::new(Job { endpoint, targets: Vec::new(), times });
                Planned { job, due, began }
            });
            Arc::make_mut(&mut planned.job).targets.push(Arc::clone(target));
        }
    }

    /// Logs that an endpoint has no list of models.
    fn warn(&mut self, endpoint: &Endpoint) {
        if matches!(endpoint.probe, ProbeSpec::Free(_)) && self.warned.insert(endpoint.id) {
            tracing::warn!(
                provider = endpoint.name,
                "this kind of provider lists its models elsewhere: its free probe is never sent; write a prompt"
            );
        }
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.planned.values().filter(|planned| planned.began.is_none()).map(|planned| planned.due).min()
    }

    /// Begins the one that has been due for longest.
    pub(super) fn begin(&mut self, now: Instant) -> Option<(Subject, Arc<Job>)> {
        let due =
            self.planned.iter_mut().filter(|(_, planned)| planned.began.is_none() && planned.due <= now);
        let (subject, planned) = due.min_by_key(|(_, planned)| planned.due)?;
        planned.began = Some(now);
        Some((subject.clone(), Arc::clone(&planned.job)))
    }

    /// It ended.
    pub(super) fn end(&mut self, subject: &Subject, draw: u64) {
        let Some(planned) = self.planned.get_mut(subject) else { return };
        if let Some(began) = planned.began.take() {
            // Give or take a tenth, so that replicas and targets fall out of step.
            planned.due = began + share(planned.job.times.every.std(), draw, 900_000, 200_000);
        }
    }
}

/// Between `least` and `least + range` parts per million of a time.
fn share(time: Duration, draw: u64, least: u64, range: u64) -> Duration {
    let parts = least + draw % (range + 1);
    Duration::from_nanos(u64::try_from(time.as_nanos() * u128::from(parts) / 1_000_000).unwrap_or(u64::MAX))
}

/// The probe of a target, if one is configured and possible.
fn subject(target: &Target) -> Option<Subject> {
    let endpoint = &target.endpoint;
    match &endpoint.probe {
        ProbeSpec::Off => None,
        ProbeSpec::Free(_) => list::path(endpoint).map(|_| (endpoint.id, None)),
        // A prompt says nothing to what makes vectors or images.
        ProbeSpec::Prompt(_) if target.spec.task.is_some_and(|task| task != Task::Chat) => None,
        ProbeSpec::Prompt(_) => Some((endpoint.id, Some(target.upstream.clone()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_drawn_from_their_range() {
        let every = Duration::from_secs(30);
        for draw in [0, 1, 100_000, 200_000, 200_001, u64::MAX] {
            let drawn = share(every, draw, 900_000, 200_000);
            assert!((Duration::from_secs(27)..=Duration::from_secs(33)).contains(&drawn), "{drawn:?}");
        }
        assert_eq!(share(every, 100_000, 900_000, 200_000), every);
        assert_eq!(share(Duration::from_secs(86_400), 1_000_000, 0, 1_000_000), Duration::from_secs(86_400));
    }
}
