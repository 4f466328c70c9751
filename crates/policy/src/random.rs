//! SplitMix64: a small generator of numbers that are spread evenly over all of `u64`. It is not for secrets.

/// What the state grows by with each number.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that belongs to a state: spreads every bit over all of them.
pub(crate) const fn mix(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// One of many numbers from one draw.
pub(crate) const fn nth(draw: u64, number: u64) -> u64 {
    mix(draw.wrapping_add(number.wrapping_mul(STEP)))
}
