//! The journals known here: how far each is held, and the span at its end that still grows.
//!
//! Each has two places in memory: the committed one, which may be told to others, and the working one of the open
//! group. A rollback copies one over the other, so that memory and file never disagree.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use super::error::{Doing, StoreError};
use super::schema::{node_from_sql, seq_from_sql, seq_to_sql};
use super::source_rows::{insert, load};
use crate::model::{BootId, ClockMark, JournalId, NodeName, Seq};

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
    /// The row id of the boot that all of it belongs to.
    pub(super) boot: i64,
    pub(super) min_mono_us: i64,
    pub(super) max_mono_us: i64,
    /// When the last of it came here, by this node's wall clock.
    pub(super) taken_us: i64,
}

/// How far a source is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) taken: Seq,
    pub(super) open: Option<OpenSpan>,
    /// The boot that the newest readings belong to.
    pub(super) boot: Option<Boot>,
    /// What was last heard of its clocks. Only spares looking into the file.
    pub(super) heard: Option<Heard>,
}

/// The mark of a boot that holds at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) boot: Boot,
    pub(super) mark: ClockMark,
}

/// A boot of a source, and its row id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Boot {
    pub(super) row: i64,
    pub(super) id: BootId,
}

impl Place {
    /// Goes on by one reading, of the boot that the open span is of. Gives back the span that became full with it.
    pub(super) fn advance(&mut self, boot: i64, mono_us: i64, taken_us: i64) -> Option<OpenSpan> {
        self.taken = self.taken.next();
        let (min_mono_us, max_mono_us) = (mono_us, mono_us);
        let fresh = OpenSpan { first: self.taken, boot, min_mono_us, max_mono_us, taken_us };
        let span = self.open.get_or_insert(fresh);
        span.min_mono_us = span.min_mono_us.min(mono_us);
        span.max_mono_us = span.max_mono_us.max(mono_us);
        span.taken_us = taken_us;
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
    pub(super) is_new: bool,
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

    /// Remembers what was heard of a source's clocks: nothing in the file changes by it.
    pub(super) fn hear(&mut self, ix: SourceIx, heard: Heard) {
        self.list[ix.0].working.heard = Some(heard);
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

    /// The other names that a journal has here: their rows, and how far each is in the open group.
    pub(super) fn other_names(&self, db: &Connection, ix: SourceIx) -> Result<Vec<(i64, Seq)>, StoreError> {
        let doing = "looking for a journal's other names";
        let Source { id, journal, .. } = self.get(ix);
        let sql = "SELECT id, node, taken_seq FROM source WHERE journal = ?1 AND id <> ?2";
        let mut statement = db.prepare_cached(sql).doing(doing)?;
        let mut rows = statement.query(params![journal.to_string(), id]).doing(doing)?;
        let mut others = Vec::new();
        while let Some(row) = rows.next().doing(doing)? {
            let node = node_from_sql(row.get_ref(1).doing(doing)?.as_str().unwrap_or_default())?;
            let taken = match self.index.get(&(*journal, node)) {
                Some(ix) => self.get(*ix).working.taken,
                None => seq_from_sql(row.get(2).doing(doing)?)?,
            };
            others.push((row.get(0).doing(doing)?, taken));
        }
        Ok(others)
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
        let sql =
            "UPDATE source SET taken_seq = ?2, open_first_seq = ?3, open_boot = ?4, open_min_mono_us = ?5,
                   open_max_mono_us = ?6, open_taken_us = ?7 WHERE id = ?1";
        let mut update = db.prepare_cached(sql).doing(doing)?;
        for source in self.dirty.iter().map(|ix| self.get(*ix)) {
            let Place { taken, open, .. } = source.working;
            let first = open.map(|span| seq_to_sql(span.first)).transpose()?;
            let (boot, taken_us) = (open.map(|span| span.boot), open.map(|span| span.taken_us));
            let (min_us, max_us) = (open.map(|span| span.min_mono_us), open.map(|span| span.max_mono_us));
            let row = params![source.id, seq_to_sql(taken)?, first, boot, min_us, max_us, taken_us];
            update.execute(row).doing(doing)?;
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
        self.list.iter_mut().for_each(|source| source.working = Place { heard: None, ..source.committed });
        // New ones were added last, after every one that was cached before; some of the later ones are old, and
        // are read again from the file when they are wanted.
        let kept = self.list.iter().position(|source| source.is_new).unwrap_or(self.list.len());
        self.list.truncate(kept);
        self.index.retain(|_, ix| ix.0 < kept);
    }
}
