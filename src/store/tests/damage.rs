//! Damaged files: found, moved aside whole, and a new one begun.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use super::*;
use crate::store::damage::beside;

/// A store with `len` readings; clean, or with its log left behind.
fn filled(dir: &Path, len: u64, clean: bool) -> PathBuf {
    let mut store = open(dir);
    append(&mut store, len);
    store.commit().unwrap();
    store.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    if !clean {
        append(&mut store, 1);
        store.commit().unwrap();
        let config = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        store.db.set_db_config(config, true).unwrap();
    }
    drop(store);
    dir.join(FILE_NAME)
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Opens, expects the file to be moved aside byte for byte, and the new store to work.
fn is_moved_aside(dir: &Path, check: Check) -> Damage {
    let before = fs::read(dir.join(FILE_NAME)).unwrap();
    let (mut store, report) = Store::open(dir, &OpenParams { check, ..params("sink", 0xb) }).unwrap();
    let damage = report.damage.expect("the damage is reported");
    assert!(report.made);
    assert_eq!(report.own, OwnJournal { journal: JournalId(0xb), last: Seq::ZERO });
    assert_eq!(fs::read(&damage.moved_to).unwrap(), before);
    store.append(&pack("sink", 0xb, 1, 5)).unwrap();
    store.close().unwrap();
    assert_eq!(everything(dir).len(), 5);
    damage
}

#[test]
fn a_garbage_header() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path(), 500, true);
    overwrite(&path, 0, &[0x5a; 4096]);
    let damage = is_moved_aside(dir.path(), Check::Auto);
    let aside = damage.moved_to.file_name().unwrap().to_str().unwrap();
    assert_eq!(aside, "pisink.sqlite.damaged-20260120T000000Z");
}

#[test]
fn a_text_where_the_file_should_be_and_a_second_one_in_the_same_second() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE_NAME), "not a database\n").unwrap();
    let first = is_moved_aside(dir.path(), Check::Auto);
    fs::write(dir.path().join(FILE_NAME), "nor this\n").unwrap();
    let second = is_moved_aside(dir.path(), Check::Auto);
    assert_eq!(fs::read_to_string(first.moved_to).unwrap(), "not a database\n");
    assert!(second.moved_to.to_str().unwrap().ends_with("Z.2"));
}

#[test]
fn a_file_cut_short_after_an_unclean_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path(), 5000, false);
    let len = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len / 2 / 4096 * 4096).unwrap();
    let log = fs::read(beside(&path, "-wal")).unwrap();
    let damage = is_moved_aside(dir.path(), Check::Auto);
    assert_eq!(fs::read(beside(&damage.moved_to, "-wal")).unwrap(), log, "the log goes with its file");
}

#[test]
fn a_file_cut_to_nothing_with_its_log_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path(), 100, false);
    fs::write(&path, "").unwrap();
    is_moved_aside(dir.path(), Check::Auto);
}

#[test]
fn a_file_cut_short_after_a_clean_end() {
    for (len, cut) in [(5000, 1), (100, 1), (5000, 4096 * 20)] {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path(), len, true);
        let whole = fs::metadata(&path).unwrap().len();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole - cut).unwrap();
        is_moved_aside(dir.path(), Check::Auto);
    }
}

#[test]
fn a_flipped_page() {
    for (clean, check) in [(false, Check::Auto), (true, Check::Full)] {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path(), 5000, clean);
        let pages = fs::metadata(&path).unwrap().len() / 4096;
        overwrite(&path, (pages - 3) * 4096, &[0xa5; 4096]);
        is_moved_aside(dir.path(), check);
    }
}

#[test]
fn damage_met_while_running_is_told_and_the_next_opening_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path(), 5000, true);
    // After a clean end nobody looks at every page.
    let pages = fs::metadata(&path).unwrap().len() / 4096;
    for page in pages / 2..pages {
        overwrite(&path, page * 4096, &[0xa5; 4096]);
    }
    let (mut store, report) = Store::open(dir.path(), &params("sink", 0xb)).unwrap();
    assert_eq!((report.damage, report.checked), (None, Checked::Header));
    let error = (0..5000).step_by(100).find_map(|after| store.read_own(Seq(after), 100).err()).unwrap();
    assert!(error.is_damage(), "{error}");
    drop(store);
    is_moved_aside(dir.path(), Check::Full);
}

#[test]
fn a_sound_file_is_checked_as_its_end_demands() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5000, true);
    let opened = |check| Store::open(dir.path(), &OpenParams { check, ..params("sink", 0xb) }).unwrap().1;
    assert_eq!(opened(Check::Auto).checked, Checked::Header);
    assert_eq!(opened(Check::Full).checked, Checked::All);
    filled(dir.path(), 100, false);
    assert_eq!(opened(Check::Auto).checked, Checked::All);
}

#[test]
fn of_a_large_file_the_newest_part_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path(), 40_000, true);
    let sql = "SELECT pageno FROM dbstat WHERE name = 'reading' AND pagetype = 'leaf' ORDER BY path";
    let pages: Vec<i64> = {
        let db = Connection::open(&path).unwrap();
        let mut leaves = db.prepare(sql).unwrap();
        leaves.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let sound = fs::read(&path).unwrap();
    // A log with nothing in it that counts: the end was unclean.
    let break_page = |page: i64| {
        fs::write(&path, &sound).unwrap();
        fs::write(beside(&path, "-wal"), [0; 64]).unwrap();
        overwrite(&path, (page.cast_unsigned() - 1) * 4096, &[0xa5; 4096]);
    };
    // A page of old readings, which no power failure can have touched: nobody looks.
    break_page(pages[pages.len() / 2]);
    let (store, report) = Store::open(dir.path(), &params("sink", 0xb)).unwrap();
    assert_eq!((report.damage, report.checked), (None, Checked::Newest));
    drop(store);
    break_page(pages[pages.len() - 1]);
    is_moved_aside(dir.path(), Check::Auto);
}
