//! Series for plots: one list of times and values for each channel of each journal.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Filter, Reader};
use crate::model::{CLOCK_IS_SET_FROM, Channel, Dated, JournalId, TimeSource, Value, WallTime};
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
    /// How well the times are known.
    pub dates: Dates,
}

/// How well the times of a series are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    /// Readings dated by the sink's clock.
    pub sink: u64,
    /// Readings dated by the node's own clock.
    pub node: u64,
    /// Readings dated by no clock that can be trusted.
    pub unknown: u64,
    /// Of these, how many were taken by a clock that was never set: their times are of before there was pisink.
    pub never_set: u64,
    /// How many of those are not among the points, because other readings have better times.
    pub left_out: u64,
    /// How far off a time is at most, of those where that is known.
    pub error_max: Option<Duration>,
}

impl Dates {
    fn count(&mut self, dated: &Dated) {
        match dated.source {
            TimeSource::Sink => self.sink += 1,
            TimeSource::Node => self.node += 1,
            TimeSource::Unknown => self.unknown += 1,
        }
        self.never_set += u64::from(dated.time < CLOCK_IS_SET_FROM);
        self.error_max = self.error_max.max(dated.error);
    }
}

/// A list of points grows by at least so many, and by an eighth of its length: doubling would take twice the memory
/// that a long one needs.
const GROW_POINTS: usize = 1024;

type Points = Vec<(WallTime, Value)>;

impl Reader {
    /// All wanted readings as series, ordered by channel and journal. Readings of a clock that was never set have no
    /// place beside others, and are left out and counted; if there are no others, they are what is wanted.
    pub fn series(&self, filter: &Filter) -> Result<Vec<ChannelSeries>, StoreError> {
        let channels = self.channels(filter)?;
        let mut lists: BTreeMap<(i64, JournalId), (Points, Dates)> = BTreeMap::new();
        for stretch in self.stretches(filter)? {
            self.rows(&stretch, filter, |row| {
                if channels.contains_key(&row.channel) {
                    let (points, dates) = lists.entry((row.channel, stretch.journal)).or_default();
                    if points.len() == points.capacity() {
                        points.reserve_exact(GROW_POINTS.max(points.len() / 8));
                    }
                    points.push((row.dated.time, row.value));
                    dates.count(&row.dated);
                }
                Ok(())
            })?;
        }
        let some_are_set = lists.values().any(|(points, dates)| points.len() as u64 > dates.never_set);
        let mut series: Vec<ChannelSeries> = lists
            .into_iter()
            .filter_map(|((id, journal), (mut points, mut dates))| {
                // Out of order only where boots overlap, as they do before a clock is set, or a node was renamed.
                if !points.is_sorted_by_key(|(time, _)| *time) {
                    points.sort_by_key(|(time, _)| *time);
                }
                if some_are_set && dates.never_set > 0 {
                    let left_out = points.partition_point(|(time, _)| *time < CLOCK_IS_SET_FROM);
                    points.drain(..left_out);
                    dates.left_out = left_out as u64;
                }
                let channel = channels.get(&id)?.clone();
                Some(ChannelSeries { channel, journal, points, dates })
            })
            .collect();
        series.sort_by(|a, b| (&a.channel, a.journal).cmp(&(&b.channel, b.journal)));
        Ok(series)
    }
}
