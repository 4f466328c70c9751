//! A PostgreSQL server of the test's own: a fresh cluster on a temporary directory and a free port.

mod find;

use std::{
    fs::{self, File},
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{eventually, port::free_port};
use find::{Account, server_binaries};

/// How long a server may take to start, recovery after a kill included, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// The superuser's password: tests look for it where no password may be.
pub const POSTGRES_PASSWORD: &str = "pg-canary-6f1d0c27";

/// Ends what the test left behind when the test itself ended in whatever way: its end closes our standard input.
/// The server is known by its working directory, because the number in a stale file may be somebody else's by now.
const GUARDIAN: &str = r#"trap '' INT TERM HUP
cat >/dev/null
pid=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$0/data" ]; then kill -s QUIT "$pid"; sleep 1; fi
rm -rf "$0""#;

/// A server with `fsync` on, as in production. It ends with the test process, also when it is kept in a static.
pub struct Postgres {
    binaries: PathBuf,
    account: Option<Account>,
    port: u16,
    settings: Vec<String>,
    server: Option<Child>,
    directory: TempDir,
    _guardian: ChildStdin,
}

impl Postgres {
    /// Makes a cluster and starts its server.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not start; the text holds the end of its log.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// Likewise with settings of the server (`name=value`).
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_with(settings: &[&str]) -> anyhow::Result<Self> {
        let binaries = server_binaries()?;
        let account = Account::for_server()?;
        let directory = tempfile::Builder::new().prefix("portcullis-postgres-").tempdir()?;
        if let Some(account) = &account {
            account.own(directory.path())?;
        }
        let guardian = guard(directory.path())?;
        let mut server = Self {
            binaries,
            account,
            port: free_port()?,
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            server: None,
            directory,
            _guardian: guardian,
        };
        server.make_cluster()?;
        server.restart()?;
        Ok(server)
    }

    /// Address of the database `postgres`, as its superuser, with the password.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Address of another database of the server.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres:{POSTGRES_PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on, the same after every restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts a stopped or killed server on its port and waits until it answers.
    ///
    /// # Errors
    /// When it is running, or does not start.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        if self.server.is_some() {
            bail!("the server is running");
        }
        let log = self.directory.path().join("server.log");
        let data = self.data();
        // After a kill the last of its processes may hold the shared memory for a moment.
        let started = eventually(PATIENCE, || {
            let mut command = self.command("postgres");
            command.arg("-D").arg(&data).args(["-p", &self.port.to_string()]);
            for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"] {
                command.args(["-c", setting]);
            }
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            let Ok(output) = File::create(&log) else { return false };
            let Ok(child) = command.stdout(Stdio::null()).stderr(output).spawn() else { return false };
            let ready =
                || fs::read_to_string(&log).is_ok_and(|text| text.contains("ready to accept connections"));
            let mut child = child;
            let _ = eventually(PATIENCE, || ready() || !matches!(child.try_wait(), Ok(None)));
            let running = ready();
            if running {
                self.server = Some(child);
            }
            running || !still_held(&log)
        });
        match &self.server {
            Some(_) if started => Ok(()),
            _ => bail!("PostgreSQL does not start: {}", end_of(&log)),
        }
    }

    /// Kills every process of the server with SIGKILL, as a crash of the machine would.
    ///
    /// # Errors
    /// When it is not running.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        // Stopped first, so that the postmaster makes no more children while they are counted.
        self.signal("STOP")?;
        self.signal("KILL")?;
        self.reap()?;
        // The children are not ours to reap, and the last of them to die keeps the port open.
        if !eventually(PATIENCE, || TcpStream::connect(("127.0.0.1", self.port())).is_err()) {
            bail!("the killed server still listens");
        }
        Ok(())
    }

    /// Stops the server in order; sessions are ended.
    ///
    /// # Errors
    /// When it is not running, or does not end.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(server) = &self.server else { bail!("the server is not running") };
        send("INT", &[server.id()])?;
        self.reap()
    }

    /// Freezes every process of the server: connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it is not running.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    /// Puts a file into the server's directory, readable by the server only: keys and certificates for TLS.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add_file(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.data().join(name);
        crate::write_private(&path, text)?;
        if let Some(account) = &self.account {
            account.own(&path)?;
        }
        Ok(path)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn make_cluster(&self) -> anyhow::Result<()> {
        let password = self.directory.path().join("password");
        crate::write_private(&password, POSTGRES_PASSWORD)?;
        if let Some(account) = &self.account {
            account.own(&password)?;
        }
        let mut command = self.command("initdb");
        command.arg("-D").arg(self.data()).args(["-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]);
        command.arg("--auth=scram-sha-256").arg(format!("--pwfile={}", password.display()));
        let output = command.output().context("running initdb")?;
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// One of PostgreSQL's programs, as the account that may run it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command
            .current_dir(self.directory.path())
            .env_remove("PGDATA")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        // Of its own, so that Ctrl-C at the terminal reaches the test first.
        command.process_group(0);
        command
    }

    /// Signals the postmaster, then its children, each of which is in a session of its own.
    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let Some(server) = &self.server else { bail!("the server is not running") };
        let children = find::children_of(server.id());
        // One that has ended meanwhile needs no signal.
        let _ = send(name, &children);
        send(name, &[server.id()])?;
        let _ = send(name, &find::children_of(server.id()));
        Ok(())
    }

    fn reap(&mut self) -> anyhow::Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        if eventually(PATIENCE, || !matches!(server.try_wait(), Ok(None))) {
            return Ok(());
        }
        self.server = Some(server);
        bail!("PostgreSQL does not end");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Fails only when it is not running, which is what is wanted.
        let _ = self.kill9();
    }
}

/// Starts the guardian of a directory; closing what it returns makes it clean up.
fn guard(directory: &Path) -> anyhow::Result<ChildStdin> {
    let mut command = Command::new("sh");
    command.args(["-c", GUARDIAN]).arg(directory).current_dir("/");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    child.stdin.context("the guardian has no standard input")
}

fn send(signal: &str, processes: &[u32]) -> anyhow::Result<()> {
    if processes.is_empty() {
        return Ok(());
    }
    let numbers: Vec<_> = processes.iter().map(u32::to_string).collect();
    let kill = format!("kill -s {signal} {}", numbers.join(" "));
    let status = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status()?;
    if !status.success() {
        bail!("SIG{signal} could not be sent to {}", numbers.join(", "));
    }
    Ok(())
}

/// Whether a start failed only because the last of the killed server's processes still lives.
fn still_held(log: &Path) -> bool {
    fs::read_to_string(log)
        .is_ok_and(|text| text.contains("shared memory block") && text.contains("still in use"))
}

fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().rev().take(5).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_again_on_its_port_after_a_stop_and_a_kill() {
        let mut server = Postgres::start().unwrap();
        let answers = |server: &Postgres| TcpStream::connect(("127.0.0.1", server.port())).is_ok();
        assert!(answers(&server) && server.url().contains(POSTGRES_PASSWORD));
        assert!(server.restart().is_err());
        server.kill9().unwrap();
        assert!(!answers(&server) && server.kill9().is_err());
        server.restart().unwrap();
        server.pause().unwrap();
        server.resume().unwrap();
        server.stop().unwrap();
        assert!(!answers(&server));
        server.restart().unwrap();
        assert!(answers(&server));
        let (port, directory) = (server.port(), server.directory.path().to_owned());
        drop(server);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(eventually(PATIENCE, || !directory.exists()));
    }
}
