//! `make bench`: what the proxy costs beside nginx, in the same run on the same machine. Start it by `make`, which builds
//! what it measures; then `target/release/bench SCENARIO...` repeats a part. `target/release/bench instructions
//! [--proxy PATH]` is `make bench-instructions`: it counts what requests cost a proxy, without time.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool reports on its standard streams"
)]

mod instructions;
mod load;
mod process;
mod provider;
mod report;
mod rounds;
mod subject;
mod wire;

use std::{fs, path::PathBuf, process::ExitCode, thread};

use anyhow::{Context, bail};

use crate::{
    provider::PACE,
    rounds::Scenario,
    subject::{Launcher, Telling},
};

/// Where files are kept and made, below the build's own directory.
const BELOW: &str = "target/bench";
/// Where the table is kept.
const LATEST: &str = "target/bench/latest.md";

/// What is asked for on the command line.
enum Command {
    /// Time and memory, beside nginx.
    Compare(Vec<Scenario>),
    /// Instructions per request: of this proxy, or of the one that was built with the bench.
    Instructions(Option<PathBuf>),
}

fn main() -> ExitCode {
    let command = match command(std::env::args().skip(1).collect()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("bench: {error:#}");
            return ExitCode::from(64);
        }
    };
    let done = match command {
        Command::Compare(scenarios) => compare(&scenarios),
        Command::Instructions(proxy) => instructions(proxy),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command(args: Vec<String>) -> anyhow::Result<Command> {
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["instructions"] => Ok(Command::Instructions(None)),
        ["instructions", "--proxy", path] => Ok(Command::Instructions(Some(PathBuf::from(path)))),
        ["instructions", ..] => bail!("usage: bench instructions [--proxy PATH]"),
        _ => Ok(Command::Compare(scenarios(args.into_iter())?)),
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

fn compare(scenarios: &[Scenario]) -> anyhow::Result<()> {
    let cores = thread::available_parallelism()?.get();
    let machine = report::Machine::find(cores);
    process::leave_core_0(cores)?;
    fs::create_dir_all(BELOW)?;
    let dir = tempfile::tempdir_in(fs::canonicalize(BELOW)?)?;
    // Load and provider share one thread: they would only take turns on the core, at the price of switching.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(async {
        let provider = provider::start(PACE).await?;
        let nginx = subject::nginx(dir.path(), provider)?;
        let control = subject::control(dir.path(), provider, None)?;
        let launcher = Launcher::built()?;
        let proxy = |telling| subject::proxy(dir.path(), provider, &control, telling, &launcher);
        let mut more = Vec::new();
        // Proxies that no request is sent to are not started.
        if scenarios.contains(&Scenario::Busy) {
            for telling in Telling::MORE {
                more.push((telling, proxy(telling)?));
            }
        }
        let subjects = rounds::Subjects { nginx, portcullis: proxy(Telling::Nothing)?, more };
        rounds::run(provider, &subjects, &control.key, scenarios, |step| eprintln!("{step}")).await
    })?;
    let table = report::markdown(&machine, &figures);
    fs::write(LATEST, &table).with_context(|| LATEST.to_owned())?;
    println!("{table}");
    Ok(())
}

fn instructions(proxy: Option<PathBuf>) -> anyhow::Result<()> {
    let launcher = match proxy {
        Some(program) => Launcher::of(&program)?,
        None => Launcher::built()?,
    };
    process::leave_core_0(thread::available_parallelism()?.get())?;
    fs::create_dir_all(BELOW)?;
    let dir = tempfile::tempdir_in(fs::canonicalize(BELOW)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let counts = instructions::run(dir.path(), launcher, |step| eprintln!("{step}"));
    println!("{}", report::instructions(&runtime.block_on(counts)?));
    Ok(())
}
