//! Merging, against a model and rule by rule. A store of these tests holds what it was given by hand; what it knows to
//! be gone can be taken away from it, which is how a store looks after retention.

mod clocks;
mod model;
mod rounds;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::store::tests::*;
use crate::store::{FILE_NAME, Filter, OpenParams};

/// A store of node `node`, whose journal is `journal`.
fn make(dir: &Path, node: &str, journal: u64) -> Store {
    Store::open(dir, &params(node, journal)).unwrap().0
}

fn open_into(dir: &Path) -> Store {
    Store::open_to_merge(dir, &params("into", 0xd)).unwrap().0
}

/// Takes places `first..first + len` of a journal, whatever lies between them and the cursor.
fn give(store: &mut Store, node: &str, journal: u64, first: u64, len: u64) {
    let cursor = store.cursor(&name(node), JournalId(journal)).unwrap();
    take_after(store, &piece(node, journal, first, len), cursor.min(Seq(first - 1)), at_s(0)).unwrap();
    store.commit().unwrap();
}

/// As retention leaves a store: what is missing, nobody says why.
fn forget_gone(store: &Store) {
    store.db.execute("DELETE FROM dropped", []).unwrap();
}

fn merge(into: &mut Store, from: &Path) -> MergeReport {
    into.merge(&Reader::open(from).unwrap(), at_s(9), &mut |_| {}).unwrap()
}

/// The places of a journal that a store holds, under whatever name.
fn places(store: &Store, journal: u64) -> BTreeSet<u64> {
    let sql = "SELECT seq FROM reading JOIN source ON source.id = source WHERE journal = ?1";
    let mut statement = store.db.prepare(sql).unwrap();
    let list = statement.query_map([JournalId(journal).to_string()], |row| row.get(0)).unwrap();
    let list: Vec<i64> = list.collect::<Result<_, _>>().unwrap();
    let places: BTreeSet<u64> = list.iter().map(|seq| seq.unsigned_abs()).collect();
    assert_eq!(places.len(), list.len(), "a place is there twice");
    places
}

fn cursor(store: &Store, node: &str, journal: u64) -> u64 {
    store.cursor(&name(node), JournalId(journal)).unwrap().0
}

/// What the file says, but for when things came.
fn dump(store: &Store) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT node || journal || own || taken_seq FROM source ORDER BY id",
        "SELECT source || '.' || seq || '.' || channel || '.' || time_us || '.' || coalesce(value, err) FROM reading",
        "SELECT source || '.' || boot || '.' || coalesce(first_seq, '-') FROM boot ORDER BY id",
        "SELECT source || '.' || first_seq || '.' || last_seq || '.' || boot FROM span",
        "SELECT boot || '.' || mono_us || '.' || wall_us || '.' || coalesce(synced_us, '-') FROM mark",
        "SELECT boot || '.' || here || '.' || mono_us || '.' || here_us FROM link ORDER BY boot, here, mono_us",
        "SELECT boot || '.' || from_mono_us || '.' || time_us || '.' || time_source FROM dating",
        "SELECT source || '.' || first_seq || '.' || last_seq || '.' || reason FROM dropped",
        "SELECT source || '.' || number || '.' || time_us FROM round",
        "SELECT source || '.' || node || '.' || first_round || '.' || coalesce(last_round, '-') FROM round_down",
        "SELECT address || node FROM peer",
        "SELECT node || chip || quantity FROM channel ORDER BY id",
    ] {
        let mut statement = store.db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        all.extend(rows.map(Result::unwrap));
    }
    all
}

/// What holds of every store after every commit of a merge, wherever it was ended.
fn is_right(store: &Store) {
    spans_are_right(store);
    let odd: i64 = store
        .db
        .query_row(
            "SELECT count(*) FROM (
                 SELECT 1 FROM span JOIN boot ON boot.id = span.boot
                 WHERE boot.source <> span.source OR span.boot <> (SELECT id FROM boot AS b
                     WHERE b.source = span.source AND b.first_seq <= span.first_seq ORDER BY first_seq DESC LIMIT 1)
                 UNION ALL SELECT 1 FROM span WHERE boot NOT IN (SELECT id FROM boot)
                 UNION ALL SELECT 1 FROM span JOIN boot ON boot.source = span.source
                     AND boot.first_seq > span.first_seq AND boot.first_seq <= span.last_seq
                 UNION ALL SELECT 1 FROM dropped JOIN reading ON reading.source = dropped.source
                     AND seq BETWEEN first_seq AND last_seq
                 UNION ALL SELECT 1 FROM link WHERE boot NOT IN (SELECT id FROM boot)
                     OR here NOT IN (SELECT id FROM boot)
                 UNION ALL SELECT 1 FROM mark WHERE boot NOT IN (SELECT id FROM boot))",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(odd, 0, "boots, spans and gone places that do not fit each other");
}
