//! What a server needs from the machine: its programs, an account that may run it, a port, its processes.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// The account that a server runs as when the test runs as root, which PostgreSQL refuses.
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The account that the server runs under; without one, the test's own.
    pub(super) fn for_server() -> anyhow::Result<Option<Self>> {
        if fs::metadata("/proc/self")?.uid() != 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
        let find = |name: &str| {
            let mut fields = accounts
                .lines()
                .map(|line| line.split(':'))
                .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
            fields.next();
            Some(Self { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
        };
        let account = find("postgres").or_else(|| find("nobody"));
        account
            .map(Some)
            .context("PostgreSQL does not run as root, and there is no account postgres or nobody")
    }

    /// Makes a file or folder the account's.
    pub(super) fn own(&self, path: &Path) -> anyhow::Result<()> {
        chown(path, Some(self.uid), Some(self.gid)).with_context(|| path.display().to_string())
    }
}

/// The folder of `initdb` and `postgres`: on the PATH, or where Debian keeps them, the newest first.
pub(super) fn server_binaries() -> anyhow::Result<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    folders.push("/usr/local/bin".into());
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    folders.extend(versions.into_iter().map(|(_, folder)| folder));
    let whole = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
    match folders.into_iter().find(whole) {
        Some(folder) => Ok(folder),
        None => bail!(
            "PostgreSQL's initdb and postgres are not installed (on Debian: apt-get install postgresql)"
        ),
    }
}

/// The living children of a process.
pub(super) fn children_of(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    let child = |entry: fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // `pid (name) state ppid …`, and the name may hold anything.
        let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
        (rest.nth(1)? == parent).then_some(id)
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(child).collect()
}
