//! What the kernel knows of a process: CPU time, memory, and the cores it may use.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, bail};

/// Between two looks at a process that should come to rest.
const LOOK: Duration = Duration::from_millis(200);
/// Most CPU within that time of a process at rest.
const AT_REST: Duration = Duration::from_millis(2);
/// How long coming to rest may take.
const MAX_REST: Duration = Duration::from_secs(30);

/// CPU time of all threads that live, from the scheduler's own nanoseconds.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the gateway has ended")? {
        // A thread may end between listing and reading.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
        sum += Duration::from_nanos(nanos.context("schedstat has no number")?);
    }
    Ok(sum)
}

/// Resident memory in KiB.
pub(crate) fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Waits until a process has done what it still had to do, such as reporting usage.
pub(crate) async fn rest(pid: u32) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + MAX_REST;
    let mut before = cpu(pid)?;
    while tokio::time::Instant::now() < end {
        tokio::time::sleep(LOOK).await;
        let now = cpu(pid)?;
        if now.saturating_sub(before) < AT_REST {
            return Ok(());
        }
        before = now;
    }
    bail!("process {pid} is still busy {MAX_REST:?} after the load")
}

/// Moves this process, and what it will start, to the cores from 1 on: core 0 is the gateway's.
pub(crate) fn leave_core_0(cores: usize) -> anyhow::Result<()> {
    if cores < 2 {
        bail!("the bench needs two cores: one for the gateway, one for everything else");
    }
    let (set, pid) = (format!("1-{}", cores - 1), std::process::id().to_string());
    let done = Command::new("taskset").args(["-a", "-c", "-p", &set, &pid]).output().context("taskset")?;
    if !done.status.success() {
        bail!("taskset: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_this_process() {
        let before = cpu(std::process::id()).unwrap();
        let mut sum = 0_u64;
        while cpu(std::process::id()).unwrap() < before + Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(resident(std::process::id()).unwrap() > 500);
    }
}
