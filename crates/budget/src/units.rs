//! The units of the store, and money in them.

use domain::Money;

/// Whole micro-dollars (or requests, or tokens): what the store counts in. Lua computes in doubles, which are exact up
/// to 2^53: callers keep caps below $9.0e9 a window.
pub type Units = i64;

/// Nano-dollars in a unit.
const NANOS: i64 = 1_000;

/// An amount in units, rounded up: what a request may cost is never counted too low.
#[must_use]
pub const fn units_up(money: Money) -> Units {
    let nanos = money.nanos();
    nanos.div_euclid(NANOS) + (nanos.rem_euclid(NANOS) != 0) as i64
}

/// Units as money.
#[must_use]
pub const fn money(units: Units) -> Money {
    Money::from_nanos(units.saturating_mul(NANOS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_a_unit_count_as_one() {
        let rounded = [0, 1, 999, 1_000, 1_001].map(|nanos| units_up(Money::from_nanos(nanos)));
        assert_eq!(rounded, [0, 1, 1, 1, 2]);
        assert_eq!(money(2), Money::from_nanos(2_000));
    }
}
