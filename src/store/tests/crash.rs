//! Power failures: the log is cut or garbled at any place, and what was committed before is there, whole.

use std::fs;

use super::*;
use crate::store::damage::beside;

#[test]
fn whatever_is_left_of_the_last_group_the_ones_before_are_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let path = dir.path().join(FILE_NAME);
    let log_len = || fs::metadata(beside(&path, "-wal")).unwrap().len();
    append(&mut store, 200);
    take(&mut store, "pi-1", 1, 1, 100);
    store.commit().unwrap();
    let first = log_len();
    append(&mut store, 150);
    take(&mut store, "pi-1", 1, 101, 150);
    store.commit().unwrap();
    let (file, log) = (fs::read(&path).unwrap(), fs::read(beside(&path, "-wal")).unwrap());
    assert_eq!(log.len() as u64, log_len());
    assert!(log.len() as u64 > first + 8 * 4096, "the second group is some pages long");

    // An odd stride, so that cuts fall into frame headers and pages alike.
    let mut whole = 0;
    for cut in (usize::try_from(first).unwrap()..=log.len()).rev().step_by(1571) {
        for garbled in [false, true] {
            let mut left = log.clone();
            left.truncate(cut);
            if garbled {
                left.resize(log.len(), 0xa5);
            }
            let after = tempfile::tempdir().unwrap();
            fs::write(after.path().join(FILE_NAME), &file).unwrap();
            fs::write(after.path().join(format!("{FILE_NAME}-wal")), &left).unwrap();
            let (store, report) = Store::open(after.path(), &params("sink", 0xb)).unwrap();
            assert_eq!((report.damage, report.checked), (None, Checked::All));
            let cursor = store.cursor(&name("pi-1"), JournalId(1)).unwrap().0;
            match store.own().last.0 {
                200 => assert_eq!(cursor, 100),
                350 => assert_eq!(cursor, 250),
                other => panic!("half a group: {other}"),
            }
            assert_eq!(everything(after.path()).len() as u64, store.own().last.0 + cursor);
            whole += usize::from(cursor == 250);
        }
    }
    assert_eq!(whole, 2, "the second group is there only when all of its log is");
}
