//! Log lines on their way to stderr: a bounded buffer and a thread of its own, so that no caller waits for a full pipe.

use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// Most bytes of lines that wait for their reader; the lines beyond are dropped and counted.
const CAPACITY: usize = 1 << 20;

/// How long the thread rests after a write. The first line of a burst goes out at once, the others together: else,
/// under load, every line would cost a wake-up and a system call.
const REST: Duration = Duration::from_millis(5);

/// Where lines are handed in; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct LogWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    written: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// The thread holds lines that it has not written yet.
    writing: bool,
    /// Dropped since that was last said.
    unsaid: u64,
}

impl LogWriter {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let lines = Self::default();
        let writer = lines.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(out))?;
        Ok(lines)
    }

    /// Lines that were dropped because the reader was too slow.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything is written, but no longer than that.
    pub(super) fn flush(&self, at_most: Duration) {
        let busy = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        let _ = self.0.written.wait_timeout_while(self.waiting(), at_most, busy);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.lines.len() + line.len() > CAPACITY {
            waiting.unsaid += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.lines.extend_from_slice(line);
        if waiting.lines.len() == line.len() {
            self.0.filled.notify_one();
        }
    }

    /// Takes all that waits and writes it at once.
    fn run(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let unsaid = {
                let empty = |waiting: &mut Waiting| waiting.lines.is_empty();
                let woken = self.0.filled.wait_while(self.waiting(), empty);
                let mut waiting = woken.unwrap_or_else(PoisonError::into_inner);
                std::mem::swap(&mut waiting.lines, &mut lines);
                waiting.writing = true;
                std::mem::take(&mut waiting.unsaid)
            };
            // With stderr closed the error cannot be reported.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
            if unsaid > 0 {
                tracing::warn!(lines = unsaid, "log lines were dropped: nobody read them fast enough");
            }
            self.waiting().writing = false;
            self.0.written.notify_all();
            std::thread::sleep(REST);
        }
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// Takes one formatted line.
pub(super) struct Line<'a>(&'a LogWriter);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A pipe with a reader that takes a write only when told to.
    struct Pipe {
        entered: Sender<Vec<u8>>,
        let_go: Receiver<()>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.entered.send(bytes.to_vec());
            let _ = self.let_go.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_pipe_costs_lines_and_not_time() {
        let ((entered, written), (go, let_go)) = (channel(), channel());
        let lines = LogWriter::start(Pipe { entered, let_go }).unwrap();
        lines.push(b"first\n");
        assert_eq!(written.recv().unwrap(), b"first\n");
        // The thread is stuck in the pipe; everything below returns all the same.
        let line = [b'x'; 1 << 10];
        for _ in 0..CAPACITY / line.len() {
            lines.push(&line);
        }
        assert_eq!(lines.dropped(), 0);
        lines.push(b"one too many");
        lines.push(&[b'y'; CAPACITY + 1]);
        assert_eq!(lines.dropped(), 2);
        lines.flush(Duration::from_millis(1)); // bounded although nothing moves
        go.send(()).unwrap();
        assert_eq!(written.recv().unwrap().len(), CAPACITY);
        drop(go);
        lines.push(b"last\n");
        assert_eq!(written.recv().unwrap(), b"last\n");
        lines.flush(Duration::from_secs(20));
        assert!(lines.waiting().lines.is_empty());
    }
}
