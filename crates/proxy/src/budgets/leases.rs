//! Asks the shared store for authority, one command at a time.

use std::{sync::Arc, time::Duration};

use budget::{BookStore, Books};
use policy::health::Micros;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::book::{Book, Next};

/// What is not needed is given back at least so often.
const ROUND: Duration = Duration::from_secs(1);
/// How often windows that are over are forgotten.
const FORGET: Duration = Duration::from_secs(60);
/// Before a store that gave no answer is asked again.
const AWAY: Duration = Duration::from_millis(500);
/// Before a command is sent again that the store could not carry out yet.
const LATER: Duration = Duration::from_millis(20);

/// Works for one book until `stop`.
pub(super) async fn run(
    book: Arc<Book>,
    store: BookStore,
    clock: impl Fn() -> Micros + Send,
    stop: CancellationToken,
) {
    stop.run_until_cancelled(work(&book, &store, &clock)).await;
}

async fn work(book: &Book, store: &BookStore, clock: &(impl Fn() -> Micros + Send)) {
    let mut forgotten = Instant::now();
    loop {
        if forgotten.elapsed() > FORGET {
            forgotten = Instant::now();
            book.forget_old_windows();
        }
        let next = match book.command(clock()) {
            None => Next::Epoch,
            Some(command) => match store.lease(book.root, &command).await {
                Ok(reply) => book.reply(&command, &reply, clock()),
                Err(error) => {
                    tracing::debug!(root = %book.root, %error, "the store of budgets gives no answer");
                    book.store_is_away();
                    sleep(AWAY).await;
                    continue;
                }
            },
        };
        match next {
            Next::Go => {}
            Next::Later => sleep(LATER).await,
            Next::Epoch => {
                let round = Instant::now() + ROUND;
                let due = book.wakes_at().map_or(round, |due| due.min(round));
                tokio::select! {
                    () = book.work.notified() => {}
                    () = sleep_until(due) => {}
                }
            }
        }
    }
}
