//! The count at the end of the demo: every reading in every node's own journal, looked for in the sink's store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::Result;

use super::site::NODES;
use crate::model::{Channel, JournalId, NodeName, Seq, Value, WallTime};
use crate::store::{Filter, Reader, StoreError};

/// What came out, in numbers.
pub(super) struct Verdict {
    nodes: Vec<Count>,
    rounds: usize,
    /// Rounds without an answer, by node.
    down: BTreeMap<NodeName, usize>,
    /// ERRs by channel and reason.
    errors: BTreeMap<(String, &'static str), usize>,
}

struct Count {
    node: &'static str,
    journalled: usize,
    in_sink: usize,
    /// After the sink's cursor: taken in the last moments, to come with the next poll.
    waiting: usize,
    /// Before the sink's cursor, and not in the sink.
    missing: usize,
    /// In the sink more often than once.
    doubled: usize,
    /// In the sink under another value or time than in the journal.
    changed: usize,
}

type Place = (JournalId, Seq);

/// Everything that a reading says, comparable.
#[derive(Clone, PartialEq)]
struct Said {
    channel: String,
    time_us: i64,
    value: String,
}

/// Reads all stores of the demo in `dir`, whose nodes have stopped. Rounds after `until` are no part of the story.
pub(super) fn check(dir: &Path, until: WallTime) -> Result<Verdict> {
    let sink = Reader::open(&dir.join("sink"))?;
    let mut collected: BTreeMap<Place, Vec<Said>> = BTreeMap::new();
    let mut errors: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    sink.readings(&Filter::default(), |row| {
        if let Err(reason) = row.value {
            *errors.entry((row.channel.to_string(), reason.as_str())).or_default() += 1;
        }
        collected.entry((row.journal, row.seq)).or_default().push(said(
            row.channel,
            row.node_time,
            row.value,
        ));
        Ok::<_, StoreError>(())
    })?;
    let rounds = sink.rounds(&Filter { until: Some(until), ..Filter::default() })?;
    let mut down = BTreeMap::new();
    for name in rounds.iter().flat_map(|round| &round.down) {
        *down.entry(name.clone()).or_default() += 1;
    }
    let mut nodes = Vec::new();
    for node in &NODES {
        nodes.push(count(node.name, &dir.join(node.name), &collected)?);
    }
    Ok(Verdict { nodes, rounds: rounds.len(), down, errors })
}

fn said(channel: &Channel, time: WallTime, value: Value) -> Said {
    Said { channel: channel.to_string(), time_us: time.as_unix_micros(), value: format!("{value:?}") }
}

fn count(node: &'static str, dir: &Path, collected: &BTreeMap<Place, Vec<Said>>) -> Result<Count> {
    let own_name = NodeName::new(node)?;
    let filter = Filter { nodes: vec![own_name], ..Filter::default() };
    let mut count = Count { node, journalled: 0, in_sink: 0, waiting: 0, missing: 0, doubled: 0, changed: 0 };
    let mut cursors: BTreeMap<JournalId, Seq> = BTreeMap::new();
    for (journal, seq) in collected.keys() {
        cursors.insert(*journal, *seq);
    }
    Reader::open(dir)?.readings(&filter, |row| {
        count.journalled += 1;
        let copies = collected.get(&(row.journal, row.seq)).map(Vec::as_slice).unwrap_or_default();
        let original = said(row.channel, row.node_time, row.value);
        count.in_sink += copies.len();
        match cursors.get(&row.journal) {
            Some(cursor) if row.seq <= *cursor => count.missing += usize::from(copies.is_empty()),
            _ => count.waiting += usize::from(copies.is_empty()),
        }
        count.doubled += copies.len().saturating_sub(1);
        count.changed += copies.iter().filter(|copy| **copy != original).count();
        Ok::<_, StoreError>(())
    })?;
    Ok(count)
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.nodes.iter().all(|n| n.journalled > 0 && n.missing == 0 && n.doubled == 0 && n.changed == 0)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["journalled", "in the sink", "to come", "missing", "doubled", "changed"];
        let cells = |cells: [String; 6]| cells.iter().map(|cell| format!("{cell:>12}")).collect::<String>();
        writeln!(f, "  {:<8}{}", "node", cells(heads.map(str::to_owned)))?;
        for n in &self.nodes {
            let numbers = [n.journalled, n.in_sink, n.waiting, n.missing, n.doubled, n.changed];
            writeln!(f, "  {:<8}{}", n.node, cells(numbers.map(|number| number.to_string())))?;
        }
        let down: Vec<String> =
            self.down.iter().map(|(node, rounds)| format!("{node} in {rounds}")).collect();
        let down = if down.is_empty() { "none".to_owned() } else { down.join(", ") };
        writeln!(f, "\n  {} rounds; without an answer: {down} (ERR node_down)", self.rounds)?;
        for ((channel, reason), times) in &self.errors {
            writeln!(f, "  ERR {reason} {times} times: {channel}")?;
        }
        if self.is_good() {
            let total = |of: fn(&Count) -> usize| self.nodes.iter().map(of).sum::<usize>();
            writeln!(f, "\n  {} readings: none is missing, none is there twice.", total(|n| n.in_sink))?;
            if total(|n| n.waiting) > 0 {
                let waiting = total(|n| n.waiting);
                writeln!(
                    f,
                    "  ({waiting} were taken after the last poll: they are in their nodes' journals, for the next one.)"
                )?;
            }
        }
        Ok(())
    }
}
