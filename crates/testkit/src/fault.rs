//! A network fault between two processes: a TCP relay with a link that is slowed, cut or swallowed while they talk.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Most connections at a time; more are closed at once.
const MAX_CONNECTIONS: usize = 256;
/// How long the target may take to accept.
const CONNECT: Duration = Duration::from_secs(2);

/// A relay to one address; dropping it closes everything.
///
/// Passes bytes until told otherwise. Each switch holds for the connections there are and for new ones.
pub struct FaultProxy {
    addr: SocketAddr,
    link: Arc<Mutex<Link>>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Delay(Duration),
    Cut,
    Blackhole,
    Stopped,
}

struct Link {
    mode: Mode,
    connections: Vec<Arc<Connection>>,
}

struct Connection {
    client: TcpStream,
    /// None when it was accepted into the black hole.
    server: Option<TcpStream>,
    /// Bytes were swallowed: nothing passes any more, because what follows would be garbage.
    lost: AtomicBool,
}

impl FaultProxy {
    /// Listens on a free port of the loopback and relays to `target`, which need not be there yet.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn to(target: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let link = Arc::new(Mutex::new(Link { mode: Mode::Pass, connections: Vec::new() }));
        let accepted = Arc::clone(&link);
        let acceptor = std::thread::spawn(move || accept(&listener, target, &accepted));
        Ok(Self { addr, link, acceptor: Some(acceptor) })
    }

    /// Where to connect instead of to the target.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The same as a URL, for example of scheme `http` or `redis`.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.addr)
    }

    /// Relays again. Connections that lost bytes stay silent until an end closes them, as after a forgetful router.
    pub fn pass(&self) {
        lock(&self.link).mode = Mode::Pass;
    }

    /// Relays each piece of at most 16 KiB this much later, in each direction.
    pub fn delay(&self, by: Duration) {
        lock(&self.link).mode = Mode::Delay(by);
    }

    /// Closes all connections, and new ones as soon as they are accepted.
    pub fn cut(&self) {
        self.close(Mode::Cut);
    }

    /// Accepts, reads and never answers or hangs up.
    pub fn blackhole(&self) {
        lock(&self.link).mode = Mode::Blackhole;
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.link).connections.len()
    }

    /// Connections of which bytes were swallowed, or the answer is.
    #[must_use]
    pub fn swallowing(&self) -> usize {
        let link = lock(&self.link);
        link.connections.iter().filter(|connection| connection.lost.load(Ordering::SeqCst)).count()
    }

    fn close(&self, mode: Mode) {
        let mut link = lock(&self.link);
        link.mode = mode;
        for connection in link.connections.drain(..) {
            connection.close();
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.close(Mode::Stopped);
        // The acceptor sleeps in accept; this wakes it. Only when that worked will it end.
        if let Some(acceptor) = self.acceptor.take()
            && TcpStream::connect_timeout(&self.addr, CONNECT).is_ok()
        {
            let _ = acceptor.join();
        }
    }
}

impl Connection {
    fn close(&self) {
        for stream in [Some(&self.client), self.server.as_ref()].into_iter().flatten() {
            // Fails only when it is closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn lock(link: &Mutex<Link>) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, target: SocketAddr, link: &Arc<Mutex<Link>>) {
    for client in listener.incoming() {
        let mode = lock(link).mode;
        if mode == Mode::Stopped {
            return;
        }
        let Ok(client) = client else { continue };
        if mode == Mode::Cut {
            continue;
        }
        let server = match mode {
            Mode::Blackhole => None,
            _ => match TcpStream::connect_timeout(&target, CONNECT) {
                Ok(server) => Some(server),
                Err(_) => continue,
            },
        };
        // Small pieces go out at once, or the relay itself would be a delay; where that cannot be set it is one.
        for stream in [Some(&client), server.as_ref()].into_iter().flatten() {
            let _ = stream.set_nodelay(true);
        }
        let lost = AtomicBool::new(server.is_none());
        register(link, Arc::new(Connection { client, server, lost }));
    }
}

/// Starts both directions, unless the link was cut meanwhile or is full.
fn register(link: &Arc<Mutex<Link>>, connection: Arc<Connection>) {
    let mut open = lock(link);
    if matches!(open.mode, Mode::Cut | Mode::Stopped) || open.connections.len() >= MAX_CONNECTIONS {
        return connection.close();
    }
    open.connections.push(Arc::clone(&connection));
    drop(open);
    let link = Arc::clone(link);
    std::thread::spawn(move || {
        let (answers, on) = (Arc::clone(&connection), Arc::clone(&link));
        let back = std::thread::spawn(move || {
            if let Some(server) = &answers.server {
                pump(server, Some(&answers.client), &answers.lost, &on);
            }
        });
        pump(&connection.client, connection.server.as_ref(), &connection.lost, &link);
        // It cannot panic, and its end is all that matters.
        let _ = back.join();
        lock(&link).connections.retain(|other| !Arc::ptr_eq(other, &connection));
    });
}

/// One direction, until an end closes.
fn pump(mut from: &TcpStream, to: Option<&TcpStream>, lost: &AtomicBool, link: &Mutex<Link>) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        let mode = lock(link).mode;
        if let Mode::Delay(by) = mode {
            std::thread::sleep(by);
        }
        // A hang-up is swallowed like everything else.
        if mode == Mode::Blackhole || lost.load(Ordering::SeqCst) {
            lost.store(true, Ordering::SeqCst);
        } else if let Some(mut to) = to
            && (read == 0 || to.write_all(&buffer[..read]).is_err())
        {
            // Fails only when that end is gone, too.
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
        if read == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::eventually;

    const SOON: Duration = Duration::from_secs(10);
    const SILENCE: Duration = Duration::from_millis(50);

    /// An echo server, which lives until the test process ends, and a relay to it.
    fn echo() -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
        FaultProxy::to(target).unwrap()
    }

    fn connect(proxy: &FaultProxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.addr()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    }

    /// The echo of four bytes, or why there was none.
    fn ask(mut stream: &TcpStream) -> io::Result<()> {
        stream.write_all(b"ping")?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        assert_eq!(&answer, b"ping");
        Ok(())
    }

    fn is_silent(stream: &TcpStream) -> bool {
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let error = ask(stream).unwrap_err();
        stream.set_read_timeout(Some(SOON)).unwrap();
        error.kind() == io::ErrorKind::WouldBlock
    }

    #[test]
    fn it_passes_both_ways_and_hang_ups_too() {
        let proxy = echo();
        assert_eq!(proxy.url("redis"), format!("redis://{}", proxy.addr()));
        let mut stream = connect(&proxy);
        ask(&stream).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        assert!(eventually(SOON, || proxy.connections() == 0));
    }

    #[test]
    fn a_delay_holds_open_connections_back_and_ends() {
        let proxy = echo();
        let stream = connect(&proxy);
        ask(&stream).unwrap();
        proxy.delay(SILENCE);
        let start = Instant::now();
        ask(&stream).unwrap();
        assert!(start.elapsed() >= 2 * SILENCE, "{:?}", start.elapsed());
        proxy.pass();
        let start = Instant::now();
        ask(&stream).unwrap();
        assert!(start.elapsed() < 2 * SILENCE, "{:?}", start.elapsed());
    }

    #[test]
    fn a_cut_closes_old_and_new_connections_until_it_passes_again() {
        let proxy = echo();
        let old = connect(&proxy);
        ask(&old).unwrap();
        proxy.cut();
        assert!(ask(&old).is_err());
        assert!(ask(&connect(&proxy)).is_err());
        proxy.pass();
        ask(&connect(&proxy)).unwrap();
    }

    #[test]
    fn a_black_hole_swallows_for_good_but_new_connections_pass_again() {
        let proxy = echo();
        let (old, idle) = (connect(&proxy), connect(&proxy));
        ask(&old).unwrap();
        ask(&idle).unwrap();
        proxy.blackhole();
        let new = connect(&proxy);
        assert!(is_silent(&old) && is_silent(&new));
        assert_eq!(proxy.swallowing(), 2);
        proxy.pass();
        assert!(is_silent(&old) && is_silent(&new));
        ask(&idle).unwrap();
        ask(&connect(&proxy)).unwrap();
    }

    #[test]
    fn no_more_connections_than_its_bound_and_none_once_it_is_dropped() {
        let proxy = echo();
        proxy.blackhole();
        let mut held: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connect(&proxy)).collect();
        assert!(eventually(SOON, || proxy.connections() == MAX_CONNECTIONS));
        let mut last = connect(&proxy);
        assert!(!matches!(last.read(&mut [0]), Ok(1..)));
        let addr = proxy.addr();
        drop(proxy);
        assert!(!matches!(held[0].read(&mut [0]), Ok(1..)));
        assert!(TcpStream::connect(addr).is_err());
    }
}
