//! A Redis server of a test's own: on a temporary directory and a free port, to kill, pause and bring back.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{eventually, port::free_port};

/// How long a server may take to its first answer, on a busy machine.
const READY: Duration = Duration::from_secs(30);
/// How long one answer may take while waiting for the first.
const ANSWER: Duration = Duration::from_secs(2);
/// Times that another port is tried, should somebody take the free one first.
const PORTS: usize = 5;

/// A running server that keeps nothing on disk; dropping it kills it.
pub struct Redis {
    dir: TempDir,
    port: u16,
    settings: Vec<String>,
    server: Option<Child>,
}

impl Redis {
    /// Starts a server.
    ///
    /// # Errors
    /// When there is no `redis-server` on the PATH, or it does not answer.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts a server with further lines of its configuration, for example `requirepass SECRET`.
    ///
    /// # Errors
    /// As [`Self::start`], and when it refuses the lines.
    pub fn start_with(settings: &[&str]) -> anyhow::Result<Self> {
        let settings = settings.iter().map(|&line| line.to_owned()).collect();
        let mut redis = Self { dir: TempDir::new()?, port: 0, settings, server: None };
        for _ in 1..PORTS {
            redis.port = free_port()?;
            match redis.restart() {
                Err(error) if error.to_string().contains("Address already in use") => {}
                outcome => return outcome.map(|()| redis),
            }
        }
        redis.port = free_port()?;
        redis.restart().map(|()| redis)
    }

    /// Where it listens, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Ends the server at once, with everything it knew.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut server) = self.server.take() {
            server.kill()?;
            server.wait()?;
        }
        Ok(())
    }

    /// Ends the server with SIGTERM and waits for its exit.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let ended = eventually(READY, || {
            self.server.as_mut().is_none_or(|server| matches!(server.try_wait(), Ok(Some(_))))
        });
        if !ended {
            bail!("redis-server is still running after {READY:?}");
        }
        self.server = None;
        Ok(())
    }

    /// Stops it in its tracks: connections stay open and nothing is answered.
    ///
    /// # Errors
    /// When it is not running.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Lets a paused server go on.
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    /// Starts it again, empty, at the same address; kills it first if it runs.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        let config = self.dir.path().join("redis.conf");
        std::fs::write(&config, self.config())?;
        let log = std::fs::File::create(self.log())?;
        let server = Command::new("redis-server")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("redis-server cannot be started; on Debian: apt-get install redis-server")?;
        self.server = Some(server);
        let mut ended = false;
        let answered = eventually(READY, || {
            ended = self.server.as_mut().is_none_or(|server| !matches!(server.try_wait(), Ok(None)));
            ended || self.answers()
        });
        if ended || !answered {
            let said = std::fs::read_to_string(self.log()).unwrap_or_default();
            bail!("redis-server is not ready on port {}:\n{said}", self.port);
        }
        Ok(())
    }

    /// Everything that could differ between machines is said.
    fn config(&self) -> String {
        let dir = self.dir.path().display();
        let mut lines = format!(
            "bind 127.0.0.1\nport {}\ndir \"{dir}\"\nsave \"\"\nappendonly no\ndaemonize no\n\
             logfile \"\"\nloglevel warning\nmaxmemory 0\ntimeout 0\n",
            self.port
        );
        for line in &self.settings {
            lines.push_str(line);
            lines.push('\n');
        }
        lines
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("redis.log")
    }

    /// Whether it takes commands; asking for a password is an answer too.
    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect_timeout(&self.address(), ANSWER)?;
            stream.set_read_timeout(Some(ANSWER))?;
            stream.write_all(b"PING\r\n")?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line)?;
            Ok(line)
        };
        ask().is_ok_and(|line| line.starts_with("+PONG") || line.starts_with("-NOAUTH"))
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let Some(server) = &self.server else { bail!("redis-server is not running") };
        // The shell's `kill` is on every machine, and the standard library sends SIGKILL only.
        let kill = format!("kill -s {name} {}", server.id());
        if !Command::new("sh").args(["-c", &kill]).status()?.success() {
            bail!("SIG{name} could not be sent to redis-server");
        }
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Fails only when it is gone, which is what is wanted.
        let _ = self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_killed_paused_and_brought_back_at_the_same_address() {
        let mut redis = Redis::start().unwrap();
        let url = redis.url();
        assert!(redis.answers());
        redis.pause().unwrap();
        assert!(!redis.answers());
        redis.resume().unwrap();
        assert!(redis.answers());
        redis.kill().unwrap();
        assert!(!redis.answers() && redis.pause().is_err());
        redis.restart().unwrap();
        assert!(redis.answers() && redis.url() == url);
        redis.stop().unwrap();
        assert!(!redis.answers());
    }

    #[test]
    fn a_line_that_it_refuses_is_an_error_with_its_words() {
        let error = Redis::start_with(&["no-such-setting yes"]).err().unwrap().to_string();
        assert!(error.contains("no-such-setting"), "{error}");
    }
}
