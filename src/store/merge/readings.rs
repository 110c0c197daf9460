//! Readings of one journal: those that are new are written, those that are here are compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ranges::Part;
use super::snapshot::{Listed, Piece, Row, rows};
use super::{CONFLICTS_TOLD, Conflict, MappedBoot, Work};
use crate::model::{Channel, WallTime};
use crate::store::append::{INSERT_SQL, ROWS_TOGETHER};
use crate::store::error::{Doing, StoreError, unreadable};
use crate::store::schema::{boot_from_sql, seq_from_sql};
use crate::store::source_rows::close_span;
use crate::store::sources::{OpenSpan, SourceIx};
use crate::store::{Filter, Reader, Store};

const DOING: &str = "merging readings";

/// What became of readings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) new: u64,
    pub(super) duplicates: u64,
    pub(super) conflicts: u64,
}

impl Store {
    /// Brings over the part of a piece, of boot `boot`, that is not here. Returns the runs of places that were written.
    pub(super) fn write_part(
        &mut self,
        work: &mut Work<'_>,
        listed: &Listed,
        boot: MappedBoot,
        part: Part,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let mut list = Vec::new();
        rows(&work.from.db, listed.row, (part.first, part.last), &mut list)?;
        self.map_channels(work, &mut list)?;
        let now = work.now;
        let ix = self.destination(listed)?;
        let mut runs = Vec::new();
        // The other node's retention may have dropped some since its spans were read: what is there, counts.
        for run in list.chunk_by(|row, next| row.seq.checked_add(1) == Some(next.seq)) {
            if let [first, ..] = run
                && let [.., last] = run
            {
                self.in_group(|store| store.write_run(ix, boot, run, now))?;
                runs.push((first.seq, last.seq));
            }
        }
        Ok(runs)
    }

    /// Compares the part of a piece that is here already, under whatever name.
    pub(super) fn compare_part(
        &mut self,
        work: &mut Work<'_>,
        listed: &Listed,
        part: Part,
    ) -> Result<Counts, StoreError> {
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        rows(&work.from.db, listed.row, (part.first, part.last), &mut theirs)?;
        self.map_channels(work, &mut theirs)?;
        for source in self.rows_of_journal(listed)? {
            rows(&self.db, source, (part.first, part.last), &mut ours)?;
        }
        let ours: BTreeMap<i64, Row> = ours.into_iter().rev().map(|row| (row.seq, row)).collect();
        let mut counts = Counts::default();
        for theirs in theirs {
            match ours.get(&theirs.seq) {
                Some(ours) if !is_same(ours, &theirs) => {
                    counts.conflicts += 1;
                    if work.conflicts.len() < CONFLICTS_TOLD {
                        let (node, journal) = (listed.node.clone(), listed.journal);
                        work.conflicts.push(Conflict { node, journal, seq: seq_from_sql(theirs.seq)? });
                    }
                }
                _ => counts.duplicates += 1,
            }
        }
        Ok(counts)
    }

    /// The boot here of a piece there; `None` when the boot began there after the merge did: the next merge has it.
    pub(super) fn boot_of(work: &Work<'_>, piece: &Piece) -> Option<MappedBoot> {
        work.boots.get(&piece.boot).copied()
    }

    /// Writes consecutive readings of one boot, none of which is here, and their span.
    fn write_run(
        &mut self,
        ix: SourceIx,
        boot: MappedBoot,
        run: &[Row],
        now: WallTime,
    ) -> Result<(), StoreError> {
        let ([first, ..], [.., last]) = (run, run) else { return Ok(()) };
        let source = self.sources.get(ix).id;
        let boot = self.boot_for(source, boot, first.seq)?;
        let (together, rest) = run.as_chunks::<ROWS_TOGETHER>();
        self.insert(source, together.iter().map(|rows| &rows[..]))?;
        self.insert(source, rest.chunks(1))?;
        let mono_us = || run.iter().map(|row| row.mono_us);
        let span = OpenSpan {
            first: seq_from_sql(first.seq)?,
            boot,
            min_mono_us: mono_us().min().unwrap_or(0),
            max_mono_us: mono_us().max().unwrap_or(0),
            taken_us: now.as_unix_micros(),
        };
        close_span(&self.db, source, &span, seq_from_sql(last.seq)?)
    }

    /// The row of the boot that readings from `first` on belong to.
    fn boot_for(&mut self, source: i64, boot: MappedBoot, first: i64) -> Result<i64, StoreError> {
        let sql =
            "SELECT id, boot FROM boot WHERE source = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut found = statement.query([source, first]).doing(DOING)?;
        if let Some(row) = found.next().doing(DOING)? {
            let id: String = row.get(1).doing(DOING)?;
            if boot_from_sql(&id)? == boot.id {
                return row.get(0).doing(DOING);
            }
        }
        drop(found);
        drop(statement);
        let (row, is_new) = self.place_boot(source, boot.id, first)?;
        if is_new {
            self.copy_clocks(boot.row, row)?;
        }
        Ok(row)
    }

    fn insert<'a>(&self, source: i64, groups: impl Iterator<Item = &'a [Row]>) -> Result<(), StoreError> {
        for group in groups {
            let sql = &INSERT_SQL[usize::from(group.len() > 1)];
            let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
            statement.raw_bind_parameter(1, source).doing(DOING)?;
            for (at, row) in group.iter().enumerate() {
                let first = 2 + 6 * at;
                statement.raw_bind_parameter(first, row.seq).doing(DOING)?;
                statement.raw_bind_parameter(first + 1, row.channel).doing(DOING)?;
                statement.raw_bind_parameter(first + 2, row.time_us).doing(DOING)?;
                statement.raw_bind_parameter(first + 3, row.mono_us).doing(DOING)?;
                statement.raw_bind_parameter(first + 4, row.value).doing(DOING)?;
                statement.raw_bind_parameter(first + 5, row.err).doing(DOING)?;
            }
            statement.raw_execute().doing(DOING)?;
        }
        Ok(())
    }

    /// Gives readings the rows that their channels have here.
    fn map_channels(&mut self, work: &mut Work<'_>, list: &mut [Row]) -> Result<(), StoreError> {
        for row in list {
            row.channel = match work.channel_rows.get(&row.channel) {
                Some(here) => *here,
                None => {
                    let here = self.channel_here(work, row.channel)?;
                    work.channel_rows.insert(row.channel, here);
                    here
                }
            };
        }
        Ok(())
    }

    fn channel_here(&mut self, work: &mut Work<'_>, there: i64) -> Result<i64, StoreError> {
        if !work.channels.contains_key(&there) {
            work.channels = all_channels(work.from)?;
        }
        let Some(channel) = work.channels.get(&there).cloned() else {
            return Err(unreadable("reading a channel of the store that is merged", &there.to_string()));
        };
        self.in_group(|store| store.channels.id(&store.db, &channel))
    }

    /// The rows of a journal here, under all its names.
    pub(super) fn rows_of_journal(&self, listed: &Listed) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT id FROM source WHERE journal = ?1 ORDER BY id";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let rows = statement.query_map([listed.journal.to_string()], |row| row.get(0)).doing(DOING)?;
        rows.collect::<rusqlite::Result<_>>().doing(DOING)
    }
}

fn all_channels(from: &Reader) -> Result<BTreeMap<i64, Arc<Channel>>, StoreError> {
    let channels = from.channels(&Filter::default())?;
    Ok(channels.into_iter().map(|(row, channel)| (row, Arc::new(channel))).collect())
}

fn is_same(a: &Row, b: &Row) -> bool {
    let bits = |row: &Row| (row.value.map(f64::to_bits), row.err, row.channel, row.time_us, row.mono_us);
    bits(a) == bits(b)
}
