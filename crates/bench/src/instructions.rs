//! How many instructions of user mode a request costs the proxy: callgrind counts them, whatever the machine's speed.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, bail};
use testkit::Redis;

use crate::{
    load,
    provider::{self, PACED, TRANSLATED},
    subject::{self, Control, Launcher, Subject, Telling},
    wire::Wire,
};

/// How often each kind is counted.
const ROUNDS: usize = 5;
/// Requests of each kind before the first count, for connections, caches and lazy tables.
const WARM_UP: usize = 20;
/// Between two parts of a stream: long enough for the proxy to keep up below valgrind.
const PACE: Duration = Duration::from_millis(6);
/// How long the proxy may report usage, and write it off, after the requests of a count.
const REPORTING: Duration = Duration::from_millis(1500);

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A small chat request.
    Plain,
    /// The same, answered by a stream.
    Streamed,
    /// The same, to a provider that speaks Anthropic's Messages.
    Translated,
    /// A prompt of 64 KB.
    Large,
    /// A small chat request under three budgets, with the books in Redis.
    Budgeted,
}

impl Kind {
    /// Those that one proxy is asked in turn.
    const UNBUDGETED: [Self; 4] = [Self::Plain, Self::Streamed, Self::Translated, Self::Large];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Streamed => "streamed",
            Self::Translated => "translated",
            Self::Large => "64 KB prompt",
            Self::Budgeted => "plain, under three budgets",
        }
    }

    fn request(self, key: &str) -> Vec<u8> {
        match self {
            Self::Plain | Self::Budgeted => load::request(key, "chat", 200),
            Self::Streamed => load::request(key, PACED, 200),
            Self::Translated => load::request(key, TRANSLATED, 200),
            Self::Large => load::request(key, "chat", 64 << 10),
        }
    }

    /// How many are counted at once: three seconds of them at most, since the ledger is halted meanwhile.
    const fn requests(self) -> usize {
        match self {
            Self::Streamed => 20,
            Self::Plain | Self::Translated | Self::Large | Self::Budgeted => 200,
        }
    }
}

/// Instructions per request of one kind, one count for each round.
pub(crate) struct Counts {
    pub(crate) kind: Kind,
    pub(crate) rounds: Vec<f64>,
}

/// Counts all kinds in alternating rounds, over one connection that sends a request when the last one is answered.
///
/// # Errors
/// When valgrind is missing or a request is not answered with success.
pub(crate) async fn run(
    dir: &Path,
    launcher: Launcher,
    mut say: impl FnMut(&str),
) -> anyhow::Result<Vec<Counts>> {
    let provider = provider::start(PACE).await?;
    let subject = Counted { dir: dir.join("unbudgeted"), provider, redis: None, launcher: launcher.clone() };
    let mut counts = subject.count(&Kind::UNBUDGETED, &mut say).await?;
    let redis = Redis::start()?;
    let subject = Counted { dir: dir.join("budgeted"), provider, redis: Some(redis.url()), launcher };
    match subject.count(&[Kind::Budgeted], &mut say).await {
        Ok(budgeted) => counts.extend(budgeted),
        // An older proxy, to be compared with, knows no budgets.
        Err(error) => say(&format!("{}: not counted: {error:#}", Kind::Budgeted.name())),
    }
    Ok(counts)
}

/// A proxy to be counted, with what it stands on.
struct Counted {
    dir: PathBuf,
    provider: SocketAddr,
    /// With it the tenant has budgets in place of limits.
    redis: Option<String>,
    launcher: Launcher,
}

impl Counted {
    async fn count(self, kinds: &[Kind], say: &mut impl FnMut(&str)) -> anyhow::Result<Vec<Counts>> {
        let Self { dir, provider, redis, launcher } = self;
        fs::create_dir(&dir)?;
        let control = subject::control(&dir, provider, redis)?;
        say("starting the proxy below callgrind");
        let counted = dir.join("callgrind.out");
        let launcher = launcher.under(callgrind(&counted)?);
        let proxy = subject::proxy(&dir, provider, &control, Telling::Nothing, &launcher)?;
        let counter = Counter { pid: proxy.pid, counted, dumps: 0 };
        rounds(&proxy, &control, counter, kinds, say).await
    }
}

async fn rounds(
    proxy: &Subject,
    control: &Control,
    mut counter: Counter,
    kinds: &[Kind],
    say: &mut impl FnMut(&str),
) -> anyhow::Result<Vec<Counts>> {
    for kind in kinds {
        send(proxy.addr, &kind.request(&control.key), WARM_UP).await?;
    }
    tokio::time::sleep(REPORTING).await;
    let mut counts: Vec<Counts> =
        kinds.iter().map(|kind| Counts { kind: *kind, rounds: Vec::new() }).collect();
    for round in 1..=ROUNDS {
        for Counts { kind, rounds } in &mut counts {
            say(&format!("round {round} of {ROUNDS}: {}", kind.name()));
            let request = kind.request(&control.key);
            counter.take()?;
            send_then_report(proxy.addr, control, &request, kind.requests()).await?;
            rounds.push(counter.take()? as f64 / kind.requests() as f64);
        }
    }
    Ok(counts)
}

/// Sends the requests while no ledger answers: usage waits in the spool and is then reported in one batch, as under
/// load. Else the number of reports would depend on how slow the machine is.
async fn send_then_report(
    proxy: SocketAddr,
    control: &Control,
    request: &[u8],
    requests: usize,
) -> anyhow::Result<()> {
    control.halt()?;
    let sent = send(proxy, request, requests).await;
    control.go_on()?;
    tokio::time::sleep(REPORTING).await;
    sent
}

async fn send(proxy: SocketAddr, request: &[u8], requests: usize) -> anyhow::Result<()> {
    let mut wire = Wire::connect(proxy).await?;
    for _ in 0..requests {
        wire.send(request).await?;
        load::answer(&mut wire).await?;
    }
    Ok(())
}

/// The command below which the proxy runs. Valgrind shows every machine the same CPU, as far as it has AVX2.
fn callgrind(counted: &Path) -> anyhow::Result<Vec<String>> {
    let counted = counted.to_str().context("a path that is not UTF-8")?;
    let command = ["valgrind", "-q", "--tool=callgrind", "--dump-line=no"].map(str::to_owned);
    Ok(command.into_iter().chain([format!("--callgrind-out-file={counted}")]).collect())
}

/// Reads callgrind's counter.
struct Counter {
    pid: u32,
    /// Dumps are numbered behind this name.
    counted: PathBuf,
    dumps: usize,
}

impl Counter {
    /// Instructions since the last call, of all threads.
    fn take(&mut self) -> anyhow::Result<u64> {
        let pid = format!("--pid={}", self.pid);
        let done = Command::new("vgdb").args([&pid, "dump"]).output().context("vgdb, of valgrind")?;
        if !done.status.success() {
            bail!("vgdb: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        self.dumps += 1;
        let file = format!("{}.{}", self.counted.display(), self.dumps);
        let dump = fs::read_to_string(&file).with_context(|| file)?;
        let total = dump.lines().find_map(|line| line.strip_prefix("totals: ")).context("no totals")?;
        Ok(total.trim().parse()?)
    }
}
