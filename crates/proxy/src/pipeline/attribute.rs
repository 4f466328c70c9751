//! The stage that completes the attribution of a request with what its body says.

use domain::Attribution;
use wire::RequestFacts;

/// The attribution of a request: its body names the user where neither the key nor a header does.
pub(super) fn attribute(from_head: Attribution, facts: &RequestFacts) -> Attribution {
    Attribution { user: from_head.user.or_else(|| facts.user.clone()), ..from_head }
}
