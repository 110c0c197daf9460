//! Rounds, with the outages written out for each; where the store has those of several sinks, what they come to
//! together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rusqlite::params;

use super::{Filter, Reader};
use crate::model::{Instant, NodeName, RoundRecord, WallTime};
use crate::store::error::{Doing, StoreError};
use crate::store::schema::node_from_sql;

const DOING: &str = "reading rounds";

/// Rounds further apart than this are not of one time, however long the pauses between a sink's rounds are.
const APART_MAX: Duration = Duration::from_secs(60);

/// An outage: a node, and its first and last round.
struct Outage {
    node: NodeName,
    first_round: i64,
    last_round: i64,
}

/// A sink, by the row of its journal.
type Sink = i64;

impl Reader {
    /// Whether this node has ever collected: whether it has rounds of its own, and not only those of a merged store.
    pub fn has_rounds(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM round WHERE source = (SELECT id FROM source WHERE own = 1))";
        self.db.prepare_cached(sql).doing(DOING)?.query_row([], |row| row.get(0)).doing(DOING)
    }

    /// The rounds that ended in the wanted time, by number. Of the filter, only times and nodes count: a node that
    /// is not wanted is left out of `down`.
    ///
    /// Where the rounds of several sinks are here they come in order of time, and a node that answered another sink in
    /// a round of the same time is not down.
    pub fn rounds(&self, filter: &Filter) -> Result<Vec<RoundRecord>, StoreError> {
        let mut sinks = self.rounds_by_sink(filter)?;
        for (sink, rounds) in &mut sinks {
            for outage in self.outages(*sink, filter)? {
                let from = rounds.partition_point(|round| round.number.cast_signed() < outage.first_round);
                let down_in = rounds.iter_mut().skip(from);
                for round in down_in.take_while(|round| round.number.cast_signed() <= outage.last_round) {
                    round.down.push(outage.node.clone());
                }
            }
        }
        if sinks.len() > 1 {
            let answers = self.answers()?;
            sinks.values_mut().for_each(|rounds| rounds.sort_by_key(|round| round.time));
            let alone = sinks.clone();
            for (sink, rounds) in &mut sinks {
                let others = || alone.iter().filter(|(other, _)| *other != sink);
                let mut before = None;
                for round in rounds {
                    let step = step(before.replace(round.time), round.time);
                    others().for_each(|(other, rounds)| answered(round, step, rounds, answers.get(other)));
                }
            }
        }
        let several = sinks.len() > 1;
        let mut rounds: Vec<RoundRecord> = sinks.into_values().flatten().collect();
        if several {
            rounds.sort_by_key(|round| round.time);
        }
        Ok(rounds)
    }

    /// The rounds of each sink, by number, without the nodes that were down.
    fn rounds_by_sink(&self, filter: &Filter) -> Result<BTreeMap<Sink, Vec<RoundRecord>>, StoreError> {
        let (since_us, until_us) = filter.times_us();
        let sql = "SELECT number, time_us, nodes, answered, coalesce(mono_us, 0), source FROM rounds
                   WHERE time_us BETWEEN ?1 AND ?2 ORDER BY source, number";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query(params![since_us, until_us]).doing(DOING)?;
        let mut sinks: BTreeMap<Sink, Vec<RoundRecord>> = BTreeMap::new();
        while let Some(row) = rows.next().doing(DOING)? {
            let number: i64 = row.get(0).doing(DOING)?;
            sinks.entry(row.get(5).doing(DOING)?).or_default().push(RoundRecord {
                number: u64::try_from(number).unwrap_or(0),
                time: WallTime::from_unix_micros(row.get(1).doing(DOING)?),
                mono: Instant::from_micros(row.get(4).doing(DOING)?),
                nodes: row.get(2).doing(DOING)?,
                answered: row.get(3).doing(DOING)?,
                down: Vec::new(),
            });
        }
        Ok(sinks)
    }

    /// All outages of a sink's rounds, by node; one that goes on lasts through every round that was read.
    fn outages(&self, sink: Sink, filter: &Filter) -> Result<Vec<Outage>, StoreError> {
        let sql = "SELECT node, first_round, coalesce(last_round, ?2) FROM round_down WHERE source = ?1
                   ORDER BY node, first_round";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query([sink, i64::MAX]).doing(DOING)?;
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

    /// Who answers each sink: itself, and the nodes whose clocks it met.
    fn answers(&self) -> Result<BTreeMap<Sink, BTreeSet<NodeName>>, StoreError> {
        let sql =
            "SELECT DISTINCT sinks.source, source.node FROM link JOIN boot AS nodes ON nodes.id = link.boot
                   JOIN source ON source.id = nodes.source JOIN boot AS sinks ON sinks.id = link.here
                   UNION SELECT id, node FROM source";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query([]).doing(DOING)?;
        let mut answers: BTreeMap<Sink, BTreeSet<NodeName>> = BTreeMap::new();
        while let Some(row) = rows.next().doing(DOING)? {
            let node = node_from_sql(row.get_ref(1).doing(DOING)?.as_str().unwrap_or_default())?;
            answers.entry(row.get(0).doing(DOING)?).or_default().insert(node);
        }
        Ok(answers)
    }
}

/// How long a round took, as far as is known.
fn step(before: Option<WallTime>, time: WallTime) -> Duration {
    before.map_or(Duration::ZERO, |before| apart(before, time)).min(APART_MAX)
}

fn apart(a: WallTime, b: WallTime) -> Duration {
    Duration::from_micros(a.as_unix_micros().abs_diff(b.as_unix_micros()))
}

/// Takes from `down` who answered another sink in the nearest of its `rounds`, if that is of the same time.
fn answered(
    round: &mut RoundRecord,
    took: Duration,
    rounds: &[RoundRecord],
    answers: Option<&BTreeSet<NodeName>>,
) {
    let Some(answers) = answers.filter(|_| !round.down.is_empty()) else { return };
    let next = rounds.partition_point(|other| other.time < round.time);
    let near = next.checked_sub(1).into_iter().chain([next]);
    let near = near.filter_map(|at| {
        let other = rounds.get(at)?;
        let before = at.checked_sub(1).and_then(|before| rounds.get(before)).map(|before| before.time);
        let away = apart(round.time, other.time);
        (away <= took.max(step(before, other.time))).then_some((away, other))
    });
    if let Some((_, other)) = near.min_by_key(|(away, _)| *away) {
        let was_down = round.down.len();
        round.down.retain(|node| other.down.contains(node) || !answers.contains(node));
        let came = u32::try_from(was_down - round.down.len()).unwrap_or(0);
        round.answered = round.answered.saturating_add(came).min(round.nodes);
    }
}
