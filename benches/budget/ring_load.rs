//! A ring of eight with much to carry: how many readings a second the sink has on its disk.

use std::path::Path;
use std::time::{Duration, Instant};

use pisink::model::{BootId, JournalId, NodeName, WallTime};
use pisink::store::{Check, OpenParams, Store};
use tempfile::TempDir;

use crate::backlog::Backlog;
use crate::kit::{Row, WAIT_MAX, folder};
use crate::ring_site::RingSite;

const MEMBERS: usize = 8;
/// Readings that wait in the journal of each member but the sink.
const BACKLOG: u64 = 200_000;
const ALL: u64 = BACKLOG * (MEMBERS as u64 - 1);
/// The time runs from here, when all members are in the ring and none has sent all.
const BEGIN: u64 = ALL / 10;
const LOOK_EVERY: Duration = Duration::from_millis(20);
const TARGET_PER_S: f64 = 100_000.0;

pub(crate) fn run() {
    let backlog = Backlog::new();
    let mut site = RingSite::new(MEMBERS, &["--host=false", "--interval", "60s"]);
    let data: Vec<TempDir> = (1..MEMBERS).map(|at| filled(at, &backlog)).collect();
    for (at, data) in data.into_iter().enumerate() {
        site.start_with(at + 1, data);
    }
    site.start(0);
    let (begin, cpu, from) = at_least(&site, BEGIN);
    let (end, cpu_end, through) = at_least(&site, ALL);
    let took = (end - begin).as_secs_f64();
    let per_s = (through - from) as f64 / took;
    let percent = |at: usize| (cpu_end[at] - cpu[at]).as_secs_f64() / took * 100.0;
    let others: f64 = (1..MEMBERS).map(percent).sum();
    Row {
        what: format!("readings through a ring of {MEMBERS} to the sink's disk"),
        ours: per_s,
        unit: "/s",
        target: "100,000/s".into(),
        is_met: Some(per_s >= TARGET_PER_S),
        note: format!(
            "{} readings in {took:.1} s; the sink took {:.0} % of a core, the seven others {others:.0} % together",
            through - from,
            percent(0)
        ),
        ..Row::default()
    }
    .print("ring");
}

/// Waits until so many readings are on the sink's disk: when that was, what processor time each node had taken by
/// then, and how many there were.
fn at_least(site: &RingSite, readings: u64) -> (Instant, Vec<Duration>, u64) {
    let until = Instant::now() + WAIT_MAX;
    loop {
        let ring = site.ring(0);
        let members = ring["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        // What members add while they run is not of the backlog.
        let taken = members.iter().filter_map(|member| member["taken"].as_u64());
        let taken: u64 = taken.map(|taken| taken.min(BACKLOG)).sum();
        if taken >= readings {
            let cpu = site.nodes.iter().flatten().map(|node| node.cpu()).collect();
            return (Instant::now(), cpu, taken);
        }
        assert!(Instant::now() < until, "{readings} readings at the sink: not within {WAIT_MAX:?}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A data folder with a journal that nobody has taken yet.
fn filled(at: usize, backlog: &Backlog) -> TempDir {
    let data = folder();
    let mut store = open(data.path(), at);
    let mut left = usize::try_from(BACKLOG).expect("few");
    while left > 0 {
        let mut pack = backlog.pack.clone();
        pack.readings.truncate(left);
        left -= pack.len();
        store.append(&pack).expect("it takes them");
        store.commit().expect("the disk takes them");
    }
    store.close().expect("it is written");
    data
}

fn open(data: &Path, at: usize) -> Store {
    let node = NodeName::new(&format!("n{at}")).expect("a name");
    let now = WallTime::from_unix_micros(1_768_867_200_000_000);
    let new_journal = JournalId(u64::try_from(at).expect("few"));
    let params = OpenParams { node, new_journal, boot: BootId(1), now, check: Check::Auto };
    Store::open(data, &params).expect("a new store").0
}
