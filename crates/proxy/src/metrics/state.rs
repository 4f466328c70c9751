//! What the proxy is at this moment, as Prometheus reads it: asked for at each scrape, counted nowhere.

use std::{collections::BTreeMap, fmt, sync::Arc};

use config_client::ConfigStatus;
use domain::Timestamp;
use runtime::metrics::{Collect, Exposition};

use super::table;
use crate::state::ProxyState;

/// Where the answers are.
pub(crate) struct State {
    pub(crate) proxy: Arc<ProxyState>,
    pub(crate) config: Arc<ConfigStatus>,
}

impl Collect for State {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let (in_flight, most) = (self.proxy.activity.in_flight(), self.proxy.edge.max_in_flight);
        to.gauge(&table::IN_FLIGHT)?.put([], in_flight as f64)?;
        to.gauge(&table::IN_FLIGHT_LIMIT)?.put([], most as f64)?;
        to.gauge(&table::ACTIVE_STREAMS)?.put([], self.proxy.activity.streams() as f64)?;
        self.config(to)?;
        self.spool(to)?;
        self.limits(to)?;
        self.waiting(to)
    }
}

impl State {
    /// Of every target that has a limit of its own in some route.
    fn waiting(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let Some(snapshot) = self.proxy.current() else { return Ok(()) };
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
        let mut gauges = to.gauge(&table::QUEUE_WAITING)?;
        let mut others = 0;
        for (position, ((provider, model), waiting)) in by_model.into_iter().enumerate() {
            match position < table::QUEUE_WAITING.most() {
                true => gauges.put([provider, model], waiting as f64)?,
                false => others += waiting,
            }
        }
        match others {
            0 => Ok(()),
            others => gauges.put(["other", "other"], others as f64),
        }
    }

    fn config(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let flag = |flag: bool| f64::from(u8::from(flag));
        if let Some(version) = self.config.version() {
            to.gauge(&table::SNAPSHOT_VERSION)?.put([], version.revision as f64)?;
        }
        if let Some(age) = self.config.age(Timestamp::now()) {
            to.gauge(&table::SNAPSHOT_AGE)?.put([], age.as_secs_f64())?;
        }
        to.gauge(&table::CONFIG_CONNECTED)?.put([], flag(self.config.is_connected()))?;
        to.gauge(&table::CONFIG_REFUSED)?.put([], flag(self.config.rejected().is_some()))
    }

    fn spool(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let spool = &self.proxy.spool;
        to.gauge(&table::SPOOL_EVENTS)?.put([], spool.pending_events() as f64)?;
        to.gauge(&table::SPOOL_BYTES)?.put([], spool.bytes() as f64)?;
        to.gauge(&table::SPOOL_LIMIT)?.put([], self.proxy.edge.spool_max_bytes as f64)?;
        let oldest = spool.oldest_pending().unwrap_or_default();
        to.gauge(&table::SPOOL_OLDEST)?.put([], oldest.as_secs_f64())
    }

    fn limits(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let status = self.proxy.coordination.status();
        to.gauge(&table::LIMIT_STORE_UP)?.put([], f64::from(u8::from(status.lost_since.is_none())))?;
        to.counter(&table::LIMIT_STORE_LOSSES)?.put([], status.outages)?;
        let mut decisions = to.counter(&table::LIMIT_STORE_LOST_DECISIONS)?;
        for (decision, count) in [
            ("closed", status.closed),
            ("open", status.open),
            ("bounded", status.bounded),
            ("bounded_denied", status.bounded_denied),
        ] {
            decisions.put([decision], count)?;
        }
        let mut observed = to.counter(&table::LIMITS_OBSERVED)?;
        self.proxy.observed_limits.counts().try_for_each(|(kind, count)| observed.put([kind], count))?;
        to.counter(&table::LIMIT_CORRECTIONS_DROPPED)?.put([], status.corrections_dropped)?;
        to.gauge(&table::LIMIT_SLOTS_HELD)?.put([], status.slots_held as f64)
    }
}
