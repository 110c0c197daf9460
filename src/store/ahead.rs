//! Readings that are held beyond a hole. A merge brings them; the cursor stays before the hole, so that what is missing
//! is asked for, and passes over them when it comes to them: they are duplicates then.

use rusqlite::{OptionalExtension, params};

use super::error::{Doing, StoreError};
use super::schema::{boot_from_sql, seq_from_sql, seq_to_sql};
use super::source_rows::close_span;
use super::sources::{Boot, SourceIx};
use super::{SeqRange, Store};
use crate::model::Seq;

const DOING: &str = "looking for what is held beyond the cursor";

impl Store {
    /// The first span beyond the cursor of the open group. Where the node was renamed, it may lie under a former name:
    /// beyond the cursor there, too, for what came by a cursor is another node's with the same journal.
    pub(super) fn next_ahead(&self, ix: SourceIx) -> Result<Option<SeqRange>, StoreError> {
        let source = self.sources.get(ix);
        let taken = source.working.taken;
        let mut next = self.first_span_after(source.id, taken)?;
        for (id, taken_there) in self.sources.other_names(&self.db, ix)? {
            let there = self.first_span_after(id, taken.max(taken_there))?;
            next = next.into_iter().chain(there).min_by_key(|span| span.first);
        }
        Ok(next)
    }

    fn first_span_after(&self, source: i64, after: Seq) -> Result<Option<SeqRange>, StoreError> {
        let sql = "SELECT first_seq, last_seq FROM span WHERE source = ?1 AND first_seq > ?2
                   ORDER BY first_seq LIMIT 1";
        let found: Option<(i64, i64)> = self
            .db
            .prepare_cached(sql)
            .doing(DOING)?
            .query_row(params![source, seq_to_sql(after)?], |row| row.try_into())
            .optional()
            .doing(DOING)?;
        found
            .map(|(first, last)| Ok(SeqRange { first: seq_from_sql(first)?, last: seq_from_sql(last)? }))
            .transpose()
    }

    /// Moves the cursor over the spans that follow it without a hole.
    pub(super) fn pass_held(&mut self, ix: SourceIx) -> Result<(), StoreError> {
        let mut taken = self.sources.get(ix).working.taken;
        while let Some(ahead) = self.next_ahead(ix)?.filter(|ahead| ahead.first == taken.next()) {
            self.move_cursor(ix, ahead.last)?;
            taken = ahead.last;
        }
        Ok(())
    }

    /// Moves the cursor to a place further on: the growing span ends where it was.
    pub(super) fn move_cursor(&mut self, ix: SourceIx, to: Seq) -> Result<(), StoreError> {
        let source = self.sources.get_mut(ix);
        if let Some(span) = source.working.open.take() {
            close_span(&self.db, source.id, &span, source.working.taken)?;
        }
        let sql =
            "SELECT id, boot FROM boot WHERE source = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1";
        let found: Option<(i64, String)> = self
            .db
            .prepare_cached(sql)
            .doing(DOING)?
            .query_row(params![source.id, seq_to_sql(to)?], |row| row.try_into())
            .optional()
            .doing(DOING)?;
        source.working.taken = to;
        source.working.boot = found
            .map(|(row, boot)| Ok::<_, StoreError>(Boot { row, id: boot_from_sql(&boot)? }))
            .transpose()?;
        Ok(())
    }
}
