//! The comparison with real processes on this machine, over loopback, each with its own store: what is measured is what
//! the nodes say of themselves (STATUS) and what can be read of the sink's store while it works.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use super::averages::{Arrival, averages, known};
use super::ways::{Figures, Plan, Progress, Way};
use crate::io;
use crate::model::{Instant, JournalId, Seq};
use crate::store::{Filter, Reader, StoreError};

mod site;

use site::Site;

/// How long a site may take until all of its nodes are together.
const FORMED_WITHIN: Duration = Duration::from_secs(20);
/// From one look at the nodes to the next until they are.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// From one look at the sink's cursors to the next: so exactly is known when something is durable.
const CURSORS_EVERY: Duration = Duration::from_millis(2);

/// Runs all ways with all numbers of nodes, one after the other.
pub(super) fn measure(plan: &Plan, progress: &mut Progress) -> Result<Vec<Figures>> {
    let mut figures = Vec::new();
    for nodes in &plan.nodes {
        for way in Way::ALL {
            let what = format!("{nodes} real nodes, {}", way.name());
            progress.next(&what);
            figures.push(one(plan, *nodes, way).with_context(|| what)?);
        }
    }
    Ok(figures)
}

fn one(plan: &Plan, nodes: usize, way: Way) -> Result<Figures> {
    let mut site = Site::start(plan, nodes, way)?;
    wait_until_formed(&mut site, nodes, way)?;
    // What the start has left behind is collected before anything is measured.
    let settled = io::now().mono + plan.interval;
    site.wait_until(settled)?;
    let mut log = CursorLog::new(Reader::open(&site.data(0))?);
    let before = Said::of(&site, nodes)?;
    let began_at = io::now().mono;
    log.watch(&mut site, began_at + plan.time)?;
    let died_at = io::now().mono;
    let after = Said::of(&site, nodes)?;
    site.end_last(plan.is_killed)?;
    log.watch(&mut site, died_at + plan.time / 2)?;
    let ended_at = io::now().mono;
    let mut arrivals = log.arrivals()?;
    // When what was taken before became durable was not seen.
    arrivals.retain(|one| one.taken_at >= began_at);
    site.stop()?;
    let calm = averages(arrivals.iter().copied(), plan.interval, (began_at, died_at));
    Ok(Figures {
        way,
        nodes,
        known: known(calm.into_iter().map(|(_, took)| took)),
        longest_wait: longest_wait(&arrivals, began_at, died_at),
        longest_wait_with_dead: longest_wait(&arrivals, died_at, ended_at),
        messages_per_reading: Said::per_reading(&before, &after, |said| said.messages),
        bytes_per_reading: Said::per_reading(&before, &after, |said| said.bytes),
        sockets: after.sockets,
        store_bytes: after.store_bytes,
    })
}

/// The longest wait of a reading that ended in this time.
fn longest_wait(arrivals: &[Arrival], from: Instant, to: Instant) -> Option<Duration> {
    let in_time = arrivals.iter().filter(|one| one.durable_at.is_some_and(|at| at > from && at <= to));
    in_time.filter_map(|one| Some(one.durable_at?.saturating_since(one.taken_at))).max()
}

/// All together: the sink has every peer's link and readings, or the ring has every node.
fn wait_until_formed(site: &mut Site, nodes: usize, way: Way) -> Result<()> {
    let end = io::now().mono + FORMED_WITHIN;
    while io::now().mono < end {
        if site.status(0).is_ok_and(|status| is_formed(&status, nodes, way)) {
            return Ok(());
        }
        site.wait_until(io::now().mono + LOOK_EVERY)?;
    }
    bail!(
        "the nodes were not together within {FORMED_WITHIN:?}; is this machine busy? Compare fewer with --nodes"
    )
}

fn is_formed(sink: &Json, nodes: usize, way: Way) -> bool {
    let list =
        |pointer: &str| sink.pointer(pointer).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let has_some = |one: &&Json| one.get("taken").and_then(Json::as_u64).is_some_and(|taken| taken > 0);
    match way {
        // The sink does not take its own readings from itself.
        Way::Ring => {
            list("/ring/members").len() == nodes
                && list("/ring/members").iter().filter(has_some).count() + 1 >= nodes
        }
        Way::AtOnce | Way::InTurn => list("/polling/peers").iter().filter(has_some).count() + 1 == nodes,
    }
}

/// What all nodes say of themselves at a moment, together.
struct Said {
    readings: u64,
    messages: u64,
    bytes: u64,
    /// Of the sink, and the most of another.
    sockets: (f64, f64),
    store_bytes: (u64, u64),
}

impl Said {
    fn of(site: &Site, nodes: usize) -> Result<Self> {
        let statuses = (0..nodes).map(|node| site.status(node)).collect::<Result<Vec<Json>>>()?;
        let number =
            |status: &Json, pointer: &str| status.pointer(pointer).and_then(Json::as_u64).unwrap_or(0);
        let sum = |pointer: &str| statuses.iter().map(|status| number(status, pointer)).sum();
        let of_sink_and_most = |pointer: &str| {
            let mut all = statuses.iter().map(|status| number(status, pointer));
            (all.next().unwrap_or(0), all.max().unwrap_or(0))
        };
        // The link on which we ask is one more.
        let sockets = |count: u64| count.saturating_sub(1) as f64;
        let links = of_sink_and_most("/links");
        Ok(Self {
            readings: sum("/last"),
            messages: sum("/messages_sent"),
            bytes: sum("/bytes_sent"),
            sockets: (sockets(links.0), sockets(links.1)),
            store_bytes: of_sink_and_most("/store/bytes"),
        })
    }

    /// What was sent for each reading between two moments.
    fn per_reading(before: &Self, after: &Self, sent: impl Fn(&Self) -> u64) -> f64 {
        let readings = after.readings.saturating_sub(before.readings).max(1);
        sent(after).saturating_sub(sent(before)) as f64 / readings as f64
    }
}

/// When the sink's store held each journal how far: read beside it, as it works.
struct CursorLog {
    reader: Reader,
    seen: BTreeMap<JournalId, Vec<(Seq, Instant)>>,
}

impl CursorLog {
    fn new(reader: Reader) -> Self {
        Self { reader, seen: BTreeMap::new() }
    }

    fn watch(&mut self, site: &mut Site, until: Instant) -> Result<()> {
        while io::now().mono < until {
            for (journal, cursor) in self.reader.cursors()? {
                let seen = self.seen.entry(journal).or_default();
                if seen.last().is_none_or(|(last, _)| *last < cursor) {
                    seen.push((cursor, io::now().mono));
                }
            }
            site.wait_until(io::now().mono + CURSORS_EVERY)?;
        }
        Ok(())
    }

    /// Every reading that the sink holds: when it was taken, by the clock that all processes of a machine share, and
    /// when it was durable.
    fn arrivals(&self) -> Result<Vec<Arrival>> {
        let mut arrivals = Vec::new();
        self.reader.readings(&Filter::default(), |row| {
            let seen = self.seen.get(&row.journal).map(Vec::as_slice).unwrap_or_default();
            let first = seen.partition_point(|(cursor, _)| *cursor < row.seq);
            let durable_at = seen.get(first).map(|(_, at)| *at);
            arrivals.push(Arrival { taken_at: row.mono, durable_at });
            Ok::<_, StoreError>(())
        })?;
        Ok(arrivals)
    }
}
