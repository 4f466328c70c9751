//! Checks of the repository that no compiler makes: `cargo run -q -p xtask -- lint`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool reports on its standard streams"
)]

mod files;
mod floors;
mod reach;
mod workspace;

use std::process::ExitCode;

/// A rule's verdict: what was looked at, or the violations.
type Verdict = Result<String, Vec<String>>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("lint") {
        eprintln!("usage: cargo run -q -p xtask -- lint");
        return ExitCode::from(64);
    }
    match lint() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every check, printing one line each, plus one for each violation; true when all hold.
fn lint() -> anyhow::Result<bool> {
    let workspace = workspace::load()?;
    let sources = files::load(&workspace.root)?;
    let checks: [(&str, Verdict); 5] = [
        ("crate floors", floors::check(&workspace.crates)),
        ("forbidden dependencies", reach::check(&workspace.packages)),
        ("file length", files::length(&sources)),
        ("file headers", files::headers(&sources)),
        ("file names", files::names(&sources)),
    ];
    let mut holds = true;
    for (name, verdict) in checks {
        match verdict {
            Ok(seen) => println!("ok    {name}: {seen}"),
            Err(violations) => {
                holds = false;
                println!("FAIL  {name}");
                violations.iter().for_each(|violation| println!("      {violation}"));
            }
        }
    }
    Ok(holds)
}

/// A verdict from the violations that were found.
fn verdict(violations: Vec<String>, seen: impl FnOnce() -> String) -> Verdict {
    if violations.is_empty() { Ok(seen()) } else { Err(violations) }
}
