//! The store of books that a process was set up with.

use std::{sync::Arc, time::Duration};

use domain::ResourceId;
use redis::Client;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    Begin, Books, BooksError, ClosedBook, LeaseCommand, LeaseReply, Load, MemoryBooks, RedisBooks, Token,
};

/// The longest that connecting may take.
const CONNECT: Duration = Duration::from_secs(1);
/// The longest that a call waits for the store; what was asked may have been done.
const ANSWER: Duration = Duration::from_secs(2);

/// Where the books are; cheap to clone.
#[derive(Clone)]
pub enum BookStore {
    /// Nowhere: no shared store is set, so nothing is ever granted.
    Absent,
    /// In this process, which is the only proxy.
    Memory(MemoryBooks),
    /// In Redis.
    Redis(RedisStore),
}

/// Redis, connected to when it is needed, and anew after a failure.
#[derive(Clone)]
pub struct RedisStore {
    client: Client,
    connected: Arc<Mutex<Option<RedisBooks>>>,
}

impl BookStore {
    /// The store at a Redis URL; it is connected to on first use.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn redis(url: &str) -> Result<Self, BooksError> {
        let client = Client::open(url).map_err(|error| BooksError(error.to_string()))?;
        Ok(Self::Redis(RedisStore { client, connected: Arc::default() }))
    }
}

impl RedisStore {
    async fn books(&self) -> Result<RedisBooks, BooksError> {
        let mut connected = self.connected.lock().await;
        if let Some(books) = &*connected {
            return Ok(books.clone());
        }
        let late = |_| BooksError("no connection in time".to_owned());
        let connection = timeout(CONNECT, self.client.get_multiplexed_async_connection()).await;
        let connection = connection.map_err(late)?.map_err(|error| BooksError(error.to_string()))?;
        let books = RedisBooks::new(connection);
        *connected = Some(books.clone());
        Ok(books)
    }

    /// One call; after a failure the next one connects anew.
    async fn call<T>(
        &self,
        ask: impl AsyncFnOnce(RedisBooks) -> Result<T, BooksError>,
    ) -> Result<T, BooksError> {
        let books = self.books().await?;
        let late = |_| BooksError("no answer in time".to_owned());
        let answer = timeout(ANSWER, ask(books)).await.map_err(late).and_then(|answer| answer);
        if answer.is_err() {
            *self.connected.lock().await = None;
        }
        answer
    }
}

fn absent<T>() -> Result<T, BooksError> {
    Err(BooksError("no shared store is set (--redis-url)".to_owned()))
}

impl Books for BookStore {
    async fn lease(&self, root: ResourceId, command: &LeaseCommand) -> Result<LeaseReply, BooksError> {
        match self {
            Self::Absent => absent(),
            Self::Memory(books) => books.lease(root, command).await,
            Self::Redis(store) => store.call(async |books| books.lease(root, command).await).await,
        }
    }

    async fn begin(&self, root: ResourceId, begin: &Begin) -> Result<Option<Token>, BooksError> {
        match self {
            Self::Absent => absent(),
            Self::Memory(books) => books.begin(root, begin).await,
            Self::Redis(store) => store.call(async |books| books.begin(root, begin).await).await,
        }
    }

    async fn load(&self, root: ResourceId, load: &Load) -> Result<bool, BooksError> {
        match self {
            Self::Absent => absent(),
            Self::Memory(books) => books.load(root, load).await,
            Self::Redis(store) => store.call(async |books| books.load(root, load).await).await,
        }
    }

    async fn close(&self, root: ResourceId, token: &Token) -> Result<Option<ClosedBook>, BooksError> {
        match self {
            Self::Absent => absent(),
            Self::Memory(books) => books.close(root, token).await,
            Self::Redis(store) => store.call(async |books| books.close(root, token).await).await,
        }
    }
}
