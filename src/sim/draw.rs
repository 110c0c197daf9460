//! Scenarios out of a seed: mostly small and short ones, so that many can be run, each with its own choice of what goes
//! wrong, so that rare faults meet in pure form too.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::fault::{Fault, HostIx, LinkPick, PlannedFault};
use super::scenario::{ClockModel, DiskModel, NetworkModel, RingSettings, Sampling, Scenario, SimRole, Site};
use crate::proto::PollOrder;

/// What kind of scenario to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// Primaries that poll.
    Polling,
    /// A token ring.
    Ring,
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Drawn::Polling => "polling",
            Drawn::Ring => "ring",
        })
    }
}

impl FromStr for Drawn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "polling" => Ok(Drawn::Polling),
            "ring" => Ok(Drawn::Ring),
            _ => Err(format!("{text:?} is not one of polling, ring")),
        }
    }
}

type Rng = fastrand::Rng;

fn ms(rng: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.u64(range))
}

/// One of these.
fn one_of<T: Copy>(rng: &mut Rng, of: &[T], else_this: T) -> T {
    rng.choice(of).copied().unwrap_or(else_this)
}

impl Scenario {
    /// The scenario that a seed stands for.
    pub fn draw(seed: u64, kind: Drawn) -> Self {
        let rng = &mut Rng::with_seed(seed ^ 0x51_7c_c1_b7_27_22_0a_95);
        let mut scenario = match kind {
            Drawn::Polling => polling(rng),
            Drawn::Ring => ring(rng),
        };
        scenario.seed = seed;
        draw_faults(rng, &mut scenario);
        scenario
    }
}

fn polling(rng: &mut Rng) -> Scenario {
    let sinks = if rng.u8(0..3) == 0 { 2 } else { 1 };
    let standbys = if sinks == 1 && rng.u8(0..4) == 0 { rng.usize(1..3) } else { 0 };
    let nodes = sinks + standbys + rng.usize(1..4);
    let is_deep = rng.u8(0..40) == 0;
    let interval = ms(rng, 300..2_000);
    let has_two_ways = rng.u8(0..6) == 0;
    let order = if interval.as_millis().is_multiple_of(3) { PollOrder::InTurn } else { PollOrder::AtOnce };
    Scenario {
        sinks,
        standbys,
        duration: ms(rng, 5_000..25_000),
        sampling: Sampling {
            interval: ms(rng, 100..1_000),
            channels: rng.u16(1..4),
            backlog: if is_deep { 11_000 } else { rng.usize(0..100) },
            name_bytes: 0,
            err_every: 20,
        },
        ring: RingSettings {
            standby_after: ms(rng, 500..5_000),
            ..Scenario::calm(SimRole::Primary, nodes).ring
        },
        polling: super::scenario::Polling { interval, deadline: ms(rng, 100..2_500), order },
        network: NetworkModel {
            bytes_per_s: one_of(rng, &[None, None, None, Some(100_000), Some(10_000), Some(2_000)], None)
                .filter(|rate| !is_deep || *rate > 2_000),
            ..network(rng, &[1, 5, 60, 400])
        },
        disk: DiskModel {
            piece_max: if is_deep { 2_000 } else { one_of(rng, &[3, 7, 20, 2_000], 20) },
            ..disk(rng, &[1, 20, 300, 1_500], &[0, 5, 200])
        },
        clocks: clocks(rng),
        site: Site {
            has_twins: rng.u8(0..5) == 0,
            polls_itself: rng.u8(0..5) == 0,
            has_two_ways,
            loses_first_way: has_two_ways && rng.bool(),
        },
        ..Scenario::calm(SimRole::Primary, nodes)
    }
}

fn ring(rng: &mut Rng) -> Scenario {
    let is_large = rng.u8(0..50) == 0;
    let nodes = if is_large { rng.usize(8..16) } else { rng.usize(1..=7) };
    let is_deep = rng.u8(0..20) == 0;
    Scenario {
        sinks: rng.usize(1..=nodes.min(3)),
        duration: ms(rng, 3_000..15_000),
        sampling: Sampling {
            interval: ms(rng, 100..1_500),
            channels: rng.u16(1..4),
            backlog: if is_deep { 5_000 } else { rng.usize(0..60) },
            name_bytes: one_of(rng, &[0, 0, 0, 600], 0),
            err_every: 20,
        },
        ring: RingSettings {
            token_hold: ms(rng, 50..600),
            round_interval: Duration::from_secs(1),
            standby_after: ms(rng, 500..5_000),
            makes_token: rng.bool().then(|| HostIx(rng.usize(0..nodes))),
            is_shuffled: rng.bool(),
        },
        network: network(rng, &[1, 1, 5, 40, 90]),
        disk: disk(rng, &[1, 20, 300], &[0, 1]),
        clocks: clocks(rng),
        ..Scenario::calm(SimRole::Ring, nodes)
    }
}

fn network(rng: &mut Rng, latency_ms: &[u64]) -> NetworkModel {
    let most = one_of(rng, latency_ms, 1);
    let is_rough = rng.u8(0..4) == 0;
    NetworkModel {
        latency: Duration::ZERO..=Duration::from_millis(most),
        loss: 0.0,
        duplicate: if is_rough { 0.05 } else { 0.0 },
        reorder: if is_rough { 0.05 } else { 0.0 },
        cut: one_of(rng, &[0.0, 0.1, 1.0], 0.1),
        bytes_per_s: None,
    }
}

fn disk(rng: &mut Rng, sync_ms: &[u64], queue_ms: &[u64]) -> DiskModel {
    DiskModel {
        sync: Duration::ZERO..=Duration::from_millis(one_of(rng, sync_ms, 20)),
        flush_interval: Duration::from_millis(one_of(rng, &[0, 0, 200], 0)),
        queue_max: Duration::from_millis(one_of(rng, queue_ms, 1)),
        piece_max: crate::proto::POLL_MAX_READINGS,
    }
}

fn clocks(rng: &mut Rng) -> ClockModel {
    ClockModel {
        offset_max: Duration::from_secs(one_of(rng, &[0, 1, 1_000_000_000], 0)),
        drift_max_ppm: one_of(rng, &[0, 0, 100, 1_000], 0),
    }
}

/// The kinds of faults, each with the longest time that it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kill,
    Power,
    Flash,
    Pause,
    Partition,
    Cut,
    OneWay,
    Loss,
    Slow,
    Break,
    Vanish,
    Stall,
    DiskFull,
    SlowDisk,
    Unreadable,
    ClockStep,
    Retain,
    Overflow,
    Guest,
}

const COMMON: [Kind; 14] = [
    Kind::Kill,
    Kind::Power,
    Kind::Pause,
    Kind::Partition,
    Kind::Cut,
    Kind::OneWay,
    Kind::Loss,
    Kind::Break,
    Kind::Vanish,
    Kind::Stall,
    Kind::DiskFull,
    Kind::SlowDisk,
    Kind::Unreadable,
    Kind::ClockStep,
];
/// What only polling has been made for: cards that change under a ring, and readings that their source drops.
const POLLED: [Kind; 5] = [Kind::Flash, Kind::Retain, Kind::Overflow, Kind::Guest, Kind::Slow];

fn draw_faults(rng: &mut Rng, scenario: &mut Scenario) {
    let mut kinds = COMMON.to_vec();
    if scenario.role == SimRole::Primary {
        kinds.extend(POLLED);
    }
    rng.shuffle(&mut kinds);
    kinds.truncate(rng.usize(1..=if scenario.role == SimRole::Primary { kinds.len() } else { 4 }));
    let every = ms(rng, 150..2_500);
    let lasting = scenario.duration;
    let mut at = Duration::from_millis(500);
    while at < lasting {
        let kind = one_of(rng, &kinds, Kind::Break);
        if let Some(fault) = draw_fault(rng, kind, scenario) {
            let to = (at + longest(rng, kind)).min(lasting).max(at + Duration::from_millis(1));
            let to = (!fault.is_moment()).then_some(to);
            scenario.faults.push(PlannedFault { from: at, to, fault });
        }
        at += ms(rng, 1..1_000).mul_f64(2.0 * every.as_secs_f64()).max(Duration::from_millis(1));
        at = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
    }
    let may_die = scenario.role == SimRole::Ring && scenario.nodes > 2;
    let host = if scenario.standbys > 0 { HostIx(0) } else { HostIx(rng.usize(0..scenario.nodes)) };
    if (may_die || scenario.standbys > 0) && rng.bool() {
        let from = Duration::from_millis(u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX));
        scenario.faults.push(PlannedFault { from, to: None, fault: Fault::Power(host) });
    }
}

/// How long it lasts.
fn longest(rng: &mut Rng, kind: Kind) -> Duration {
    match kind {
        Kind::Pause | Kind::Stall => ms(rng, 50..4_000),
        Kind::Kill | Kind::Power | Kind::Flash => ms(rng, 20..5_000),
        _ => ms(rng, 50..6_000),
    }
}

fn draw_fault(rng: &mut Rng, kind: Kind, scenario: &Scenario) -> Option<Fault> {
    let nodes = scenario.nodes;
    let host = HostIx(rng.usize(0..nodes));
    let pair = |rng: &mut Rng| {
        let other = (host.0 + rng.usize(1..nodes.max(2))) % nodes;
        (other != host.0).then_some(HostIx(other))
    };
    Some(match kind {
        Kind::Kill => Fault::Kill(host),
        Kind::Power => Fault::Power(host),
        // A card is not changed often.
        Kind::Flash if rng.u8(0..4) == 0 => Fault::Flash(host),
        Kind::Flash => return None,
        Kind::Pause => Fault::Pause(host),
        Kind::Partition => {
            let side = rng.u32(..);
            let (one, other): (Vec<HostIx>, Vec<HostIx>) =
                (0..nodes).map(HostIx).partition(|host| (side >> (host.0 % 32)) & 1 == 0);
            if one.is_empty() || other.is_empty() {
                return None;
            }
            Fault::Partition(vec![one, other])
        }
        Kind::Cut => Fault::Cut(host, pair(rng)?),
        Kind::OneWay => Fault::OneWay(host, pair(rng)?),
        Kind::Loss => Fault::Loss(f64::from(rng.u8(1..40))),
        Kind::Slow => Fault::Slow(rng.u64(2_000..100_000)),
        Kind::Break => Fault::Break(LinkPick::Any),
        Kind::Vanish => Fault::Vanish(LinkPick::Any),
        Kind::Stall => Fault::Stall(LinkPick::Any),
        Kind::DiskFull => Fault::DiskFull(host),
        Kind::SlowDisk => Fault::SlowDisk(host),
        Kind::Unreadable => Fault::Unreadable(host),
        Kind::ClockStep => Fault::ClockStep(host, rng.i64(-3_600_000..3_600_000) * 1_000),
        Kind::Retain => Fault::Retain(host),
        Kind::Overflow => Fault::Overflow(host),
        Kind::Guest => Fault::Guest(host),
    })
}
