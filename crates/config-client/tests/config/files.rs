//! The snapshot files: whatever a crash or a bad disk leaves behind, a good one is found and nothing is lost.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use config_client::SnapshotFile;
use proto::v1::SavedSnapshot;
use secrets::{Keyring, MasterKey};

use crate::fixture::tenant;

struct Disk {
    data: tempfile::TempDir,
    file: SnapshotFile,
}

impl Disk {
    /// `first` as previous, `second` as current.
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(data.path(), keyring());
        let disk = Self { data, file };
        disk.write("first");
        disk.write("second");
        disk
    }

    fn write(&self, name: &str) {
        let resources = vec![tenant(name)];
        self.file.write(&SavedSnapshot { version: None, confirmed_at_us: 7, resources }).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::join(self.data.path(), "snapshot").join(name)
    }

    fn loads(&self) -> Option<String> {
        self.file.load(|saved| Ok(saved.resources[0].name.clone()))
    }

    fn damaged(&self) -> usize {
        let list = fs::read_dir(self.path("")).unwrap();
        list.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "damaged"))
            .count()
    }
}

fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::new(&MasterKey::generate(), &[]))
}

#[test]
fn the_newest_good_file_is_loaded_and_nothing_is_readable_in_it() {
    let disk = Disk::new();
    assert_eq!(disk.loads().as_deref(), Some("second"));
    let bytes = fs::read(disk.path("current.pcs")).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"second"));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(disk.path("current.pcs")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_current_file_cut_anywhere_gives_way_to_the_previous_one_and_is_kept() {
    let disk = Disk::new();
    let whole = fs::read(disk.path("current.pcs")).unwrap();
    let longer = [whole.as_slice(), b"x"].concat();
    let cuts = (0..whole.len()).map(|length| &whole[..length]).chain([longer.as_slice()]);
    for cut in cuts {
        fs::write(disk.path("current.pcs"), cut).unwrap();
        assert_eq!(disk.loads().as_deref(), Some("first"), "{} bytes", cut.len());
        assert!(!disk.path("current.pcs").exists(), "{} bytes", cut.len());
    }
    assert_eq!(disk.damaged(), 4, "damaged files are kept, but not without bound");
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let disk = Disk::new();
    let whole = fs::read(disk.path("current.pcs")).unwrap();
    for position in 0..whole.len() {
        let mut changed = whole.clone();
        changed[position] ^= 0x10;
        fs::write(disk.path("current.pcs"), &changed).unwrap();
        assert_eq!(disk.loads().as_deref(), Some("first"), "byte {position}");
    }
}

#[test]
fn two_damaged_files_mean_no_snapshot_and_both_are_kept() {
    let disk = Disk::new();
    let half = fs::read(disk.path("previous.pcs")).unwrap()[..40].to_vec();
    fs::write(disk.path("current.pcs"), "rubbish").unwrap();
    fs::write(disk.path("previous.pcs"), &half).unwrap();
    assert_eq!(disk.loads(), None);
    let kept: BTreeSet<_> = ["1.damaged", "2.damaged"].map(|name| fs::read(disk.path(name)).unwrap()).into();
    assert_eq!(kept, BTreeSet::from([b"rubbish".to_vec(), half]));
    assert_eq!(disk.loads(), None, "with nothing there at all, too");
    disk.write("third");
    assert_eq!(disk.loads().as_deref(), Some("third"));
}

#[test]
fn a_crash_between_the_renames_leaves_the_newest_to_be_found() {
    let disk = Disk::new();
    fs::rename(disk.path("current.pcs"), disk.path("next.pcs")).unwrap();
    assert_eq!(disk.loads().as_deref(), Some("second"));
    disk.write("third");
    assert_eq!(disk.loads().as_deref(), Some("third"));
    assert!(!disk.path("next.pcs").exists());
}

#[test]
fn a_crash_while_writing_leaves_the_current_file_alone() {
    let disk = Disk::new();
    fs::write(disk.path("next.pcs"), "PCSN").unwrap();
    assert_eq!(disk.loads().as_deref(), Some("second"));
}

#[test]
fn another_master_key_opens_nothing_and_destroys_nothing() {
    let disk = Disk::new();
    let stranger = SnapshotFile::new(disk.data.path(), keyring());
    assert!(stranger.load(Ok).is_none());
    assert_eq!(disk.damaged(), 0);
    assert_eq!(disk.loads().as_deref(), Some("second"));
}

#[test]
fn a_file_of_a_newer_version_is_passed_over_and_left_for_it() {
    let disk = Disk::new();
    let mut newer = fs::read(disk.path("current.pcs")).unwrap();
    newer[7] = 2;
    fs::write(disk.path("current.pcs"), &newer).unwrap();
    assert_eq!(disk.loads().as_deref(), Some("first"));
    assert!(disk.path("current.pcs").exists());
}

#[test]
fn a_write_that_fails_leaves_what_was_there() {
    let disk = Disk::new();
    fs::create_dir(disk.path("next.pcs")).unwrap();
    let saved = SavedSnapshot { version: None, confirmed_at_us: 7, resources: vec![tenant("third")] };
    assert!(disk.file.write(&saved).is_err());
    assert_eq!(disk.loads().as_deref(), Some("second"));
}
