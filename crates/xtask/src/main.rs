//! Checks of the repository that no compiler makes: `cargo run -q -p xtask -- lint`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool reports on its standard streams"
)]

mod figures;
mod files;
mod layers;
mod module_order;
mod modules;
mod reach;
mod signatures;
mod source_tree;
mod syntax;
mod workspace;

use std::process::ExitCode;

/// A rule's verdict: what was looked at, or the violations.
type Verdict = Result<String, Vec<String>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["lint"] => lint(),
        ["modules"] => list_modules(None),
        ["modules", name] => list_modules(Some(name)),
        ["figures"] => list_figures(None),
        ["figures", name] => list_figures(Some(name)),
        _ => {
            eprintln!("usage: cargo run -q -p xtask -- lint | modules [CRATE] | figures [CRATE]");
            return ExitCode::from(64);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the imports between files of all crates, or of one.
fn list_modules(only: Option<&str>) -> anyhow::Result<bool> {
    let workspace = workspace::load()?;
    let graphs = modules::load(&workspace.root, &workspace.crates)?;
    print!("{}", modules::listing(&graphs, only)?);
    Ok(true)
}

/// Prints the counts of all crates, or of one with the places.
fn list_figures(only: Option<&str>) -> anyhow::Result<bool> {
    let workspace = workspace::load()?;
    let graphs = modules::load(&workspace.root, &workspace.crates)?;
    print!("{}", figures::listing(&graphs, &files::load(&workspace.root)?, only)?);
    Ok(true)
}

/// Runs every check, printing one line each, plus one for each violation; true when all hold.
fn lint() -> anyhow::Result<bool> {
    let workspace = workspace::load()?;
    let sources = files::load(&workspace.root)?;
    let graphs = modules::load(&workspace.root, &workspace.crates)?;
    let checks: [(&str, Verdict); 8] = [
        ("crate layers", layers::check(&workspace.crates)),
        ("forbidden dependencies", reach::check(&workspace.packages)),
        ("module cycles", modules::check(&graphs)),
        ("module order", modules::order::check(&graphs, &module_order::TABLES)),
        ("signatures", signatures::check(&graphs)),
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
