//! What one replica tells the others of a target or a credential.

use serde::{Deserialize, Serialize};

use super::breaker::epoch::is_before;
use crate::time::Micros;

/// What was decided of a target or a credential, in words that need no common clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthRecord {
    /// What happened last.
    pub kind: HealthRecordKind,
    /// Which ejection it is about, counted over all replicas; 0: there was none.
    pub epoch: u16,
    /// µs that are left of the ejection, or of the warm-up.
    pub left: Micros,
    /// µs that the whole warm-up takes.
    pub warm_up: Micros,
    /// Ejections in a row.
    pub times: u8,
    /// Nothing had succeeded when it was ejected.
    pub dead: bool,
    /// µs that a credential's rest still takes.
    #[serde(default)]
    pub rest: Micros,
}

/// What happened to a target or a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthRecordKind {
    /// It was taken out of service: a target ejected, a credential disabled.
    Ejected,
    /// It is in service.
    Recovered,
}

/// Ends that differ by less are the same: the clocks' grains and the way through the store. 50 ms.
const GRAIN: Micros = 50_000;

impl HealthRecord {
    /// The same after some time.
    #[must_use]
    pub const fn after(self, passed: Micros) -> Self {
        let (left, rest) = (self.left.saturating_sub(passed), self.rest.saturating_sub(passed));
        Self { left, rest, ..self }
    }

    /// Whether it tells somebody who knows `other` anything new. Of two, at most one does so to the other.
    #[must_use]
    pub const fn adds_to(&self, other: &Self) -> bool {
        if self.epoch != other.epoch {
            return is_before(other.epoch, self.epoch);
        }
        match (self.kind, other.kind) {
            (HealthRecordKind::Recovered, HealthRecordKind::Ejected) => true,
            (HealthRecordKind::Ejected, HealthRecordKind::Recovered) => false,
            (HealthRecordKind::Ejected, HealthRecordKind::Ejected) => {
                self.left > other.left.saturating_add(GRAIN)
            }
            (HealthRecordKind::Recovered, HealthRecordKind::Recovered) => {
                self.rest > other.rest.saturating_add(GRAIN)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shared() -> impl Strategy<Value = HealthRecord> {
        let kind = prop_oneof![Just(HealthRecordKind::Ejected), Just(HealthRecordKind::Recovered)];
        let told = (kind, prop_oneof![0..4_u16, u16::MAX - 2..=u16::MAX], 0..400_000_u64, 0..400_000_u64);
        told.prop_map(|(kind, epoch, left, rest)| HealthRecord {
            kind,
            epoch,
            left,
            warm_up: 0,
            times: 1,
            dead: false,
            rest,
        })
    }

    proptest! {
        /// Replicas that overwrite each other's record would otherwise do so for ever.
        #[test]
        fn of_two_at_most_one_adds_to_the_other(one in shared(), other in shared()) {
            prop_assert!(!(one.adds_to(&other) && other.adds_to(&one)));
            prop_assert!(!one.adds_to(&one));
        }
    }

    #[test]
    fn what_came_later_or_lasts_longer_is_news() {
        let out = HealthRecord {
            kind: HealthRecordKind::Ejected,
            epoch: 1,
            left: 5_000_000,
            warm_up: 0,
            times: 1,
            dead: true,
            rest: 0,
        };
        let back = HealthRecord { kind: HealthRecordKind::Recovered, left: 0, ..out };
        assert!(back.adds_to(&out) && !out.adds_to(&back));
        assert!(
            HealthRecord { epoch: 2, ..out }.adds_to(&back)
                && !back.adds_to(&HealthRecord { epoch: 2, ..out })
        );
        assert!(out.adds_to(&out.after(1_000_000)) && !out.adds_to(&out.after(1_000)));
        assert_eq!(out.after(9_000_000).left, 0);
    }
}
