//! The words for states of targets and credentials in health reports, which are older than those shown to people.
//!
//! Reports keep the words of 0.3, so that proxies and control planes of different versions understand each other.

/// The word shown to people, from the one in a report; both are accepted, and unknown words stay as they are.
#[must_use]
pub fn state_from(reported: &str) -> &str {
    match reported {
        "open" => "healthy",
        "disabled" => "refused",
        same => same,
    }
}

/// The word in a report, from the one shown to people.
#[must_use]
pub fn state_to(shown: &str) -> &str {
    match shown {
        "healthy" => "open",
        "refused" => "disabled",
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_both_sides_are_understood() {
        for (reported, shown) in [("open", "healthy"), ("disabled", "refused"), ("ejected", "ejected")] {
            assert_eq!((state_from(reported), state_to(shown)), (shown, reported));
            assert_eq!((state_from(shown), state_to(reported)), (shown, reported));
        }
        assert_eq!(state_from("no_credential"), "no_credential");
    }
}
