//! The schema's versions: an ordered list of SQL scripts, each taking the file one version up.

use std::path::Path;

use rusqlite::Connection;

use super::error::{Doing, StoreError};
use crate::model::{BootId, ErrReason, JournalId, NodeName, Seq};

/// Marks the file as ours (`PRAGMA application_id`): "pisk" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x7069_736b;

/// Script `i` takes a file from version `i` to version `i + 1`. Released scripts are never edited.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// The version that `migrations` lead to.
pub(super) fn newest(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// What kind of file a database is, as far as its header and its list of tables tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No table yet.
    Empty,
    /// Ours, of this version.
    Store(i64),
    /// Some other program's.
    Foreign,
}

/// Tells what kind of file this is, by reading alone.
pub(super) fn kind(db: &Connection) -> Result<Kind, StoreError> {
    let doing = "reading the file's header";
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).doing(doing);
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).doing(doing)?;
    Ok(match (number("application_id")?, number("user_version")?) {
        (APPLICATION_ID, version @ 1..) => Kind::Store(version),
        (0, 0) if tables == 0 => Kind::Empty,
        _ => Kind::Foreign,
    })
}

/// Brings the file to the newest version, one transaction a step. Returns the version it had, if that was older.
/// A newer or foreign file is an error and is not written.
pub(super) fn migrate(db: &Connection, path: &Path, migrations: &[&str]) -> Result<Option<i64>, StoreError> {
    let known = newest(migrations);
    let found = match kind(db)? {
        Kind::Empty => 0,
        Kind::Store(version) if version <= known => version,
        Kind::Store(found) => return Err(StoreError::NewerSchema { path: path.into(), found, known }),
        Kind::Foreign => return Err(StoreError::NotAStore { path: path.into() }),
    };
    for (version, script) in (1..).zip(migrations).filter(|(version, _)| *version > found) {
        db.execute_batch(&format!(
            "BEGIN IMMEDIATE; {script}; PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {version}; COMMIT;"
        ))
        .doing("bringing the schema up to date")?;
    }
    Ok((found > 0 && found < known).then_some(found))
}

/// The code of a reason in `reading.err`; fixed by table `err_reason`.
pub(super) const fn err_code(reason: ErrReason) -> i64 {
    match reason {
        ErrReason::Nack => 1,
        ErrReason::Timeout => 2,
        ErrReason::Crc => 3,
        ErrReason::Range => 4,
        ErrReason::NotReady => 5,
        ErrReason::Absent => 6,
        ErrReason::Stuck => 7,
        ErrReason::NodeDown => 8,
        ErrReason::Parse => 9,
    }
}

/// The reason of a code.
pub(super) fn err_reason(code: i64) -> Result<ErrReason, StoreError> {
    let found = ErrReason::ALL.into_iter().find(|reason| err_code(*reason) == code);
    found.ok_or_else(|| super::error::unreadable("reading an ERR", &code.to_string()))
}

/// A place as SQLite's signed integer; too large a one is refused.
pub(super) fn seq_to_sql(seq: Seq) -> Result<i64, StoreError> {
    i64::try_from(seq.0).map_err(|_| StoreError::Refused(format!("place {seq} is beyond {}", i64::MAX)))
}

/// A place read from the file.
pub(super) fn seq_from_sql(seq: i64) -> Result<Seq, StoreError> {
    u64::try_from(seq)
        .map(Seq)
        .map_err(|_| super::error::unreadable("reading a place in a journal", &seq.to_string()))
}

/// A node's name read from the file.
pub(super) fn node_from_sql(text: &str) -> Result<NodeName, StoreError> {
    NodeName::new(text).map_err(|_| super::error::unreadable("reading a node's name", text))
}

/// A journal's id read from the file.
pub(super) fn journal_from_sql(text: &str) -> Result<JournalId, StoreError> {
    text.parse().map_err(|_| super::error::unreadable("reading a journal's id", text))
}

/// A boot's id read from the file.
pub(super) fn boot_from_sql(text: &str) -> Result<BootId, StoreError> {
    text.parse().map_err(|_| super::error::unreadable("reading a boot's id", text))
}
