//! The root of budgets in the database does as the one in memory does, whatever comes in which order.

use std::collections::BTreeMap;

use budget::{CapRevision, ClosedBook, Ledger, MemberState, Row, SealOutcome, Token, Units};
use domain::{Account, AttemptOutcome, BudgetRef, Draw, IncarnationId, Money, ResourceId, Timestamp, Window};
use store::{Greeting, Heartbeat};
use uuid::Uuid;

use crate::fixture::{Fresh, attempt, event, fresh};

const ROOT: ResourceId = ResourceId(Uuid::from_u128(1));
const NOW: i64 = 1_790_000_000_000_000;

/// Numbers that look random and are the same in each run (SplitMix64).
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn holder(&mut self) -> IncarnationId {
        IncarnationId(Uuid::from_u128(10 + u128::from(self.below(3))))
    }

    fn account(&mut self) -> Account {
        let start = 100 * i64::try_from(self.below(4)).unwrap();
        let budget = BudgetRef { id: ResourceId(Uuid::from_u128(50)), generation: u32::MAX };
        let value = ["", "ada", "bob:\u{e9}"][usize::try_from(self.below(3)).unwrap()];
        Account { budget, window: Window { start, previous: start - 100 }, value: value.into() }
    }

    fn amounts(&mut self) -> BTreeMap<Account, Units> {
        (0..self.below(4)).map(|_| (self.account(), i64::try_from(self.below(90) + 1).unwrap())).collect()
    }
}

/// The database and what it should hold.
struct Both {
    store: Fresh,
    ledger: Ledger,
    tokens: u64,
}

impl Both {
    async fn greet(&mut self, holder: IncarnationId, cap: Option<CapRevision>) {
        let budgets: Vec<CapRevision> = cap.into_iter().collect();
        let heartbeat = Heartbeat { root: ROOT, holder, budgets: &budgets, now: Timestamp::from_micros(NOW) };
        let greeting = self.store.greet(&heartbeat).await.unwrap();
        self.ledger.register(holder);
        for cap in budgets {
            self.ledger.set_cap(cap);
        }
        let told = self.ledger.hello(holder);
        let state = self.ledger.state(holder).unwrap();
        let expected =
            Greeting { epoch: told.epoch, token: told.token, state, fresh: greeting.fresh.clone() };
        assert_eq!(greeting, expected);
    }

    async fn report(&mut self, draws: &mut Draws) {
        let (holder, cost) = (draws.holder(), Money::from_nanos(i64::try_from(draws.below(9_000)).unwrap()));
        let accounts: Vec<Account> = draws.amounts().into_keys().collect();
        let draw = Draw { root: ROOT, holder, accounts: accounts.clone().into() };
        let drawn = domain::Attempt { cost, draw: Some(draw), ..attempt(1, AttemptOutcome::Ok) };
        let event = event(ROOT, NOW, vec![drawn]);
        // The second time it counts no more.
        for inserted in [1, 0] {
            let events = std::slice::from_ref(&event);
            assert_eq!(self.store.insert_usage(events).await.unwrap(), inserted);
        }
        self.ledger.report(holder, &accounts, cost);
    }

    /// Seals, and opens what was sealed.
    async fn rebuild(&mut self, draws: &mut Draws) {
        let epoch = self.ledger.epoch;
        let rows = draws.amounts().into_iter();
        let holder = draws.holder();
        let rows = rows.map(|(account, amount)| Row { account, proxy: holder, amount }).collect();
        let book = ClosedBook { rows, edges: Vec::new() };
        let last = self.ledger.last_token().cloned().filter(|_| draws.below(2) == 0);
        let closed = last.as_ref().map(|token| (token, &book));
        let outcome = self.store.seal_book(ROOT, epoch, closed).await.unwrap();
        assert_eq!(outcome, self.ledger.seal(epoch, closed));
        self.tokens += 1;
        let token = Token::of("history", i64::try_from(self.tokens).unwrap());
        let opened = self.store.open_book(ROOT, epoch, &token).await.unwrap();
        assert_eq!(opened, self.ledger.open(epoch, &token));
        assert!(!matches!(outcome, SealOutcome::Sealed(_)) || opened);
    }
}

#[tokio::test]
async fn the_tables_do_as_the_memory_does() {
    let mut sealed = 0;
    for seed in 0..6 {
        let mut draws = Draws(seed);
        let mut both = Both { store: fresh().await, ledger: Ledger::default(), tokens: 0 };
        for revision in 1..60 {
            match draws.below(8) {
                0 | 1 => {
                    let budget = draws.account().budget;
                    let cap = i64::try_from(draws.below(900)).unwrap();
                    let told = CapRevision { budget, cap, revision: draws.below(revision) };
                    let told = Some(told).filter(|_| draws.below(2) == 0);
                    both.greet(draws.holder(), told).await;
                }
                2 => both.report(&mut draws).await,
                3 => {
                    let (holder, kept) = (draws.holder(), draws.amounts());
                    let epoch = both.ledger.epoch - draws.below(2).min(both.ledger.epoch);
                    both.store.declare_kept(ROOT, holder, epoch, &kept).await.unwrap();
                    both.ledger.declare(holder, epoch, kept);
                }
                4 => {
                    let seen = both.ledger.epoch;
                    let stale = both.store.next_epoch(ROOT, seen + 1).await.unwrap();
                    assert_eq!(stale, None, "somebody else was faster");
                    let next = both.store.next_epoch(ROOT, seen).await.unwrap();
                    let last = both.ledger.last_token().cloned();
                    assert_eq!(next, Some((both.ledger.next_epoch(), last)));
                }
                5 => {
                    both.rebuild(&mut draws).await;
                    sealed += u64::from(both.ledger.sealed);
                }
                6 if draws.below(4) == 0 => {
                    let holder = draws.holder();
                    both.store.close_holder(holder).await.unwrap();
                    both.ledger.close(holder);
                }
                _ if draws.below(4) == 0 => {
                    let holder = draws.holder();
                    both.store.write_off_holder(holder).await.unwrap();
                    both.ledger.write_off(holder);
                }
                _ => {}
            }
        }
        let members = both.store.book_members().await.unwrap();
        let states = members.iter().map(|member| (member.holder, member.state));
        let expected = both.ledger.members.iter().map(|(holder, member)| (*holder, member.state));
        assert_eq!(states.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
    assert!(sealed > 10, "{sealed} books were sealed");
}

#[tokio::test]
async fn what_was_spent_is_summed_over_proxies() {
    let store = fresh().await;
    let mut draws = Draws(3);
    let account = draws.account();
    for (number, cost) in [(1, 500), (2, 70), (2, 70)] {
        let holder = IncarnationId(Uuid::from_u128(number));
        let draw = Draw { root: ROOT, holder, accounts: [account.clone()].into() };
        let cost = Money::from_nanos(cost);
        let drawn = domain::Attempt { cost, draw: Some(draw), ..attempt(1, AttemptOutcome::Ok) };
        store.insert_usage(&[event(ROOT, NOW, vec![drawn])]).await.unwrap();
    }
    let spent = store.spent(account.budget.id, account.window.start).await.unwrap();
    assert_eq!(spent, [(account.clone(), Money::from_nanos(640))]);
    assert_eq!(store.spent(account.budget.id, account.window.start + 1).await.unwrap(), []);
}

#[tokio::test]
async fn a_proxy_that_was_given_up_is_told_no_token() {
    let mut both = Both { store: fresh().await, ledger: Ledger::default(), tokens: 0 };
    let holder = IncarnationId(Uuid::from_u128(10));
    both.greet(holder, None).await;
    both.rebuild(&mut Draws(1)).await;
    assert_eq!(both.store.write_off_holder(holder).await.unwrap(), 1);
    both.ledger.write_off(holder);
    both.greet(holder, None).await;
    assert_eq!(both.ledger.state(holder), Some(MemberState::WrittenOff));
}
