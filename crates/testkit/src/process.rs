//! A service process under test: started, awaited until ready, listened to, killed.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::eventually;

/// How long a debug build may take to its ready line, on a busy machine.
const READY: Duration = Duration::from_secs(60);
/// How long to read stderr on after the exit.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Most bytes of stderr kept: the newest.
const MAX_STDERR: usize = 16 * 1024 * 1024;

/// The one JSON line that `--output json` prints when a service is ready; what a role lacks is `None`.
#[derive(Clone, Deserialize)]
pub struct Ready {
    /// URL of the data plane.
    pub data_plane: Option<String>,
    /// URL of the admin API.
    pub admin: Option<String>,
    /// URL of the gRPC port.
    pub grpc: Option<String>,
    /// URL of the ops port.
    pub ops: Option<String>,
    /// Admin token, when it may be shown.
    pub admin_token: Option<String>,
    /// A tenant key, when one may be shown.
    pub key: Option<String>,
}

/// A running service. Dropping it kills it.
pub struct Process {
    child: Child,
    ready: Ready,
    stderr: Arc<Mutex<VecDeque<u8>>>,
    listener: Option<JoinHandle<()>>,
}

/// The binary `name` beside the running test: `target/debug/name` for `target/debug/deps/test-…`.
///
/// # Errors
/// When it has not been built; `cargo test` builds the binaries of the tested package only.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let profile = test.ancestors().nth(2).context("the test binary is not below target/")?;
    let path = profile.join(name);
    if !path.is_file() {
        bail!("{} is missing: run `cargo build --workspace --bins` first", path.display());
    }
    Ok(path)
}

impl Process {
    /// Starts `path` and waits for its ready line, at most a minute.
    ///
    /// `PORTCULLIS_…` variables of the caller are not handed down, only those in `env`. The arguments must contain
    /// `--output json`.
    ///
    /// # Errors
    /// When it cannot be started, exits first, is late, or prints something else; the text holds the end of stderr.
    pub fn spawn<A: AsRef<OsStr>>(
        path: &Path,
        args: impl IntoIterator<Item = A>,
        env: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(path);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PORTCULLIS_") {
                command.env_remove(name);
            }
        }
        command.envs(env.iter().copied());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", path.display()))?;
        let stderr = Arc::<Mutex<VecDeque<u8>>>::default();
        let listener = child.stderr.take().map(|pipe| {
            let stderr = stderr.clone();
            std::thread::spawn(move || keep_newest(pipe, &stderr))
        });
        let (sender, first_line) = sync_channel(1);
        if let Some(pipe) = child.stdout.take() {
            std::thread::spawn(move || first_line_of(pipe, &sender));
        }
        // Owned from here on, so that an early return kills the child.
        let mut process = Self { child, ready: Ready::none(), stderr, listener };
        let line = match first_line.recv_timeout(READY) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => bail!("not ready after {READY:?}:\n{}", process.stderr_end()),
            Err(RecvTimeoutError::Disconnected) => {
                let status = process.wait(Duration::from_secs(10))?;
                bail!("ended before it was ready ({status}):\n{}", process.stderr_end());
            }
        };
        // The line is not quoted: it carries secrets.
        process.ready = serde_json::from_str(&line)
            .with_context(|| format!("no ready line on stdout:\n{}", process.stderr_end()))?;
        Ok(process)
    }

    /// What the ready line said.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything written to stderr so far, at most its last 16 MiB.
    pub fn stderr(&self) -> String {
        let kept = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn stderr_end(&self) -> String {
        let text = self.stderr();
        text[text.floor_char_boundary(text.len().saturating_sub(4096))..].to_owned()
    }

    /// Kills the process with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal by name, for example `TERM`, `STOP` or `CONT`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        // The shell's `kill` is on every machine, and the standard library sends SIGKILL only.
        let kill = format!("kill -s {name} {}", self.id());
        let status = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status()?;
        if !status.success() {
            bail!("SIG{name} could not be sent to process {}", self.id());
        }
        Ok(())
    }

    /// Sends SIGTERM and waits for the exit.
    ///
    /// # Errors
    /// When the process is gone already or outlives `deadline`.
    pub fn terminate(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        self.signal("TERM")?;
        self.wait(deadline)
    }

    /// Waits for the exit, then for the last of its stderr.
    ///
    /// # Errors
    /// When the process outlives `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let mut status = None;
        let ended = eventually(deadline, || {
            status = self.child.try_wait().transpose();
            status.is_some()
        });
        match status {
            Some(status) if ended => {
                // Bounded, because a grandchild may hold the pipe open; what came until then is kept.
                let _ = eventually(LAST_WORDS, || self.listener.as_ref().is_none_or(JoinHandle::is_finished));
                Ok(status?)
            }
            _ => bail!("still running after {deadline:?}:\n{}", self.stderr_end()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ready {
    fn none() -> Self {
        Self { data_plane: None, admin: None, grpc: None, ops: None, admin_token: None, key: None }
    }
}

fn keep_newest(mut pipe: impl Read, kept: &Mutex<VecDeque<u8>>) {
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = pipe.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&buffer[..read]);
        let excess = kept.len().saturating_sub(MAX_STDERR);
        kept.drain(..excess);
    }
}

/// Sends the first line, then reads on so that the process never blocks on a full pipe.
fn first_line_of(pipe: impl Read, sender: &SyncSender<String>) {
    let mut lines = BufReader::new(pipe);
    let mut line = String::new();
    if matches!(lines.read_line(&mut line), Ok(1..)) {
        // The receiver is gone only when it stopped waiting.
        let _ = sender.send(line);
    }
    let _ = std::io::copy(&mut lines, &mut std::io::sink());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> anyhow::Result<Process> {
        Process::spawn(Path::new("/bin/sh"), ["-c", script], &[("PORTCULLIS_TEST", "given")])
    }

    const LIVE: &str = r#"echo "{\"ops\":\"$PORTCULLIS_TEST\"}"; echo noise >&2; exec sleep 600"#;

    #[test]
    fn the_ready_line_is_read_and_sigterm_ends_it() {
        let mut process = shell(LIVE).unwrap();
        assert_eq!(process.ready().ops.as_deref(), Some("given"));
        assert!(process.ready().admin.is_none());
        assert!(eventually(READY, || process.stderr() == "noise\n"));
        let status = process.terminate(READY).unwrap();
        assert!(!status.success() && status.code().is_none(), "{status}");
        assert!(process.signal("TERM").is_err());
    }

    #[test]
    fn one_that_ends_early_is_an_error_with_its_stderr() {
        let error = shell("echo broken >&2; exit 64").err().unwrap().to_string();
        assert!(error.contains("broken") && error.contains("64"), "{error}");
        assert!(shell("echo not json; exec sleep 600").is_err());
    }

    #[test]
    fn waiting_has_a_deadline_and_kill9_ends_everything() {
        let mut process = shell(LIVE).unwrap();
        assert!(process.wait(Duration::from_millis(20)).is_err());
        process.kill9().unwrap();
        assert!(process.wait(Duration::ZERO).is_ok());
    }

    #[test]
    fn a_missing_binary_says_what_to_do() {
        let error = binary("no-such-binary").unwrap_err().to_string();
        assert!(error.contains("cargo build"), "{error}");
    }
}
