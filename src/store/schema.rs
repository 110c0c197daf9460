//! The schema's versions: an ordered list of steps, each taking the file one version up.

mod fill;

use std::path::Path;

use rusqlite::Connection;

use super::error::{Doing, StoreError};
use crate::model::{BootId, ErrReason, JournalId, NodeName, Seq};

/// Marks the file as ours (`PRAGMA application_id`): "pisk" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x7069_736b;

/// What a script alone cannot do.
type Fill = fn(&Connection) -> Result<(), StoreError>;

/// One version up: a script, and what the program has to do after it. Released steps are never edited.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) script: &'static str,
    /// In the script's transaction.
    pub(super) fill: Option<Fill>,
}

/// Step `i` takes a file from version `i` to version `i + 1`.
pub(super) const MIGRATIONS: &[Step] = &[
    Step { script: include_str!("schema/1.sql"), fill: None },
    Step { script: include_str!("schema/2.sql"), fill: Some(fill::version_2) },
    Step { script: include_str!("schema/3.sql"), fill: None },
];

/// The version that `migrations` lead to.
pub(super) fn newest(migrations: &[Step]) -> i64 {
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
pub(super) fn migrate(db: &Connection, path: &Path, migrations: &[Step]) -> Result<Option<i64>, StoreError> {
    let known = newest(migrations);
    let found = match kind(db)? {
        Kind::Empty => 0,
        Kind::Store(version) if version <= known => version,
        Kind::Store(found) => return Err(StoreError::NewerSchema { path: path.into(), found, known }),
        Kind::Foreign => return Err(StoreError::NotAStore { path: path.into() }),
    };
    let doing = "bringing the schema up to date";
    for (version, step) in (1..).zip(migrations).filter(|(version, _)| *version > found) {
        // Dropped before it is committed, it is undone.
        let step_up = db.unchecked_transaction().doing(doing)?;
        step_up.execute_batch(step.script).doing(doing)?;
        if let Some(fill) = step.fill {
            fill(&step_up)?;
        }
        let versions = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};");
        step_up.execute_batch(&versions).doing(doing)?;
        step_up.commit().doing(doing)?;
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
