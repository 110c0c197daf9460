//! The durable journal and collection, in one SQLite file: readings of this node and of others, cursors, rounds.
//!
//! One [`Store`] owns a data directory and is called from one thread; it blocks. Any number of [`Reader`]s, in this
//! process or another, read beside it. Readings and the cursor that says "taken" are committed in one transaction,
//! with an fsync: what [`Store::commit`] returned survives any kill and any power failure, and is there once.
//!
//! It must never make up its own time or ids, and never turn an ERR into a number. `docs/store.md` has the schema.

mod ahead;
mod append;
mod boots;
mod channels;
mod clocks;
mod damage;
mod dating;
mod error;
mod export;
mod known;
mod latest;
mod links;
mod marks;
mod merge;
mod open;
mod own;
mod reader;
mod refresh;
mod retention;
mod rounds;
mod schema;
mod source_rows;
mod sources;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::model::{BootId, JournalId, NodeName, Seq};
use channels::Channels;
use error::Doing;
use latest::Latest;
use refresh::Stale;
use rounds::Rounds;
use sources::{OWN, Sources};

pub use append::Taken;
pub use error::StoreError;
pub use export::{ExportError, Format, export};
pub use known::{Consumer, SourceInfo};
pub use latest::{LATEST_CHANNELS_MAX, LatestReading};
pub use merge::{Conflict, MergeProgress, MergeReport, MergedJournal};
pub use open::{BUSY_TIMEOUT, Check, Checked, Damage, OpenParams, OpenReport};
pub use own::READ_OWN_MAX;
pub use reader::{ChannelSeries, Dates, ExportRow, Filter, Reader, SourceStats, Stats};
pub use retention::{Retention, RetentionReport};
pub use sources::Cursor;

/// The database's name in the data directory.
pub const FILE_NAME: &str = "pisink.sqlite";

/// The lock's name in the data directory; its text is `process PID`, of whoever has the store open.
pub const LOCK_NAME: &str = "lock";

/// Consecutive places of a journal, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeqRange {
    /// The first place.
    pub first: Seq,
    /// The last place.
    pub last: Seq,
}

/// This node's own journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnJournal {
    /// The journal.
    pub journal: JournalId,
    /// Its last committed place.
    pub last: Seq,
}

/// What has become durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The last place of this node's own journal.
    pub own: Seq,
    /// The cursors that moved, this node's own among them: these may be acknowledged now.
    pub cursors: Vec<Cursor>,
}

/// The writer of a data directory. Dropping it without [`Store::commit`] loses what was not committed, no more.
#[derive(Debug)]
pub struct Store {
    db: Connection,
    path: PathBuf,
    boot: BootId,
    sources: Sources,
    channels: Channels,
    rounds: Rounds,
    stale: Stale,
    latest: Latest,
    /// Held for as long as this process owns the directory. Last, so that the database is closed before.
    _lock: open::DirLock,
}

impl Store {
    /// Opens the store in `dir`, which is made if need be, and takes it for this process alone. A damaged file is
    /// moved aside and a new one begun; [`OpenReport::damage`] says so.
    pub fn open(dir: &Path, params: &OpenParams) -> Result<(Store, OpenReport), StoreError> {
        open::open(dir, params, schema::MIGRATIONS)
    }

    /// Opens the store in `dir` to merge others into it: as [`Store::open`], but under the name that it has (a new one
    /// gets that of `params`), and a damaged file is an error and stays where it is.
    pub fn open_to_merge(dir: &Path, params: &OpenParams) -> Result<(Store, OpenReport), StoreError> {
        open::open_to_merge(dir, params, schema::MIGRATIONS)
    }

    /// Commits what is open and closes the file, so that the next start need not check it.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.commit()?;
        self.db.close().map_err(|(_, error)| error).doing("closing the store")
    }

    /// Makes everything since the last commit durable.
    pub fn commit(&mut self) -> Result<Committed, StoreError> {
        let mut cursors = Vec::new();
        if self.group_is_open() || !self.stale.is_empty() {
            self.in_group(|store| {
                store.sources.flush(&store.db)?;
                store.stale.refresh(&store.db)?;
                run(&store.db, "COMMIT", "committing")
            })?;
            cursors = self.sources.committed();
            self.rounds.committed();
            self.stale.committed();
        }
        Ok(Committed { own: self.own().last, cursors })
    }

    /// This node's own journal and how far it is committed.
    pub fn own(&self) -> OwnJournal {
        let own = self.sources.get(OWN);
        OwnJournal { journal: own.journal, last: own.committed.taken }
    }

    /// The committed cursor of another node's journal: what to ask for next is what comes after it.
    pub fn cursor(&self, node: &NodeName, journal: JournalId) -> Result<Seq, StoreError> {
        self.sources.cursor(&self.db, node, journal)
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file that hold something; pages free for reuse do not count.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        used_bytes(&self.db)
    }

    fn group_is_open(&self) -> bool {
        !self.db.is_autocommit()
    }

    /// Does `work` in the open group, which is begun if there is none. If it fails, the whole group is undone, in the
    /// file and in memory; a refusal comes before anything was changed and undoes nothing.
    fn in_group<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.group_is_open() {
            run(&self.db, "BEGIN IMMEDIATE", "beginning a group")?;
        }
        let done = work(self);
        if done.as_ref().is_err_and(|error| !error.is_refusal()) {
            self.roll_back();
        }
        done
    }

    /// Undoes everything since the last commit.
    pub fn roll_back(&mut self) {
        // SQLite may have rolled back by itself, as it does when the disk is full. If ROLLBACK itself fails, the
        // transaction is over all the same: SQLite ends it before it reports.
        if self.group_is_open() {
            let _ = run(&self.db, "ROLLBACK", "undoing a group");
        }
        self.sources.rolled_back();
        self.channels.rolled_back();
        self.rounds.rolled_back();
        self.stale.rolled_back();
    }
}

fn run(db: &Connection, sql: &str, doing: &'static str) -> Result<(), StoreError> {
    db.prepare_cached(sql).doing(doing)?.raw_execute().doing(doing)?;
    Ok(())
}

/// Bytes in pages that hold something.
fn used_bytes(db: &Connection) -> Result<u64, StoreError> {
    let free = page_bytes(db, "freelist_count")?;
    Ok(file_bytes(db)?.saturating_sub(free))
}

/// Bytes of the whole file, as its header says.
fn file_bytes(db: &Connection) -> Result<u64, StoreError> {
    page_bytes(db, "page_count")
}

fn page_bytes(db: &Connection, pages: &str) -> Result<u64, StoreError> {
    let doing = "measuring the file";
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).doing(doing);
    Ok(u64::try_from(number(pages)?.saturating_mul(number("page_size")?)).unwrap_or(0))
}
