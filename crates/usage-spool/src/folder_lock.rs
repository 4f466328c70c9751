//! The exclusive lock of a spool's folder: one process writes it at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::error::SpoolError;

/// Holds the lock; dropping it releases the lock.
#[derive(Debug)]
pub(crate) struct FolderLock(File);

impl FolderLock {
    /// Takes the lock of a folder without waiting.
    ///
    /// # Errors
    /// [`SpoolError::Locked`] while another process holds it; [`SpoolError::Io`] where the file cannot be locked.
    pub(crate) fn acquire(dir: &Path) -> Result<Self, SpoolError> {
        let path = dir.join("lock");
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(SpoolError::io("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(SpoolError::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(error)) => Err(SpoolError::io("lock", &path)(error)),
        }
    }
}

impl Drop for FolderLock {
    /// Unlocks rather than only closing: a child process that is between `fork` and `exec` has a copy of the descriptor,
    /// and would keep the lock for that long.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the spool's lock ends with its descriptor");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = FolderLock::acquire(dir.path()).unwrap();
        assert!(matches!(FolderLock::acquire(dir.path()), Err(SpoolError::Locked { .. })));
        let inherited = lock.0.try_clone().unwrap();
        drop(lock);
        assert!(FolderLock::acquire(dir.path()).is_ok());
        drop(inherited);
    }
}
