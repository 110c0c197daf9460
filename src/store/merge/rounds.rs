//! Rounds of other sinks, each with its sink; and names at addresses.

use std::collections::BTreeMap;

use rusqlite::params;

use super::MappedBoot;
use super::snapshot::Listed;
use crate::store::error::{Doing, StoreError};
use crate::store::{Reader, Store};

/// Rounds in a group, and in memory.
const GROUP_ROUNDS: i64 = if cfg!(test) { 3 } else { 16_384 };

const DOING: &str = "merging rounds";

/// Number, time, nodes, answered, boot and monotonic moment.
type Round = (i64, i64, i64, i64, Option<i64>, Option<i64>);

impl Store {
    /// Brings over the rounds of every sink, in groups. Returns how many were new.
    pub(super) fn merge_rounds(
        &mut self,
        from: &Reader,
        listed: &[Listed],
        boots: &BTreeMap<i64, MappedBoot>,
    ) -> Result<u64, StoreError> {
        let mut new = 0;
        for listed in listed {
            let mut after = i64::MIN;
            loop {
                let rounds = rounds_after(from, listed.row, after)?;
                let Some(last) = rounds.last() else { break };
                after = last.0;
                new += self.in_group(|store| store.write_rounds(listed, &rounds, boots))?;
                self.commit()?;
            }
            self.in_group(|store| store.merge_outages(from, listed))?;
        }
        self.commit()?;
        Ok(new)
    }

    fn write_rounds(
        &mut self,
        listed: &Listed,
        rounds: &[Round],
        boots: &BTreeMap<i64, MappedBoot>,
    ) -> Result<u64, StoreError> {
        let ix = self.destination(listed)?;
        let source = self.sources.get(ix).id;
        let sql = "INSERT OR IGNORE INTO round (source, number, time_us, nodes, answered, boot, mono_us)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let mut insert = self.db.prepare_cached(sql).doing(DOING)?;
        let mut new = 0;
        for (number, time_us, nodes, answered, boot, mono_us) in rounds {
            let boot = boot.and_then(|boot| boots.get(&boot)).map(|boot| boot.row);
            let row = params![source, number, time_us, nodes, answered, boot, mono_us];
            new += insert.execute(row).doing(DOING)? as u64;
        }
        Ok(new)
    }

    fn merge_outages(&mut self, from: &Reader, listed: &Listed) -> Result<(), StoreError> {
        let ix = self.destination(listed)?;
        let source = self.sources.get(ix).id;
        let sql = "SELECT node, first_round, last_round FROM round_down WHERE source = ?1";
        let mut statement = from.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query([listed.row]).doing(DOING)?;
        // One that goes on here may have ended there.
        let sql = "INSERT INTO round_down (source, node, first_round, last_round) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO UPDATE SET last_round = excluded.last_round WHERE last_round IS NULL";
        let mut insert = self.db.prepare_cached(sql).doing(DOING)?;
        while let Some(row) = rows.next().doing(DOING)? {
            let (node, first, last): (String, i64, Option<i64>) = row.try_into().doing(DOING)?;
            insert.execute(params![source, node, first, last]).doing(DOING)?;
        }
        Ok(())
    }

    /// Brings over names at addresses, where this node knows none, within the bound of the table.
    pub(super) fn merge_peers(&mut self, from: &Reader) -> Result<(), StoreError> {
        let mut statement =
            from.db.prepare_cached("SELECT address, node FROM peer ORDER BY address").doing(DOING)?;
        let mut rows = statement.query([]).doing(DOING)?;
        while let Some(row) = rows.next().doing(DOING)? {
            let (address, node): (String, String) = row.try_into().doing(DOING)?;
            if !self.add_peer(&address, &crate::store::schema::node_from_sql(&node)?)? {
                break;
            }
        }
        self.commit()?;
        Ok(())
    }
}

fn rounds_after(from: &Reader, source: i64, after: i64) -> Result<Vec<Round>, StoreError> {
    let sql = "SELECT number, time_us, nodes, answered, boot, mono_us FROM round
               WHERE source = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
    let mut statement = from.db.prepare_cached(sql).doing(DOING)?;
    let rows = statement.query_map([source, after, GROUP_ROUNDS], |row| row.try_into()).doing(DOING)?;
    rows.collect::<rusqlite::Result<_>>().doing(DOING)
}
