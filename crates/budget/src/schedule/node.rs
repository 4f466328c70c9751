//! Two nodes of a store: one is the master, and either can be flushed, set back, copied or lose a key.

use domain::{Account, ResourceId};
use redis::{AsyncCommands, aio::MultiplexedConnection};

use super::{budget, random::Random};
use crate::{Books, MemoryBooks, RedisBooks, Token, Units, memory_books::Image};

/// The only root tenant.
pub(super) const ROOT: ResourceId = ResourceId(uuid::Uuid::from_u128(7));

/// The stores' clocks, in microseconds: they stand.
const NOW: i64 = 1_000_000_000_000;

/// What a book says of an account.
pub(super) struct Peek {
    pub(super) cap: Units,
    pub(super) sum: Units,
}

/// Two nodes.
pub(super) trait Nodes {
    type Books: Books;

    /// Scripts on a node with this history.
    fn books(&self, node: usize, history: &str) -> Self::Books;
    async fn flush(&mut self, node: usize);
    /// The other node becomes a copy.
    async fn replicate(&mut self, from: usize);
    /// Writes the data down, as a store does from time to time.
    async fn save(&mut self, node: usize);
    /// Goes back to what was written down.
    async fn go_back(&mut self, node: usize);
    /// Loses one window of one budget.
    async fn evict(&mut self, node: usize, random: &mut Random);
    /// The token, if the book is there and was not closed.
    async fn token(&self, node: usize) -> Option<Token>;
    async fn peek(&self, node: usize, account: &Account) -> Option<Peek>;
    /// All rows above zero, if the book can be closed.
    async fn is_complete(&self, node: usize) -> bool;
}

/// In memory.
pub(super) struct MemoryNodes {
    nodes: [MemoryBooks; 2],
    saved: [Option<Image>; 2],
}

impl MemoryNodes {
    pub(super) fn new() -> Self {
        let node = || MemoryBooks::new(|| NOW);
        Self { nodes: [node(), node()], saved: [None, None] }
    }
}

impl Nodes for MemoryNodes {
    type Books = MemoryBooks;

    fn books(&self, node: usize, history: &str) -> MemoryBooks {
        self.nodes[node].set_history(history);
        self.nodes[node].clone()
    }

    async fn flush(&mut self, node: usize) {
        self.nodes[node].restore(None);
    }

    async fn replicate(&mut self, from: usize) {
        self.nodes[1 - from].restore(self.nodes[from].image());
    }

    async fn save(&mut self, node: usize) {
        self.saved[node] = self.nodes[node].image();
    }

    async fn go_back(&mut self, node: usize) {
        self.nodes[node].restore(self.saved[node].clone());
    }

    async fn evict(&mut self, node: usize, random: &mut Random) {
        let sheets = self.nodes[node].sheets(ROOT);
        if !sheets.is_empty() {
            self.nodes[node].evict(ROOT, sheets[random.below(sheets.len())]);
        }
    }

    async fn token(&self, node: usize) -> Option<Token> {
        self.nodes[node].token(ROOT)
    }

    async fn peek(&self, node: usize, account: &Account) -> Option<Peek> {
        self.nodes[node].peek(ROOT, account).map(|(cap, sum)| Peek { cap, sum })
    }

    async fn is_complete(&self, node: usize) -> bool {
        self.nodes[node].is_complete(ROOT)
    }
}

/// Databases of one Redis: the two nodes, and what each has written down.
pub(super) struct RedisNodes {
    databases: Vec<MultiplexedConnection>,
}

impl RedisNodes {
    pub(super) async fn new(redis: &testkit::Redis) -> Self {
        let mut databases = Vec::new();
        for number in 0..4 {
            let client = redis::Client::open(format!("redis://{}/{number}", redis.address())).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let _: () = redis::cmd("FLUSHDB").query_async(&mut connection).await.unwrap();
            databases.push(connection);
        }
        Self { databases }
    }

    async fn copy(&self, from: usize, to: usize) {
        let (mut from, mut target) = (self.databases[from].clone(), self.databases[to].clone());
        let _: () = redis::cmd("FLUSHDB").query_async(&mut target).await.unwrap();
        let keys: Vec<String> = from.keys("*").await.unwrap();
        for key in keys {
            let mut copy = redis::cmd("COPY");
            copy.arg(&key).arg(&key).arg("DB").arg(to).arg("REPLACE");
            let _: i64 = copy.query_async(&mut from).await.unwrap();
        }
    }

    async fn book(&self, node: usize, field: &str) -> Option<String> {
        self.databases[node].clone().hget(format!("portcullis:{{{ROOT}}}:book"), field).await.unwrap()
    }
}

impl Nodes for RedisNodes {
    type Books = RedisBooks;

    fn books(&self, node: usize, history: &str) -> RedisBooks {
        RedisBooks::new(self.databases[node].clone()).given(history, NOW)
    }

    async fn flush(&mut self, node: usize) {
        let _: () = redis::cmd("FLUSHDB").query_async(&mut self.databases[node]).await.unwrap();
    }

    async fn replicate(&mut self, from: usize) {
        self.copy(from, 1 - from).await;
    }

    async fn save(&mut self, node: usize) {
        self.copy(node, 2 + node).await;
    }

    async fn go_back(&mut self, node: usize) {
        self.copy(2 + node, node).await;
    }

    async fn evict(&mut self, node: usize, random: &mut Random) {
        let mut keys: Vec<String> = self.databases[node].keys("*").await.unwrap();
        keys.retain(|key| !key.ends_with(":book"));
        keys.sort_by_key(|key| {
            let mut parts = key.rsplitn(3, ':');
            let start: i64 = parts.next().unwrap().parse().unwrap();
            (parts.next().unwrap().to_owned(), start)
        });
        if !keys.is_empty() {
            let _: () = self.databases[node].del(&keys[random.below(keys.len())]).await.unwrap();
        }
    }

    async fn token(&self, node: usize) -> Option<Token> {
        match self.book(node, "closed").await {
            Some(_) => None,
            None => self.book(node, "tok").await.map(Token::new),
        }
    }

    async fn peek(&self, node: usize, account: &Account) -> Option<Peek> {
        let Account { budget, window, value } = account;
        let windows = self.book(node, &format!("windows:{budget}")).await?;
        if !format!(" {windows}").contains(&format!(" {}:", window.start)) {
            return None;
        }
        let key = format!("portcullis:{{{ROOT}}}:{budget}:{}", window.start);
        let sum: Option<Units> = self.databases[node].clone().hget(key, format!("s:{value}")).await.unwrap();
        let cap = self.book(node, &format!("cap:{budget}")).await.unwrap_or_default();
        let cap = cap.split(' ').next().and_then(|cap| cap.parse().ok()).unwrap_or(0);
        sum.map(|sum| Peek { cap, sum })
    }

    async fn is_complete(&self, node: usize) -> bool {
        for number in 0..3 {
            if self.book(node, &format!("all:{}", budget(number))).await.is_none() {
                return false;
            }
        }
        true
    }
}
