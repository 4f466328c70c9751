//! The rows of books, members, accounts and caps.

use std::collections::BTreeMap;

use budget::{Ledger, Member, MemberState, Units};
use domain::{Account, BudgetRef, IncarnationId, Money, ResourceId, Window};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Row, any::AnyRow};

use super::Book;
use crate::{
    Result,
    row::{bigint, count, parsed, small, unreadable},
    usage::placeholders,
};

/// Rows of one statement.
const CHUNK: usize = 100;

/// An account of one proxy.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Booked {
    pub(super) root: ResourceId,
    pub(super) account: Account,
    pub(super) holder: IncarnationId,
}

pub(super) const fn state_name(state: MemberState) -> &'static str {
    match state {
        MemberState::Open => "open",
        MemberState::Closed => "closed",
        MemberState::WrittenOff => "written_off",
    }
}

pub(super) fn state_from(name: &str) -> Result<MemberState> {
    match name {
        "open" => Ok(MemberState::Open),
        "closed" => Ok(MemberState::Closed),
        "written_off" => Ok(MemberState::WrittenOff),
        other => Err(unreadable(format!("unknown state of a proxy {other:?}"))),
    }
}

fn budget_ref(row: &AnyRow) -> Result<BudgetRef> {
    Ok(BudgetRef { id: parsed(row, "budget")?, generation: small(row, "generation")? })
}

fn account(row: &AnyRow) -> Result<Account> {
    let window = Window { start: row.try_get("window_start")?, previous: row.try_get("window_previous")? };
    let value: &str = row.try_get("value")?;
    Ok(Account { budget: budget_ref(row)?, window, value: value.into() })
}

/// Everything that is known under a root.
pub(super) async fn load(connection: &mut AnyConnection, root: ResourceId, book: &Book) -> Result<Ledger> {
    let mut ledger = Ledger {
        epoch: book.epoch,
        sealed: book.sealed,
        token: book.token.clone(),
        last: book.last_epoch.zip(book.last_token.clone()),
        ..Ledger::default()
    };
    let members = sqlx::query("SELECT holder, state, joined, declared FROM budget_members WHERE root = $1");
    for row in members.bind(root.to_string()).fetch_all(&mut *connection).await? {
        let state = state_from(row.try_get("state")?)?;
        let (joined, declared) = (count(&row, "joined")?, count(&row, "declared")?);
        let member = Member { state, joined, declared, kept: BTreeMap::new() };
        ledger.members.insert(parsed(&row, "holder")?, member);
    }
    let accounts = sqlx::query(
        "SELECT holder, budget, generation, window_start, window_previous, value, kept, spent \
         FROM budget_accounts WHERE root = $1",
    );
    for row in accounts.bind(root.to_string()).fetch_all(&mut *connection).await? {
        let (holder, account) = (parsed(&row, "holder")?, account(&row)?);
        let (kept, spent): (i64, i64) = (row.try_get("kept")?, row.try_get("spent")?);
        if spent != 0 {
            ledger.spent.entry(holder).or_default().insert(account.clone(), spent);
        }
        if kept != 0 {
            ledger.members.entry(holder).or_default().kept.insert(account, kept);
        }
    }
    let caps = sqlx::query("SELECT budget, generation, cap, revision, edge FROM budget_caps WHERE root = $1");
    for row in caps.bind(root.to_string()).fetch_all(connection).await? {
        let budget = budget_ref(&row)?;
        ledger.caps.insert(budget, (row.try_get("cap")?, count(&row, "revision")?));
        if let Some(edge) = row.try_get::<Option<i64>, _>("edge")? {
            ledger.edges.insert(budget, edge);
        }
    }
    Ok(ledger)
}

/// Writes down what a seal changed: who declared, which windows are over, and that it was decided.
pub(super) async fn save(
    connection: &mut AnyConnection,
    root: ResourceId,
    before: &Ledger,
    after: &Ledger,
) -> Result<()> {
    if after.sealed != before.sealed {
        let sealed = sqlx::query("UPDATE budget_books SET sealed = $1 WHERE root = $2");
        sealed.bind(i64::from(after.sealed)).bind(root.to_string()).execute(&mut *connection).await?;
    }
    for (holder, member) in &after.members {
        let known = before.members.get(holder);
        if known == Some(member) {
            continue;
        }
        sqlx::query("UPDATE budget_members SET state = $1, declared = $2 WHERE root = $3 AND holder = $4")
            .bind(state_name(member.state))
            .bind(bigint(member.declared))
            .bind(root.to_string())
            .bind(holder.to_string())
            .execute(&mut *connection)
            .await?;
        if known.is_none_or(|known| known.kept != member.kept) {
            replace_kept(connection, root, *holder, &member.kept).await?;
        }
    }
    for (budget, edge) in after.edges.iter().filter(|(budget, edge)| before.edges.get(budget) != Some(edge)) {
        for statement in [
            "UPDATE budget_caps SET edge = $1 WHERE root = $2 AND budget = $3 AND generation = $4",
            "DELETE FROM budget_accounts \
             WHERE window_start <= $1 AND root = $2 AND budget = $3 AND generation = $4",
        ] {
            sqlx::query(statement)
                .bind(*edge)
                .bind(root.to_string())
                .bind(budget.id.to_string())
                .bind(i64::from(budget.generation))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

const ACCOUNT: &str = "root, holder, budget, generation, window_start, window_previous, value, kept, spent";
const KEY: &str = "root, budget, generation, window_start, value, holder";

/// What a proxy keeps, in place of what it kept.
pub(super) async fn replace_kept(
    connection: &mut AnyConnection,
    root: ResourceId,
    holder: IncarnationId,
    kept: &BTreeMap<Account, Units>,
) -> Result<()> {
    let none = "UPDATE budget_accounts SET kept = 0 WHERE root = $1 AND holder = $2 AND kept <> 0";
    sqlx::query(none).bind(root.to_string()).bind(holder.to_string()).execute(&mut *connection).await?;
    let booked =
        kept.iter().map(|(account, units)| (Booked { root, account: account.clone(), holder }, *units));
    upsert(connection, booked.collect(), "kept").await
}

/// Adds to what was spent.
pub(super) async fn add(connection: &mut AnyConnection, costs: Vec<(Booked, i64)>) -> Result<()> {
    upsert(connection, costs, "spent").await
}

/// Puts amounts into one of the two columns: `kept` is set, `spent` is added to.
async fn upsert(
    connection: &mut AnyConnection,
    amounts: Vec<(Booked, i64)>,
    column: &'static str,
) -> Result<()> {
    let (set, place) = match column {
        "kept" => ("kept = excluded.kept", 0),
        _ => ("spent = budget_accounts.spent + excluded.spent", 1),
    };
    for chunk in amounts.chunks(CHUNK) {
        let values = placeholders(chunk.len(), 9);
        let statement = format!(
            "INSERT INTO budget_accounts ({ACCOUNT}) VALUES {values} ON CONFLICT ({KEY}) DO UPDATE SET {set}"
        );
        let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(chunk.len() == CHUNK);
        for (Booked { root, account, holder }, amount) in chunk {
            let mut columns = [0, 0];
            columns[place] = *amount;
            query = query
                .bind(root.to_string())
                .bind(holder.to_string())
                .bind(account.budget.id.to_string())
                .bind(i64::from(account.budget.generation))
                .bind(account.window.start)
                .bind(account.window.previous)
                .bind(account.value.replace('\0', "\u{fffd}"))
                .bind(columns[0])
                .bind(columns[1]);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Sums over all proxies, by account.
pub(super) async fn spent(pool: &AnyPool, budget: ResourceId, since: i64) -> Result<Vec<(Account, Money)>> {
    let rows = sqlx::query(
        "SELECT budget, generation, window_start, window_previous, value, \
         CAST(SUM(spent) AS BIGINT) AS spent FROM budget_accounts WHERE budget = $1 AND window_start >= $2 \
         GROUP BY budget, generation, window_start, window_previous, value \
         ORDER BY spent DESC, value LIMIT 10000",
    )
    .bind(budget.to_string())
    .bind(since)
    .fetch_all(pool)
    .await?;
    let sum = |row: &AnyRow| Ok((account(row)?, Money::from_nanos(row.try_get("spent")?)));
    rows.iter().map(sum).collect()
}
