//! Who is known here: journals that are collected, consumers of this node's journal, names at addresses.

use rusqlite::params;

use super::error::{Doing, StoreError};
use super::schema::{journal_from_sql, node_from_sql, seq_from_sql, seq_to_sql};
use super::{OWN, Store};
use crate::model::{JournalId, NodeName, Seq, WallTime};

/// Consumers of one journal: a sink, a standby, uplinks. More are refused, so that strangers cannot fill the table.
const CONSUMERS_MAX: i64 = 64;

/// Addresses whose node is remembered; more than a sink's links.
const PEERS_MAX: i64 = 16_384;

/// A journal that is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// The node.
    pub node: NodeName,
    /// The journal.
    pub journal: JournalId,
    /// Whether it is this node's own.
    pub own: bool,
    /// The last committed place held of it.
    pub cursor: Seq,
}

/// One who takes from this node's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// A node's name, or an uplink's.
    pub name: String,
    /// The last place that it has on stable storage.
    pub taken: Seq,
    /// When it was last heard of.
    pub seen: WallTime,
}

impl Store {
    /// Every journal known here, by node and journal, as committed.
    pub fn sources(&self) -> Result<Vec<SourceInfo>, StoreError> {
        let doing = "listing the journals";
        let sql = "SELECT node, journal, own, taken_seq FROM source ORDER BY node, journal";
        let mut statement = self.db.prepare(sql).doing(doing)?;
        let mut rows = statement.query([]).doing(doing)?;
        let mut list = Vec::new();
        while let Some(row) = rows.next().doing(doing)? {
            let node = node_from_sql(&row.get::<_, String>(0).doing(doing)?)?;
            let journal = journal_from_sql(&row.get::<_, String>(1).doing(doing)?)?;
            let cursor = self.sources.cursor(&self.db, &node, journal)?;
            list.push(SourceInfo { node, journal, own: row.get(2).doing(doing)?, cursor });
        }
        Ok(list)
    }

    /// Notes how far `name` has this node's journal on stable storage, in the open group. What it has not taken is
    /// kept for it. Refused: a new consumer when there are already 64.
    pub fn note_consumer(&mut self, name: &str, taken: Seq, now: WallTime) -> Result<(), StoreError> {
        // Nobody can have more than there is; a wrong claim must not make retention drop what is still wanted.
        let taken = seq_to_sql(taken.min(self.own().last))?;
        self.note("consumer", CONSUMERS_MAX, "name", name, |store| {
            let sql = "INSERT INTO consumer (name, taken_seq, seen_us) VALUES (?1, ?2, ?3)
                       ON CONFLICT (name) DO UPDATE SET taken_seq = ?2, seen_us = ?3";
            let row = params![name, taken, now.as_unix_micros()];
            store.db.prepare_cached(sql)?.execute(row)
        })
    }

    /// Forgets a consumer that will not come back, in the open group, so that nothing is kept for it any more.
    /// Returns whether it was known.
    pub fn forget_consumer(&mut self, name: &str) -> Result<bool, StoreError> {
        self.in_group(|store| {
            let sql = "DELETE FROM consumer WHERE name = ?1";
            Ok(store.db.execute(sql, [name]).doing("forgetting a consumer")? > 0)
        })
    }

    /// The consumers of this node's journal, by name.
    pub fn consumers(&self) -> Result<Vec<Consumer>, StoreError> {
        let doing = "listing the consumers";
        let mut statement =
            self.db.prepare("SELECT name, taken_seq, seen_us FROM consumer ORDER BY name").doing(doing)?;
        let mut rows = statement.query([]).doing(doing)?;
        let mut list = Vec::new();
        while let Some(row) = rows.next().doing(doing)? {
            list.push(Consumer {
                name: row.get(0).doing(doing)?,
                taken: seq_from_sql(row.get(1).doing(doing)?)?,
                seen: WallTime::from_unix_micros(row.get(2).doing(doing)?),
            });
        }
        Ok(list)
    }

    /// Notes which node answers at `address`, in the open group, so that it has its name while it is down.
    pub fn note_peer(&mut self, address: &str, node: &NodeName) -> Result<(), StoreError> {
        self.note("peer", PEERS_MAX, "address", address, |store| {
            let sql = "INSERT INTO peer (address, node) VALUES (?1, ?2)
                       ON CONFLICT (address) DO UPDATE SET node = ?2 WHERE node <> ?2";
            store.db.prepare_cached(sql)?.execute(params![address, node.as_str()])
        })
    }

    /// Notes a node at an address where none is known, in the open group. Returns whether there was room for it.
    pub(super) fn add_peer(&mut self, address: &str, node: &NodeName) -> Result<bool, StoreError> {
        let sql = "INSERT INTO peer (address, node) SELECT ?1, ?2 WHERE (SELECT count(*) FROM peer) < ?3
                   ON CONFLICT DO NOTHING";
        self.in_group(|store| {
            let doing = "noting who is there";
            let row = params![address, node.as_str(), PEERS_MAX];
            store.db.prepare_cached(sql).doing(doing)?.execute(row).doing(doing)?;
            let count: i64 =
                store.db.query_row("SELECT count(*) FROM peer", [], |row| row.get(0)).doing(doing)?;
            Ok(count < PEERS_MAX)
        })
    }

    /// The last known node at each address, by address.
    pub fn peers(&self) -> Result<Vec<(String, NodeName)>, StoreError> {
        let doing = "listing the peers";
        let mut statement =
            self.db.prepare("SELECT address, node FROM peer ORDER BY address").doing(doing)?;
        let mut rows = statement.query([]).doing(doing)?;
        let mut list = Vec::new();
        while let Some(row) = rows.next().doing(doing)? {
            let node: String = row.get(1).doing(doing)?;
            list.push((row.get(0).doing(doing)?, node_from_sql(&node)?));
        }
        Ok(list)
    }

    /// Writes one row of a small table, unless the row is new and the table has `max` rows.
    fn note(
        &mut self,
        table: &str,
        max: i64,
        key: &str,
        value: &str,
        write: impl FnOnce(&Store) -> rusqlite::Result<usize>,
    ) -> Result<(), StoreError> {
        let doing = "noting who is there";
        let sql = format!(
            "SELECT (SELECT count(*) FROM {table}) < {max} OR EXISTS (SELECT 1 FROM {table} WHERE {key} = ?1)"
        );
        let room: bool =
            self.db.prepare_cached(&sql).doing(doing)?.query_row([value], |row| row.get(0)).doing(doing)?;
        if !room {
            return Err(StoreError::Refused(format!("{max} rows of {table} are known: no room for {value}")));
        }
        self.in_group(|store| write(store).doing(doing).map(|_| ()))
    }

    /// How far all consumers have this node's own journal; `None` when it has no consumer.
    pub(super) fn own_taken_by_all(&self) -> Result<Option<Seq>, StoreError> {
        let least: Option<i64> = self
            .db
            .query_row("SELECT min(taken_seq) FROM consumer", [], |row| row.get(0))
            .doing("asking who has taken what")?;
        let last = self.sources.get(OWN).committed.taken;
        Ok(least.map(seq_from_sql).transpose()?.map(|least| least.min(last)))
    }
}
