//! The one background task: renews and returns slots, notices a silent store, brings a lost one back.

use std::mem::take;
use std::sync::Arc;

use domain::RequestId;
use redis::Pipeline;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::RedisBackend;
use super::link::{Failure, Link, Unopened};
use super::slot_leases::SlotLease;
use crate::charge::Correction;

/// Most slots renewed or returned by one batch of commands.
const BATCH: usize = 256;

/// What waits to be sent.
struct Waiting {
    returns: mpsc::Receiver<SlotLease>,
    corrections: mpsc::Receiver<Correction>,
}

impl RedisBackend {
    /// Runs until `shutdown`, then returns what waits to be returned.
    pub(crate) async fn run(&self, shutdown: &CancellationToken) {
        let (Some(mut returns), Some(mut corrections)) = (self.take_returns(), self.corrections.take())
        else {
            tracing::error!("the fleet's background task was started twice");
            return;
        };
        let (mut batch, mut corrected) = (Vec::new(), Vec::new());
        let mut beat = interval(self.settings.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let Some(link) = self.link.load_full() else {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = self.reopen() => continue,
                }
            };
            if !batch.is_empty() {
                self.give_back(&link, &mut batch).await;
                continue;
            }
            if !corrected.is_empty() {
                if let Err(failure) = self.send_corrections(&link, &mut corrected).await {
                    self.lose(&link, &failure);
                }
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => {
                    return self.finish(&link, Waiting { returns, corrections }).await;
                }
                () = self.lost.notified() => {}
                _ = beat.tick() => self.beat(&link).await,
                _ = returns.recv_many(&mut batch, BATCH) => {}
                _ = corrections.recv_many(&mut corrected, BATCH) => {}
            }
        }
    }

    /// Tries until the store is back; slots that are held are claimed before anybody is admitted by it.
    async fn reopen(&self) {
        let mut told = String::new();
        loop {
            match Link::open(&self.client, &self.scripts, &self.settings).await {
                Ok(link) => match self.renew(&link, true).await {
                    Ok(_) => {
                        self.link.store(Some(Arc::new(link)));
                        tracing::info!("the shared store is back");
                        return;
                    }
                    Err(failure) => tracing::debug!(%failure, "the shared store is lost again"),
                },
                Err(unopened) => tell(&unopened, &mut told),
            }
            sleep(self.settings.probe_interval).await;
        }
    }

    /// Renews what is due; when nothing is, asks an idle store whether it is there before a request has to.
    async fn beat(&self, link: &Arc<Link>) {
        let outcome = match self.renew(link, false).await {
            Ok(0) => link.ask(&redis::cmd("PING")).await,
            other => other.map(|_| ()),
        };
        if let Err(failure) = outcome {
            self.lose(link, &failure);
        }
    }

    /// Renews slots that are due, or all; how many.
    async fn renew(&self, link: &Link, all: bool) -> Result<usize, Failure> {
        let mut renewed = 0;
        for (key, renewal) in self.registry.due(all) {
            let ttl = u64::try_from(renewal.ttl.as_micros()).unwrap_or(u64::MAX);
            for requests in renewal.requests.chunks(BATCH) {
                let command = |by| {
                    let mut command = self.scripts.renew.call(by, 1);
                    command.arg(&*key).arg(&*self.now()).arg(ttl);
                    for request in requests {
                        command.arg(member(request));
                    }
                    command
                };
                link.run::<()>(command).await?;
                renewed += requests.len();
            }
        }
        Ok(renewed)
    }

    /// Returns slots; what fails stays in the batch until the store is back.
    async fn give_back(&self, link: &Arc<Link>, batch: &mut Vec<SlotLease>) {
        let mut commands = Pipeline::with_capacity(batch.len());
        for (key, request) in &*batch {
            commands.cmd("ZREM").arg(&**key).arg(member(request)).ignore();
        }
        match link.ask_all(&commands).await {
            Ok(()) => batch.clear(),
            Err(failure) => self.lose(link, &failure),
        }
    }

    async fn finish(&self, link: &Arc<Link>, waiting: Waiting) {
        let Waiting { mut returns, mut corrections } = waiting;
        let mut corrected = Vec::new();
        while let Ok(correction) = corrections.try_recv() {
            corrected.push(correction);
            if corrected.len() == BATCH && self.send_corrections(link, &mut corrected).await.is_err() {
                break;
            }
        }
        if !corrected.is_empty()
            && let Err(failure) = self.send_corrections(link, &mut corrected).await
        {
            tracing::debug!(%failure, "the last corrections are not sent");
        }
        let mut batch = Vec::new();
        while let Ok(lease) = returns.try_recv() {
            batch.push(lease);
            if batch.len() == BATCH {
                self.give_back(link, &mut take(&mut batch)).await;
            }
        }
        if !batch.is_empty() {
            self.give_back(link, &mut batch).await;
        }
    }
}

fn member(request: &RequestId) -> &[u8] {
    request.0.as_bytes()
}

/// Says once why the store does not come back, and again only when the reason changes.
fn tell(unopened: &Unopened, told: &mut String) {
    let why = unopened.to_string();
    if *told != why {
        tracing::warn!(why, "the shared store is still lost");
        *told = why;
    }
}
