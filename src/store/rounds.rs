//! Rounds of a sink: when each ended and who did not answer. An outage is one row, written when it begins and when
//! it ends, however many rounds it lasts.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::Store;
use super::error::{Doing, StoreError};
use super::schema::{node_from_sql, seq_from_sql};
use crate::model::{NodeName, RoundRecord};

/// The last round, and since which round each node that is down has been so.
#[derive(Clone, Debug, Default)]
struct State {
    last: u64,
    down_since: BTreeMap<NodeName, u64>,
}

/// The state, and the committed one while a group has changed it.
#[derive(Debug)]
pub(super) struct Rounds {
    /// The row of this node's own journal: other sinks' rounds may be here too.
    source: i64,
    working: State,
    committed: Option<State>,
}

const DOING: &str = "storing a round";

impl Rounds {
    /// Reads the state from the file; `source` is the row of this node's own journal.
    pub(super) fn load(db: &Connection, source: i64) -> Result<Self, StoreError> {
        let doing = "reading the rounds";
        let last: Option<i64> = db
            .query_row("SELECT max(number) FROM round WHERE source = ?1", [source], |row| row.get(0))
            .doing(doing)?;
        let mut state = State { last: seq_from_sql(last.unwrap_or(0))?.0, ..State::default() };
        let sql = "SELECT node, first_round FROM round_down WHERE source = ?1 AND last_round IS NULL";
        let mut statement = db.prepare(sql).doing(doing)?;
        let mut rows = statement.query([source]).doing(doing)?;
        while let Some(row) = rows.next().doing(doing)? {
            let node: String = row.get(0).doing(doing)?;
            state.down_since.insert(node_from_sql(&node)?, seq_from_sql(row.get(1).doing(doing)?)?.0);
        }
        Ok(Self { source, working: state, committed: None })
    }

    /// The group is durable.
    pub(super) fn committed(&mut self) {
        self.committed = None;
    }

    /// The group is undone.
    pub(super) fn rolled_back(&mut self) {
        if let Some(state) = self.committed.take() {
            self.working = state;
        }
    }

    fn add(
        &mut self,
        db: &Connection,
        round: &RoundRecord,
        number: i64,
        boot: i64,
    ) -> Result<(), StoreError> {
        if self.committed.is_none() {
            self.committed = Some(self.working.clone());
        }
        let sql = "INSERT INTO round (source, number, time_us, nodes, answered, boot, mono_us)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (time_us, mono_us) = (round.time.as_unix_micros(), round.mono.as_micros());
        let row = params![self.source, number, time_us, round.nodes, round.answered, boot, mono_us];
        db.prepare_cached(sql).doing(DOING)?.execute(row).doing(DOING)?;

        let before = i64::try_from(self.working.last).unwrap_or(i64::MAX);
        let mut was_down = std::mem::take(&mut self.working.down_since);
        for node in &round.down {
            let since = match was_down.remove(node) {
                Some(since) => since,
                None if self.working.down_since.contains_key(node) => continue,
                None => {
                    let sql = "INSERT INTO round_down (source, node, first_round) VALUES (?1, ?2, ?3)";
                    let row = params![self.source, node.as_str(), number];
                    db.prepare_cached(sql).doing(DOING)?.execute(row).doing(DOING)?;
                    round.number
                }
            };
            self.working.down_since.insert(node.clone(), since);
        }
        for node in was_down.keys() {
            let sql = "UPDATE round_down SET last_round = ?3
                       WHERE source = ?1 AND node = ?2 AND last_round IS NULL";
            let row = params![self.source, node.as_str(), before];
            db.prepare_cached(sql).doing(DOING)?.execute(row).doing(DOING)?;
        }
        self.working.last = round.number;
        Ok(())
    }
}

impl Store {
    /// The last round added; 0 when there was none.
    pub fn last_round(&self) -> u64 {
        self.rounds.working.last
    }

    /// Adds a round in the open group. Refused: a number that is not beyond the last one.
    pub fn add_round(&mut self, round: &RoundRecord) -> Result<(), StoreError> {
        let last = self.last_round();
        match i64::try_from(round.number) {
            Ok(number) if round.number > last => self.in_group(|store| {
                let boot = store.own_boot(round.mono, round.time)?;
                store.rounds.add(&store.db, round, number, boot)
            }),
            _ => Err(StoreError::Refused(format!("round {} does not follow round {last}", round.number))),
        }
    }
}
