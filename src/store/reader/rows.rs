//! Readings one after the other, in the order of their journals.

use std::collections::BTreeMap;

use rusqlite::{CachedStatement, params};

use super::{Filter, Reader};
use crate::model::{Channel, Instant, JournalId, NodeName, Seq, Value, WallTime};
use crate::store::channels::from_row;
use crate::store::error::{Doing, StoreError};
use crate::store::schema::{err_reason, journal_from_sql, seq_from_sql};
use crate::store::sources::SPAN_READINGS;

/// One reading, with everything that names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExportRow<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The node's wall clock when the value was taken.
    pub time: WallTime,
    /// The node's monotonic clock at the same moment.
    pub mono: Instant,
    /// The value, or why there is none.
    pub value: Value,
    /// The journal.
    pub journal: JournalId,
    /// The place in it.
    pub seq: Seq,
}

/// One row of table `reading`, as stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawRow {
    pub(super) seq: i64,
    pub(super) channel: i64,
    pub(super) time_us: i64,
    pub(super) mono_us: i64,
    pub(super) value: Value,
}

/// Consecutive readings of one source.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Piece {
    source: i64,
    first_seq: i64,
    last_seq: i64,
    pub(super) journal: JournalId,
}

const DOING: &str = "reading readings";

impl Reader {
    /// Gives every wanted reading to `each`, journal by journal (ordered by node and journal), in journal order.
    /// Ends early with the first error of `each`. Returns how many there were.
    pub fn readings<E: From<StoreError>>(
        &self,
        filter: &Filter,
        mut each: impl FnMut(&ExportRow<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let channels = self.channels(filter)?;
        let mut count = 0;
        let mut batch: Vec<RawRow> = Vec::new();
        for piece in self.pieces(filter)? {
            batch.clear();
            self.rows(&piece, filter, |row| {
                batch.push(row);
                Ok(())
            })?;
            for row in &batch {
                // A channel that came after the list was read is not wanted: neither are its readings.
                let Some(channel) = channels.get(&row.channel) else { continue };
                each(&ExportRow {
                    channel,
                    time: WallTime::from_unix_micros(row.time_us),
                    mono: Instant::from_micros(row.mono_us),
                    value: row.value,
                    journal: piece.journal,
                    seq: seq_from_sql(row.seq)?,
                })?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// All nodes that have readings here, by name.
    pub fn nodes(&self) -> Result<Vec<NodeName>, StoreError> {
        let mut nodes: Vec<NodeName> =
            self.channels(&Filter::default())?.into_values().map(|c| c.node).collect();
        nodes.sort();
        nodes.dedup();
        Ok(nodes)
    }

    /// The wanted channels by row id.
    pub(super) fn channels(&self, filter: &Filter) -> Result<BTreeMap<i64, Channel>, StoreError> {
        let sql = "SELECT id, node, chip, quantity, unit FROM channel";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query([]).doing(DOING)?;
        let mut channels = BTreeMap::new();
        while let Some(row) = rows.next().doing(DOING)? {
            let (id, channel) = from_row(row)?;
            if filter.wants_channel(&channel) {
                channels.insert(id, channel);
            }
        }
        Ok(channels)
    }

    /// The pieces of journals that may hold wanted readings, by the times of their spans.
    pub(in crate::store) fn pieces(&self, filter: &Filter) -> Result<Vec<Piece>, StoreError> {
        let sql = "SELECT id, journal, first_seq, last_seq FROM piece JOIN source ON id = piece.source
                   WHERE max_time_us >= ?1 AND min_time_us <= ?2 ORDER BY node, journal, first_seq";
        let (since_us, until_us) = filter.times_us();
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query([since_us, until_us]).doing(DOING)?;
        let mut pieces = Vec::new();
        while let Some(row) = rows.next().doing(DOING)? {
            pieces.push(Piece {
                source: row.get(0).doing(DOING)?,
                journal: journal_from_sql(row.get_ref(1).doing(DOING)?.as_str().unwrap_or_default())?,
                first_seq: row.get(2).doing(DOING)?,
                last_seq: row.get(3).doing(DOING)?,
            });
        }
        Ok(pieces)
    }

    /// Gives every reading of a piece in the wanted time to `each`, in order.
    pub(super) fn rows(
        &self,
        piece: &Piece,
        filter: &Filter,
        mut each: impl FnMut(RawRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (since_us, until_us) = filter.times_us();
        let mut statement: CachedStatement<'_> = self
            .db
            .prepare_cached(
                "SELECT seq, channel, time_us, mono_us, value, err FROM reading
                 WHERE source = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq LIMIT ?4",
            )
            .doing(DOING)?;
        // A span has no more; the limit is for a file that says otherwise.
        let most = SPAN_READINGS.cast_signed();
        let range = params![piece.source, piece.first_seq, piece.last_seq, most];
        let mut rows = statement.query(range).doing(DOING)?;
        while let Some(row) = rows.next().doing(DOING)? {
            let time_us: i64 = row.get(2).doing(DOING)?;
            if time_us < since_us || time_us > until_us {
                continue;
            }
            let value: Option<f64> = row.get(4).doing(DOING)?;
            each(RawRow {
                seq: row.get(0).doing(DOING)?,
                channel: row.get(1).doing(DOING)?,
                time_us,
                mono_us: row.get(3).doing(DOING)?,
                value: match value {
                    Some(value) => Ok(value),
                    None => Err(err_reason(row.get(5).doing(DOING)?)?),
                },
            })?;
        }
        Ok(())
    }
}
