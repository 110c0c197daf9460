//! One journal: what is held of it here and there, and how far its cursor may go.

use rusqlite::params;

use super::ranges::Ranges;
use super::readings::Counts;
use super::snapshot::{Gone, Listed, gone, pieces};
use super::{MergedJournal, Work};
use crate::model::{NodeName, Seq};
use crate::store::Store;
use crate::store::error::{Doing, StoreError};
use crate::store::schema::{node_from_sql, seq_from_sql, seq_to_sql};
use crate::store::source_rows::{NOT_AT_SOURCE, close_span, note_dropped};
use crate::store::sources::OWN;

const DOING: &str = "merging a journal";

/// What is known of the places of a journal here.
struct Places {
    held: Ranges,
    /// Held, or gone for ever.
    settled: Ranges,
}

impl Store {
    /// Brings over one journal, in as many groups as it needs.
    pub(super) fn merge_journal(
        &mut self,
        work: &mut Work<'_>,
        listed: &Listed,
    ) -> Result<MergedJournal, StoreError> {
        let pieces = pieces(work.from, listed.row)?;
        let mut places = self.in_group(|store| store.begin_journal(work, listed))?;
        let mut counts = Counts::default();
        for piece in pieces {
            let Some(boot) = Self::boot_of(work, &piece) else { continue };
            for part in places.held.split(piece.first, piece.last) {
                if part.is_in {
                    let compared = self.compare_part(work, listed, part)?;
                    counts.duplicates += compared.duplicates;
                    counts.conflicts += compared.conflicts;
                    continue;
                }
                for (first, last) in self.write_part(work, listed, boot, part)? {
                    places.held.add(first, last);
                    places.settled.add(first, last);
                    let new = (last - first + 1).unsigned_abs();
                    (counts.new, work.group) = (counts.new + new, work.group + new);
                }
            }
            self.in_group(|store| {
                store.forget_gone_that_came(listed, &places.held)?;
                store.advance(listed, &places.settled)
            })?;
            self.commit_group(work)?;
            work.progress.done += (piece.last - piece.first + 1).unsigned_abs();
            (work.told)(work.progress);
        }
        let cursor = self.in_group(|store| store.end_journal(work, listed, &mut places))?;
        let Counts { new, duplicates, conflicts } = counts;
        let (node, journal) = (listed.node.clone(), listed.journal);
        let beyond = places.held.count_after(seq_to_sql(cursor)?);
        Ok(MergedJournal { node, journal, new, duplicates, conflicts, cursor, beyond })
    }

    /// What is held of the journal here; its growing span ends, and what the other store knows to be gone is noted.
    fn begin_journal(&mut self, work: &Work<'_>, listed: &Listed) -> Result<Places, StoreError> {
        let ix = self.destination(listed)?;
        let source = self.sources.get_mut(ix);
        if let Some(span) = source.working.open.take() {
            close_span(&self.db, source.id, &span, source.working.taken)?;
        }
        self.sources.flush(&self.db)?;
        let (id, mut held) = (self.sources.get(ix).id, Ranges::default());
        let sql = "SELECT first_seq, last_seq FROM span WHERE source = ?1
                   UNION ALL SELECT open_first_seq, taken_seq FROM source
                   WHERE id = ?1 AND open_first_seq IS NOT NULL";
        let mut settled = Ranges::default();
        for source in self.rows_of_journal(listed)? {
            let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
            let mut rows = statement.query([source]).doing(DOING)?;
            while let Some(row) = rows.next().doing(DOING)? {
                held.add(row.get(0).doing(DOING)?, row.get(1).doing(DOING)?);
            }
            gone(&self.db, source)?.iter().for_each(|gone| settled.add(gone.first, gone.last));
        }
        for part in held.split(1, held.end().unwrap_or(0)).iter().filter(|part| part.is_in) {
            settled.add(part.first, part.last);
        }
        // Of the own journal nobody knows better.
        if ix != OWN {
            for gone in gone(&work.from.db, listed.row)? {
                for part in settled.split(gone.first, gone.last).iter().filter(|part| !part.is_in) {
                    self.note_gone(id, &Gone { first: part.first, last: part.last, ..gone.clone() })?;
                }
                settled.add(gone.first, gone.last);
            }
        }
        self.advance(listed, &settled)?;
        Ok(Places { held, settled })
    }

    /// Moves the cursors as far as nothing is missing, under every name that the journal has here: who is asked goes on
    /// from the furthest.
    fn advance(&mut self, listed: &Listed, settled: &Ranges) -> Result<Seq, StoreError> {
        for name in self.names_of_journal(listed)? {
            let Some(ix) = self.sources.find(&self.db, &name, listed.journal)? else { continue };
            let taken = self.sources.get(ix).working.taken;
            if let Some(end) = settled.run_from(seq_to_sql(taken.next())?) {
                self.move_cursor(ix, seq_from_sql(end)?)?;
            }
        }
        let ix = self.destination(listed)?;
        Ok(self.sources.get(ix).working.taken)
    }

    fn names_of_journal(&self, listed: &Listed) -> Result<Vec<NodeName>, StoreError> {
        let sql = "SELECT node FROM source WHERE journal = ?1 ORDER BY id";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query([listed.journal.to_string()]).doing(DOING)?;
        let mut names = Vec::new();
        while let Some(row) = rows.next().doing(DOING)? {
            names.push(node_from_sql(row.get_ref(0).doing(DOING)?.as_str().unwrap_or_default())?);
        }
        Ok(names)
    }

    /// The cursor, as far as it may go. Of the other store's own journal, what is not held there is nowhere any more.
    /// This node's own goes on behind the last place that anybody has had of it: no place is given out twice.
    fn end_journal(
        &mut self,
        work: &Work<'_>,
        listed: &Listed,
        places: &mut Places,
    ) -> Result<Seq, StoreError> {
        let ix = self.destination(listed)?;
        if listed.own || ix == OWN {
            let first = seq_to_sql(self.sources.get(ix).working.taken.next())?;
            let last =
                if ix == OWN { listed.taken.max(places.held.end().unwrap_or(0)) } else { listed.taken };
            let id = self.sources.get(ix).id;
            for part in places.settled.split(first, last).iter().filter(|part| !part.is_in) {
                let range = (seq_from_sql(part.first)?, seq_from_sql(part.last)?);
                note_dropped(&self.db, id, range, NOT_AT_SOURCE, work.now)?;
            }
            places.settled.add(first, last);
        }
        self.forget_gone_that_came(listed, &places.held)?;
        self.advance(listed, &places.settled)
    }

    /// Places that were noted to be gone, and are held now.
    fn forget_gone_that_came(&mut self, listed: &Listed, held: &Ranges) -> Result<(), StoreError> {
        for source in self.rows_of_journal(listed)? {
            for gone in gone(&self.db, source)? {
                let parts = held.split(gone.first, gone.last);
                if !parts.iter().any(|part| part.is_in) {
                    continue;
                }
                let sql = "DELETE FROM dropped WHERE source = ?1 AND first_seq = ?2";
                self.db.prepare_cached(sql).doing(DOING)?.execute([source, gone.first]).doing(DOING)?;
                for part in parts.iter().filter(|part| !part.is_in) {
                    self.note_gone(source, &Gone { first: part.first, last: part.last, ..gone.clone() })?;
                }
            }
        }
        Ok(())
    }

    fn note_gone(&self, source: i64, gone: &Gone) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO dropped (source, first_seq, last_seq, time_us, reason)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let row = params![source, gone.first, gone.last, gone.time_us, gone.reason];
        self.db.prepare_cached(sql).doing(DOING)?.execute(row).doing(DOING)?;
        Ok(())
    }
}
