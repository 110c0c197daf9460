//! Readings one after the other, in the order of their journals.

use std::collections::BTreeMap;

use rusqlite::{CachedStatement, params};

use super::{Filter, Reader};
use crate::model::{BootId, Channel, Dated, Instant, JournalId, NodeName, Seq, Value, WallTime};
use crate::store::channels::from_row;
use crate::store::dating::date;
use crate::store::error::{Doing, StoreError};
use crate::store::refresh::pieces_of;
use crate::store::schema::{boot_from_sql, err_reason, journal_from_sql, seq_from_sql};
use crate::store::sources::SPAN_READINGS;

/// One reading, with everything that names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExportRow<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// When the value was taken, as far as is known today.
    pub dated: Dated,
    /// The same as the node's wall clock had it.
    pub node_time: WallTime,
    /// The boot of the node.
    pub boot: BootId,
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
    pub(super) dated: Dated,
    pub(super) node_time: WallTime,
    pub(super) mono: Instant,
    pub(super) value: Value,
}

/// Consecutive readings of one boot of one source.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Stretch {
    source: i64,
    first_seq: i64,
    last_seq: i64,
    pub(super) journal: JournalId,
    boot_row: i64,
    pub(super) boot: BootId,
    /// The monotonic moments between which they lie, in microseconds.
    mono_us: (i64, i64),
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
        for stretch in self.stretches(filter)? {
            batch.clear();
            self.rows(&stretch, filter, |row| {
                batch.push(row);
                Ok(())
            })?;
            for row in &batch {
                // A channel that came after the list was read is not wanted: neither are its readings.
                let Some(channel) = channels.get(&row.channel) else { continue };
                each(&ExportRow {
                    channel,
                    dated: row.dated,
                    node_time: row.node_time,
                    boot: stretch.boot,
                    mono: row.mono,
                    value: row.value,
                    journal: stretch.journal,
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
    pub(in crate::store) fn channels(&self, filter: &Filter) -> Result<BTreeMap<i64, Channel>, StoreError> {
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

    /// The stretches of journals that may hold wanted readings, by the times of their spans.
    pub(in crate::store) fn stretches(&self, filter: &Filter) -> Result<Vec<Stretch>, StoreError> {
        let sql = "SELECT source.id, journal, piece.first_seq, last_seq, piece.boot, boot.boot, min_mono_us, max_mono_us
                   FROM piece JOIN source ON source.id = piece.source LEFT JOIN boot ON boot.id = piece.boot
                   WHERE max_time_us >= ?1 AND min_time_us <= ?2 ORDER BY node, journal, piece.first_seq";
        let (since_us, until_us) = filter.times_us();
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query([since_us, until_us]).doing(DOING)?;
        let mut stretches = Vec::new();
        while let Some(row) = rows.next().doing(DOING)? {
            let boot: Option<String> = row.get(5).doing(DOING)?;
            stretches.push(Stretch {
                source: row.get(0).doing(DOING)?,
                journal: journal_from_sql(row.get_ref(1).doing(DOING)?.as_str().unwrap_or_default())?,
                first_seq: row.get(2).doing(DOING)?,
                last_seq: row.get(3).doing(DOING)?,
                boot_row: row.get(4).doing(DOING)?,
                boot: boot.as_deref().map_or(Ok(BootId(0)), boot_from_sql)?,
                mono_us: (row.get(6).doing(DOING)?, row.get(7).doing(DOING)?),
            });
        }
        Ok(stretches)
    }

    /// Gives every reading of a stretch in the wanted time to `each`, in order.
    pub(super) fn rows(
        &self,
        stretch: &Stretch,
        filter: &Filter,
        mut each: impl FnMut(RawRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (since_us, until_us) = filter.times_us();
        let pieces = pieces_of(&self.db, stretch.boot_row, stretch.mono_us)?;
        let mut statement: CachedStatement<'_> = self
            .db
            .prepare_cached(
                "SELECT seq, channel, time_us, mono_us, value, err FROM reading
                 WHERE source = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq LIMIT ?4",
            )
            .doing(DOING)?;
        // A span has no more; the limit is for a file that says otherwise.
        let most = SPAN_READINGS.cast_signed();
        let range = params![stretch.source, stretch.first_seq, stretch.last_seq, most];
        let mut rows = statement.query(range).doing(DOING)?;
        while let Some(row) = rows.next().doing(DOING)? {
            let node_time = WallTime::from_unix_micros(row.get(2).doing(DOING)?);
            let mono = Instant::from_micros(row.get(3).doing(DOING)?);
            let dated = date(&pieces, mono, node_time);
            if !(since_us..=until_us).contains(&dated.time.as_unix_micros()) {
                continue;
            }
            let value: Option<f64> = row.get(4).doing(DOING)?;
            each(RawRow {
                seq: row.get(0).doing(DOING)?,
                channel: row.get(1).doing(DOING)?,
                dated,
                node_time,
                mono,
                value: match value {
                    Some(value) => Ok(value),
                    None => Err(err_reason(row.get(5).doing(DOING)?)?),
                },
            })?;
        }
        Ok(())
    }
}
