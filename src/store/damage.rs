//! Damaged files: finding out at start, within a bound, and moving them aside whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::StoreError;
use super::error::Doing;
use super::open::{Check, Checked};
use crate::model::WallTime;

/// After an unclean end, a file up to this size is checked page by page: 3 ms a MiB on a laptop, and on a Pi not more
/// than the two seconds that its card takes to read it. Of a larger file the newest part is checked, which is what a
/// power failure can have touched. Unit tests have a small one.
const CHECK_ALL_MAX_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// After a clean end nothing should be wrong; but cards fail and files are copied badly, and up to this size it costs
/// half a second at most to know.
const CHECK_CLEAN_MAX_BYTES: u64 = if cfg!(test) { 64 << 10 } else { 16 << 20 };

/// So many damaged files of one second are told apart by a number.
const ASIDE_MAX: u32 = 100;

/// Looks at the file as far as `check` and its last end demand.
pub(super) fn check_file(
    db: &Connection,
    path: &Path,
    check: Check,
    unclean: bool,
) -> Result<Checked, StoreError> {
    let bytes = super::file_bytes(db)?;
    let there = fs::metadata(path).map_or(0, |file| file.len());
    // Of a last page that is not all there, SQLite takes the rest for zeros.
    if !unclean && there < bytes {
        let detail = format!("{there} bytes of {bytes} are there");
        return Err(StoreError::Damaged { doing: "checking the store", detail });
    }
    let all_max_bytes = if unclean { CHECK_ALL_MAX_BYTES } else { CHECK_CLEAN_MAX_BYTES };
    if check == Check::Full || bytes <= all_max_bytes {
        quick_check(db, None)?;
        return Ok(Checked::All);
    }
    if !unclean {
        return Ok(Checked::Header);
    }
    let doing = "checking the store";
    let mut list = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'reading'")
        .doing(doing)?;
    let tables = list.query_map([], |row| row.get::<_, String>(0)).doing(doing)?;
    for table in tables {
        quick_check(db, Some(&table.doing(doing)?))?;
    }
    // CROSS JOIN fixes the order: a seek for each journal, never a scan of all readings.
    // Reads every column of the rows after the last full span of each journal; a broken page is an error of SQLite's.
    let newest = "SELECT count(*), total(channel + time_us + mono_us + coalesce(value, err)) FROM source
                  CROSS JOIN reading ON reading.source = source.id AND seq >= coalesce(open_first_seq, taken_seq)";
    db.query_row(newest, [], |row| row.get::<_, i64>(0)).doing(doing)?;
    Ok(Checked::Newest)
}

fn quick_check(db: &Connection, table: Option<&str>) -> Result<(), StoreError> {
    let doing = "checking the store";
    let sql = match table {
        Some(table) => format!("PRAGMA quick_check('{table}')"),
        None => "PRAGMA quick_check".to_string(),
    };
    // One finding is enough: SQLite gives "ok", or the findings one a row.
    let found: String = db.query_row(&sql, [], |row| row.get(0)).doing(doing)?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Damaged { doing, detail: found }) }
}

/// Moves the database and the files that belong to it to `NAME.damaged-TIME`; what is there already stays.
/// Nothing may have the file open.
pub(super) fn move_aside(path: &Path, now: WallTime) -> Result<PathBuf, StoreError> {
    let time: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let second = time.split('.').next().unwrap_or(&time);
    let base = beside(path, &format!(".damaged-{second}Z"));
    let numbered = (2..ASIDE_MAX).map(|number| beside(&base, &format!(".{number}")));
    let free = std::iter::once(base.clone()).chain(numbered).find(|to| !to.exists()).unwrap_or(base);
    for suffix in ["", "-wal", "-shm"] {
        let from = beside(path, suffix);
        if from.exists() {
            fs::rename(&from, beside(&free, suffix)).map_err(|why| StoreError::File {
                path: from,
                doing: "move this damaged file aside",
                why,
            })?;
        }
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|why| StoreError::File {
        path: dir.into(),
        doing: "make the move of a damaged file durable",
        why,
    })?;
    Ok(free)
}

/// `path` with `suffix` added to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
