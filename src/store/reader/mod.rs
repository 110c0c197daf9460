//! Reading beside the writer, in the same process or another: its own connection, which can write nothing.
//!
//! Readings are read a span at a time, each in a transaction of its own, and given out between them: however slow
//! the one who gets them is, the writer's log never has to wait for it. Readings do not change once written, so
//! that pieces read one after the other fit together.

mod check;
mod rounds;
mod rows;
mod series;
mod stats;

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::damage::beside;
use super::error::{Doing, StoreError};
use super::open::STATEMENTS_KEPT;
use super::schema::{Kind, MIGRATIONS, kind, newest};
use super::{BUSY_TIMEOUT, FILE_NAME};
use crate::model::{Channel, NodeName, WallTime};

pub use rows::ExportRow;
pub use series::{ChannelSeries, Dates};
pub use stats::{SourceStats, Stats};

/// Which readings and rounds are wanted. The default is all of them; an empty list leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not before this, as readings are dated today.
    pub since: Option<WallTime>,
    /// Before this.
    pub until: Option<WallTime>,
    /// Measured by one of these nodes.
    pub nodes: Vec<NodeName>,
    /// By one of these chips, as in `sht3x-44`.
    pub chips: Vec<String>,
    /// Of one of these quantities, as in `temperature`.
    pub quantities: Vec<String>,
}

impl Filter {
    fn wants_channel(&self, channel: &Channel) -> bool {
        (self.nodes.is_empty() || self.nodes.contains(&channel.node))
            && (self.chips.is_empty() || self.chips.contains(&channel.chip))
            && (self.quantities.is_empty() || self.quantities.contains(&channel.quantity))
    }

    /// The times wanted, in microseconds: from the first up to and with the last.
    fn times_us(&self) -> (i64, i64) {
        let first = self.since.map_or(i64::MIN, WallTime::as_unix_micros);
        let last = self.until.map_or(i64::MAX, |until| until.as_unix_micros().saturating_sub(1));
        (first, last)
    }
}

/// Reads a store, whether its node runs or not.
#[derive(Debug)]
pub struct Reader {
    pub(in crate::store) db: Connection,
}

impl Reader {
    /// Opens the store in `dir` for reading. In a directory that may not be written, the store of a node that was
    /// stopped cleanly can be read too.
    pub fn open(dir: &Path) -> Result<Reader, StoreError> {
        let path = dir.join(FILE_NAME);
        if !path.exists() {
            return Err(StoreError::NotAStore { path });
        }
        match Self::connect(&path, false) {
            // SQLite wants to make its shared-memory file and may not. Without a log there is nothing to share: the
            // file alone is everything.
            Err(StoreError::Denied { .. }) if !has_log(&path) => Self::connect(&path, true),
            other => other,
        }
    }

    /// Opens the store of a node that does not run: as [`Reader::open`], but where no log lies beside the file, the
    /// file alone is read, and nothing is made beside it. With a node at work this could see half of what it writes.
    pub fn open_at_rest(dir: &Path) -> Result<Reader, StoreError> {
        let path = dir.join(FILE_NAME);
        if has_log(&path) || !path.exists() { Self::open(dir) } else { Self::connect(&path, true) }
    }

    fn connect(path: &Path, immutable: bool) -> Result<Reader, StoreError> {
        let doing = "opening the store for reading";
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = if immutable {
            Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)
        } else {
            Connection::open_with_flags(path, flags)
        }
        .doing(doing)?;
        db.busy_timeout(BUSY_TIMEOUT).doing(doing)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        let known = newest(MIGRATIONS);
        match kind(&db)? {
            Kind::Store(found) if found == known => Ok(Reader { db }),
            Kind::Store(found) if found > known => {
                Err(StoreError::NewerSchema { path: path.into(), found, known })
            }
            Kind::Store(found) => Err(StoreError::OlderSchema { path: path.into(), found, known }),
            Kind::Empty => Err(StoreError::Empty { path: path.into() }),
            Kind::Foreign => Err(StoreError::NotAStore { path: path.into() }),
        }
    }
}

/// Whether there is something in the log of the store at `path`.
fn has_log(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// SQLite's way to say that nobody changes the file (sqlite.org/uri.html): `file:PATH?immutable=1`.
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for c in path.to_string_lossy().chars() {
        match c {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            c => uri.push(c),
        }
    }
    uri + "?immutable=1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_immutable_uri_escapes_what_a_uri_gives_a_meaning() {
        assert_eq!(immutable_uri(Path::new("/a/b c")), "file:/a/b c?immutable=1");
        assert_eq!(immutable_uri(Path::new("/100%?#")), "file:/100%25%3f%23?immutable=1");
    }
}
