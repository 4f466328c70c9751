//! Books in Redis (5 or newer): each operation is one script, so that it is atomic.

use std::collections::BTreeMap;

use domain::{Account, BudgetRef, IncarnationId, ResourceId, Window};
use redis::{ErrorKind, FromRedisValue, RedisError, Script, ServerErrorKind, aio::MultiplexedConnection};

use crate::{
    Begin, Books, BooksError, CapRevision, ClosedBook, LeaseCommand, LeaseReply, Load, Row, Token, Units,
};

/// The text of a script, with what all of them begin with.
macro_rules! script {
    ($name:literal) => {
        concat!(include_str!("redis_books/history.lua"), include_str!(concat!("redis_books/", $name, ".lua")))
    };
}

/// Books in Redis; cheap to clone.
#[derive(Clone)]
pub struct RedisBooks {
    connection: MultiplexedConnection,
    given: Given,
}

/// In place of what the store says of itself, so that tests can let it fail over and stop its clock; empty otherwise.
#[derive(Clone, Debug, Default)]
struct Given {
    history: String,
    /// In microseconds.
    time: String,
}

/// One call of a script: its keys and arguments.
struct Call<'a> {
    text: &'a str,
    keys: Vec<String>,
    args: Vec<String>,
}

/// The hashes that a call touches, each once, by their place among the call's keys.
struct Sheets {
    root: ResourceId,
    keys: Vec<String>,
    places: BTreeMap<(BudgetRef, i64), usize>,
}

impl RedisBooks {
    /// Books behind a connection. Time-outs are the connection's.
    #[must_use]
    pub fn new(connection: MultiplexedConnection) -> Self {
        Self { connection, given: Given::default() }
    }

    /// The same, of a store that says this history and time (in microseconds) of itself.
    #[cfg(test)]
    pub(crate) fn given(mut self, history: &str, time: i64) -> Self {
        self.given = Given { history: history.to_owned(), time: time.to_string() };
        self
    }

    /// Calls a script by its digest; a store that does not know it is given its text.
    async fn call<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, BooksError> {
        let script = Script::new(call.text);
        let command = |verb: &str, script: &str| {
            let mut command = redis::cmd(verb);
            command.arg(script).arg(call.keys.len()).arg(&call.keys).arg(&self.given.history).arg(&call.args);
            command
        };
        let mut connection = self.connection.clone();
        match command("EVALSHA", script.get_hash()).query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", call.text).query_async(&mut connection).await.map_err(failed)
            }
            reply => reply.map_err(failed),
        }
    }

    /// All rows of one window, above zero.
    async fn rows(
        &self,
        root: ResourceId,
        budget: BudgetRef,
        window: Window,
    ) -> Result<Vec<Row>, BooksError> {
        let mut rows = Vec::new();
        let key = sheet_key(root, budget, window.start);
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(&key).arg(cursor).arg("MATCH").arg("r:*").arg("COUNT").arg(1_000);
            let mut connection = self.connection.clone();
            let (next, fields): (u64, Vec<String>) =
                scan.query_async(&mut connection).await.map_err(failed)?;
            for pair in fields.chunks_exact(2) {
                rows.extend(row(budget, window, &pair[0], &pair[1])?);
            }
            cursor = next;
            if cursor == 0 {
                return Ok(rows);
            }
        }
    }
}

impl Books for RedisBooks {
    async fn lease(&self, root: ResourceId, command: &LeaseCommand) -> Result<LeaseReply, BooksError> {
        let reply: String = self.call(&lease_call(root, command, &self.given.time)).await?;
        match reply.as_str() {
            "lost" => Ok(LeaseReply::Lost),
            "stale" => Ok(LeaseReply::Stale),
            "wait" => Ok(LeaseReply::Wait),
            done => read_done(done).ok_or_else(|| odd(done)),
        }
    }

    async fn begin(&self, root: ResourceId, begin: &Begin) -> Result<Option<Token>, BooksError> {
        let mut args = vec![begin.epoch.to_string()];
        push_caps(&mut args, &begin.caps);
        args.push(begin.edges.len().to_string());
        for (budget, edge) in &begin.edges {
            args.extend([budget.to_string(), edge.to_string()]);
        }
        let call = Call { text: script!("begin"), keys: vec![book_key(root)], args };
        let token: String = self.call(&call).await?;
        Ok(Some(token).filter(|token| !token.is_empty()).map(Token::new))
    }

    async fn load(&self, root: ResourceId, load: &Load) -> Result<bool, BooksError> {
        let mut accounts: BTreeMap<&Account, Vec<&Row>> = BTreeMap::new();
        for row in &load.rows {
            accounts.entry(&row.account).or_default().push(row);
        }
        let mut sheets = Sheets::new(root);
        let mut args = vec![load.token.as_str().to_owned(), accounts.len().to_string()];
        for (account, rows) in accounts {
            sheets.push(&mut args, account);
            args.push(rows.len().to_string());
            for row in rows {
                args.extend([row.proxy.to_string(), row.amount.to_string()]);
            }
        }
        args.push(load.complete.len().to_string());
        args.extend(load.complete.iter().map(BudgetRef::to_string));
        let call = Call { text: script!("load"), keys: sheets.keys, args };
        Ok(self.call::<i64>(&call).await? == 1)
    }

    async fn close(&self, root: ResourceId, token: &Token) -> Result<Option<ClosedBook>, BooksError> {
        let call = Call {
            text: script!("close"),
            keys: vec![book_key(root)],
            args: vec![token.as_str().to_owned()],
        };
        let answer: Vec<String> = self.call(&call).await?;
        let mut closed = ClosedBook::default();
        for pair in answer.chunks_exact(2) {
            match (pair[0].as_str(), read_place(&pair[1])) {
                ("window", Some((budget, Place { start, previous: Some(previous) }))) => {
                    closed.rows.extend(self.rows(root, budget, Window { start, previous }).await?);
                }
                ("edge", Some((budget, Place { start, .. }))) => closed.edges.push((budget, start)),
                ("closed", _) => {}
                _ => return Err(odd(&pair[1])),
            }
        }
        // Nothing was evicted meanwhile if the book can still be closed: then the rows are complete.
        let again: Vec<String> = self.call(&call).await?;
        closed.rows.sort();
        closed.edges.sort();
        Ok((!answer.is_empty() && !again.is_empty()).then_some(closed))
    }
}

fn lease_call(root: ResourceId, command: &LeaseCommand, time: &str) -> Call<'static> {
    let mut args = vec![
        time.to_owned(),
        command.token.as_str().to_owned(),
        command.proxy.to_string(),
        command.sequence.boot.to_string(),
        command.sequence.number.to_string(),
        command.slice.unwrap_or(0).to_string(),
    ];
    push_caps(&mut args, &command.caps);
    let mut sheets = Sheets::new(root);
    args.push(command.accounts.len().to_string());
    for named in &command.accounts {
        sheets.push(&mut args, &named.account);
        args.push(named.keep.to_string());
    }
    args.push(command.wants.len().to_string());
    for want in &command.wants {
        args.extend([want.amount.to_string(), want.accounts.len().to_string()]);
        args.extend(want.accounts.iter().map(|at| (at + 1).to_string()));
    }
    Call { text: script!("lease"), keys: sheets.keys, args }
}

fn push_caps(args: &mut Vec<String>, caps: &[CapRevision]) {
    args.push(caps.len().to_string());
    for CapRevision { budget, cap, revision } in caps {
        args.extend([budget.to_string(), cap.to_string(), revision.to_string()]);
    }
}

impl Sheets {
    fn new(root: ResourceId) -> Self {
        Self { root, keys: vec![book_key(root)], places: BTreeMap::new() }
    }

    /// Names an account in a call: its hash, budget, window and value.
    fn push(&mut self, args: &mut Vec<String>, account: &Account) {
        let Account { budget, window, value } = account;
        let place = *self.places.entry((*budget, window.start)).or_insert_with(|| {
            self.keys.push(sheet_key(self.root, *budget, window.start));
            self.keys.len() - 1
        });
        let numbers = [window.start, window.previous].map(|time| time.to_string());
        args.extend([place.to_string(), budget.to_string()].into_iter().chain(numbers));
        args.push(value.to_string());
    }
}

/// The braces put all keys of a root tenant into one slot of a cluster.
fn book_key(root: ResourceId) -> String {
    format!("portcullis:{{{root}}}:book")
}

fn sheet_key(root: ResourceId, budget: BudgetRef, start: i64) -> String {
    format!("portcullis:{{{root}}}:{budget}:{start}")
}

/// Reads `ok 3,0 1 0,1`.
fn read_done(text: &str) -> Option<LeaseReply> {
    let mut parts = text.strip_prefix("ok ")?.split(' ');
    let granted = list(parts.next()?).map(str::parse).collect::<Result<_, _>>().ok()?;
    let admitted = list(parts.next()?).map(|bit| bit == "1").collect();
    let tight = list(parts.next()?).map(|bit| bit == "1").collect();
    let left = list(parts.next()?).map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(LeaseReply::Done { granted, admitted, tight, left })
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|item| !item.is_empty())
}

/// A window, or the edge of a budget.
struct Place {
    start: i64,
    previous: Option<i64>,
}

/// Reads `ID.GENERATION START [PREVIOUS]`.
fn read_place(text: &str) -> Option<(BudgetRef, Place)> {
    let mut words = text.split(' ');
    let (id, generation) = words.next()?.rsplit_once('.')?;
    let budget = BudgetRef { id: id.parse().ok()?, generation: generation.parse().ok()? };
    let start = words.next()?.parse().ok()?;
    let previous = words.next().map(str::parse).transpose().ok()?;
    Some((budget, Place { start, previous }))
}

/// Reads a field `r:PROXY:VALUE` and its amount; nothing where the row is zero.
fn row(budget: BudgetRef, window: Window, field: &str, amount: &str) -> Result<Option<Row>, BooksError> {
    let parsed = field.strip_prefix("r:").and_then(|rest| rest.split_once(':'));
    let (proxy, value) = parsed.ok_or_else(|| odd(field))?;
    let proxy: IncarnationId = proxy.parse().map_err(|_| odd(field))?;
    let amount: Units = amount.parse().map_err(|_| odd(amount))?;
    let account = Account { budget, window, value: value.into() };
    Ok((amount > 0).then_some(Row { account, proxy, amount }))
}

fn odd(text: &str) -> BooksError {
    BooksError(format!("an answer that no script gives: {text:?}"))
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: RedisError) -> BooksError {
    BooksError(error.to_string())
}
