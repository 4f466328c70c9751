//! A request that goes while it waits, or while its hold is on the way, leaves nothing drawn.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use domain::{IncarnationId, Window};
use usage_spool::{Spool, SpoolLimits};

use super::*;

struct World {
    _dir: tempfile::TempDir,
    book: Arc<Book>,
    account: Account,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), IncarnationId::new(), SpoolLimits::default()).unwrap();
        let root = ResourceId::new();
        let (folder, journal) = spool.budget_folder(root);
        let holder = Holder::start(folder, journal);
        let book = Arc::new(Book::new(root, holder, Arc::default(), Arc::default()));
        book.told(1, Some(&Token::new("h/1")), &[]);
        let budget = BudgetRef { id: ResourceId::new(), generation: 1 };
        let window = Window { start: 0, previous: -1 };
        Self { _dir: dir, book, account: Account { budget, window, value: "".into() } }
    }

    fn reserve(&self) -> impl Future<Output = Result<Hold, Refusal>> {
        let (book, accounts) = (Arc::clone(&self.book), Arc::new([self.account.clone()]));
        let wanted = Wanted { request: RequestId::new(), accounts, amount: Money::from_nanos(5_000) };
        async move { book.reserve(wanted, std::iter::empty(), 0).await }
    }

    /// The store grants what the command asks for.
    fn grant(&self) {
        let command = self.book.command(0).unwrap();
        let (granted, admitted) = (vec![5], vec![true; command.wants.len()]);
        let reply = LeaseReply::Done { granted, admitted, tight: vec![false], left: vec![0] };
        assert!(matches!(self.book.reply(&command, &reply, 0), Next::Go));
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_hold_that_nobody_takes_is_given_back() {
    let world = World::new();
    {
        let mut waiting = pin!(world.reserve());
        assert!(poll(waiting.as_mut()).is_pending());
        world.grant();
        // The hold is on its way, and the client hangs up.
    }
    let mut next = pin!(world.reserve());
    assert!(matches!(poll(next.as_mut()), Poll::Ready(Ok(_))), "the authority is drawn for nobody");
}

#[tokio::test]
async fn a_grant_for_a_request_that_has_gone_is_there_for_the_next() {
    let world = World::new();
    {
        let mut waiting = pin!(world.reserve());
        assert!(poll(waiting.as_mut()).is_pending());
        let command = world.book.command(0).unwrap();
        assert_eq!(command.wants.len(), 1);
    }
    world.grant();
    let mut next = pin!(world.reserve());
    assert!(matches!(poll(next.as_mut()), Poll::Ready(Ok(_))), "the authority is drawn for nobody");
}
