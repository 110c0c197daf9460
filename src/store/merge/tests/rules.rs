//! The rules of a merge one by one.

use super::*;
use crate::model::{BootId, Readings};
use crate::store::Retention;

/// Two folders.
fn dirs() -> (tempfile::TempDir, tempfile::TempDir) {
    (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
}

#[test]
fn a_cursor_stays_before_a_hole_until_it_is_filled() {
    let (a, b) = dirs();
    let mut into = make(a.path(), "sink", 0xa);
    give(&mut into, "pi-1", 1, 1, 10);
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "pi-1", 1, 21, 10);
    forget_gone(&from);
    let report = merge(&mut into, b.path());
    let of = &report.journals[0];
    assert_eq!((of.node.as_str(), of.new, of.cursor, of.beyond), ("pi-1", 10, Seq(10), 10));
    // Retention and a restart in between do not disturb it.
    into.retain(&Retention::default(), at_s(10)).unwrap();
    into.close().unwrap();
    let mut into = make(a.path(), "sink", 0xa);
    // The node has 11 to 40; it is asked for what comes after 10.
    let taken = take(&mut into, "pi-1", 1, 11, 8);
    assert_eq!((taken.new, taken.duplicates, taken.cursor), (8, 0, Seq(18)));
    into.commit().unwrap();
    let taken = take(&mut into, "pi-1", 1, 19, 22);
    assert_eq!((taken.new, taken.duplicates, taken.cursor), (12, 10, Seq(40)));
    into.commit().unwrap();
    is_right(&into);
    assert_eq!(places(&into, 1), (1..=40).collect());
}

#[test]
fn a_node_that_has_no_longer_what_is_missing_says_so() {
    let (a, b) = dirs();
    let mut into = make(a.path(), "sink", 0xa);
    give(&mut into, "pi-1", 1, 1, 10);
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "pi-1", 1, 21, 10);
    forget_gone(&from);
    merge(&mut into, b.path());
    // It begins at 35 now: 11 to 20 and 31 to 34 are gone.
    let taken = take_after(&mut into, &piece("pi-1", 1, 35, 6), Seq(10), at_s(20)).unwrap();
    let hole = taken.hole.unwrap();
    assert_eq!((hole.first, hole.last, taken.new, taken.cursor), (Seq(11), Seq(34), 6, Seq(40)));
    into.commit().unwrap();
    is_right(&into);
    let stats = Reader::open(a.path()).unwrap().stats().unwrap();
    assert_eq!((stats.sources[0].missing, stats.sources[0].readings), (14, 26));
    // A third store has some of them after all.
    let (c, _) = dirs();
    let mut third = make(c.path(), "third", 0xc);
    give(&mut third, "pi-1", 1, 11, 5);
    merge(&mut into, c.path());
    is_right(&into);
    let stats = Reader::open(a.path()).unwrap().stats().unwrap();
    assert_eq!((stats.sources[0].missing, stats.sources[0].readings), (9, 31));
}

#[test]
fn what_another_sink_was_told_is_gone_need_not_be_asked_for_again() {
    let (a, b) = dirs();
    let mut into = make(a.path(), "sink", 0xa);
    give(&mut into, "pi-1", 1, 1, 10);
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "pi-1", 1, 21, 10);
    let report = merge(&mut into, b.path());
    assert_eq!((report.journals[0].cursor, report.journals[0].beyond), (Seq(30), 0));
    let stats = Reader::open(a.path()).unwrap().stats().unwrap();
    assert_eq!((stats.sources[0].missing, stats.sources[0].readings), (10, 20));
    is_right(&into);
}

#[test]
fn a_journal_that_is_new_here_begins_where_it_does_there() {
    let (a, b) = dirs();
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "pi-1", 1, 501, 20);
    forget_gone(&from);
    // All of its readings are dropped, but the cursor is known.
    give(&mut from, "pi-2", 2, 1, 5);
    from.db.execute("DELETE FROM reading WHERE source = 3", []).unwrap();
    from.db.execute("UPDATE source SET open_first_seq = NULL WHERE id = 3", []).unwrap();
    let mut into = open_into(a.path());
    merge(&mut into, b.path());
    assert_eq!((cursor(&into, "pi-1", 1), cursor(&into, "pi-2", 2)), (520, 5));
    assert_eq!(Reader::open(a.path()).unwrap().stats().unwrap().sources[1].missing, 0);
}

#[test]
fn two_contents_for_one_place_are_told_and_the_first_stays() {
    let (a, b) = dirs();
    let mut into = make(a.path(), "sink", 0xa);
    give(&mut into, "pi-1", 1, 1, 20);
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "pi-1", 1, 1, 30);
    from.db
        .execute("UPDATE reading SET value = -40, err = NULL WHERE seq BETWEEN 6 AND 17 OR seq = 25", [])
        .unwrap();
    let report = merge(&mut into, b.path());
    assert_eq!(report.counts(), (10, 8, 12));
    let told: Vec<u64> = report.conflicts.iter().map(|conflict| conflict.seq.0).collect();
    assert_eq!(told, (6..16).collect::<Vec<_>>(), "ten of them");
    let sql = "SELECT count(*) FROM reading WHERE value = -40";
    let odd: i64 = into.db.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(odd, 1, "place 25 alone, of which there was nothing here");
}

#[test]
fn the_own_journal_of_the_other_becomes_one_of_many_and_ours_stays() {
    let (a, b) = dirs();
    let mut from = make(b.path(), "standby", 0xb);
    from.append(&pack("standby", 0xb, 1, 50)).unwrap();
    from.commit().unwrap();
    // What it has dropped of its own, nobody has.
    from.db
        .execute_batch("DELETE FROM reading WHERE seq <= 16; DELETE FROM span WHERE last_seq <= 16")
        .unwrap();
    let mut into = make(a.path(), "sink", 0xa);
    into.append(&pack("sink", 0xa, 1, 5)).unwrap();
    give(&mut into, "standby", 0xb, 1, 4);
    merge(&mut into, b.path());
    is_right(&into);
    let sources = into.sources().unwrap();
    let list: Vec<_> = sources.iter().map(|s| (s.node.as_str(), s.own, s.cursor.0)).collect();
    assert_eq!(list, [("sink", true, 5), ("standby", false, 50)]);
    assert_eq!(places(&into, 0xb), (1..=4).chain(17..=50).collect());
    let stats = Reader::open(a.path()).unwrap().stats().unwrap();
    assert_eq!(stats.sources[1].missing, 12);
    into.close().unwrap();
    assert_eq!(open_into(a.path()).own().journal, JournalId(0xa));
}

#[test]
fn a_card_that_came_back_from_a_backup_gives_no_place_twice() {
    let (a, b) = dirs();
    let mut card = make(a.path(), "sink", 0xa);
    card.append(&pack("sink", 0xa, 1, 20)).unwrap();
    card.close().unwrap();
    // A standby has more of its journal than the backup, but not all of it.
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "sink", 0xa, 1, 5);
    give(&mut from, "sink", 0xa, 26, 10);
    let mut card = make(a.path(), "sink", 0xa);
    merge(&mut card, b.path());
    assert_eq!(card.own().last, Seq(35));
    card.append(&pack("sink", 0xa, 36, 3)).unwrap();
    card.commit().unwrap();
    is_right(&card);
    assert_eq!(places(&card, 0xa), (1..=20).chain(26..=38).collect());
    // Who polls it gets both ends.
    let first = card.read_own(Seq(18), 100).unwrap();
    assert_eq!((first.first, first.pack.len()), (Seq(19), 2));
    let next = card.read_own(Seq(20), 100).unwrap();
    assert_eq!((next.first, next.boot), (Seq(26), BootId(7)));
    assert_eq!(card.read_own(Seq(35), 100).unwrap().pack.len(), 3);
}

#[test]
fn a_renamed_nodes_journal_is_one_journal() {
    let (a, b) = dirs();
    let mut into = make(a.path(), "sink", 0xa);
    give(&mut into, "pi-1", 1, 1, 10);
    give(&mut into, "shed", 1, 11, 10);
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "pi-1", 1, 1, 15);
    give(&mut from, "shed", 1, 16, 15);
    let report = merge(&mut into, b.path());
    assert_eq!(report.counts().0, 10);
    assert_eq!(places(&into, 1), (1..=30).collect());
    // Under both names it goes on from there.
    assert_eq!((cursor(&into, "pi-1", 1), cursor(&into, "shed", 1)), (30, 30));
    is_right(&into);
}

#[test]
fn boots_that_come_by_turns_stay_with_their_readings() {
    let (a, b) = dirs();
    let of = |boot, first, len| Readings { boot: BootId(boot), ..piece("pi-1", 1, first, len) };
    let mut into = make(a.path(), "sink", 0xa);
    let mut from = make(b.path(), "standby", 0xb);
    for (store, pieces) in [
        (&mut into, [(1, 1, 10), (3, 31, 10), (3, 61, 5)]),
        (&mut from, [(2, 16, 5), (1, 21, 5), (3, 41, 10)]),
    ] {
        for (boot, first, len) in pieces {
            let cursor = store.cursor(&name("pi-1"), JournalId(1)).unwrap();
            take_after(store, &of(boot, first, len), cursor, at_s(0)).unwrap();
        }
        store.commit().unwrap();
        forget_gone(store);
    }
    merge(&mut into, b.path());
    is_right(&into);
    let sql = "SELECT seq, boot FROM readings ORDER BY seq";
    let mut statement = into.db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    for (seq, boot) in rows.map(Result::unwrap) {
        let want = match seq {
            ..=10 | 21..=25 => 1,
            16..=20 => 2,
            _ => 3,
        };
        assert_eq!(boot, BootId(want).to_string(), "place {seq}");
    }
}

#[test]
fn spans_beyond_a_hole_are_dropped_after_what_is_before_it() {
    let (a, b) = dirs();
    let mut into = make(a.path(), "sink", 0xa);
    give(&mut into, "pi-1", 1, 1, 10);
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "pi-1", 1, 31, 40);
    forget_gone(&from);
    merge(&mut into, b.path());
    take(&mut into, "pi-1", 1, 11, 3);
    into.commit().unwrap();
    let old =
        Retention { max_age: Some(std::time::Duration::from_secs(1)), sink: true, ..Retention::default() };
    // The growing span, 11 to 13, is older than what was held beyond it.
    into.retain(&old, at_s(15)).unwrap();
    into.commit().unwrap();
    is_right(&into);
    assert_eq!(places(&into, 1).first(), Some(&31));
    assert_eq!(take(&mut into, "pi-1", 1, 14, 60).duplicates, 40);
    into.commit().unwrap();
    is_right(&into);
}

#[test]
fn a_store_in_use_a_damaged_one_and_a_newer_one_stay_as_they_are() {
    let (a, b) = dirs();
    let into = make(a.path(), "sink", 0xa);
    let open = |dir: &Path| Store::open_to_merge(dir, &OpenParams { ..params("other", 1) });
    assert!(matches!(open(a.path()), Err(StoreError::InUse { .. })));
    into.close().unwrap();
    let (store, report) = open(a.path()).unwrap();
    assert_eq!((report.renamed_from, report.made), (None, false));
    assert_eq!(store.sources().unwrap()[0].node, name("sink"), "it keeps its name");
    store.db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(store);
    assert!(matches!(open(a.path()), Err(StoreError::NewerSchema { .. })));
    assert!(matches!(Reader::open(a.path()), Err(StoreError::NewerSchema { .. })));
    let file = b.path().join(FILE_NAME);
    std::fs::write(&file, [b"SQLite format 3\0".as_slice(), &[7; 5000]].concat()).unwrap();
    let before = std::fs::read(&file).unwrap();
    assert!(open(b.path()).unwrap_err().is_damage());
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(Reader::open(&b.path().join("none")).is_err());
}

#[test]
fn names_at_addresses_come_along_and_consumers_do_not() {
    let (a, b) = dirs();
    let mut from = make(b.path(), "standby", 0xb);
    from.append(&pack("standby", 0xb, 1, 3)).unwrap();
    from.note_peer("10.0.0.2:7001", &name("pi-1")).unwrap();
    from.note_peer("10.0.0.3:7001", &name("pi-2")).unwrap();
    from.commit().unwrap();
    from.note_consumer("sink", Seq(3), at_s(0)).unwrap();
    from.commit().unwrap();
    let mut into = make(a.path(), "sink", 0xa);
    into.note_peer("10.0.0.2:7001", &name("pi-9")).unwrap();
    into.commit().unwrap();
    merge(&mut into, b.path());
    let peers = into.peers().unwrap();
    assert_eq!(peers, [("10.0.0.2:7001".into(), name("pi-9")), ("10.0.0.3:7001".into(), name("pi-2"))]);
    assert_eq!(into.consumers().unwrap(), []);
}

#[test]
fn a_node_at_work_can_be_merged_from() {
    let (a, b) = dirs();
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "pi-1", 1, 1, 100);
    let mut into = open_into(a.path());
    let reader = Reader::open(b.path()).unwrap();
    // It takes more, and drops the oldest, between two steps of the merge.
    let old =
        Retention { max_age: Some(std::time::Duration::from_secs(1)), sink: true, ..Retention::default() };
    let mut at = 100;
    into.merge(&reader, at_s(9), &mut |_| {
        give(&mut from, "pi-1", 1, at + 1, 7);
        at += 7;
        from.retain(&old, at_s(60)).unwrap();
        from.commit().unwrap();
    })
    .unwrap();
    is_right(&into);
    let first = places(&into, 1);
    assert_eq!(cursor(&into, "pi-1", 1), 16, "what was dropped meanwhile may still be at the node");
    merge(&mut into, b.path());
    is_right(&into);
    assert!(first.len() < places(&into, 1).len());
    assert_eq!(places(&into, 1).last(), Some(&at));
}

#[test]
fn what_lies_beyond_a_hole_under_a_former_name_is_not_taken_again() {
    let (a, b) = dirs();
    let mut into = make(a.path(), "sink", 0xa);
    give(&mut into, "pi-1", 1, 1, 10);
    let mut from = make(b.path(), "standby", 0xb);
    give(&mut from, "pi-1", 1, 21, 10);
    forget_gone(&from);
    merge(&mut into, b.path());
    // The node has another name now, and brings all that comes after 10.
    assert_eq!(cursor(&into, "pi-new", 1), 10);
    let taken = take(&mut into, "pi-new", 1, 11, 15);
    assert_eq!((taken.new, taken.duplicates, taken.cursor), (10, 5, Seq(30)));
    into.commit().unwrap();
    let taken = take(&mut into, "pi-new", 1, 26, 15);
    assert_eq!((taken.new, taken.duplicates, taken.cursor), (10, 5, Seq(40)));
    into.commit().unwrap();
    is_right(&into);
    assert_eq!(places(&into, 1), (1..=40).collect());
}
