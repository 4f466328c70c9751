//! A provider that writes whatever bytes a test wants.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What comes back for the n-th request, from 1; `None` closes the connection without a word. What follows the last
/// `|` is written apart from the rest.
type Script = Arc<dyn Fn(usize) -> Option<Vec<u8>> + Send + Sync>;

pub(crate) struct Raw {
    pub(crate) url: String,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Raw {
    pub(crate) async fn start(script: impl Fn(usize) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (requests, script): (Arc<AtomicUsize>, Script) = (Arc::default(), Arc::new(script));
        let (counter, connections) = (Arc::clone(&requests), Arc::<AtomicUsize>::default());
        let accepted = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&counter)));
            }
        });
        Self { url, requests, connections, serving }
    }

    /// An address without a listener.
    pub(crate) async fn dead() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// An HTTP answer with a JSON body of known length.
    pub(crate) fn json(body: &str) -> Option<Vec<u8>> {
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
        Some(format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(stream: TcpStream, script: Script, requests: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    while read_request(&mut stream).await.is_some() {
        let n = requests.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(answer) = script(n) else { return };
        let apart = answer.iter().rposition(|byte| *byte == b'|').unwrap_or(answer.len());
        let (first, rest) = answer.split_at(apart);
        if stream.write_all(first).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
        if stream.write_all(rest.get(1..).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok().map(drop)
}
