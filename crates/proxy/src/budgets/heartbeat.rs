//! Keeps the ledger and this proxy's books on one epoch.

use std::{sync::Arc, time::Duration};

use budget::{CapRevision, Token};
use bytes::Bytes;
use config_client::Session;
use domain::IncarnationId;
use proto::v1::{BookView, BooksReply, BooksRequest, BudgetCap, Declaration, Kept};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::{
    Budgets,
    book::{Book, View},
};

/// Between two heartbeats.
const ROUND: Duration = Duration::from_secs(1);
/// Between two while a book is not open.
const HURRY: Duration = Duration::from_millis(100);
/// Shortest time between two, however much happens.
const PAUSE: Duration = Duration::from_millis(10);

/// Sends heartbeats until `stop`.
pub(super) async fn run(budgets: Arc<Budgets>, session: Session, stop: CancellationToken) {
    let mut failing = false;
    while !stop.is_cancelled() {
        let books = budgets.all();
        let due = Instant::now();
        if !books.is_empty() {
            match beat(&budgets, &books, &session).await {
                Ok(()) => failing = false,
                // Once per outage.
                Err(status) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(code = ?status.code(), "the ledger does not answer for budgets: {}", status.message());
                    }
                }
            }
        }
        close_left(&budgets, &session).await;
        let round = if books.iter().any(|book| book.is_waiting()) { HURRY } else { ROUND };
        sleep(PAUSE).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = budgets.heartbeat.notified() => {}
            () = tokio::time::sleep_until(due + round) => {}
        }
    }
}

async fn beat(budgets: &Budgets, books: &[Arc<Book>], session: &Session) -> Result<(), Status> {
    let views: Vec<View> = books.iter().map(|book| book.view()).collect();
    let message = books.iter().zip(&views).map(|(book, view)| message(book, view)).collect();
    let reply = ask(budgets.spool.holder(), message, false, session).await?;
    for state in reply.books {
        let found = books.iter().zip(&views).find(|(book, _)| book.root.0.as_bytes()[..] == state.root[..]);
        if let Some((book, view)) = found {
            let token = Some(state.token).filter(|token| !token.is_empty()).map(Token::new);
            book.told(state.epoch, token.as_ref(), &view.budgets);
        }
    }
    Ok(())
}

/// Closes ids that the folder had before, once all their usage is with the ledger: nobody starts on them again, and a
/// rebuild would wait for them. After a crash of the machine the last 50 ms of their records may be missing.
async fn close_left(budgets: &Budgets, session: &Session) {
    let reported: Vec<IncarnationId> = {
        let left = budgets.left();
        left.iter().filter(|(_, unreported)| **unreported == 0).map(|(holder, _)| *holder).collect()
    };
    for holder in reported {
        if ask(holder, Vec::new(), true, session).await.is_err() {
            // With the next heartbeat.
            return;
        }
        tracing::info!(%holder, "an earlier id of this folder was closed under budgets");
        budgets.left().remove(&holder);
        if let Err(error) = budgets.spool.forget_holder(holder) {
            tracing::warn!(%error, "an earlier id of this folder will be closed once more");
        }
    }
}

async fn ask(
    holder: IncarnationId,
    books: Vec<BookView>,
    close: bool,
    session: &Session,
) -> Result<BooksReply, Status> {
    let holder = Bytes::copy_from_slice(holder.0.as_bytes());
    let proxy = session.proxy().to_owned();
    session.books(BooksRequest { proxy, holder, books, close }).await
}

fn message(book: &Book, view: &View) -> BookView {
    let kept = |declaration: &std::collections::BTreeMap<domain::Account, budget::Units>| Declaration {
        kept: declaration
            .iter()
            .map(|(account, units)| Kept { account: Some(proto::account_to(account)), units: *units })
            .collect(),
    };
    BookView {
        root: Bytes::copy_from_slice(book.root.0.as_bytes()),
        epoch: view.epoch,
        lost: view.lost.as_ref().map(|token| token.as_str().to_owned()).unwrap_or_default(),
        declaration: view.declaration.as_ref().map(kept),
        budgets: view.budgets.iter().map(cap).collect(),
    }
}

fn cap(from: &CapRevision) -> BudgetCap {
    BudgetCap {
        budget: Bytes::copy_from_slice(from.budget.id.0.as_bytes()),
        generation: from.budget.generation,
        cap: from.cap,
        revision: from.revision,
    }
}

/// Gives everything back and leaves all books, once every request has ended and its usage was reported. What cannot be
/// done until the deadline is for the next process on the folder.
pub(crate) async fn leave(budgets: Arc<Budgets>, session: Session, deadline: Instant) {
    let books = budgets.all();
    if books.is_empty() {
        return;
    }
    books.iter().for_each(|book| book.leave());
    let left = async {
        while !books.iter().all(|book| book.is_given_back()) {
            sleep(PAUSE).await;
        }
        if books.iter().all(|book| book.has_left()) {
            match ask(budgets.spool.holder(), Vec::new(), true, &session).await {
                Ok(_) => tracing::debug!("left all books of budgets"),
                Err(status) if status.code() == Code::Unimplemented => {}
                Err(status) => {
                    tracing::warn!("the ledger does not hear that this proxy leaves: {}", status.message())
                }
            }
        }
    };
    if timeout_at(deadline, left).await.is_err() {
        tracing::info!(
            "authority under budgets stays with this folder: the next process on it goes on with it"
        );
    }
}
