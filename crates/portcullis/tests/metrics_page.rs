//! `docs/metrics.md` lists what the tables of the crates declare: every metric with its type and labels, and no other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use runtime::metrics::{Definition, SeriesBound};

fn page() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    fs::read_to_string(path).unwrap()
}

fn declared() -> impl Iterator<Item = &'static Definition> {
    [runtime::metrics::METRICS, proxy::METRICS, control_plane::METRICS, ledger::METRICS].into_iter().flatten()
}

/// Metrics that Prometheus' client libraries name; the page lists them in a sentence.
fn is_of_any_process(name: &str) -> bool {
    name.starts_with("process_")
}

/// `name{label,label} | type`, as a row of the page begins.
fn row(metric: &Definition) -> String {
    let labels = match metric.labels {
        [] => String::new(),
        labels => format!("{{{}}}", labels.join(",")),
    };
    format!("`{}{labels}` | {}", metric.name, metric.kind)
}

#[test]
fn every_metric_is_declared_once() {
    let names: BTreeSet<_> = declared().map(|metric| metric.name).collect();
    assert_eq!(names.len(), declared().count());
    assert!(declared().all(|metric| (metric.kind == "counter") == metric.name.ends_with("_total")));
}

#[test]
fn the_page_lists_each_metric_with_its_labels() {
    let page = page();
    let begins = |line: &str| {
        let mut cells = line.strip_prefix("| `portcullis_")?.split(" | ");
        Some(format!("`portcullis_{} | {}", cells.next()?, cells.next()?))
    };
    let listed: Vec<_> = page.lines().filter_map(begins).collect();
    let named = declared().filter(|metric| !is_of_any_process(metric.name));
    let wanted: BTreeSet<_> = named.map(row).collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(listed.len(), wanted.len(), "a metric has two rows");
    let words: BTreeSet<_> = page.split('`').filter(|word| is_of_any_process(word)).collect();
    let wanted = declared().map(|metric| metric.name).filter(|name| is_of_any_process(name)).collect();
    assert_eq!(words, wanted);
}

#[test]
fn the_page_says_how_many_series_there_may_be() {
    let page = page();
    let section = page.split("## ").find(|section| section.starts_with("How many series")).unwrap();
    for metric in declared() {
        let SeriesBound::Names(most) = metric.bound else { continue };
        let most = match most {
            1_000.. => format!("{},{:03}", most / 1_000, most % 1_000),
            _ => most.to_string(),
        };
        let said = section.split(|c: char| !c.is_ascii_digit() && c != ',').any(|number| number == most);
        assert!(said, "{}: {most} sets of names", metric.name);
    }
}
