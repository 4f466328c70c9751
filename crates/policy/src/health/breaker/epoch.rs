//! The order of ejections, which are counted over all replicas.

/// Bits of an ejection's number.
pub(super) const EPOCH_BITS: u32 = 16;

/// Whether the second of two ejections came after the first; 0 is the number of none.
pub(in crate::health) const fn is_before(first: u16, second: u16) -> bool {
    match (first, second) {
        (_, 0) => false,
        (0, _) => true,
        _ => first != second && second.wrapping_sub(first) < 1 << (EPOCH_BITS - 1),
    }
}
