//! One book from lost data to an open book, step by step, each step one transaction or one script.

use budget::{BookStore, Books, Rebuild, RebuildStep, SealOutcome, Token};
use domain::ResourceId;
use store::{Store, StoreError};
use tokio::time::{Duration, Instant, sleep};

/// How long members are waited for between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Between two attempts, at first and at most.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// After so long an operator is told who is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Rebuilds the book whose epoch was seen, until it is open or somebody else took an epoch.
pub(super) async fn run(store: &Store, books: &BookStore, root: ResourceId, mut seen: u64) {
    let mut retry = FIRST_RETRY;
    loop {
        // No new epoch before the store answers: there could be no book in it.
        if let Err(error) = books.close(root, &Token::new("")).await {
            tracing::warn!(%root, %error, "a book of budgets cannot be rebuilt yet");
            sleep(retry).await;
            retry = (retry * 2).min(LAST_RETRY);
            continue;
        }
        match attempt(store, books, root, seen).await {
            Ok(Attempt::Open(epoch)) => {
                tracing::info!(%root, epoch, "the book of budgets is open");
                return;
            }
            Ok(Attempt::Overtaken) => return,
            Ok(Attempt::Failed(epoch, why)) => {
                seen = epoch;
                tracing::warn!(%root, epoch, why, "a book of budgets cannot be rebuilt yet");
            }
            Err(error) => tracing::warn!(%root, %error, "a book of budgets cannot be rebuilt yet"),
        }
        sleep(retry).await;
        retry = (retry * 2).min(LAST_RETRY);
    }
}

/// How one attempt ended.
enum Attempt {
    /// The book of this epoch is open and complete.
    Open(u64),
    /// Another ledger took a newer epoch.
    Overtaken,
    /// The attempt under this epoch is over.
    Failed(u64, String),
}

async fn attempt(
    store: &Store,
    books: &BookStore,
    root: ResourceId,
    seen: u64,
) -> Result<Attempt, StoreError> {
    let Some((epoch, old)) = store.next_epoch(root, seen).await? else { return Ok(Attempt::Overtaken) };
    let mut rebuild = Rebuild::new(epoch, old);
    let mut why = "the epoch is over".to_owned();
    let began = Instant::now();
    let mut told = false;
    loop {
        match rebuild.step() {
            RebuildStep::Seal { close } => {
                if let Some(token) = close {
                    match books.close(root, &token).await {
                        Ok(book) => rebuild.closed(book),
                        // The store is away: its members declare.
                        Err(error) => tracing::debug!(%root, %error, "the old book cannot be closed"),
                    }
                }
                let outcome = store.seal_book(root, epoch, rebuild.old_book()).await?;
                let unknown = outcome == SealOutcome::Unknown;
                if outcome == SealOutcome::Over {
                    return Ok(Attempt::Overtaken);
                }
                rebuild.sealed(outcome);
                if unknown {
                    if !told && began.elapsed() > PATIENCE {
                        told = true;
                        tracing::warn!(
                            %root, epoch,
                            "a book of budgets waits for a proxy that is silent; write it off if it never comes back"
                        );
                    }
                    sleep(LOOK).await;
                }
            }
            RebuildStep::Begin(begin) => match books.begin(root, &begin).await {
                Ok(token) => rebuild.begun(token),
                Err(error) => {
                    why = error.to_string();
                    rebuild.begun(None);
                }
            },
            RebuildStep::Open(token) => rebuild.opened(store.open_book(root, epoch, &token).await?),
            RebuildStep::Load(load) => match books.load(root, &load).await {
                Ok(done) => rebuild.loaded(done),
                Err(error) => {
                    why = error.to_string();
                    rebuild.loaded(false);
                }
            },
            RebuildStep::Done => return Ok(Attempt::Open(epoch)),
            RebuildStep::Failed => return Ok(Attempt::Failed(epoch, why)),
        }
    }
}
