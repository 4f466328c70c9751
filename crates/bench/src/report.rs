//! The table, in Markdown.

use std::{fmt::Write as _, fs, process::Command, time::Duration};

use crate::{
    instructions::Counts,
    provider::{PACE, PARTS},
    rounds::{Figures, Gateway, Results, Scenario},
    subject::Telling,
};

/// What the figures depend on.
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    nginx: String,
    commit: String,
}

impl Machine {
    /// Looks around; what cannot be found out is called unknown.
    pub(crate) fn find(cores: usize) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        // nginx says its version on stderr.
        let nginx = output("nginx", &["-v"]);
        let changed = if output("git", &["status", "--porcelain", "-uno"]).is_empty() { "" } else { "+" };
        Self {
            cpu: model
                .and_then(|line| line.split_once(": "))
                .map_or("unknown CPU", |(_, model)| model)
                .to_owned(),
            cores,
            kernel: kernel.trim().to_owned(),
            nginx: nginx.rsplit('/').next().unwrap_or("unknown").to_owned(),
            commit: output("git", &["rev-parse", "--short", "HEAD"]) + changed,
        }
    }
}

fn output(program: &str, args: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(args).output() else { return "unknown".to_owned() };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// Writes the table of instructions.
pub(crate) fn instructions(counts: &[Counts]) -> String {
    let mut text = "| request | instructions | range |\n|---|---:|---:|\n".to_owned();
    for Counts { kind, rounds } in counts {
        let all = sorted(rounds);
        let (Some(least), Some(most)) = (all.first(), all.last()) else { continue };
        let middle = median(&all);
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} | {middle:.0} | {least:.0}–{most:.0} |", kind.name());
    }
    text
}

/// Writes the table.
pub(crate) fn markdown(machine: &Machine, figures: &Figures) -> String {
    let Machine { cpu, cores, kernel, nginx, commit } = machine;
    let mut text = format!(
        "Commit {commit}; {cpu}, {cores} cores, Linux {kernel}, nginx {nginx}. The gateway has core 0, load generator, \
         provider, control plane and ledger have the rest. Median of the rounds, and their range.\n\n\
         | | nginx | Portcullis | ratio |\n|---|---:|---:|---:|\n"
    );
    let rows = [
        cost("CPU per request, 32 connections", Scenario::Busy, figures),
        cost("CPU per request, 1 connection", Scenario::Alone, figures),
        cost("CPU per request with a 64 KB prompt, 8 connections", Scenario::Large, figures),
        cost(&format!("CPU per stream of {PARTS} parts, 32 connections"), Scenario::Streams, figures),
        rate(figures),
        added("added latency, 1 connection, p50", Scenario::Alone, |results| &results.whole, 50, figures),
        added("added latency, 1 connection, p99", Scenario::Alone, |results| &results.whole, 99, figures),
        added("added time to first token, p50", Scenario::FirstToken, |results| &results.first, 50, figures),
        memory("resident memory, idle", |gateway| gateway.idle, figures),
        memory("resident memory, after the load", |gateway| gateway.loaded, figures),
    ];
    for [name, nginx, portcullis, ratio] in rows.into_iter().flatten() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {name} | {nginx} | {portcullis} | {ratio} |");
    }
    let _ = write!(
        text,
        "\nStreams have {} ms between two parts. Portcullis checks a key, counts two limits, \
         meters, prices, spools and reports usage; \
         nginx only forwards.\n",
        PACE.as_millis()
    );
    text + &telemetry(figures)
}

/// What it costs to tell of requests, unless that was not asked.
fn telemetry(figures: &Figures) -> String {
    let cell = |gateway: &Gateway| cpu(gateway, Scenario::Busy);
    let (Some((nginx, a)), Some((off, b))) = (cell(&figures.nginx), cell(&figures.portcullis)) else {
        return String::new();
    };
    let mut text = format!(
        "\n| CPU per request, 32 connections | | over nginx | over telemetry off | spans lost |\n\
         |---|---:|---:|---:|---:|\n\
         | nginx, no log | {a} | 1.00 | | |\n| {} | {b} | {:.2} | 1.00 | |\n",
        Telling::Nothing.name(),
        off / nginx
    );
    for (telling, gateway) in &figures.more {
        if let Some((told, c)) = cell(gateway) {
            // What a queue drops costs less: a figure without it says nothing.
            let lost = gateway.lost_spans.map_or("?".to_owned(), |lost| format!("{:.1} %", lost * 100.0));
            let (name, over_nginx, over_off) = (telling.name(), told / nginx, told / off);
            let _ = writeln!(text, "| {name} | {c} | {over_nginx:.2} | {over_off:.2} | {lost} |");
        }
    }
    text
}

type Row = [String; 4];

/// A row, unless the scenario was not run.
fn cost(name: &str, scenario: Scenario, figures: &Figures) -> Option<Row> {
    let ((nginx, a), (portcullis, b)) = (cpu(&figures.nginx, scenario)?, cpu(&figures.portcullis, scenario)?);
    Some([name.to_owned(), a, b, format!("{:.2}", portcullis / nginx)])
}

/// Microseconds per request: the median of the rounds, and as text with their range.
fn cpu(gateway: &Gateway, scenario: Scenario) -> Option<(f64, String)> {
    let all = sorted(&gateway.results.get(&scenario)?.cpu);
    let (middle, first, last) = (median(&all), all.first()?, all.last()?);
    Some((middle, format!("{middle:.1} µs ({first:.1}–{last:.1})")))
}

fn rate(figures: &Figures) -> Option<Row> {
    let cell = |gateway: &Gateway| {
        let results = gateway.results.get(&Scenario::Busy)?;
        let rate = median(&results.rate);
        Some((rate, format!("{rate:.0} ({:.0} % of the core)", median(&results.busy) * 100.0)))
    };
    let ((nginx, a), (portcullis, b)) = (cell(&figures.nginx)?, cell(&figures.portcullis)?);
    Some(["requests per second, 32 connections".to_owned(), a, b, format!("{:.2}", portcullis / nginx)])
}

fn added(
    name: &str,
    scenario: Scenario,
    of: fn(&Results) -> &Vec<Duration>,
    percent: usize,
    figures: &Figures,
) -> Option<Row> {
    let at = |gateway: &Gateway| Some(percentile(of(gateway.results.get(&scenario)?), percent));
    let direct = at(&figures.direct)?;
    let (nginx, portcullis) = (at(&figures.nginx)? - direct, at(&figures.portcullis)? - direct);
    let cell = |micros: f64| format!("{micros:.0} µs");
    Some([name.to_owned(), cell(nginx), cell(portcullis), format!("{:.2}", portcullis / nginx)])
}

fn memory(name: &str, of: fn(&Gateway) -> u64, figures: &Figures) -> Option<Row> {
    let (nginx, portcullis) = (of(&figures.nginx) as f64 / 1024.0, of(&figures.portcullis) as f64 / 1024.0);
    let cell = |mib: f64| format!("{mib:.1} MiB");
    Some([name.to_owned(), cell(nginx), cell(portcullis), format!("{:.2}", portcullis / nginx)])
}

/// The `percent`th percentile in microseconds, by nearest rank.
fn percentile(samples: &[Duration], percent: usize) -> f64 {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    let rank = (samples.len() * percent).div_ceil(100).max(1) - 1;
    samples.get(rank).map_or(f64::NAN, |sample| sample.as_secs_f64() * 1e6)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Of an odd number of values, as rounds are.
fn median(values: &[f64]) -> f64 {
    sorted(values).get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_and_a_median_is_in_the_middle() {
        let samples: Vec<_> = (1..=100).rev().map(Duration::from_micros).collect();
        assert!((percentile(&samples, 50) - 50.0).abs() < 1e-9);
        assert!((percentile(&samples, 99) - 99.0).abs() < 1e-9);
        assert!((percentile(&samples[..1], 99) - 100.0).abs() < 1e-9);
        assert!((median(&[3.0, 9.0, 1.0]) - 3.0).abs() < 1e-9);
    }
}
