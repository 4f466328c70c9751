//! The file over restarts of the process and of the machine, cut records, and compaction.

use domain::test_support;

use super::*;

const BOOT: Uuid = Uuid::from_u128(9);

fn draw(holder: IncarnationId, root: ResourceId) -> Draw {
    Draw { holder, root, ..test_support::draw() }
}

fn cost(draw: &Draw, nanos: i64) -> Cost {
    Cost { draw: draw.clone(), cost: Money::from_nanos(nanos), acknowledged: true }
}

fn at(offset: u64) -> Position {
    Position { segment: 1, offset }
}

#[test]
fn a_folder_goes_on_under_its_id_with_what_it_drew() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path(), BOOT).unwrap();
    let root = ResourceId::new();
    let draw = draw(authority.holder(), root);
    let mut journal = BudgetJournal::new(authority.clone(), root);
    journal.append(Record::Account(&draw.accounts[0])).unwrap();
    let token = Token::new("h/1");
    journal.append(Record::Epoch { epoch: 4, token: Some(&token) }).unwrap();
    authority.sum(at(100), &[cost(&draw, 70)]).unwrap();
    let refused = Cost { acknowledged: false, ..cost(&draw, 5) };
    authority.sum(at(200), &[refused]).unwrap();
    for start in 2..4 {
        let again = Authority::open(dir.path(), BOOT).unwrap().known();
        assert_eq!(again.summed, at(200));
        let folder = again.folder(root, &[cost(&draw, 3)]);
        assert_eq!((folder.proxy, folder.boot, folder.epoch), (draw.holder, start, 4));
        assert_eq!((folder.token.as_ref(), folder.unreported), (Some(&token), 1));
        let sums: Vec<_> = folder.accounts.values().map(|sum| (sum.drawn, sum.acknowledged)).collect();
        assert_eq!(sums, [(78, 70), (78, 70)]);
    }
}

#[test]
fn a_folder_that_left_or_may_lack_records_takes_a_new_id() {
    let dir = tempfile::tempdir().unwrap();
    let first = Authority::open(dir.path(), BOOT).unwrap().holder();
    let other = Authority::open(dir.path(), Uuid::from_u128(10)).unwrap().holder();
    assert_ne!(first, other, "the machine started anew");
    let authority = Authority::open(dir.path(), Uuid::from_u128(10)).unwrap();
    assert_eq!(authority.left(), [first], "who is to be closed");
    authority.forget(first).unwrap();
    drop(authority);
    assert_eq!(Authority::open(dir.path(), Uuid::from_u128(10)).unwrap().left(), []);
    assert_ne!(Authority::open(dir.path(), Uuid::nil()).unwrap().holder(), other, "nobody knows");
    let authority = Authority::open(dir.path(), BOOT).unwrap();
    let id = authority.holder();
    BudgetJournal::new(authority, ResourceId::new()).append(Record::Closing).unwrap();
    assert_ne!(Authority::open(dir.path(), BOOT).unwrap().holder(), id, "it was closing");
    std::fs::write(dir.path().join("authority"), b"PCAUTHO\nnonsense").unwrap();
    assert!(Authority::open(dir.path(), BOOT).is_ok(), "damaged");
}

#[test]
fn a_record_that_was_cut_ends_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path(), BOOT).unwrap();
    let draw = draw(authority.holder(), ResourceId::new());
    authority.sum(at(100), &[cost(&draw, 70)]).unwrap();
    let whole = std::fs::read(dir.path().join("authority")).unwrap();
    authority.sum(at(200), &[cost(&draw, 5)]).unwrap();
    let both = std::fs::read(dir.path().join("authority")).unwrap();
    for cut in whole.len()..both.len() {
        std::fs::write(dir.path().join("authority"), &both[..cut]).unwrap();
        let known = Authority::open(dir.path(), BOOT).unwrap().known();
        assert_eq!(known.summed, at(100), "{cut}");
    }
}

#[test]
fn what_another_id_left_is_not_added_to_the_sums() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path(), BOOT).unwrap();
    let root = ResourceId::new();
    authority.sum(at(100), &[cost(&draw(IncarnationId::new(), root), 70)]).unwrap();
    assert!(authority.known().folder(root, &[]).accounts.is_empty());
}

#[test]
fn a_large_file_is_written_anew_without_windows_that_are_over() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path(), BOOT).unwrap();
    let root = ResourceId::new();
    let draw = draw(authority.holder(), root);
    let window = |number: i64| Window { start: number * 100, previous: (number - 1) * 100 };
    for number in 0..6_000 {
        let in_window = |account: &Account| Account { window: window(number), ..account.clone() };
        let accounts = draw.accounts.iter().map(in_window).collect();
        let position = at(u64::try_from(number).unwrap());
        let costs = vec![cost(&Draw { accounts, ..draw.clone() }, 1); 8];
        authority.sum(position, &costs).unwrap();
    }
    let length = std::fs::metadata(dir.path().join("authority")).unwrap().len();
    assert!(length < COMPACT_AT + 10_000, "{length} bytes");
    let folder = Authority::open(dir.path(), BOOT).unwrap().known().folder(root, &[]);
    let newest = folder.accounts.keys().last().unwrap();
    assert_eq!(folder.accounts[newest], Drawn { drawn: 8, acknowledged: 8 });
}
