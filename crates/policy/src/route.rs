//! A compiled route: rules that choose a pool, pools of tiers or steps, targets with the state they are judged by.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    Action, FailureClass, ModelRef, OriginList, QueueSpec, Require, ResourceId, RetrySpec, Share, StickyBy,
    Strategy, Strictness, Timeouts,
};

use crate::{health::Leader, rules::Program, target::Target};

/// What a client puts into `model`.
#[derive(Debug)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// The tenant that owns it, where its names are looked up first. `None` for the operator's.
    pub owner: Option<ResourceId>,
    /// In the order in which they are asked.
    pub rules: Vec<Rule>,
    /// The pools.
    pub pools: Vec<Pool>,
    /// The pool of requests that match no rule, as an index.
    pub default: usize,
    /// How its requests are treated, whatever pool they go to.
    pub terms: Arc<RoutePolicy>,
    /// Why the route as a whole is out of service, if it is.
    pub disabled: Option<String>,
}

/// How a route's requests are treated.
#[derive(Clone, Debug)]
pub struct RoutePolicy {
    /// Bounds of every wait.
    pub timeouts: Timeouts,
    /// What is done about failures.
    pub retry: RetrySpec,
    /// How requests wait for a target that is at its limit.
    pub queue: QueueSpec,
    /// While fewer of a pool's targets are healthy, those that still answer at times are used as well.
    pub panic_threshold: Share,
    /// Origins of web pages that may use it; without a list, all that the operator allows.
    pub cors_origins: Option<OriginList>,
    /// What happens to fields that a target cannot express, where the route says it.
    pub translation: Option<Strictness>,
}

impl Default for RoutePolicy {
    fn default() -> Self {
        let (timeouts, retry, queue) = (Timeouts::default(), RetrySpec::default(), QueueSpec::default());
        Self { timeouts, retry, queue, panic_threshold: Self::PANIC, cors_origins: None, translation: None }
    }
}

impl RoutePolicy {
    /// The threshold where none is written: of two targets one may be out without alarm, of three not two.
    pub const PANIC: Share = Share::percent(50);

    /// What follows a failure of a class.
    #[must_use]
    pub fn action(&self, class: FailureClass) -> Action {
        self.retry.on.get(&class).copied().unwrap_or(class.usual())
    }
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// What records call it.
    pub name: String,
    /// Its condition, or why it cannot be asked: then it matches nothing.
    pub when: Result<Program, String>,
    /// The pool, as an index.
    pub pool: usize,
}

/// A pool.
#[derive(Debug)]
pub struct Pool {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub form: PoolKind,
}

/// What a pool is.
#[derive(Debug)]
pub enum PoolKind {
    /// Tiers, in order.
    Tiers(Vec<Tier>),
    /// Steps, in order.
    Cascade(Vec<CascadeStep>),
    /// Another route, by name.
    Route(String),
}

/// Targets and how the next one of them is chosen.
#[derive(Debug)]
pub struct Tier {
    /// How.
    pub strategy: Strategy,
    /// With `sticky`: what keeps to a target.
    pub by: StickyBy,
    /// What a target must be able to do.
    pub require: Require,
    /// With `lowest_latency`: how often the fastest is determined, in microseconds.
    pub interval: u64,
    /// With `lowest_latency`: which of the members is the fastest.
    pub leader: Arc<Leader>,
    /// With `nearest`: distances by region of the proxy, then of the provider.
    pub distances: BTreeMap<String, BTreeMap<String, u32>>,
    /// Its targets.
    pub members: Vec<Member>,
    /// Targets that cannot be used, and why.
    pub unusable: Vec<(ModelRef, String)>,
}

/// A target within a tier.
#[derive(Debug)]
pub struct Member {
    /// The target.
    pub target: Arc<Target>,
    /// Its share beside the others'.
    pub weight: u32,
    /// Most requests that this proxy has in flight there for this tier.
    pub concurrent: Option<u32>,
}

/// A step of a cascade.
#[derive(Debug)]
pub struct CascadeStep {
    /// Its target, or why it cannot be used.
    pub target: Result<Arc<Target>, (ModelRef, String)>,
    /// When its response is good enough; without a condition, always.
    pub accept: Option<Arc<Program>>,
}

impl Route {
    /// The route of one target, which is not configured: `provider/model`.
    pub(crate) fn implicit(name: &str, target: Result<Target, (ModelRef, String)>) -> Self {
        let (members, unusable) = match target {
            Ok(target) => {
                (vec![Member { target: Arc::new(target), weight: 1, concurrent: None }], Vec::new())
            }
            Err(unusable) => (Vec::new(), vec![unusable]),
        };
        let tier = Tier { members, unusable, ..Tier::default() };
        let pool = Pool { name: Arc::from("targets"), form: PoolKind::Tiers(vec![tier]) };
        let (rules, pools, terms) = (Vec::new(), vec![pool], Arc::default());
        Self { name: name.to_owned(), owner: None, rules, pools, default: 0, terms, disabled: None }
    }

    /// A route that is there and cannot be used.
    pub(crate) fn out_of_service(name: &str, reason: String) -> Self {
        let (rules, pools, terms) = (Vec::new(), Vec::new(), Arc::default());
        let (name, disabled) = (name.to_owned(), Some(reason));
        Self { name, owner: None, rules, pools, default: 0, terms, disabled }
    }

    /// Its tiers.
    pub fn tiers(&self) -> impl Iterator<Item = &Tier> {
        self.pools.iter().flat_map(|pool| match &pool.form {
            PoolKind::Tiers(tiers) => tiers.as_slice(),
            PoolKind::Cascade(_) | PoolKind::Route(_) => &[],
        })
    }

    /// Every target it can send to by itself.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        let steps = self.pools.iter().flat_map(|pool| match &pool.form {
            PoolKind::Cascade(steps) => steps.as_slice(),
            PoolKind::Tiers(_) | PoolKind::Route(_) => &[],
        });
        let members = self.tiers().flat_map(|tier| tier.members.iter().map(|member| &member.target));
        members.chain(steps.filter_map(|step| step.target.as_ref().ok()))
    }
}

impl Default for Tier {
    fn default() -> Self {
        Self {
            strategy: Strategy::Priority,
            by: StickyBy::default(),
            require: Require::default(),
            interval: Self::INTERVAL,
            leader: Arc::default(),
            distances: BTreeMap::new(),
            members: Vec::new(),
            unusable: Vec::new(),
        }
    }
}

impl Tier {
    /// How often the fastest is determined by default: 30 s, in microseconds.
    pub const INTERVAL: u64 = 30_000_000;
}
