//! Waiting for the control plane's list of proxies.

use std::time::Duration;

use control_plane::watch::{Proxies, ProxyStatus};

/// No test waits longer for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// Time between two looks at the list.
const POLL: Duration = Duration::from_millis(1);

/// Waits until the list of proxies is as it should be.
pub(crate) async fn until(proxies: &Proxies, is_so: impl Fn(&[ProxyStatus]) -> bool) {
    let poll = async {
        while !is_so(&proxies.list()) {
            tokio::time::sleep(POLL).await;
        }
    };
    let reached = tokio::time::timeout(LIMIT, poll).await;
    assert!(reached.is_ok(), "{:?}", proxies.list());
}
