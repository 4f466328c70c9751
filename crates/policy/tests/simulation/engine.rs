//! The clock that jumps from event to event, and the driver of each request's failover, as the proxy is one.

use std::{
    cell::OnceCell,
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use domain::{AttemptOutcome, Timestamp};
use policy::{
    Plan, PlannedTarget, RoutingContext, RoutingError,
    failover::{self, Blame, Failover, FailoverRequest, Failure, Step},
    health::{BreakerState, EndpointHealth, HealthRegistry, Micros, Moment, Observation},
    plan,
};
use wire::{RequestFacts, Shape};

use crate::{
    journal::{Ending, Journal, Kind, Sending},
    provider::{Answer, Chance, MS, Provider, SECOND},
    replicas::Replicas,
    request::{Attempt, Next, Request, TOKENS},
    world::World,
};

/// How often replicas tell each other what they know.
const TICK: Micros = 500 * MS;
/// What the route of every run says of waits.
pub(crate) const TIMEOUTS: &str = r#""timeouts":{"first_token":"2s","total":"10s"}"#;
const TOTAL: Micros = 10 * SECOND;

/// What is simulated.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) replicas: usize,
    pub(crate) providers: Vec<Provider>,
    /// Keys of each provider.
    pub(crate) keys: usize,
    /// More fields of providers, with a comma before each.
    pub(crate) health: &'static str,
    /// The route without its braces.
    pub(crate) route: String,
    /// Requests per second, over all replicas.
    pub(crate) rate: u64,
    pub(crate) lasts: Micros,
    /// How often the fastest target is looked for.
    pub(crate) interval: Micros,
    /// A replica that reaches no provider from a moment until another.
    pub(crate) cut_off: Option<(usize, Micros, Micros)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    /// The first token of a request's attempt is there, or the attempt fails.
    Content(usize),
    /// An answer ends.
    End(usize),
    /// The wait before a repeat is over.
    Again(usize),
    Tick(usize),
    Judge(usize),
}

struct Engine {
    now: Micros,
    events: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    numbered: u64,
    scenario: Scenario,
    chance: Chance,
    replicas: Replicas,
    facts: RequestFacts,
    under_way: HashMap<usize, Request>,
    journal: Journal,
}

impl Scenario {
    pub(crate) fn run(self) -> Journal {
        let (mut world, tenant) = World::with_tenant();
        for provider in &self.providers {
            world.provider(&provider.name, self.keys, self.health);
        }
        world.route("chat", &format!("{{{}}}", self.route));
        let key = world.key(tenant, "{}");
        let replicas = Replicas::new(self.replicas, &world, &key, self.seed);
        let mut engine = Engine {
            now: 0,
            events: BinaryHeap::new(),
            numbered: 0,
            // Apart from what replicas draw, who begin with the seed as well.
            chance: Chance(self.seed ^ 0x51_4d_55_4c_41_54_45),
            replicas,
            facts: RequestFacts::plain("chat".to_owned(), 0..0),
            under_way: HashMap::new(),
            journal: Journal::default(),
            scenario: self,
        };
        engine.run();
        engine.journal.check();
        engine.journal
    }
}

impl Engine {
    fn run(&mut self) {
        self.at(0, Event::Arrive);
        for replica in 0..self.scenario.replicas {
            // They do not beat in time.
            let offset = self.chance.below(TICK);
            self.at(offset, Event::Tick(replica));
            self.at(self.scenario.interval + offset, Event::Judge(replica));
        }
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            self.now = at;
            let more = at < self.scenario.lasts;
            match event {
                Event::Arrive if more => self.arrive(),
                Event::Tick(replica) if more || !self.under_way.is_empty() => {
                    self.replicas.tick(replica, at);
                    self.at(at + TICK, event);
                }
                Event::Judge(replica) if more => {
                    let moves = self.replicas.judge(replica, at);
                    self.journal.moves.extend(moves.into_iter().map(|to| (at, replica, to)));
                    self.at(at + self.scenario.interval, event);
                }
                Event::Arrive | Event::Tick(_) | Event::Judge(_) => {}
                Event::Content(number) => self.content(number),
                Event::End(number) => self.end(number),
                Event::Again(number) => self.again(number),
            }
        }
    }

    fn at(&mut self, at: Micros, event: Event) {
        self.numbered += 1;
        self.events.push(Reverse((at, self.numbered, event)));
    }

    fn arrive(&mut self) {
        let gap = self.chance.gap(self.scenario.rate);
        self.at(self.now + gap, Event::Arrive);
        let number = self.journal.arrived;
        self.journal.arrived += 1;
        let replica = self.chance.below(self.scenario.replicas as u64) as usize;
        let (began, deadline) = (self.now, self.now + TOTAL);
        match self.plan(replica) {
            Ok(plan) => {
                let asked = FailoverRequest { timeout: None, stream: true, generates: true, tokens: TOKENS };
                let request = Request {
                    number,
                    replica,
                    failover: Failover::new(&plan, asked, began),
                    plan: Arc::new(plan),
                    began,
                    deadline,
                    attempts: 0,
                    next: Next::default(),
                    attempt: None,
                    said: String::new(),
                };
                self.drive(request, failover::Event::Proceed);
            }
            Err(refusal) => {
                let answer = Err(refusal.to_string());
                self.journal.ended.push(Ending { replica, began, at: self.now, deadline, answer });
            }
        }
    }

    fn plan(&mut self, replica: usize) -> Result<Plan, RoutingError> {
        let replica = &self.replicas.all[replica];
        let session = format!("s{}", self.chance.below(100));
        let asking = RoutingContext {
            api: "chat",
            facts: &self.facts,
            input_tokens: TOKENS,
            tags: &[],
            user: None,
            feature: None,
            session: Some(&session),
            translation: None,
            region: None,
            shape: &Shape::default,
            seen: OnceCell::new(),
            now: self.now,
            at: Timestamp::from_micros(1_000),
            draw: replica.live.draw(),
            explain: false,
        };
        plan(&replica.snapshot, &replica.live, &replica.caller, &asking)
    }

    fn live(&self, request: &Request) -> &HealthRegistry {
        &self.replicas.all[request.replica].live
    }

    /// Carries out the steps of a request's failover until it waits for something.
    fn drive(&mut self, mut request: Request, mut event: failover::Event) {
        let plan = Arc::clone(&request.plan);
        loop {
            let moment = Moment { now: self.now, draw: self.live(&request).draw() };
            event = match request.failover.on(&plan, event, moment) {
                Step::Skip { planned, why } => {
                    request.return_trial();
                    request.said.push_str(&format!("{}: {why}; ", planned.target.model));
                    failover::Event::Proceed
                }
                Step::AcquireSlot { planned, half_open, .. } => {
                    request.approach(&planned.target, half_open);
                    failover::Event::SlotAcquired { waited: Duration::ZERO }
                }
                Step::ReserveCredential(credential) => {
                    request.next.credential = Some(credential);
                    failover::Event::CredentialReserved
                }
                Step::CredentialChanged(..) => failover::Event::Proceed,
                Step::Send(attempt) => return self.send(request, &attempt),
                Step::Wait(wait) => {
                    request.next.kind = Some(Kind::Repeat);
                    let until = self.now + u64::try_from(wait.as_micros()).unwrap();
                    self.at(until, Event::Again(request.number));
                    self.under_way.insert(request.number, request);
                    return;
                }
                Step::Finish(_) => {
                    request.return_trial();
                    return self.close(request, None);
                }
            }
        }
    }

    fn send(&mut self, mut request: Request, attempt: &failover::Attempt<'_>) {
        let PlannedTarget { target, reason, .. } = attempt.planned;
        let Next { kind, trial, credential, .. } = std::mem::take(&mut request.next);
        request.next.target = Some(Arc::clone(target));
        let keys = &target.endpoint.credentials;
        let place = credential
            .as_ref()
            .and_then(|key| keys.iter().position(|known| Arc::ptr_eq(known, key)))
            .unwrap_or_default();
        let provider = self.scenario.providers.iter().find(|provider| provider.name == target.model.provider);
        let mut answer = provider.unwrap().answer(place, self.now, &mut self.chance);
        let cut_off = |(alone, from, until)| alone == request.replica && (from..until).contains(&self.now);
        if self.scenario.cut_off.is_some_and(cut_off) {
            answer = Answer { after: 20 * MS, outcome: AttemptOutcome::Connect, ..answer };
        }
        let out =
            matches!(target.state.admission(self.now), BreakerState::Ejected { .. } | BreakerState::HalfOpen);
        let provider = target.model.provider.clone();
        if trial {
            let (under_way, most) = self.journal.trials.entry(provider.clone()).or_default();
            *under_way += 1;
            *most = (*most).max(*under_way);
        }
        let Request { number, replica, attempts, .. } = request;
        self.journal.sent.push(Sending {
            at: self.now,
            request: number,
            replica,
            provider,
            key: place,
            kind: kind.unwrap(),
            leads: attempts == 0,
            reason: *reason,
            trial,
            out,
        });
        let attempt = Attempt {
            target: Arc::clone(target),
            began: self.now,
            first_content: attempt.first_content,
            trial,
            answer,
            _sent: credential.as_ref().map(|key| key.state.begin(TOKENS)),
            credential,
            _in_flight: target.state.begin(),
        };
        request.attempts += 1;
        self.at(attempt.content_at().0, Event::Content(number));
        request.attempt = Some(attempt);
        self.under_way.insert(number, request);
    }

    /// The first token, or a failure. With the first token the endpoint did its part: were that told at the end, what
    /// fails at once would be known before what succeeds, and a target that answers half the time would seem dead.
    fn content(&mut self, number: usize) {
        let Some(mut request) = self.under_way.remove(&number) else { return };
        let Some(attempt) = request.attempt.take() else { return };
        let (_, in_time) = attempt.content_at();
        let outcome = if in_time { attempt.answer.outcome } else { AttemptOutcome::Timeout };
        self.told(&request, &attempt, outcome);
        if outcome != AttemptOutcome::Ok {
            let Answer { retry_after, .. } = attempt.answer;
            request.said.push_str(&format!("{}: {}; ", attempt.target.model.provider, outcome.as_str()));
            drop(attempt);
            let failure = Failure {
                outcome,
                retry_after,
                before_head: false,
                has_answer: false,
                blame: Blame::default(),
            };
            return self.drive(request, failover::Event::Failed(failure));
        }
        attempt.target.state.observe_ttft(Duration::from_micros(self.now - attempt.began), self.now);
        let ends = (self.now + attempt.answer.lasts).min(request.deadline);
        request.attempt = Some(attempt);
        self.under_way.insert(number, request);
        self.at(ends, Event::End(number));
    }

    fn end(&mut self, number: usize) {
        let Some(mut request) = self.under_way.remove(&number) else { return };
        let attempt = request.attempt.take().unwrap();
        self.close(request, Some(attempt.target.model.provider.clone()));
    }

    fn close(&mut self, request: Request, provider: Option<String>) {
        let Request { replica, began, deadline, said, .. } = request;
        let answer = provider.ok_or(said);
        self.journal.ended.push(Ending { replica, began, at: self.now, deadline, answer });
    }

    /// What an attempt says of its target and its key.
    fn told(&mut self, request: &Request, attempt: &Attempt, outcome: AttemptOutcome) {
        let target = &attempt.target;
        if attempt.trial {
            self.journal.trials.get_mut(&target.model.provider).unwrap().0 -= 1;
        }
        if let Some(key) = attempt.credential.as_ref().filter(|_| outcome == AttemptOutcome::Ok) {
            key.state.succeeded(self.now);
        }
        let health =
            if attempt.trial { EndpointHealth::of_trial(outcome) } else { EndpointHealth::of(outcome) };
        let ok = match health {
            EndpointHealth::Healthy => true,
            EndpointHealth::Failing => false,
            EndpointHealth::Unknown => return,
        };
        let seen = Observation { ok, began: attempt.began, trial: attempt.trial };
        let draw = self.live(request).draw();
        if let Some(change) = target.state.record(seen, &target.endpoint.outlier, self.now, draw) {
            self.journal.changes.push((self.now, request.replica, target.model.provider.clone(), change));
        }
    }

    fn again(&mut self, number: usize) {
        let Some(request) = self.under_way.remove(&number) else { return };
        self.drive(request, failover::Event::Proceed);
    }
}
