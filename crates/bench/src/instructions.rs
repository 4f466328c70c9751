//! How many instructions of user mode a request costs the proxy: callgrind counts them, whatever the machine's speed.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, bail};

use crate::{
    load,
    provider::{self, PACED, TRANSLATED},
    subject::{self, Control, Launcher, Telling},
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
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Streamed, Self::Translated, Self::Large];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Streamed => "streamed",
            Self::Translated => "translated",
            Self::Large => "64 KB prompt",
        }
    }

    fn request(self, key: &str) -> Vec<u8> {
        match self {
            Self::Plain => load::request(key, "chat", 200),
            Self::Streamed => load::request(key, PACED, 200),
            Self::Translated => load::request(key, TRANSLATED, 200),
            Self::Large => load::request(key, "chat", 64 << 10),
        }
    }

    /// How many are counted at once: three seconds of them at most, since the ledger is halted meanwhile.
    const fn requests(self) -> usize {
        match self {
            Self::Streamed => 20,
            Self::Plain | Self::Translated | Self::Large => 200,
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
    let control = subject::control(dir, provider)?;
    say("starting the proxy below callgrind");
    let counted = dir.join("callgrind.out");
    let launcher = launcher.under(callgrind(&counted)?);
    let proxy = subject::proxy(dir, provider, &control, Telling::Nothing, &launcher)?;
    let mut counter = Counter { pid: proxy.pid, counted, dumps: 0 };
    for kind in Kind::ALL {
        send(proxy.addr, &kind.request(&control.key), WARM_UP).await?;
    }
    tokio::time::sleep(REPORTING).await;
    let mut counts = Kind::ALL.map(|kind| Counts { kind, rounds: Vec::new() });
    for round in 1..=ROUNDS {
        for Counts { kind, rounds } in &mut counts {
            say(&format!("round {round} of {ROUNDS}: {}", kind.name()));
            let request = kind.request(&control.key);
            counter.take()?;
            send_then_report(proxy.addr, &control, &request, kind.requests()).await?;
            rounds.push(counter.take()? as f64 / kind.requests() as f64);
        }
    }
    Ok(counts.into())
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
