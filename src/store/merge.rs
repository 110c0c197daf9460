//! Bringing another store into this one: every reading once by (journal, place), with everything that dates it.
//!
//! The other store is only read, in small steps, so that its node may be at work. What is brought over goes in groups,
//! and each group leaves a store that is right by itself: a merge that is killed is simply run again, and what is here
//! already is compared and left as it is. A cursor never passes a place that is neither held nor known to be gone:
//! readings beyond such a hole are held too, and when the hole is filled they are duplicates (`store/ahead.rs`).

mod clocks;
mod journals;
mod ranges;
mod readings;
mod rounds;
mod snapshot;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{Doing, StoreError};
use super::rounds::Rounds;
use super::sources::{OWN, SourceIx};
use super::{Reader, Store};
use crate::model::{BootId, Channel, JournalId, NodeName, Seq, WallTime};
use snapshot::Listed;

/// Readings in a group: a commit costs little beside so many, and a kill loses some tenths of a second.
const GROUP_READINGS: u64 = if cfg!(test) { 40 } else { 65_536 };

/// Conflicts that are told one by one; of more there is the number.
const CONFLICTS_TOLD: usize = 10;

/// What a merge of one store did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Each journal of the other store, by journal.
    pub journals: Vec<MergedJournal>,
    /// Rounds that are new here.
    pub rounds: u64,
    /// The first ten readings that are here with another content.
    pub conflicts: Vec<Conflict>,
}

impl MergeReport {
    /// Readings that are new here, that were here already, and that are here with another content.
    pub fn counts(&self) -> (u64, u64, u64) {
        let add = |sum: (u64, u64, u64), of: &MergedJournal| {
            (sum.0 + of.new, sum.1 + of.duplicates, sum.2 + of.conflicts)
        };
        self.journals.iter().fold((0, 0, 0), add)
    }
}

/// What became of one journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedJournal {
    /// The node.
    pub node: NodeName,
    /// The journal.
    pub journal: JournalId,
    /// Readings that are new here.
    pub new: u64,
    /// Readings that were here already.
    pub duplicates: u64,
    /// Readings that are here with another content, which stays.
    pub conflicts: u64,
    /// The cursor now: a sink that runs here asks for what comes after it.
    pub cursor: Seq,
    /// Readings held beyond a hole after the cursor.
    pub beyond: u64,
}

/// A place of a journal for which two stores have two readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The node.
    pub node: NodeName,
    /// The journal.
    pub journal: JournalId,
    /// The place.
    pub seq: Seq,
}

/// How far a merge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeProgress {
    /// Readings looked at.
    pub done: u64,
    /// Readings to look at.
    pub total: u64,
}

/// A boot of the other store, here.
#[derive(Clone, Copy, Debug)]
struct MappedBoot {
    id: BootId,
    /// Its row here.
    row: i64,
}

/// A merge at work.
struct Work<'a> {
    from: &'a Reader,
    now: WallTime,
    told: &'a mut dyn FnMut(MergeProgress),
    progress: MergeProgress,
    /// By the rows of the other store.
    boots: BTreeMap<i64, MappedBoot>,
    channels: BTreeMap<i64, Arc<Channel>>,
    /// Rows there to rows here.
    channel_rows: BTreeMap<i64, i64>,
    conflicts: Vec<Conflict>,
    /// Readings written since the last commit.
    group: u64,
}

impl Store {
    /// Brings everything that `from` holds into this store, and commits it. `told` hears of the progress after some
    /// thousand readings each time. The time `now` is when the readings came here.
    ///
    /// Readings that are here with another content stay as they are here, and are counted. Consumers are left out: they
    /// are about the other node's own journal, which becomes a journal of another node here.
    pub fn merge(
        &mut self,
        from: &Reader,
        now: WallTime,
        told: &mut dyn FnMut(MergeProgress),
    ) -> Result<MergeReport, StoreError> {
        let listed = snapshot::journals(&from.db)?;
        let total = snapshot::count(&from.db)?;
        self.in_group(|store| listed.iter().try_for_each(|listed| store.destination(listed).map(|_| ())))?;
        self.commit()?;
        let boots = self.merge_clocks(from, &listed)?;
        let mut work = Work {
            from,
            now,
            told,
            progress: MergeProgress { done: 0, total },
            boots,
            channels: BTreeMap::new(),
            channel_rows: BTreeMap::new(),
            conflicts: Vec::new(),
            group: 0,
        };
        let mut journals = Vec::with_capacity(listed.len());
        for listed in &listed {
            journals.push(self.merge_journal(&mut work, listed)?);
        }
        let conflicts = std::mem::take(&mut work.conflicts);
        let rounds = self.merge_rounds(from, &listed, &work.boots)?;
        self.merge_peers(from)?;
        self.rounds = Rounds::load(&self.db, self.sources.get(OWN).id)?;
        // Each commit dates some boots anew.
        while !self.stale.is_empty() {
            self.commit()?;
        }
        Ok(MergeReport { journals, rounds, conflicts })
    }

    /// The journal here that a listed one goes into, which is made if it is not known. Of one that nobody here has
    /// heard of, the other store's beginning is the beginning: what came before it was dropped there.
    fn destination(&mut self, listed: &Listed) -> Result<SourceIx, StoreError> {
        if listed.journal == self.own().journal {
            return Ok(OWN);
        }
        if let Some(ix) = self.sources.find(&self.db, &listed.node, listed.journal)? {
            return Ok(ix);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM source WHERE journal = ?1)";
        let is_known: bool =
            self.db.query_row(sql, [listed.journal.to_string()], |row| row.get(0)).doing("merging")?;
        let ix = self.sources.make(&self.db, &listed.node, listed.journal)?;
        if !is_known {
            self.sources.get_mut(ix).working.taken = super::schema::seq_from_sql(listed.begins_after)?;
        }
        Ok(ix)
    }

    /// Commits when enough has come together.
    fn commit_group(&mut self, work: &mut Work<'_>) -> Result<(), StoreError> {
        if work.group >= GROUP_READINGS {
            self.commit()?;
            work.group = 0;
        }
        Ok(())
    }
}
