//! How long a ring of five with default settings needs until those who are left are a ring again: a member is killed,
//! one stands still, the one that has the token is killed, or stands still with it.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::kit::{Row, WAIT_MAX, median, wait_until};
use crate::ring_site::RingSite;

const MEMBERS: usize = 5;
/// Rings at once; each breaks in every way.
const RINGS: usize = 4;
const TARGET_S: f64 = 2.0;
const LOOK_EVERY: Duration = Duration::from_millis(4);
/// The token goes on between the look at who has it and the signal, now and then.
const TRIES_MAX: usize = 10;
/// Where the token rests: the sink.
const SINK: usize = 0;
/// Who has it hardly ever, and is not the sink's neighbour.
const OTHER: usize = 3;

#[derive(Clone, Copy)]
struct Fault {
    what: &'static str,
    /// The victim has the token: then it is the sink.
    holds: bool,
    signal: Signal,
    /// What docs/ring.md derives, in seconds, without the messages' own times.
    bound_s: f64,
}

const FAULTS: [Fault; 4] = [
    Fault { what: "a killed member is skipped", holds: false, signal: Signal::KILL, bound_s: 0.0 },
    Fault { what: "a member that stands still is skipped", holds: false, signal: Signal::STOP, bound_s: 0.9 },
    Fault {
        what: "the token of a killed member is replaced",
        holds: true,
        signal: Signal::KILL,
        bound_s: 0.4,
    },
    Fault {
        what: "the token of one that stands still is replaced",
        holds: true,
        signal: Signal::STOP,
        bound_s: 1.55,
    },
];

pub(crate) fn run() {
    let times: Vec<[Duration; 4]> = std::thread::scope(|scope| {
        let rings: Vec<_> = (0..RINGS).map(|_| scope.spawn(heal)).collect();
        rings.into_iter().map(|ring| ring.join().expect("a ring")).collect()
    });
    for (at, fault) in FAULTS.into_iter().enumerate() {
        let seconds: Vec<f64> = times.iter().map(|ring| ring[at].as_secs_f64()).collect();
        let (middle, spread) = median(&seconds);
        let most = seconds.iter().copied().fold(0.0, f64::max);
        Row {
            what: format!("{}, ring of {MEMBERS}", fault.what),
            ours: middle,
            unit: "s",
            target: "2 s".into(),
            is_met: Some(most < TARGET_S),
            spread,
            note: format!(
                "until all others are one ring; at most {most:.2} s of {RINGS}; by docs/ring.md {:.2} s and the \
                 rotation that tells it",
                fault.bound_s
            ),
            ..Row::default()
        }
        .print("ring");
    }
}

/// One ring, broken in each way in turn; what was broken comes back each time.
fn heal() -> [Duration; 4] {
    let mut site = RingSite::new(MEMBERS, &["--host=false"]);
    (0..MEMBERS).for_each(|at| site.start(at));
    FAULTS.map(|fault| {
        for _ in 0..TRIES_MAX {
            if let Some(took) = once(&mut site, fault) {
                return took;
            }
        }
        panic!("{}: the token was elsewhere {TRIES_MAX} times", fault.what);
    })
}

/// Breaks the ring once, and waits until it is whole without the victim; then the victim comes back. `None` where the
/// token was elsewhere than it was to be.
fn once(site: &mut RingSite, fault: Fault) -> Option<Duration> {
    let victim = if fault.holds { SINK } else { OTHER };
    let all = site.running();
    let left: Vec<usize> = all.iter().copied().filter(|at| *at != victim).collect();
    site.wait_for_ring(&all, MEMBERS);
    let has_skipped = |site: &RingSite| {
        let nodes = left.iter().filter_map(|at| site.nodes[*at].as_ref());
        nodes.flat_map(|node| node.log.try_iter()).filter(|line| line.contains("is skipped")).count() > 0
    };
    has_skipped(site);
    wait_until("the victim has the token, or has not", || {
        (site.ring(victim)["state"] == "holding") == fault.holds
    });
    site.nodes[victim].as_ref().expect("it runs").signal(fault.signal);
    let begin = Instant::now();
    while !site.is_ring(&left, MEMBERS - 1) {
        assert!(begin.elapsed() < WAIT_MAX, "{}: not within {WAIT_MAX:?}", fault.what);
        std::thread::sleep(LOOK_EVERY);
    }
    let took = begin.elapsed();
    if fault.signal == Signal::STOP {
        site.nodes[victim].as_ref().expect("it runs").signal(Signal::CONT);
    } else {
        site.nodes[victim] = None;
        site.start(victim);
    }
    // A token that is lost is claimed; only one that comes to a dead successor skips him.
    (has_skipped(site) != fault.holds).then_some(took)
}
