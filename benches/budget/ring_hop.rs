//! From one member to the next: a token that never rests, in a ring of 32, beside as many bytes that are passed on by
//! processes that do nothing else.

use std::time::Duration;

use crate::kit::{Row, median};
use crate::ring_bare::{BLOCKING, BareRing, EPOLL, Turn};
use crate::ring_member::Member;
use crate::ring_site::RingSite;

const MEMBERS: usize = 32;
const TURNS: usize = 9;
/// The ring is kept waiting for three of these, which is far less than what makes its members miss the token.
const TURN: Duration = Duration::from_millis(200);
const TARGET: f64 = 1.3;

pub(crate) fn run() {
    // Nothing is measured and nothing committed meanwhile, but for a round each minute.
    let quiet = ["--host=false", "--interval", "60s", "--round-interval", "60s"];
    let mut site = RingSite::new(MEMBERS, &quiet);
    let last = MEMBERS - 1;
    let mut member = Member::start(&site.addresses[last]);
    (0..last).for_each(|at| site.start(at));
    member.wait_for_ring(MEMBERS);
    member.rotations(TURN);
    let bytes = member.line_bytes;
    let mut bare = [(2, BLOCKING), (2, EPOLL), (MEMBERS, EPOLL)]
        .map(|(stations, way)| BareRing::start(stations, bytes, way));
    let (mut ours, mut theirs) = (vec![], [const { Vec::new() }; 3]);
    let (mut our_cpu, mut their_cpu) = (vec![], vec![]);
    for _ in 0..TURNS {
        let before = site.cpu();
        let turn = member.rotations(TURN);
        ours.push(turn.hop_us());
        our_cpu.push(cpu_us(site.cpu() - before, &turn));
        for (bare, hops) in bare.iter_mut().zip(&mut theirs) {
            let before = bare.cpu();
            let turn = bare.rotations(TURN);
            hops.push(turn.hop_us());
            their_cpu.push(cpu_us(bare.cpu() - before, &turn));
        }
    }
    print_cpu(&our_cpu, &their_cpu.into_iter().skip(2).step_by(3).collect::<Vec<_>>());
    let (hop, spread) = median(&ours);
    let names = [
        "bare TCP, two processes, blocking",
        "bare TCP, two processes, epoll",
        "bare TCP, 32 processes, epoll",
    ];
    for ((name, theirs), target) in names.into_iter().zip(theirs).zip([None, Some(TARGET), None]) {
        let (bare, _) = median(&theirs);
        Row {
            what: format!("a hop of the token, ring of {MEMBERS}"),
            ours: hop,
            unit: "us",
            other: Some((name, bare)),
            ratio: Some(hop / bare),
            target: target.map_or_else(String::new, |target| format!("{target} times")),
            is_met: target.map(|target| hop <= target * bare),
            spread,
            note: format!("{bytes} bytes, one way"),
        }
        .print("ring");
    }
}

/// Processor time of a hop, of all who take part but this program.
fn cpu_us(cpu: Duration, turn: &Turn) -> f64 {
    cpu.as_secs_f64() * 1e6 / (turn.hops * (MEMBERS - 1) / MEMBERS) as f64
}

fn print_cpu(ours: &[f64], bare: &[f64]) {
    let ((ours, spread), (bare, _)) = (median(ours), median(bare));
    Row {
        what: format!("processor time of a hop, ring of {MEMBERS}"),
        ours,
        unit: "us",
        other: Some(("bare TCP, 32 processes, epoll", bare)),
        ratio: Some(ours / bare),
        spread,
        note: "of both ends together".into(),
        ..Row::default()
    }
    .print("ring");
}
