//! Channels and their row ids, both ways, cached: a pack names few channels for many readings.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::{Doing, StoreError};
use super::schema::node_from_sql;
use crate::model::Channel;

/// Channels kept in memory (some 250 bytes each); a sink of 1,000 nodes with ten channels each fits.
const CHANNELS_CACHED_MAX: usize = 16_384;

/// The cache of channels.
#[derive(Debug, Default)]
pub(super) struct Channels {
    ids: BTreeMap<Arc<Channel>, i64>,
    names: BTreeMap<i64, Arc<Channel>>,
}

impl Channels {
    /// The row id of `channel`, which is added to the file if it is new.
    pub(super) fn id(&mut self, db: &Connection, channel: &Arc<Channel>) -> Result<i64, StoreError> {
        if let Some(id) = self.ids.get(channel) {
            return Ok(*id);
        }
        let doing = "adding a channel";
        let Channel { node, chip, quantity, unit } = &**channel;
        let names = params![node.as_str(), chip, quantity, unit];
        let find = "SELECT id FROM channel WHERE node = ?1 AND chip = ?2 AND quantity = ?3 AND unit = ?4";
        let found: Option<i64> = db
            .prepare_cached(find)
            .doing(doing)?
            .query_row(names, |row| row.get(0))
            .optional()
            .doing(doing)?;
        let id = match found {
            Some(id) => id,
            None => {
                let add = "INSERT INTO channel (node, chip, quantity, unit) VALUES (?1, ?2, ?3, ?4)";
                db.prepare_cached(add).doing(doing)?.insert(names).doing(doing)?
            }
        };
        self.cache(id, Arc::clone(channel));
        Ok(id)
    }

    /// The channel of a row id.
    pub(super) fn name(&mut self, db: &Connection, id: i64) -> Result<Arc<Channel>, StoreError> {
        if let Some(channel) = self.names.get(&id) {
            return Ok(Arc::clone(channel));
        }
        let doing = "reading a channel";
        let sql = "SELECT id, node, chip, quantity, unit FROM channel WHERE id = ?1";
        let (_, channel) =
            db.prepare_cached(sql).doing(doing)?.query_row([id], |row| Ok(from_row(row))).doing(doing)??;
        let channel = Arc::new(channel);
        self.cache(id, Arc::clone(&channel));
        Ok(channel)
    }

    /// Forgets everything: ids of a group that was undone must not be used again.
    pub(super) fn rolled_back(&mut self) {
        *self = Self::default();
    }

    fn cache(&mut self, id: i64, channel: Arc<Channel>) {
        if self.names.len() >= CHANNELS_CACHED_MAX {
            *self = Self::default();
        }
        self.names.insert(id, Arc::clone(&channel));
        self.ids.insert(channel, id);
    }
}

/// A row of `id, node, chip, quantity, unit`.
pub(super) fn from_row(row: &Row<'_>) -> Result<(i64, Channel), StoreError> {
    let doing = "reading a channel";
    let node: String = row.get(1).doing(doing)?;
    let channel = Channel {
        node: node_from_sql(&node)?,
        chip: row.get(2).doing(doing)?,
        quantity: row.get(3).doing(doing)?,
        unit: row.get(4).doing(doing)?,
    };
    Ok((row.get(0).doing(doing)?, channel))
}
