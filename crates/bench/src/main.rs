//! `make bench`: what the proxy costs beside nginx, in the same run on the same machine. Start it by `make`, which builds
//! what it measures; then `target/release/bench SCENARIO...` repeats a part.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool reports on its standard streams"
)]

mod load;
mod process;
mod provider;
mod report;
mod rounds;
mod subject;
mod wire;

use std::{fs, path::Path, process::ExitCode, thread};

use anyhow::Context;

use crate::{rounds::Scenario, subject::Telling};

/// Where the table is kept, below the build's own directory.
const LATEST: &str = "target/bench/latest.md";

fn main() -> ExitCode {
    let scenarios = match scenarios(std::env::args().skip(1)) {
        Ok(scenarios) => scenarios,
        Err(error) => {
            eprintln!("bench: {error:#}");
            return ExitCode::from(64);
        }
    };
    match bench(&scenarios) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// All scenarios, or those that are named.
fn scenarios(names: impl Iterator<Item = String>) -> anyhow::Result<Vec<Scenario>> {
    let find = |name: String| {
        let found = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name);
        let known = Scenario::ALL.map(Scenario::name).join(", ");
        found.with_context(|| format!("no scenario {name:?}; there are {known}"))
    };
    let named = names.map(find).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(if named.is_empty() { Scenario::ALL.to_vec() } else { named })
}

fn bench(scenarios: &[Scenario]) -> anyhow::Result<()> {
    let cores = thread::available_parallelism()?.get();
    let machine = report::Machine::find(cores);
    process::leave_core_0(cores)?;
    let latest = Path::new(LATEST);
    let parent = latest.parent().context("no parent")?;
    fs::create_dir_all(parent)?;
    let dir = tempfile::tempdir_in(fs::canonicalize(parent)?)?;
    // Load and provider share one thread: they would only take turns on the core, at the price of switching.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(async {
        let provider = provider::start().await?;
        let nginx = subject::nginx(dir.path(), provider)?;
        let control = subject::control(dir.path(), provider)?;
        let proxy = |telling| subject::proxy(dir.path(), provider, &control, telling);
        let mut more = Vec::new();
        // Idle proxies cost nothing; those that nobody asks are not started.
        if scenarios.contains(&Scenario::Busy) {
            for telling in Telling::MORE {
                more.push((telling, proxy(telling)?));
            }
        }
        let subjects = rounds::Subjects { nginx, portcullis: proxy(Telling::Nothing)?, more };
        rounds::run(provider, &subjects, &control.key, scenarios, |step| eprintln!("{step}")).await
    })?;
    let table = report::markdown(&machine, &figures);
    fs::write(latest, &table).with_context(|| LATEST.to_owned())?;
    println!("{table}");
    Ok(())
}
