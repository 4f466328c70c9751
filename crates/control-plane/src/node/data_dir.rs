//! The directory of a control node: one lock, the secrets it made for itself, the database's place.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use runtime::ConfigError;
use secrets::{MasterKey, random_token};

/// A data directory that this process holds alone until it ends.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates it, for its owner only, and locks it.
    ///
    /// # Errors
    /// When it cannot be made, or another process holds it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let blame = |what: String| ConfigError::new("--data-dir", what);
        let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
        created.map_err(|error| blame(format!("cannot create {}: {error}", path.display())))?;
        let lock =
            private(path.join("lock")).map_err(|error| blame(format!("{}: {error}", path.display())))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(blame(format!(
                "{} is in use by another process; stop it or choose another",
                path.display()
            ))
            .into()),
            Err(TryLockError::Error(error)) => {
                Err(blame(format!("cannot lock {}: {error}", path.display())).into())
            }
        }
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The master key that was configured, or the one this directory keeps; made at the first start.
    ///
    /// A database without its key is refused: a new key would turn every stored secret into noise.
    ///
    /// # Errors
    /// Besides that, when the kept key cannot be read or the new one cannot be written.
    pub fn master_key(&self, configured: Option<MasterKey>, database: &Path) -> anyhow::Result<MasterKey> {
        if let Some(key) = configured {
            return Ok(key);
        }
        if let Some(text) = self.read("master.key")? {
            return Ok(MasterKey::parse(&text).map_err(|weak| ConfigError::new("DATA_DIR/master.key", weak))?);
        }
        if database.exists() {
            let text =
                "the database is there but its master.key is not; put it back or set PORTCULLIS_MASTER_KEY";
            return Err(ConfigError::new("--data-dir", text).into());
        }
        let key = MasterKey::generate();
        self.write("master.key", &key.to_hex())?;
        Ok(key)
    }

    /// A token of the directory's own, made at the first start; says whether it is new.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn token(&self, name: &str, prefix: &str) -> anyhow::Result<(String, bool)> {
        if let Some(text) = self.read(name)? {
            return Ok((text, false));
        }
        let token = random_token(prefix);
        self.write(name, &token)?;
        Ok((token, true))
    }

    /// The text of a small file, if it is there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self, name: &str) -> anyhow::Result<Option<String>> {
        let path = self.join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let mut text = String::new();
        file.take(64 << 10).read_to_string(&mut text).with_context(|| path.display().to_string())?;
        Ok(Some(text.trim().to_owned()))
    }

    /// Writes a small file, mode 0600, whole or not at all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.join(name);
        let half = self.join(&format!("{name}.new"));
        let write = || {
            let mut file = private(half.clone())?;
            file.set_len(0)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&half, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().with_context(|| path.display().to_string())
    }
}

fn private(path: PathBuf) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).read(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        let refused = DataDir::open(dir.path()).err().unwrap().to_string();
        assert!(refused.contains("in use by another process"), "{refused}");
        drop(first);
        assert!(DataDir::open(dir.path()).is_ok());
    }

    #[test]
    fn secrets_stay_and_a_lost_master_key_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        let database = data.join("portcullis.db");
        let made = data.master_key(None, &database).unwrap().to_hex();
        assert_eq!(*data.master_key(None, &database).unwrap().to_hex(), *made);
        assert_eq!(data.token("join.token", "pc-join-").unwrap().0, data.token("join.token", "x").unwrap().0);
        std::fs::write(&database, "").unwrap();
        std::fs::remove_file(data.join("master.key")).unwrap();
        assert!(data.master_key(None, &database).is_err());
    }
}
