//! The process itself, under the names that Prometheus' client libraries agreed on; where `/proc` says nothing, less.

use std::{fmt, fs};

use super::{collect::Collect, exposition::Exposition, table};
use crate::telemetry;

/// Length of the kernel's tick in nanoseconds: 1/100 s in everything that `/proc` shows.
const TICK: u64 = 10_000_000;

/// What is asked for at each scrape.
pub(super) struct Process;

impl Collect for Process {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        to.gauge(&table::BUILD_INFO)?.put([env!("CARGO_PKG_VERSION")], 1.0)?;
        to.counter(&table::LOG_LINES_DROPPED)?.put([], telemetry::dropped_lines())?;
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
            to.counter(&table::CPU_SECONDS)?.put_nanos([], stat.cpu_ticks.saturating_mul(TICK))?;
            to.gauge(&table::THREADS)?.put([], stat.threads as f64)?;
            if let Some(boot) = fs::read_to_string("/proc/stat").ok().and_then(|text| field(&text, "btime "))
            {
                let started = boot as f64 + stat.start_ticks as f64 / 100.0;
                to.gauge(&table::START_TIME)?.put([], started)?;
            }
        }
        if let Some(kib) =
            fs::read_to_string("/proc/self/status").ok().and_then(|text| field(&text, "VmRSS:"))
        {
            to.gauge(&table::RESIDENT_MEMORY)?.put([], (kib * 1024) as f64)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is this listing's own.
            let open = open.count().saturating_sub(1);
            to.gauge(&table::OPEN_FILES)?.put([], open as f64)?;
        }
        let limits = fs::read_to_string("/proc/self/limits").ok();
        if let Some(most) = limits.and_then(|text| field(&text, "Max open files")) {
            to.gauge(&table::MOST_FILES)?.put([], most as f64)?;
        }
        Ok(())
    }
}

/// The number behind a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// What `proc_pid_stat(5)` says, times in ticks.
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The program's name comes second, in parentheses, and may hold anything; fields count from 3 behind it.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self { cpu_ticks: number(14)? + number(15)?, threads: number(20)?, start_ticks: number(22)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn a_name_full_of_parentheses_shifts_nothing() {
        let fields: Vec<String> = (4..=24).map(|n| n.to_string()).collect();
        let stat = Stat::parse(&format!("7 (a) S (b) S {}", fields.join(" "))).unwrap();
        assert_eq!((stat.cpu_ticks, stat.threads, stat.start_ticks), (29, 20, 22));
        assert!(Stat::parse("7 (a) S 1 2").is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_files_and_a_start() {
        let text = Metrics::default().render().unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_open_fds") >= 3.0 && value("process_max_fds") >= value("process_open_fds"));
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let age = now - value("process_start_time_seconds");
        assert!((-2.0..86_400.0).contains(&age), "{age}");
        assert!(value("process_threads") >= 1.0 && value("process_cpu_seconds_total") >= 0.0);
    }
}
