//! What a crash leaves behind is read around; what no crash leaves behind is refused, and nothing is touched.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use domain::RequestId;
use usage_spool::{SpoolError, SpoolLimits};

use crate::support::{drain, event, open, records, segments};

/// A folder with one segment of three events, without sync notes behind the last.
fn folder() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), SpoolLimits::default()).unwrap();
    for _ in 0..3 {
        spool.event(&event(RequestId::new())).unwrap();
    }
    drop(spool);
    let path = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let last_event = records(&bytes).into_iter().rfind(|(_, kind)| *kind == 2).unwrap().0;
    bytes.truncate(last_event.end);
    (dir, path, bytes)
}

/// Leaves the folder with this one segment.
fn reset(dir: &Path, path: &Path, bytes: &[u8]) {
    for file in segments(dir) {
        fs::remove_file(file).unwrap();
    }
    let _ = fs::remove_file(dir.join("acked"));
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_last_record_torn_at_any_byte_loses_only_itself() {
    let (dir, path, bytes) = folder();
    let last = records(&bytes).pop().unwrap().0;
    for cut in last.clone() {
        reset(dir.path(), &path, &bytes[..cut]);
        let spool = open(dir.path(), SpoolLimits::default()).unwrap();
        assert_eq!(spool.recovery().torn, u64::from(cut > last.start), "cut at {cut}");
        assert_eq!(drain(&spool).await.len(), 2, "cut at {cut}");
    }
}

#[tokio::test]
async fn zeros_and_garbage_at_the_end_lose_nothing() {
    let (dir, path, bytes) = folder();
    let garbage: Vec<u8> = (0..2_048u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for tail in [vec![0; 4_096], garbage, vec![0xff; 64]] {
        reset(dir.path(), &path, &[&bytes[..], &tail[..]].concat());
        let spool = open(dir.path(), SpoolLimits::default()).unwrap();
        assert_eq!(spool.recovery().torn, 1);
        assert_eq!(drain(&spool).await.len(), 3);
    }
}

#[test]
fn damage_before_the_last_record_is_refused_at_every_byte_and_nothing_changes() {
    let (dir, path, bytes) = folder();
    let events: Vec<_> = records(&bytes).into_iter().filter(|(_, kind)| *kind == 2).collect();
    for (range, _) in &events[..2] {
        for at in range.clone() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            reset(dir.path(), &path, &bad);
            let error = open(dir.path(), SpoolLimits::default()).err().unwrap();
            let SpoolError::Damaged { file, offset, .. } = &error else { panic!("byte {at}: {error}") };
            assert_eq!((file, *offset), (&path, range.start as u64), "byte {at}");
            assert!(error.to_string().contains("move it") && !error.to_string().contains('\n'), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bad);
            assert_eq!(segments(dir.path()).len(), 1, "no new segment beside a damaged one");
        }
    }
}

#[test]
fn foreign_and_newer_files_are_refused() {
    let (dir, path, bytes) = folder();
    let mut foreign = bytes.clone();
    foreign[0] = b'X';
    reset(dir.path(), &path, &foreign);
    let error = open(dir.path(), SpoolLimits::default()).err().unwrap();
    assert!(matches!(&error, SpoolError::Damaged { offset: 0, .. }), "{error}");
    let mut newer = bytes;
    newer[8] = 9;
    reset(dir.path(), &path, &newer);
    let error = open(dir.path(), SpoolLimits::default()).err().unwrap();
    assert!(matches!(&error, SpoolError::Newer { found: 9, .. }), "{error}");
    reset(dir.path(), &path, &[]);
    assert!(matches!(open(dir.path(), SpoolLimits::default()), Err(SpoolError::Damaged { .. })));
}

#[tokio::test]
async fn a_segment_cut_short_in_its_making_is_nothing() {
    let (dir, path, bytes) = folder();
    reset(dir.path(), &path, &bytes);
    fs::write(path.with_file_name("0000000002.tmp"), b"PCSP").unwrap();
    let spool = open(dir.path(), SpoolLimits::default()).unwrap();
    assert!(!path.with_file_name("0000000002.tmp").exists());
    assert_eq!(drain(&spool).await.len(), 3);
}

#[tokio::test]
async fn a_damaged_segment_moved_aside_lets_the_rest_go_on() {
    let (dir, path, bytes) = folder();
    reset(dir.path(), &path, &bytes);
    let spool = open(dir.path(), SpoolLimits::default()).unwrap();
    let after = RequestId::new();
    spool.event(&event(after)).unwrap();
    drop(spool);
    let mut bad = bytes.clone();
    bad[64 + 20] ^= 1;
    fs::write(&path, bad).unwrap();
    assert!(matches!(open(dir.path(), SpoolLimits::default()), Err(SpoolError::Damaged { .. })));
    fs::rename(&path, dir.path().join("kept-for-inspection")).unwrap();
    let spool = open(dir.path(), SpoolLimits::default()).unwrap();
    let requests: Vec<_> = drain(&spool).await.iter().map(|event| event.request).collect();
    assert_eq!(requests, [after]);
}

#[tokio::test]
async fn damage_under_a_running_process_costs_only_the_record_and_the_file_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), SpoolLimits::default()).unwrap();
    let requests: Vec<_> = (0..3).map(|_| RequestId::new()).collect();
    for request in &requests {
        spool.event(&event(*request)).unwrap();
    }
    let path = segments(dir.path()).remove(0);
    let bytes = fs::read(&path).unwrap();
    let second = records(&bytes).into_iter().filter(|(_, kind)| *kind == 2).nth(1).unwrap().0;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[!bytes[second.start + 30]], second.start as u64 + 30).unwrap();
    let read: Vec<_> = drain(&spool).await.iter().map(|event| event.request).collect();
    assert_eq!(read, [requests[0], requests[2]]);
    assert!(!path.exists() && path.with_extension("seg.damaged").exists());
    drop(spool);
    let spool = open(dir.path(), SpoolLimits::default()).unwrap();
    assert_eq!(drain(&spool).await, [], "the file that was set aside does not keep it from starting");
}
