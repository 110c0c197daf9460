//! A full disk.

use super::*;

/// Lets the file grow to `pages` pages, as if the disk ended there.
fn limit_pages(store: &Store, pages: i64) {
    store.db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
}

fn pages(store: &Store) -> i64 {
    store.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
}

#[test]
fn what_does_not_fit_is_undone_and_goes_in_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 10);
    store.commit().unwrap();
    limit_pages(&store, pages(&store) + 4);

    // Own readings and another node's in one group: neither half may stay.
    append(&mut store, 20);
    let big = piece("pi-1", 1, 1, 5000);
    let error = take_after(&mut store, &big, Seq::ZERO, at_s(0)).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(store.own().last, Seq(10));
    assert_eq!(store.cursor(&name("pi-1"), JournalId(1)).unwrap(), Seq::ZERO);
    assert_eq!(store.commit().unwrap().cursors, []);
    assert_eq!(everything(dir.path()).len(), 10);

    // Still full, again and again; small groups still fit.
    assert!(matches!(take_after(&mut store, &big, Seq::ZERO, at_s(0)), Err(StoreError::Full { .. })));
    assert_eq!(append(&mut store, 1), Seq(11));
    store.commit().unwrap();

    limit_pages(&store, 1 << 20);
    assert_eq!(append(&mut store, 20), Seq(31));
    assert_eq!(take(&mut store, "pi-1", 1, 1, 5000).new, 5000);
    store.commit().unwrap();
    assert_eq!(everything(dir.path()).len(), 5031);
    spans_are_right(&store);
}

#[test]
fn dropping_old_readings_makes_room_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-1", 1, 1, 5000);
    store.commit().unwrap();
    limit_pages(&store, pages(&store));
    let more = piece("pi-1", 1, 5001, 1000);
    assert!(matches!(take_after(&mut store, &more, Seq(5000), at_s(0)), Err(StoreError::Full { .. })));

    let policy = Retention { max_age: Some(std::time::Duration::from_secs(2000)), ..Retention::default() };
    let mut dropped = 0;
    loop {
        let report = store.retain(&policy, at_s(5000)).unwrap();
        store.commit().unwrap();
        dropped += report.readings;
        if !report.more {
            break;
        }
    }
    assert!((2980..3000).contains(&dropped), "{dropped}");
    assert_eq!(take(&mut store, "pi-1", 1, 5001, 1000).new, 1000);
    store.commit().unwrap();
    spans_are_right(&store);
}
