//! Opening: identity, the lock, schema versions.

use std::fs;

use super::*;

fn database(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

#[test]
fn the_journal_keeps_its_identity() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("not/there/yet");
    let (mut store, report) = Store::open(&deep, &params("sink", 0xa)).unwrap();
    assert!(report.made);
    assert_eq!(report.own, OwnJournal { journal: JournalId(0xa), last: Seq::ZERO });
    append(&mut store, 3);
    store.close().unwrap();
    let (store, report) = Store::open(&deep, &params("sink", 0xb)).unwrap();
    assert_eq!(report.own, OwnJournal { journal: JournalId(0xa), last: Seq(3) });
    assert_eq!(store.own(), report.own);
    assert_eq!(
        (report.made, report.damage, report.renamed_from, report.migrated_from),
        (false, None, None, None)
    );
}

#[test]
fn a_store_may_live_in_another_thread() {
    fn is_send<T: Send + 'static>() {}
    is_send::<Store>();
    is_send::<Reader>();
    is_send::<StoreError>();
}

#[test]
fn under_a_new_name_the_own_journal_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 3);
    store.close().unwrap();
    let (mut store, report) = Store::open(dir.path(), &params("shed", 0xb)).unwrap();
    assert_eq!(report.renamed_from, Some(name("sink")));
    assert_eq!(append(&mut store, 2), Seq(5));
    store.commit().unwrap();
    let piece = store.read_own(Seq::ZERO, 9).unwrap();
    assert_eq!((piece.node.as_str(), piece.journal, piece.pack.len()), ("shed", JournalId(0xa), 5));
}

#[test]
fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = Store::open(dir.path(), &params("sink", 0xb)).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(store);
    open(dir.path());
}

#[test]
fn a_file_where_the_directory_should_be_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    fs::write(&path, "").unwrap();
    let error = Store::open(&path, &params("sink", 1)).unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "{error}");
    fs::create_dir_all(dir.path().join("other").join(FILE_NAME)).unwrap();
    let error = Store::open(&dir.path().join("other"), &params("sink", 1)).unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 100);
    store.commit().unwrap();
    store.db.execute_batch("PRAGMA user_version = 99").unwrap();
    // Ends without a checkpoint, as after a kill: the newer version is in the log, the file has the old one.
    store.db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    drop(store);
    let log = crate::store::damage::beside(&database(dir.path()), "-wal");
    let before = (fs::read(database(dir.path())).unwrap(), fs::read(&log).unwrap());
    assert!(before.1.len() > 4096);

    for check in [Check::Auto, Check::Full] {
        let error = Store::open(dir.path(), &OpenParams { check, ..params("sink", 1) }).unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { found: 99, known: 3, .. }), "{error}");
    }
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::NewerSchema { found: 99, .. })));
    assert_eq!(fs::read(database(dir.path())).unwrap(), before.0);
    assert_eq!(fs::read(&log).unwrap(), before.1);
}

#[test]
fn another_programs_database_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let db = Connection::open(database(dir.path())).unwrap();
    db.execute_batch("CREATE TABLE theirs (x)").unwrap();
    db.close().unwrap();
    let before = fs::read(database(dir.path())).unwrap();
    assert!(matches!(Store::open(dir.path(), &params("sink", 1)), Err(StoreError::NotAStore { .. })));
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::NotAStore { .. })));
    assert_eq!(fs::read(database(dir.path())).unwrap(), before);
}

fn step(script: &'static str) -> schema::Step {
    schema::Step { script, fill: None }
}

#[test]
fn an_older_schema_is_brought_up_to_date_in_steps() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 10);
    store.close().unwrap();
    let mut longer = schema::MIGRATIONS.to_vec();
    let now = i64::try_from(longer.len()).unwrap();
    longer.push(step("ALTER TABLE reading ADD COLUMN quality INTEGER; CREATE TABLE next (x)"));
    longer.push(step("INSERT INTO next VALUES ('last')"));
    let (store, report) = open::open(dir.path(), &params("sink", 1), &longer).unwrap();
    assert_eq!(report.migrated_from, Some(now));
    assert_eq!(schema::kind(&store.db).unwrap(), schema::Kind::Store(now + 2));
    let last: String = store.db.query_row("SELECT x FROM next", [], |row| row.get(0)).unwrap();
    assert_eq!((last.as_str(), store.own().last), ("last", Seq(10)));
    store.close().unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::NewerSchema { .. })));
    // Once is enough.
    let (_, report) = open::open(dir.path(), &params("sink", 1), &longer).unwrap();
    assert_eq!(report.migrated_from, None);
}

#[test]
fn a_step_that_fails_leaves_the_version_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 10);
    store.close().unwrap();
    let mut broken = schema::MIGRATIONS.to_vec();
    broken.push(step("CREATE TABLE next (x); INSERT INTO nowhere VALUES (1)"));
    let error = open::open(dir.path(), &params("sink", 1), &broken).unwrap_err();
    assert!(matches!(error, StoreError::Sql { .. }), "{error}");
    let store = open(dir.path());
    assert_eq!(store.own().last, Seq(10));
}

#[test]
fn the_names_of_reasons_are_the_models() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for reason in ErrReason::ALL {
        let sql = "SELECT code FROM err_reason WHERE name = ?1";
        let code: i64 = store.db.query_row(sql, [reason.as_str()], |row| row.get(0)).unwrap();
        assert_eq!((code, schema::err_reason(code).unwrap()), (schema::err_code(reason), reason));
    }
}

#[test]
fn peers_and_consumers_are_remembered_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 5);
    store.commit().unwrap();
    store.note_peer("10.0.0.2:7002", &name("pi-1")).unwrap();
    store.note_peer("10.0.0.2:7002", &name("pi-2")).unwrap();
    store.note_consumer("sink", Seq(u64::MAX), at_s(1)).unwrap();
    for number in 1..64 {
        store.note_consumer(&format!("c{number}"), Seq(1), at_s(2)).unwrap();
    }
    assert!(store.note_consumer("one-too-many", Seq(1), at_s(2)).unwrap_err().is_refusal());
    store.note_consumer("sink", Seq(4), at_s(3)).unwrap();
    store.close().unwrap();

    let mut store = open(dir.path());
    assert_eq!(store.peers().unwrap(), [("10.0.0.2:7002".to_string(), name("pi-2"))]);
    let consumers = store.consumers().unwrap();
    assert_eq!(consumers.len(), 64);
    assert_eq!(consumers[63], Consumer { name: "sink".into(), taken: Seq(4), seen: at_s(3) });
    assert!(store.forget_consumer("c1").unwrap());
    assert!(!store.forget_consumer("c1").unwrap());
}
