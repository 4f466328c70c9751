//! One request as routing sees it, and the plans that are made for it.

use std::cell::OnceCell;

use domain::{Kind, ResourceId, Strictness, Timestamp};
use policy::{
    Caller, Plan, RoutingContext, RoutingError, SelectionReason, SkipReason, Snapshot, Target,
    health::{HealthRegistry, Micros, Observation, TargetState},
    plan,
};
use wire::{RequestFacts, Shape};

use crate::world::World;

pub(crate) const SECOND: Micros = 1_000_000;

/// A request.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) facts: RequestFacts,
    pub(crate) input_tokens: u64,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) user: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) translation: Option<Strictness>,
    pub(crate) region: Option<&'static str>,
    pub(crate) shape: Shape,
    pub(crate) now: Micros,
    pub(crate) at: Timestamp,
    pub(crate) draw: u64,
    pub(crate) explain: bool,
}

impl Question {
    pub(crate) fn of(model: &str) -> Self {
        Self {
            facts: RequestFacts::plain(model.to_owned(), 0..0),
            input_tokens: 100,
            tags: Vec::new(),
            user: None,
            session: None,
            translation: None,
            region: None,
            shape: Shape::default(),
            now: 0,
            at: Timestamp::from_micros(1_000),
            draw: 0,
            explain: false,
        }
    }

    pub(crate) fn plan(
        &self,
        snapshot: &Snapshot,
        live: &HealthRegistry,
        caller: &Caller,
    ) -> Result<Plan, RoutingError> {
        let asking = RoutingContext {
            api: "chat",
            facts: &self.facts,
            input_tokens: self.input_tokens,
            tags: &self.tags,
            user: self.user.as_deref(),
            feature: None,
            session: self.session.as_deref(),
            translation: self.translation,
            region: self.region,
            shape: &|| self.shape.clone(),
            seen: OnceCell::new(),
            now: self.now,
            at: self.at,
            draw: self.draw,
            explain: self.explain,
        };
        plan(snapshot, live, caller, &asking)
    }
}

/// A compiled world and somebody who asks.
pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) snapshot: Snapshot,
    pub(crate) caller: Caller,
}

impl Desk {
    pub(crate) fn new(fill: impl FnOnce(&mut World, ResourceId)) -> Self {
        let (mut world, tenant) = World::with_tenant();
        fill(&mut world, tenant);
        let key = world.key(tenant, "{}");
        let snapshot = world.compile();
        let caller = world.caller(&snapshot, &key).unwrap();
        Self { world, snapshot, caller }
    }

    /// Providers `a`, `b`, ... of one key each, and the route `chat`.
    pub(crate) fn chat(providers: &str, route: &str) -> Self {
        Self::new(|world, _| {
            for name in providers.chars() {
                world.provider(&name.to_string(), 1, "");
            }
            world.add(None, Kind::Route, "chat", route);
        })
    }

    pub(crate) fn ask(&self, question: &Question) -> Result<Plan, RoutingError> {
        question.plan(&self.snapshot, &self.world.live, &self.caller)
    }

    /// The plan of a plain request to `chat` at a time.
    pub(crate) fn at(&self, now: Micros, draw: u64) -> Result<Plan, RoutingError> {
        self.ask(&Question { now, draw, ..Question::of("chat") })
    }

    /// Any target by its name.
    pub(crate) fn target(&self, model: &str) -> std::sync::Arc<Target> {
        let mut targets = self.snapshot.routes().flat_map(|route| route.targets());
        let found = targets.find(|target| target.model.to_string() == model);
        std::sync::Arc::clone(found.unwrap())
    }

    /// Ejects it: dead, or with one success among the failures. In the usual settings that lasts 5 s ± 20 %.
    pub(crate) fn eject(&self, model: &str, dead: bool, now: Micros) {
        let target = self.target(model);
        if !dead {
            tell(&target, true, now);
        }
        (0..5).for_each(|_| tell(&target, false, now));
        assert_eq!(target.state.is_dead(), dead);
    }
}

pub(crate) fn tell(target: &Target, ok: bool, now: Micros) {
    let seen = Observation { ok, began: now, trial: false };
    target.state.record(seen, &target.endpoint.outlier, now, MIDDLE);
}

/// Gives leave for a trial and closes it with a success.
pub(crate) fn recover(target: &Target, now: Micros) {
    let lasts = std::time::Duration::from_secs(10);
    assert!(target.state.permit_trial(lasts, now) && target.state.take_trial(lasts, now));
    let seen = Observation { ok: true, began: now, trial: true };
    target.state.record(seen, &target.endpoint.outlier, now, MIDDLE).unwrap();
}

/// Permits a trial, as the replica that won the lease does.
pub(crate) fn permit(state: &TargetState, now: Micros) {
    assert!(state.permit_trial(std::time::Duration::from_secs(10), now));
}

/// A draw that makes the first ejection last 5 s exactly.
pub(crate) const MIDDLE: u64 = 200_000;

/// The plan's targets, in order.
pub(crate) fn order(plan: &Plan) -> Vec<String> {
    plan.attempts.iter().map(|planned| planned.target.model.to_string()).collect()
}

pub(crate) fn first(plan: &Plan) -> String {
    plan.attempts[0].target.model.to_string()
}

pub(crate) fn reasons(plan: &Plan) -> Vec<SelectionReason> {
    plan.attempts.iter().map(|planned| planned.reason).collect()
}

/// What is passed over, with its reason.
pub(crate) fn passed(plan: &Plan) -> Vec<(String, SkipReason)> {
    plan.passed_over.iter().map(|passed| (passed.model.to_string(), passed.why.clone())).collect()
}

/// The plan of a plain request.
pub(crate) fn ask(
    world: &World,
    snapshot: &Snapshot,
    caller: &Caller,
    model: &str,
) -> Result<Plan, RoutingError> {
    Question::of(model).plan(snapshot, &world.live, caller)
}
