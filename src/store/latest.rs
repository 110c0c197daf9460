//! The newest reading of each channel, of all journals that are held.
//!
//! What was looked through once is not looked through again: each question reads only what was committed since the one
//! before. The first reads back a bounded way; a channel that says nothing for longer than that shows when it speaks.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::params;

use super::Store;
use super::error::{Doing, StoreError};
use super::schema::err_reason;
use crate::model::{Channel, Value, WallTime};

/// Most channels that are told: those with the newest readings. As JSON they fit a line, with the longest of names.
pub const LATEST_CHANNELS_MAX: usize = 3_000;

/// Channels that are remembered, some 60 bytes each; of more, those that came first.
const REMEMBERED_MAX: usize = 16_384;
/// How many readings are looked through at a question, all journals together, and how many of one journal at least and
/// at most: some 100 ms on a Pi.
const LOOK_BACK_READINGS: i64 = 200_000;
const LOOK_BACK_EACH_MIN: i64 = 256;
const LOOK_BACK_EACH_MAX: i64 = 20_000;

const DOING: &str = "reading the newest of each channel";

/// The newest reading of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct LatestReading {
    /// The channel.
    pub channel: Arc<Channel>,
    /// When it was taken, as the node stamped it.
    pub time: WallTime,
    /// The value, or ERR.
    pub value: Value,
}

/// What is known from earlier questions.
#[derive(Debug, Default)]
pub(super) struct Latest {
    /// How far each journal (row id of its source) has been looked through.
    through: BTreeMap<i64, i64>,
    /// Time and value by channel and journal (row ids): the place decides within a journal, the time between journals.
    newest: BTreeMap<(i64, i64), (i64, Value)>,
}

impl Store {
    /// The newest committed reading of each channel, of this node and of all that it collected from, by channel.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn latest(&mut self) -> Result<Vec<LatestReading>, StoreError> {
        let sources = self.committed_ends()?;
        let count = i64::try_from(sources.len()).unwrap_or(i64::MAX).max(1);
        let each = (LOOK_BACK_READINGS / count).clamp(LOOK_BACK_EACH_MIN, LOOK_BACK_EACH_MAX);
        for (source, end) in sources {
            let from = self.latest.through.get(&source).copied().unwrap_or(0).max(end - each);
            if from < end {
                self.look_through(source, from, end)?;
                self.latest.through.insert(source, end);
            }
        }
        let mut newest: BTreeMap<i64, (i64, Value)> = BTreeMap::new();
        for ((channel, _), reading) in &self.latest.newest {
            let known = newest.entry(*channel).or_insert(*reading);
            if known.0 < reading.0 {
                *known = *reading;
            }
        }
        let mut told: Vec<_> = newest.into_iter().collect();
        told.sort_by_key(|(channel, (time_us, _))| (std::cmp::Reverse(*time_us), *channel));
        told.truncate(LATEST_CHANNELS_MAX);
        let mut list = Vec::with_capacity(told.len());
        for (channel, (time_us, value)) in told {
            let channel = self.channels.name(&self.db, channel)?;
            list.push(LatestReading { channel, time: WallTime::from_unix_micros(time_us), value });
        }
        list.sort_by(|a, b| a.channel.cmp(&b.channel));
        Ok(list)
    }

    /// The last committed place of each journal: a group writes it when it is committed.
    fn committed_ends(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT id, taken_seq FROM source").doing(DOING)?;
        let rows = statement.query_map([], |row| row.try_into()).doing(DOING)?;
        rows.collect::<Result<_, _>>().doing(DOING)
    }

    /// Remembers the newest of each channel among the places after `from`, up to `end`.
    fn look_through(&mut self, source: i64, from: i64, end: i64) -> Result<(), StoreError> {
        let sql = "SELECT channel, time_us, value, err FROM reading
                   WHERE source = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query(params![source, from, end]).doing(DOING)?;
        let newest = &mut self.latest.newest;
        while let Some(row) = rows.next().doing(DOING)? {
            let key = (row.get(0).doing(DOING)?, source);
            let value: Option<f64> = row.get(2).doing(DOING)?;
            let value = match value {
                Some(value) => Ok(value),
                None => Err(err_reason(row.get(3).doing(DOING)?)?),
            };
            if newest.len() < REMEMBERED_MAX || newest.contains_key(&key) {
                newest.insert(key, (row.get(1).doing(DOING)?, value));
            }
        }
        Ok(())
    }
}
