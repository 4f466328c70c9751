//! Keeps the proxy's configuration at the newest version that compiles.

use std::{sync::Arc, time::Duration};

use domain::{Timestamp, Version};
use secrets::Keyring;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    backoff::Backoff,
    file::SnapshotFile,
    persist::Persister,
    row_set::{RowSet, Update},
    session::Session,
    settings::{ConfigSettings, Install},
    status::{ConfigStatus, Rejected},
    stream::{Heard, Lost, Stream},
};

/// The proxy's side of Watch.
pub struct ConfigClient {
    settings: ConfigSettings,
    session: Session,
    install: Install,
    file: SnapshotFile,
    status: Arc<ConfigStatus>,
    /// The last rows that were installed; the persister follows it.
    held: watch::Sender<Option<Arc<RowSet>>>,
    persister: Persister,
}

/// The part that lives through reconnects.
struct Watcher {
    settings: ConfigSettings,
    session: Session,
    install: Install,
    status: Arc<ConfigStatus>,
    held: watch::Sender<Option<Arc<RowSet>>>,
    /// Whether the next hello says what is held; not after the two sides disagreed about it.
    resume: bool,
    backoff: Backoff,
}

impl ConfigClient {
    /// Prepares; nothing is read or connected yet.
    #[must_use]
    pub fn new(settings: ConfigSettings, session: Session, keyring: Arc<Keyring>, install: Install) -> Self {
        let status = Arc::new(ConfigStatus::new(settings.max_snapshot_age));
        let file = SnapshotFile::new(&settings.data_dir, keyring);
        let (held, installed) = watch::channel(None);
        let age = settings.max_snapshot_age;
        let persister =
            Persister::new(file.clone(), installed, Arc::clone(&status), age, settings.write_retry);
        Self { settings, session, install, file, status, held, persister }
    }

    /// What readiness, metrics and requests ask.
    #[must_use]
    pub fn status(&self) -> Arc<ConfigStatus> {
        Arc::clone(&self.status)
    }

    /// Installs the last good snapshot of the disk, if there is one. Blocks; call it before [`Self::run`].
    pub fn start_from_disk(&mut self) -> Option<Version> {
        let (rows, confirmed_at) = self.file.load(|saved| {
            let version = proto::version_from(saved.version.as_ref()).map_err(|error| error.to_string())?;
            let rows = RowSet::of(version, saved.resources);
            (self.install)(&rows.rows())?;
            Ok((rows, Timestamp::from_micros(saved.confirmed_at_us)))
        })?;
        let version = rows.version;
        rows.log_unknown(None);
        self.status.installed(version, confirmed_at);
        self.persister.loaded(version, confirmed_at.micros());
        self.held.send_replace(Some(Arc::new(rows)));
        Some(version)
    }

    /// Follows the control plane until shutdown, reconnecting as often as it takes. Whatever happens here, the
    /// installed snapshot serves on.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { settings, session, install, status, held, persister, file: _ } = self;
        let backoff = Backoff::default();
        let watcher = Watcher { settings, session, install, status, held, resume: true, backoff };
        let follow = shutdown.clone().run_until_cancelled_owned(watcher.follow());
        tokio::join!(follow, persister.run(shutdown));
    }
}

impl Watcher {
    async fn follow(mut self) {
        loop {
            let ended = self.one_stream().await;
            self.status.set_connected(false);
            let wait = self.wait_after(ended).await;
            tokio::time::sleep(wait).await;
        }
    }

    async fn wait_after(&mut self, ended: Result<(), Lost>) -> Duration {
        let random = (self.settings.random)();
        let Err(lost) = ended else {
            tracing::info!("the control plane ended the stream; connecting again");
            return self.backoff.after_end(random);
        };
        match &lost {
            Lost::OutOfStep(_) => self.resume = false,
            Lost::Call(status) if status.code() == Code::Unauthenticated => {
                self.session.forget_token().await;
            }
            _ => {}
        }
        let wait = self.backoff.after_failure(random);
        tracing::warn!(retry_in = ?wait, "no control plane: {lost}");
        wait
    }

    async fn one_stream(&mut self) -> Result<(), Lost> {
        let have = self.version().filter(|_| self.resume);
        let silence = self.settings.silence;
        let mut stream = Stream::open(&self.session, &self.settings.region, have, silence).await?;
        while let Some(heard) = stream.next().await? {
            self.status.set_connected(true);
            match heard {
                Heard::Newest(version) => {
                    self.backoff.healthy();
                    // Another one is on its way, or was refused: then what serves is not confirmed.
                    if self.version() == Some(version) {
                        self.status.confirmed((self.settings.clock)());
                    }
                }
                Heard::Update(update) => self.apply(update, &stream).await?,
            }
        }
        Ok(())
    }

    async fn apply(&mut self, update: Update, stream: &Stream) -> Result<(), Lost> {
        let held = self.held.borrow().clone();
        let install = Arc::clone(&self.install);
        // Reading and compiling thousands of rows must not hold up a thread that relays streams.
        let compiled = tokio::task::spawn_blocking(move || {
            let rows = RowSet::after(held.as_deref(), update)?;
            let verdict = install(&rows.rows());
            if verdict.is_ok() {
                rows.log_unknown(held.as_deref());
            }
            Ok::<_, Lost>((rows, verdict))
        });
        let Ok(compiled) = compiled.await else {
            return Err(Lost::Protocol("compiling the configuration failed within this proxy"));
        };
        let (rows, verdict) = compiled?;
        let version = rows.version;
        self.resume = true;
        self.backoff.healthy();
        match verdict {
            Ok(()) => {
                self.status.installed(version, (self.settings.clock)());
                self.held.send_replace(Some(Arc::new(rows)));
                tracing::info!(%version, "configuration installed");
                stream.ack(version)
            }
            Err(reason) => {
                tracing::error!(%version, serving = ?self.version(), "configuration refused: {reason}");
                self.status.refused(Rejected { version, reason: reason.clone() });
                stream.nack(version, &reason)
            }
        }
    }

    fn version(&self) -> Option<Version> {
        self.held.borrow().as_ref().map(|rows| rows.version)
    }
}
