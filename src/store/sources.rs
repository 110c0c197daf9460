//! The journals known here: how far each is held, and the span at its end that still grows.
//!
//! Each has two places in memory: the committed one, which may be told to others, and the working one of the open
//! group. A rollback copies one over the other, so that memory and file never disagree.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{Doing, StoreError};
use super::schema::{boot_from_sql, journal_from_sql, node_from_sql, seq_from_sql, seq_to_sql};
use crate::model::{BootId, JournalId, NodeName, Seq, WallTime};

/// Readings in a full span. A row of table `span` stands for so many rows of `reading`: the index by time is a
/// thousandth of the data, and retention drops this much at once. Unit tests have short ones, to meet many.
pub(super) const SPAN_READINGS: u64 = if cfg!(test) { 16 } else { 4096 };

/// Sources kept in memory between groups (some 200 bytes each); beyond it they are read again from the file.
const SOURCES_CACHED_MAX: usize = 16_384;

/// How far one consumer has one journal: all readings up to and with `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The node whose journal it is.
    pub node: NodeName,
    /// The journal.
    pub journal: JournalId,
    /// The last place held.
    pub seq: Seq,
}

/// The newest readings of a source, before they are [`SPAN_READINGS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenSpan {
    pub(super) first: Seq,
    pub(super) min_us: i64,
    pub(super) max_us: i64,
}

/// How far a source is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) taken: Seq,
    pub(super) open: Option<OpenSpan>,
    pub(super) boot: Option<BootId>,
}

impl Place {
    /// Goes on by one reading. Gives back the span that became full with it.
    pub(super) fn advance(&mut self, time_us: i64) -> Option<OpenSpan> {
        self.taken = self.taken.next();
        let fresh = OpenSpan { first: self.taken, min_us: time_us, max_us: time_us };
        let span = self.open.get_or_insert(fresh);
        span.min_us = span.min_us.min(time_us);
        span.max_us = span.max_us.max(time_us);
        let full = self.taken.0 - span.first.0 + 1 >= SPAN_READINGS;
        if full { self.open.take() } else { None }
    }
}

/// A journal known here.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) id: i64,
    pub(super) node: NodeName,
    pub(super) journal: JournalId,
    pub(super) committed: Place,
    pub(super) working: Place,
    /// Made in the open group: a rollback takes it away.
    is_new: bool,
}

/// Index of a cached source; holds until the group ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceIx(usize);

/// This node's own journal is always cached, and first.
pub(super) const OWN: SourceIx = SourceIx(0);

/// The cache of sources.
#[derive(Debug)]
pub(super) struct Sources {
    list: Vec<Source>,
    index: BTreeMap<(JournalId, NodeName), SourceIx>,
    dirty: BTreeSet<SourceIx>,
}

impl Sources {
    /// Begins with the node's own journal.
    pub(super) fn new(own: Source) -> Self {
        let index = BTreeMap::from([((own.journal, own.node.clone()), OWN)]);
        Self { list: vec![own], index, dirty: BTreeSet::new() }
    }

    /// The source at `ix`: indices are given out by this cache only, and none outlives its group.
    pub(super) fn get(&self, ix: SourceIx) -> &Source {
        &self.list[ix.0]
    }

    /// The source at `ix`, to be changed in the open group.
    pub(super) fn get_mut(&mut self, ix: SourceIx) -> &mut Source {
        self.dirty.insert(ix);
        &mut self.list[ix.0]
    }

    /// Finds a source, in the cache or in the file.
    pub(super) fn find(
        &mut self,
        db: &Connection,
        node: &NodeName,
        journal: JournalId,
    ) -> Result<Option<SourceIx>, StoreError> {
        let key = (journal, node.clone());
        if let Some(ix) = self.index.get(&key) {
            return Ok(Some(*ix));
        }
        let found = load(db, "journal = ?1 AND node = ?2", params![journal.to_string(), node.as_str()])?;
        Ok(found.map(|source| self.cache(key, source)))
    }

    /// Makes a source in the open group. A journal known under another name goes on where that one is: the node was
    /// renamed, and what was taken from it is here already.
    pub(super) fn make(
        &mut self,
        db: &Connection,
        node: &NodeName,
        journal: JournalId,
    ) -> Result<SourceIx, StoreError> {
        let taken = self.furthest(db, journal, |source| source.working.taken)?;
        let id = insert(db, node, journal, false, taken)?;
        let place = Place { taken, ..Place::default() };
        let node = node.clone();
        let source =
            Source { id, node: node.clone(), journal, committed: place, working: place, is_new: true };
        Ok(self.cache((journal, node), source))
    }

    /// The committed cursor of a journal; of one that is not known yet, where it would begin.
    pub(super) fn cursor(
        &self,
        db: &Connection,
        node: &NodeName,
        journal: JournalId,
    ) -> Result<Seq, StoreError> {
        if let Some(ix) = self.index.get(&(journal, node.clone())) {
            return Ok(self.get(*ix).committed.taken);
        }
        let known = "journal = ?1 AND node = ?2";
        match load(db, known, params![journal.to_string(), node.as_str()])? {
            Some(source) => Ok(source.committed.taken),
            None => self.furthest(db, journal, |source| source.committed.taken),
        }
    }

    /// How far a journal is held under whatever name.
    fn furthest(
        &self,
        db: &Connection,
        journal: JournalId,
        cached: impl Fn(&Source) -> Seq,
    ) -> Result<Seq, StoreError> {
        let doing = "looking for a journal's other names";
        let mut statement =
            db.prepare_cached("SELECT node, taken_seq FROM source WHERE journal = ?1").doing(doing)?;
        let mut rows = statement.query([journal.to_string()]).doing(doing)?;
        let mut furthest = Seq::ZERO;
        while let Some(row) = rows.next().doing(doing)? {
            let node = node_from_sql(row.get_ref(0).doing(doing)?.as_str().unwrap_or_default())?;
            let taken = match self.index.get(&(journal, node)) {
                Some(ix) => cached(self.get(*ix)),
                None => seq_from_sql(row.get(1).doing(doing)?)?,
            };
            furthest = furthest.max(taken);
        }
        Ok(furthest)
    }

    fn cache(&mut self, key: (JournalId, NodeName), source: Source) -> SourceIx {
        let ix = SourceIx(self.list.len());
        self.list.push(source);
        self.index.insert(key, ix);
        ix
    }

    /// Writes the cursors and open spans that changed in this group.
    pub(super) fn flush(&self, db: &Connection) -> Result<(), StoreError> {
        let doing = "storing cursors";
        let sql = "UPDATE source SET taken_seq = ?2, open_first_seq = ?3, open_min_time_us = ?4,
                   open_max_time_us = ?5 WHERE id = ?1";
        let mut update = db.prepare_cached(sql).doing(doing)?;
        for source in self.dirty.iter().map(|ix| self.get(*ix)) {
            let Place { taken, open, .. } = source.working;
            let first = open.map(|span| seq_to_sql(span.first)).transpose()?;
            let (min_us, max_us) = (open.map(|span| span.min_us), open.map(|span| span.max_us));
            update.execute(params![source.id, seq_to_sql(taken)?, first, min_us, max_us]).doing(doing)?;
        }
        Ok(())
    }

    /// The group is durable: says which cursors moved.
    pub(super) fn committed(&mut self) -> Vec<Cursor> {
        let mut moved = Vec::new();
        for ix in std::mem::take(&mut self.dirty) {
            let source = &mut self.list[ix.0];
            if source.working.taken != source.committed.taken {
                let (node, journal) = (source.node.clone(), source.journal);
                moved.push(Cursor { node, journal, seq: source.working.taken });
            }
            source.committed = source.working;
            source.is_new = false;
        }
        if self.list.len() > SOURCES_CACHED_MAX {
            self.list.truncate(1);
            self.index.retain(|_, ix| *ix == OWN);
        }
        moved
    }

    /// The group is undone.
    pub(super) fn rolled_back(&mut self) {
        self.dirty.clear();
        self.list.iter_mut().for_each(|source| source.working = source.committed);
        // New ones were added last, after every one that was cached before; some of the later ones are old, and
        // are read again from the file when they are wanted.
        let kept = self.list.iter().position(|source| source.is_new).unwrap_or(self.list.len());
        self.list.truncate(kept);
        self.index.retain(|_, ix| ix.0 < kept);
    }
}

/// This node's own journal: found, and under the name it has now; or made.
/// Also returns the name that it had before, if that was another.
pub(super) fn own(
    db: &Connection,
    node: &NodeName,
    new_journal: JournalId,
) -> Result<(Source, Option<NodeName>), StoreError> {
    let doing = "opening the node's own journal";
    let Some(mut own) = load(db, "own = 1", [])? else {
        insert(db, node, new_journal, true, Seq::ZERO)?;
        let made = load(db, "own = 1", [])?;
        return Ok((made.ok_or_else(|| super::error::unreadable(doing, "nothing"))?, None));
    };
    if own.node == *node {
        return Ok((own, None));
    }
    let sql = "UPDATE OR IGNORE source SET node = ?2 WHERE id = ?1";
    if db.execute(sql, params![own.id, node.as_str()]).doing(doing)? == 0 {
        return Err(StoreError::Refused(format!(
            "this node's own journal {} was also collected here from a node named {node}; choose another name",
            own.journal
        )));
    }
    let before = std::mem::replace(&mut own.node, node.clone());
    Ok((own, Some(before)))
}

/// Notes a full span, or one that ends at a hole.
pub(super) fn close_span(db: &Connection, source: i64, span: OpenSpan, last: Seq) -> Result<(), StoreError> {
    let doing = "storing a span";
    let mut insert = db.prepare_cached("INSERT INTO span VALUES (?1, ?2, ?3, ?4, ?5)").doing(doing)?;
    let (first, last) = (seq_to_sql(span.first)?, seq_to_sql(last)?);
    insert.execute(params![source, first, last, span.min_us, span.max_us]).doing(doing)?;
    Ok(())
}

/// Why readings are missing, as in `dropped.reason`.
pub(super) const NOT_AT_SOURCE: &str = "not_at_source";
/// Dropped here, untaken, to stay within the bound.
pub(super) const MAX_BYTES: &str = "max_bytes";

/// Notes readings that nobody will ever have; one row for neighbours.
pub(super) fn note_dropped(
    db: &Connection,
    source: i64,
    (first, last): (Seq, Seq),
    reason: &str,
    now: WallTime,
) -> Result<(), StoreError> {
    let doing = "noting dropped readings";
    let (first, last, now) = (seq_to_sql(first)?, seq_to_sql(last)?, now.as_unix_micros());
    let longer = "UPDATE dropped SET last_seq = ?3, time_us = ?5
                  WHERE source = ?1 AND last_seq = ?2 - 1 AND reason = ?4";
    let row = params![source, first, last, reason, now];
    if db.prepare_cached(longer).doing(doing)?.execute(row).doing(doing)? == 0 {
        let sql = "INSERT INTO dropped (source, first_seq, last_seq, reason, time_us)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        db.prepare_cached(sql).doing(doing)?.execute(row).doing(doing)?;
    }
    Ok(())
}

fn insert(
    db: &Connection,
    node: &NodeName,
    journal: JournalId,
    own: bool,
    taken: Seq,
) -> Result<i64, StoreError> {
    let sql = "INSERT INTO source (node, journal, own, taken_seq) VALUES (?1, ?2, ?3, ?4)";
    db.execute(sql, params![node.as_str(), journal.to_string(), own, seq_to_sql(taken)?])
        .doing("adding a journal")?;
    Ok(db.last_insert_rowid())
}

fn load(
    db: &Connection,
    filter: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<Source>, StoreError> {
    let doing = "reading a cursor";
    let sql = format!(
        "SELECT id, node, journal, taken_seq, open_first_seq, open_min_time_us, open_max_time_us,
         (SELECT boot FROM boot WHERE source = id ORDER BY first_seq DESC LIMIT 1) FROM source WHERE {filter}"
    );
    type Row = (i64, String, String, i64, Option<i64>, Option<i64>, Option<i64>, Option<String>);
    let row: Option<Row> = db
        .prepare_cached(&sql)
        .doing(doing)?
        .query_row(parameters, |row| row.try_into())
        .optional()
        .doing(doing)?;
    let Some((id, node, journal, taken, first, min_us, max_us, boot)) = row else {
        return Ok(None);
    };
    let open = match (first, min_us, max_us) {
        (Some(first), Some(min_us), Some(max_us)) => {
            Some(OpenSpan { first: seq_from_sql(first)?, min_us, max_us })
        }
        _ => None,
    };
    let boot = boot.as_deref().map(boot_from_sql).transpose()?;
    let place = Place { taken: seq_from_sql(taken)?, open, boot };
    let (node, journal) = (node_from_sql(&node)?, journal_from_sql(&journal)?);
    Ok(Some(Source { id, node, journal, committed: place, working: place, is_new: false }))
}
