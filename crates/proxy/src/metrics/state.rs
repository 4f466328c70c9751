//! What the proxy is at this moment, as Prometheus reads it: asked for at each scrape, counted nowhere.

use std::{collections::BTreeMap, fmt, sync::Arc};

use domain::Timestamp;
use runtime::metrics::{Collect, Exposition};

use crate::{config::ConfigStatus, state::ProxyState};

/// Where the answers are.
pub(crate) struct State {
    pub(crate) gateway: Arc<ProxyState>,
    pub(crate) config: Arc<ConfigStatus>,
}

impl Collect for State {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let (in_flight, most) = (self.gateway.activity.in_flight(), self.gateway.edge.max_in_flight);
        to.gauge("portcullis_requests_in_flight", "Requests that run.")?.put(&[], in_flight as f64)?;
        to.gauge("portcullis_requests_in_flight_limit", "Beyond it, requests are refused.")?
            .put(&[], most as f64)?;
        to.gauge("portcullis_active_streams", "Streams that run.")?
            .put(&[], self.gateway.activity.streams() as f64)?;
        self.config(to)?;
        self.spool(to)?;
        self.limits(to)?;
        self.waiting(to)
    }
}

/// Most targets whose waiters are told apart.
const MOST_WAITED_FOR: usize = 200;

impl State {
    /// Of every target that has a limit of its own in some route.
    fn waiting(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let Some(snapshot) = self.gateway.current() else { return Ok(()) };
        let members = snapshot.routes().flat_map(|route| route.tiers()).flat_map(|tier| &tier.members);
        let limited = members.filter(|member| member.concurrent.is_some()).map(|member| &member.target);
        let targets = limited.flat_map(|target| [Some(target), target.successor.as_ref()]).flatten();
        // A target of several routes is one, and so are, to Prometheus, those of one name.
        let states: BTreeMap<_, _> =
            targets.map(|target| ((&target.model, Arc::as_ptr(&target.state)), &target.state)).collect();
        let mut by_model: BTreeMap<_, usize> = BTreeMap::new();
        for ((model, _), state) in states {
            *by_model.entry((model.provider.as_str(), model.model.as_str())).or_default() += state.waiting();
        }
        let mut gauges =
            to.gauge("portcullis_queue_waiting", "Requests that wait for a place at a target.")?;
        let mut others = 0;
        for (position, ((provider, model), waiting)) in by_model.into_iter().enumerate() {
            match position < MOST_WAITED_FOR {
                true => gauges.put(&[("provider", provider), ("model", model)], waiting as f64)?,
                false => others += waiting,
            }
        }
        match others {
            0 => Ok(()),
            others => gauges.put(&[("provider", "other"), ("model", "other")], others as f64),
        }
    }

    fn config(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let flag = |flag: bool| f64::from(u8::from(flag));
        if let Some(version) = self.config.version() {
            to.gauge("portcullis_snapshot_version", "Revision of the configuration that serves.")?
                .put(&[], version.revision as f64)?;
        }
        if let Some(age) = self.config.age(Timestamp::now()) {
            to.gauge("portcullis_snapshot_age_seconds", "Since a control plane said that it is the newest.")?
                .put(&[], age.as_secs_f64())?;
        }
        to.gauge("portcullis_config_connected", "Whether a control plane is connected.")?
            .put(&[], flag(self.config.is_connected()))?;
        to.gauge("portcullis_config_refused", "Whether this proxy refused the newest configuration.")?
            .put(&[], flag(self.config.rejected().is_some()))
    }

    fn spool(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let spool = &self.gateway.spool;
        to.gauge("portcullis_usage_spool_events", "Usage events that the ledger has not acknowledged.")?
            .put(&[], spool.pending_events() as f64)?;
        to.gauge("portcullis_usage_spool_bytes", "Size of the usage spool on disk.")?
            .put(&[], spool.bytes() as f64)?;
        to.gauge("portcullis_usage_spool_limit_bytes", "From 7/8 of it on, requests are refused.")?
            .put(&[], self.gateway.edge.spool_max_bytes as f64)?;
        let oldest = spool.oldest_pending().unwrap_or_default();
        to.gauge("portcullis_usage_spool_oldest_seconds", "How long the oldest of them has waited.")?
            .put(&[], oldest.as_secs_f64())
    }

    fn limits(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let status = self.gateway.coordination.status();
        to.gauge("portcullis_limit_store_up", "Whether the store of shared limits answers; 1 without one.")?
            .put(&[], f64::from(u8::from(status.lost_since.is_none())))?;
        to.counter("portcullis_limit_store_losses_total", "How often it was lost.")?
            .put(&[], status.losses)?;
        let mut decisions =
            to.counter("portcullis_limit_store_lost_decisions_total", "What was decided without it.")?;
        for (decision, count) in [
            ("closed", status.closed),
            ("open", status.open),
            ("bounded", status.bounded),
            ("bounded_denied", status.bounded_denied),
        ] {
            decisions.put(&[("decision", decision)], count)?;
        }
        to.gauge("portcullis_limit_slots_held", "Concurrency slots that this proxy holds.")?
            .put(&[], status.slots_held as f64)
    }
}
