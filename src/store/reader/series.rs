//! Series for plots: one list of times and values for each channel of each journal.

use std::collections::BTreeMap;

use super::{Filter, Reader};
use crate::model::{Channel, JournalId, Value, WallTime};
use crate::store::error::StoreError;

/// The readings of one channel in one journal, by time.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelSeries {
    /// The channel.
    pub channel: Channel,
    /// The journal: two of one channel mean two cards, or two nodes of one name.
    pub journal: JournalId,
    /// Time and value, in order of time; 24 bytes a point.
    pub points: Vec<(WallTime, Value)>,
}

/// A list of points grows by at least so many, and by an eighth of its length: doubling would take twice the memory
/// that a long one needs.
const GROW_POINTS: usize = 1024;

impl Reader {
    /// All wanted readings as series, ordered by channel and journal.
    pub fn series(&self, filter: &Filter) -> Result<Vec<ChannelSeries>, StoreError> {
        let channels = self.channels(filter)?;
        let mut lists: BTreeMap<(i64, JournalId), Vec<(WallTime, Value)>> = BTreeMap::new();
        for piece in self.pieces(filter)? {
            self.rows(&piece, filter, |row| {
                if channels.contains_key(&row.channel) {
                    let points = lists.entry((row.channel, piece.journal)).or_default();
                    if points.len() == points.capacity() {
                        points.reserve_exact(GROW_POINTS.max(points.len() / 8));
                    }
                    points.push((WallTime::from_unix_micros(row.time_us), row.value));
                }
                Ok(())
            })?;
        }
        let mut series: Vec<ChannelSeries> = lists
            .into_iter()
            .filter_map(|((id, journal), mut points)| {
                // Out of order only where a clock was set back, or a node was renamed.
                if !points.is_sorted_by_key(|(time, _)| *time) {
                    points.sort_by_key(|(time, _)| *time);
                }
                let channel = channels.get(&id)?.clone();
                Some(ChannelSeries { channel, journal, points })
            })
            .collect();
        series.sort_by(|a, b| (&a.channel, a.journal).cmp(&(&b.channel, b.journal)));
        Ok(series)
    }
}
