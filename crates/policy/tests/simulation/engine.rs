//! The clock that jumps from event to event, and the loop of attempts as the proxy runs it.

use std::{
    cell::OnceCell,
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
};

use domain::{Action, AttemptOutcome, FailureClass, Timestamp};
use policy::{
    Plan, PlannedTarget, RoutingContext, RoutingError,
    health::{BreakerState, HealthRegistry, Micros, Observation},
    plan, still,
};
use wire::{RequestFacts, Shape};

use crate::{
    journal::{Ending, Journal, Kind, Sending},
    provider::{Answer, Chance, MS, Provider, SECOND},
    replicas::Replicas,
    request::{Attempt, Request, TOKENS, Turn},
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
                let (turn, said) = (Turn::default(), String::new());
                let request = Request {
                    number,
                    replica,
                    plan,
                    began,
                    deadline,
                    attempts: 0,
                    trial: false,
                    turn,
                    attempt: None,
                    said,
                };
                self.advance(request);
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

    /// The next target of the plan that may be tried.
    fn advance(&mut self, mut request: Request) {
        while let Some(planned) = request.planned() {
            match still(planned, self.now) {
                Ok(trial) => {
                    request.trial = trial;
                    request.begin_turn(self.now);
                    match self.send(request, Kind::First) {
                        Ok(()) => return,
                        Err(back) => request = *back,
                    }
                }
                Err(why) => request.said.push_str(&format!("{}: {why}; ", planned.target.model)),
            }
            request.turn.position += 1;
        }
        self.close(request, None);
    }

    /// Sends; gives the request back where there is no key.
    fn send(&mut self, mut request: Request, kind: Kind) -> Result<(), Box<Request>> {
        let Ok(key) = request.key(self.now, self.live(&request)) else {
            request.said.push_str("no key; ");
            return Err(Box::new(request));
        };
        let PlannedTarget { target, reason, .. } = request.planned().unwrap().clone();
        if kind == Kind::First {
            target.state.first(self.now);
        }
        let keys = &target.endpoint.credentials;
        let place = key
            .as_ref()
            .and_then(|key| keys.iter().position(|known| Arc::ptr_eq(known, key)))
            .unwrap_or_default();
        let provider = self.scenario.providers.iter().find(|provider| provider.name == target.model.provider);
        let mut answer = provider.unwrap().answer(place, self.now, &mut self.chance);
        let cut_off = |(alone, from, until)| alone == request.replica && (from..until).contains(&self.now);
        if self.scenario.cut_off.is_some_and(cut_off) {
            answer = Answer { after: 20 * MS, outcome: AttemptOutcome::Connect, ..answer };
        }
        let trial = std::mem::take(&mut request.trial);
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
            kind,
            leads: attempts == 0,
            reason,
            trial,
            out,
        });
        let _sent = key.as_ref().map(|key| key.state.begin(TOKENS));
        let _in_flight = target.state.begin();
        request.attempts += 1;
        request.attempt = Some(Attempt { began: self.now, trial, answer, key, _sent, _in_flight });
        let (at, _) = request.content_at(&answer, self.now);
        self.at(at, Event::Content(number));
        self.under_way.insert(number, request);
        Ok(())
    }

    /// The first token, or a failure. With the first token the endpoint did its part: were that told at the end, what
    /// fails at once would be known before what succeeds, and a target that answers half the time would seem dead.
    fn content(&mut self, number: usize) {
        let Some(mut request) = self.under_way.remove(&number) else { return };
        let Some(attempt) = request.attempt.take() else { return };
        let (_, in_time) = request.content_at(&attempt.answer, attempt.began);
        let outcome = if in_time { attempt.answer.outcome } else { AttemptOutcome::Timeout };
        if outcome != AttemptOutcome::Ok {
            return self.failed(request, attempt, outcome);
        }
        let target = &request.planned().unwrap().target;
        target.state.observe_ttft(std::time::Duration::from_micros(self.now - attempt.began), self.now);
        let ends = (self.now + attempt.answer.lasts).min(request.deadline);
        self.told(&request, &attempt, AttemptOutcome::Ok);
        request.attempt = Some(attempt);
        self.under_way.insert(number, request);
        self.at(ends, Event::End(number));
    }

    fn end(&mut self, number: usize) {
        let Some(mut request) = self.under_way.remove(&number) else { return };
        request.attempt = None;
        let provider = request.planned().unwrap().target.model.provider.clone();
        self.close(request, Some(provider));
    }

    fn close(&mut self, request: Request, provider: Option<String>) {
        let Request { replica, began, deadline, said, .. } = request;
        let answer = provider.ok_or(said);
        self.journal.ended.push(Ending { replica, began, at: self.now, deadline, answer });
    }

    /// What an attempt says of its target and its key.
    fn told(&mut self, request: &Request, attempt: &Attempt, outcome: AttemptOutcome) {
        let target = Arc::clone(&request.planned().unwrap().target);
        if attempt.trial {
            self.journal.trials.get_mut(&target.model.provider).unwrap().0 -= 1;
        }
        if let Some(key) = attempt.key.as_ref().filter(|_| outcome == AttemptOutcome::Ok) {
            key.state.succeeded(self.now);
        }
        let Some(ok) = verdict(outcome, attempt.trial) else { return };
        let seen = Observation { ok, began: attempt.began, trial: attempt.trial };
        let draw = self.live(request).draw();
        if let Some(change) = target.state.record(seen, &target.endpoint.outlier, self.now, draw) {
            self.journal.changes.push((self.now, request.replica, target.model.provider.clone(), change));
        }
    }

    fn failed(&mut self, mut request: Request, attempt: Attempt, outcome: AttemptOutcome) {
        self.told(&request, &attempt, outcome);
        request.key_failed(&attempt, self.now, &self.replicas.all[request.replica].live);
        let answer = attempt.answer;
        drop(attempt);
        let provider = &request.planned().unwrap().target.model.provider;
        request.said.push_str(&format!("{provider}: {}; ", outcome.as_str()));
        let action = FailureClass::of(outcome).map(|class| request.plan.terms.action(class));
        if action == Some(Action::Stop) || self.now >= request.deadline {
            return self.close(request, None);
        }
        let in_time = self.now < request.turn.first_content;
        match action {
            Some(Action::NextKey) if in_time && request.has_more_keys(self.now) => {
                match self.send(request, Kind::NextKey) {
                    Ok(()) => return,
                    Err(back) => request = *back,
                }
            }
            Some(Action::NextKey | Action::Retry) if in_time && request.is_last() => {
                let live = &self.replicas.all[request.replica].live;
                if let Some(wait) = request.repeat(answer, self.now, live) {
                    self.at(self.now + wait, Event::Again(request.number));
                    self.under_way.insert(request.number, request);
                    return;
                }
            }
            _ => {}
        }
        request.turn.position += 1;
        self.advance(request);
    }

    fn again(&mut self, number: usize) {
        let Some(mut request) = self.under_way.remove(&number) else { return };
        let planned = request.planned().unwrap();
        match still(planned, self.now) {
            Ok(trial) => {
                request.trial = trial;
                match self.send(request, Kind::Repeat) {
                    Ok(()) => return,
                    Err(back) => request = *back,
                }
            }
            Err(why) => request.said.push_str(&format!("{}: {why}; ", planned.target.model)),
        }
        request.turn.position += 1;
        self.advance(request);
    }
}

/// Whether the endpoint did its part; `None`: the outcome says nothing of it.
const fn verdict(outcome: AttemptOutcome, trial: bool) -> Option<bool> {
    use AttemptOutcome as O;
    match outcome {
        O::Ok => Some(true),
        O::Connect | O::Timeout | O::ServerError => Some(false),
        O::RateLimited | O::BadCredential if trial => Some(true),
        _ => None,
    }
}
