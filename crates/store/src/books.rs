//! The root of budgets: each step of the protocol of `docs/spec/money.md` as one transaction.

mod tables;

use std::collections::{BTreeMap, BTreeSet};

use budget::{CapRevision, ClosedBook, MemberState, SealOutcome, Token, Units};
use domain::{Account, BudgetRef, Draw, IncarnationId, Money, ResourceId, Timestamp};
use sqlx::{AnyConnection, Row};

use self::tables::{Booked, add, load, save, state_from, state_name};
use crate::{
    Result, Store,
    connect::with_timeout,
    row::{bigint, count, parsed},
};

/// How often a heartbeat is written down, where nothing else is.
const SEEN: i64 = 60_000_000;

/// What a proxy says of one book.
#[derive(Clone, Debug)]
pub struct Heartbeat<'a> {
    /// The topmost tenant.
    pub root: ResourceId,
    /// The proxy's folder.
    pub holder: IncarnationId,
    /// Budgets that it draws from and the book may not know.
    pub budgets: &'a [CapRevision],
    /// The moment.
    pub now: Timestamp,
}

/// What a proxy is told of one book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The epoch.
    pub epoch: u64,
    /// The token, once the epoch's book is open, for a member. That it joined is committed.
    pub token: Option<Token>,
    /// What the ledger thinks of the proxy.
    pub state: MemberState,
    /// Of the budgets in question, those that nothing can have been drawn from before this epoch: the book may be told
    /// that it is complete.
    pub fresh: Vec<BudgetRef>,
}

/// A proxy as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookMember {
    /// The topmost tenant.
    pub root: ResourceId,
    /// The proxy's folder.
    pub holder: IncarnationId,
    /// What the ledger thinks of it.
    pub state: MemberState,
    /// When it was last heard of, to the minute.
    pub seen_at: Timestamp,
}

impl Store {
    /// Takes a heartbeat: the proxy is registered, and joins the epoch whose token it is told.
    ///
    /// # Errors
    /// What the database met; then nothing may be told to the proxy.
    pub async fn greet(&self, heartbeat: &Heartbeat<'_>) -> Result<Greeting> {
        with_timeout(async {
            if heartbeat.budgets.is_empty()
                && let Some(greeting) = self.greet_again(heartbeat).await?
            {
                return Ok(greeting);
            }
            let (mut tx, _turn) = self.write().await?;
            let book = lock(&mut tx, heartbeat.root).await?;
            let state = register(&mut tx, heartbeat).await?;
            let fresh = learn(&mut tx, heartbeat, book.epoch).await?;
            let token = book.token.filter(|_| state == MemberState::Open);
            if token.is_some() {
                sqlx::query("UPDATE budget_members SET joined = $1 WHERE root = $2 AND holder = $3")
                    .bind(bigint(book.epoch))
                    .bind(heartbeat.root.to_string())
                    .bind(heartbeat.holder.to_string())
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await?;
            Ok(Greeting { epoch: book.epoch, token, state, fresh })
        })
        .await
    }

    /// The answer to a heartbeat that changes nothing: most of them.
    async fn greet_again(&self, heartbeat: &Heartbeat<'_>) -> Result<Option<Greeting>> {
        let found = sqlx::query(
            "SELECT b.epoch, b.token, m.state, m.joined, m.seen_at FROM budget_books b \
             JOIN budget_members m ON m.root = b.root WHERE b.root = $1 AND m.holder = $2",
        )
        .bind(heartbeat.root.to_string())
        .bind(heartbeat.holder.to_string())
        .fetch_optional(self.pool())
        .await?;
        let Some(found) = found else { return Ok(None) };
        let (epoch, joined) = (count(&found, "epoch")?, count(&found, "joined")?);
        let state = state_from(found.try_get("state")?)?;
        let recent = heartbeat.now.micros() - found.try_get::<i64, _>("seen_at")? < SEEN;
        let token: Option<String> = found.try_get("token")?;
        let token = token.filter(|_| state == MemberState::Open).map(Token::new);
        let settled = recent && (token.is_none() || joined == epoch);
        Ok(settled.then_some(Greeting { epoch, token, state, fresh: Vec::new() }))
    }

    /// Writes down what a proxy declares that it keeps, in place of what it declared before.
    ///
    /// # Errors
    /// What the database met.
    pub async fn declare_kept(
        &self,
        root: ResourceId,
        holder: IncarnationId,
        epoch: u64,
        kept: &BTreeMap<Account, Units>,
    ) -> Result<()> {
        with_timeout(async {
            let (mut tx, _turn) = self.write().await?;
            lock(&mut tx, root).await?;
            let declared = sqlx::query(
                "UPDATE budget_members SET declared = $1 \
                 WHERE root = $2 AND holder = $3 AND declared <= $1 AND state <> 'closed'",
            )
            .bind(bigint(epoch))
            .bind(root.to_string())
            .bind(holder.to_string())
            .execute(&mut *tx)
            .await?;
            if declared.rows_affected() == 1 {
                tables::replace_kept(&mut tx, root, holder, kept).await?;
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Takes the next epoch, from which on no member joins an older one; with the token of the newest book that was
    /// open. Nothing where the current epoch is not the one that the caller saw: somebody else was faster.
    ///
    /// # Errors
    /// What the database met.
    pub async fn next_epoch(&self, root: ResourceId, seen: u64) -> Result<Option<(u64, Option<Token>)>> {
        with_timeout(async {
            let (mut tx, _turn) = self.write().await?;
            let book = lock(&mut tx, root).await?;
            if book.epoch != seen {
                return Ok(None);
            }
            let epoch = book.epoch + 1;
            sqlx::query("UPDATE budget_books SET epoch = $1, sealed = 0, token = NULL WHERE root = $2")
                .bind(bigint(epoch))
                .bind(root.to_string())
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(Some((epoch, book.last_token)))
        })
        .await
    }

    /// Decides what the book of an epoch is loaded with ([`budget::Ledger::seal`]).
    ///
    /// # Errors
    /// What the database met.
    pub async fn seal_book(
        &self,
        root: ResourceId,
        epoch: u64,
        closed: Option<(&Token, &ClosedBook)>,
    ) -> Result<SealOutcome> {
        with_timeout(async {
            let (mut tx, _turn) = self.write().await?;
            let book = lock(&mut tx, root).await?;
            if book.epoch != epoch {
                return Ok(SealOutcome::Over);
            }
            let before = load(&mut tx, root, &book).await?;
            let mut after = before.clone();
            let outcome = after.seal(epoch, closed);
            save(&mut tx, root, &before, &after).await?;
            tx.commit().await?;
            Ok(outcome)
        })
        .await
    }

    /// Commits the token of an epoch's book: the only one that ever grants. False where the epoch is over, or has one.
    ///
    /// # Errors
    /// What the database met.
    pub async fn open_book(&self, root: ResourceId, epoch: u64, token: &Token) -> Result<bool> {
        with_timeout(async {
            let (mut tx, _turn) = self.write().await?;
            lock(&mut tx, root).await?;
            let opened = sqlx::query(
                "UPDATE budget_books SET token = $1, last_epoch = $2, last_token = $1 \
                 WHERE root = $3 AND epoch = $2 AND sealed = 1 AND token IS NULL",
            )
            .bind(token.as_str().to_owned())
            .bind(bigint(epoch))
            .bind(root.to_string())
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(opened.rows_affected() == 1)
        })
        .await
    }

    /// A drained proxy leaves all its books: everything is settled, reported and given back.
    ///
    /// # Errors
    /// What the database met.
    pub async fn close_holder(&self, holder: IncarnationId) -> Result<()> {
        self.set_state(holder, MemberState::Closed).await.map(|_| ())
    }

    /// An operator gives a proxy up: it counts with what it reported. Says in how many books it was.
    ///
    /// # Errors
    /// What the database met.
    pub async fn write_off_holder(&self, holder: IncarnationId) -> Result<u64> {
        self.set_state(holder, MemberState::WrittenOff).await
    }

    async fn set_state(&self, holder: IncarnationId, state: MemberState) -> Result<u64> {
        with_timeout(async {
            let (mut tx, _turn) = self.write().await?;
            let changed =
                sqlx::query("UPDATE budget_members SET state = $1 WHERE holder = $2 AND state = 'open'")
                    .bind(state_name(state))
                    .bind(holder.to_string())
                    .execute(&mut *tx)
                    .await?;
            tx.commit().await?;
            Ok(changed.rows_affected())
        })
        .await
    }

    /// Every proxy of every book.
    ///
    /// # Errors
    /// What the database met.
    pub async fn book_members(&self) -> Result<Vec<BookMember>> {
        with_timeout(async {
            let rows =
                sqlx::query("SELECT root, holder, state, seen_at FROM budget_members ORDER BY root, holder")
                    .fetch_all(self.pool())
                    .await?;
            let member = |row: &sqlx::any::AnyRow| {
                Ok(BookMember {
                    root: parsed(row, "root")?,
                    holder: parsed(row, "holder")?,
                    state: state_from(row.try_get("state")?)?,
                    seen_at: Timestamp::from_micros(row.try_get("seen_at")?),
                })
            };
            rows.iter().map(member).collect()
        })
        .await
    }

    /// What was reported in the accounts of some budgets, whoever drew it, in windows that begin at `since` (Unix
    /// seconds) or later.
    ///
    /// # Errors
    /// What the database met.
    pub async fn spent(&self, budget: ResourceId, since: i64) -> Result<Vec<(Account, Money)>> {
        with_timeout(async { tables::spent(self.pool(), budget, since).await }).await
    }
}

/// The state of a book, locked until the transaction ends.
struct Book {
    epoch: u64,
    sealed: bool,
    token: Option<Token>,
    last_epoch: Option<u64>,
    last_token: Option<Token>,
}

/// Makes the book where it is not there, and locks its row.
async fn lock(connection: &mut AnyConnection, root: ResourceId) -> Result<Book> {
    // An update that changes nothing: SQLite knows no `FOR UPDATE`.
    let found = sqlx::query(
        "INSERT INTO budget_books (root, epoch, sealed) VALUES ($1, 0, 0) \
         ON CONFLICT (root) DO UPDATE SET epoch = budget_books.epoch \
         RETURNING epoch, sealed, token, last_epoch, last_token",
    )
    .bind(root.to_string())
    .fetch_one(connection)
    .await?;
    let token = |column: &str| -> Result<Option<Token>> {
        Ok(found.try_get::<Option<String>, _>(column)?.map(Token::new))
    };
    let last_epoch: Option<i64> = found.try_get("last_epoch")?;
    Ok(Book {
        epoch: count(&found, "epoch")?,
        sealed: crate::row::flag(&found, "sealed")?,
        token: token("token")?,
        last_epoch: last_epoch.map(|epoch| u64::try_from(epoch).unwrap_or_default()),
        last_token: token("last_token")?,
    })
}

/// The proxy is known before it learns the epoch.
async fn register(connection: &mut AnyConnection, heartbeat: &Heartbeat<'_>) -> Result<MemberState> {
    let found = sqlx::query(
        "INSERT INTO budget_members (root, holder, state, joined, declared, seen_at) \
         VALUES ($1, $2, 'open', 0, 0, $3) \
         ON CONFLICT (root, holder) DO UPDATE SET seen_at = excluded.seen_at RETURNING state",
    )
    .bind(heartbeat.root.to_string())
    .bind(heartbeat.holder.to_string())
    .bind(heartbeat.now.micros())
    .fetch_one(connection)
    .await?;
    state_from(found.try_get("state")?)
}

/// Writes down budgets and caps that are new, and says which budgets were first heard of in this epoch.
async fn learn(
    connection: &mut AnyConnection,
    heartbeat: &Heartbeat<'_>,
    epoch: u64,
) -> Result<Vec<BudgetRef>> {
    let mut fresh = Vec::new();
    for CapRevision { budget, cap, revision } in heartbeat.budgets {
        let found = sqlx::query(
            "INSERT INTO budget_caps (root, budget, generation, cap, revision, added) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (root, budget, generation) DO UPDATE SET \
             cap = CASE WHEN excluded.revision > budget_caps.revision THEN excluded.cap ELSE budget_caps.cap END, \
             revision = CASE WHEN excluded.revision > budget_caps.revision THEN excluded.revision \
             ELSE budget_caps.revision END RETURNING added",
        )
        .bind(heartbeat.root.to_string())
        .bind(budget.id.to_string())
        .bind(i64::from(budget.generation))
        .bind(*cap)
        .bind(bigint(*revision))
        .bind(bigint(epoch))
        .fetch_one(&mut *connection)
        .await?;
        if count(&found, "added")? == epoch {
            fresh.push(*budget);
        }
    }
    Ok(fresh)
}

/// Adds what new attempts cost to the accounts that they were drawn from. Sorted, so that two ledgers lock rows in the
/// same order.
#[derive(Default)]
pub(crate) struct Spent(BTreeMap<Booked, i64>);

impl Spent {
    pub(crate) fn add(&mut self, draw: &Draw, cost: Money) {
        let unique: BTreeSet<&Account> = draw.accounts.iter().collect();
        for account in unique {
            let booked = Booked { root: draw.root, account: account.clone(), holder: draw.holder };
            let sum = self.0.entry(booked).or_default();
            *sum = sum.saturating_add(cost.nanos());
        }
    }

    pub(crate) async fn write(self, connection: &mut AnyConnection) -> Result<()> {
        add(connection, self.0.into_iter().collect()).await
    }
}
