//! Rounds, with the outages written out for each.

use rusqlite::params;

use super::{Filter, Reader};
use crate::model::{Instant, NodeName, RoundRecord, WallTime};
use crate::store::error::{Doing, StoreError};
use crate::store::schema::node_from_sql;

const DOING: &str = "reading rounds";

/// An outage: a node, and its first and last round.
struct Outage {
    node: NodeName,
    first_round: i64,
    last_round: i64,
}

impl Reader {
    /// Whether this node has ever collected: whether it has rounds.
    pub fn has_rounds(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM round)";
        self.db.prepare_cached(sql).doing(DOING)?.query_row([], |row| row.get(0)).doing(DOING)
    }

    /// The rounds that ended in the wanted time, by number. Of the filter, only times and nodes count: a node that
    /// is not wanted is left out of `down`.
    pub fn rounds(&self, filter: &Filter) -> Result<Vec<RoundRecord>, StoreError> {
        let (since_us, until_us) = filter.times_us();
        let sql = "SELECT number, time_us, nodes, answered, coalesce(mono_us, 0) FROM rounds
                   WHERE time_us BETWEEN ?1 AND ?2 ORDER BY number";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query(params![since_us, until_us]).doing(DOING)?;
        let mut rounds = Vec::new();
        while let Some(row) = rows.next().doing(DOING)? {
            let number: i64 = row.get(0).doing(DOING)?;
            rounds.push(RoundRecord {
                number: u64::try_from(number).unwrap_or(0),
                time: WallTime::from_unix_micros(row.get(1).doing(DOING)?),
                mono: Instant::from_micros(row.get(4).doing(DOING)?),
                nodes: row.get(2).doing(DOING)?,
                answered: row.get(3).doing(DOING)?,
                down: Vec::new(),
            });
        }
        for outage in self.outages(filter)? {
            let from = rounds.partition_point(|round| round.number.cast_signed() < outage.first_round);
            let down_in = rounds.iter_mut().skip(from);
            for round in down_in.take_while(|round| round.number.cast_signed() <= outage.last_round) {
                round.down.push(outage.node.clone());
            }
        }
        Ok(rounds)
    }

    /// All outages, by node; one that goes on lasts through every round that was read.
    fn outages(&self, filter: &Filter) -> Result<Vec<Outage>, StoreError> {
        let sql =
            "SELECT node, first_round, coalesce(last_round, ?1) FROM round_down ORDER BY node, first_round";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query([i64::MAX]).doing(DOING)?;
        let mut outages = Vec::new();
        while let Some(row) = rows.next().doing(DOING)? {
            let node = node_from_sql(row.get_ref(0).doing(DOING)?.as_str().unwrap_or_default())?;
            if filter.nodes.is_empty() || filter.nodes.contains(&node) {
                let (first_round, last_round) = (row.get(1).doing(DOING)?, row.get(2).doing(DOING)?);
                outages.push(Outage { node, first_round, last_round });
            }
        }
        Ok(outages)
    }
}
