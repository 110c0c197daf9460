//! Turns: when a standby collects, when it gives way, and what moves nothing.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::proto::contract::{Watched, for_seeds};

const AFTER: Duration = Duration::from_secs(5);
const MS: Duration = Duration::from_millis(1);
/// The longest that it may take to find somebody who is back: an attempt that is silent, and the longest back-off.
const FOUND: Duration = Duration::from_millis(2_500);

const PRIMARY: SinkPlace = SinkPlace { rank: 0, part: SinkPart::Acts };

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

/// One of those before the standby, as it is at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Far {
    /// Its machine says that nobody listens.
    Refuses,
    /// Nothing comes back.
    Silent,
    /// It answers, with this place in the order of sinks.
    Says(Option<SinkPlace>),
}

/// A standby, and those before it.
struct Rig {
    machine: Watched<Standby>,
    far: Vec<Far>,
    next_link: u64,
    /// When turns began (true) and ended.
    turns: Vec<(Instant, bool)>,
    reports: Vec<StandbyReport>,
}

impl Rig {
    fn new(far: &[Far]) -> Self {
        let before = (0..far.len()).map(|n| (format!("10.0.0.{n}:7000"), None)).collect();
        let config = StandbyConfig { own: name("own"), before, standby_after: AFTER, seed: 1 };
        let machine = Watched::new(Standby::new(config, Instant::ZERO), Instant::ZERO);
        Self { machine, far: far.to_vec(), next_link: 1, turns: Vec::new(), reports: Vec::new() }
    }

    fn now(&self) -> Instant {
        self.machine.now()
    }

    fn acts(&self) -> bool {
        self.machine.machine().acts()
    }

    /// Lets time pass; those before it answer at once, or not at all.
    fn run(&mut self, time: Duration) {
        let until = self.now() + time;
        while let Some((due, _)) = self.machine.machine().poll_timeout().filter(|(due, _)| *due <= until) {
            self.machine.advance(due.max(self.now()));
            let outputs = self.machine.timeout();
            self.carry_out(outputs);
        }
        self.machine.advance(until);
    }

    fn input(&mut self, input: impl FnOnce(&mut Standby, Instant)) {
        let outputs = self.machine.input(|machine, now| input(machine, now.mono));
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Vec<StandbyOutput>) {
        for output in outputs {
            match output {
                StandbyOutput::Connect(ix) => match self.far[ix.0] {
                    Far::Refuses => self.input(|machine, now| machine.link_failed(now, ix, "refused")),
                    Far::Silent => {}
                    Far::Says(_) => {
                        let link = LinkId(self.next_link);
                        self.next_link += 1;
                        self.input(|machine, now| machine.link_up(now, ix, link));
                    }
                },
                StandbyOutput::Send(link, id, body) => {
                    assert_eq!(body, Body::Ping);
                    let ix = self.machine.machine().links[&link];
                    if let Far::Says(place) = self.far[ix.0] {
                        let (id, node) = (id.to_string(), Some(name(&format!("pi-{}", ix.0))));
                        self.input(|machine, now| machine.pong(now, link, &id, node, place));
                    }
                }
                StandbyOutput::Report(report) => {
                    match report {
                        StandbyReport::Acts { .. } => self.turns.push((self.now(), true)),
                        StandbyReport::GivesWay { .. } => self.turns.push((self.now(), false)),
                        _ => {}
                    }
                    self.reports.push(report);
                }
                StandbyOutput::Disconnect(..) | StandbyOutput::NotePeer(..) => {}
            }
        }
    }

    /// One before it changes; a link to it breaks when its machine says so.
    fn set(&mut self, at: usize, far: Far) {
        self.far[at] = far;
        let link = self.machine.machine().before[at].link();
        if let (Far::Refuses, Some(link)) = (far, link) {
            self.input(|machine, now| assert!(machine.link_down(now, link, "reset")));
        }
    }
}

#[test]
fn it_collects_when_the_primary_has_been_silent_for_long_enough_and_not_before() {
    for death in [Far::Refuses, Far::Silent, Far::Says(None)] {
        let mut rig = Rig::new(&[Far::Says(Some(PRIMARY))]);
        rig.run(Duration::from_millis(60_700));
        assert_eq!((rig.turns.len(), rig.machine.machine().place().part), (0, SinkPart::Hears));
        let died_at = rig.now();
        rig.set(0, death);
        rig.run(AFTER + MS);
        let [(began_at, true)] = rig.turns[..] else { panic!("{death:?}: {:?}", rig.turns) };
        // It had last heard of it up to one interval before.
        let took = began_at.saturating_since(died_at);
        assert!(took <= AFTER && took >= AFTER * 4 / 5, "{death:?}: {took:?}");
        assert_eq!(rig.machine.machine().place(), SinkPlace { rank: 1, part: SinkPart::Acts });
    }
}

#[test]
fn a_standby_that_never_heard_of_a_sink_collects_after_its_time() {
    let mut rig = Rig::new(&[Far::Silent]);
    rig.run(Duration::from_secs(60));
    assert_eq!(rig.turns, [(Instant::ZERO + AFTER, true)]);
}

#[test]
fn it_gives_way_to_one_who_is_back_for_good() {
    for death in [Far::Refuses, Far::Silent, Far::Says(None)] {
        let mut rig = Rig::new(&[death]);
        rig.run(Duration::from_secs(60));
        assert!(rig.acts());
        let back_at = rig.now();
        rig.set(0, Far::Says(Some(PRIMARY)));
        rig.run(AFTER - MS);
        assert!(rig.acts(), "not before it has been steady");
        rig.run(Duration::from_secs(60));
        let [_, (ended_at, false)] = rig.turns[..] else { panic!("{death:?}: {:?}", rig.turns) };
        let took = ended_at.saturating_since(back_at);
        assert!(took <= FOUND + AFTER + AFTER / 5, "{death:?}: {took:?}");
    }
}

#[test]
fn a_primary_that_is_away_for_less_than_the_time_moves_nothing() {
    let mut rig = Rig::new(&[Far::Says(Some(PRIMARY))]);
    for _ in 0..100 {
        rig.run(Duration::from_millis(2_000));
        rig.set(0, Far::Refuses);
        rig.run(Duration::from_millis(3_000));
        rig.set(0, Far::Says(Some(PRIMARY)));
    }
    assert_eq!(rig.turns, []);
    // The same of one who is dead, and now and then back for a moment.
    rig.set(0, Far::Refuses);
    rig.run(Duration::from_secs(60));
    for _ in 0..100 {
        rig.set(0, Far::Says(Some(PRIMARY)));
        rig.run(Duration::from_millis(4_900));
        rig.set(0, Far::Refuses);
        rig.run(Duration::from_millis(100));
    }
    assert_eq!(rig.turns.len(), 1, "{:?}", rig.turns);
}

proptest! {
    #[test]
    fn each_turn_has_its_reason_whoever_comes_and_goes(
        times in prop::collection::vec((50_u32..12_000, 50_u32..12_000, any::<bool>()), 1..30),
    ) {
        let mut rig = Rig::new(&[Far::Says(Some(PRIMARY))]);
        let mut ups: Vec<(Instant, Instant)> = Vec::new();
        for (up_ms, down_ms, is_silent) in times {
            let from = rig.now();
            rig.set(0, Far::Says(Some(PRIMARY)));
            rig.run(MS * up_ms);
            ups.push((from, rig.now()));
            rig.set(0, if is_silent { Far::Silent } else { Far::Refuses });
            // A silence between two questions is none.
            rig.run(MS * down_ms + if is_silent { AFTER / 5 } else { Duration::ZERO });
        }
        // At most one change each way for each time that it goes and comes.
        prop_assert!(rig.turns.len() <= 2 * ups.len(), "{:?}", rig.turns);
        for pair in rig.turns.windows(2) {
            prop_assert!(pair[1].0 >= pair[0].0 + AFTER, "too soon after one another: {:?}", pair);
        }
        for &(at, begins) in &rig.turns {
            let window = at - AFTER;
            // How long it was up without a break, of that time.
            let up = |&(from, to): &(Instant, Instant)| to.min(at).saturating_since(from.max(window));
            let longest = ups.iter().map(up).max().unwrap_or_default();
            if begins {
                prop_assert!(longest <= FOUND + AFTER / 5, "it begins at {at:?} though it was up for {longest:?}");
            } else {
                prop_assert_eq!(longest, AFTER, "it ends at {:?}", at);
            }
        }
    }
}

#[test]
fn a_second_standby_leaves_the_first_its_turn_and_takes_it_when_that_is_dead_too() {
    let place = |part| Far::Says(Some(SinkPlace { rank: 1, part }));
    // The first lives, and will collect.
    let mut rig = Rig::new(&[Far::Refuses, place(SinkPart::Waits)]);
    rig.run(AFTER + MS);
    assert!(!rig.acts());
    rig.set(1, place(SinkPart::Acts));
    rig.run(Duration::from_secs(60));
    assert_eq!(rig.turns, []);
    // The first does not reach this one's primary, but hears of it, as this one does through it.
    rig.set(1, place(SinkPart::Hears));
    rig.run(Duration::from_secs(60));
    assert_eq!((rig.turns.len(), rig.machine.machine().place().part), (0, SinkPart::Hears));
    // It lives and waits, and never gets further.
    rig.set(1, place(SinkPart::Waits));
    rig.run(2 * AFTER - AFTER / 5 - MS);
    assert_eq!(rig.turns, []);
    rig.run(AFTER / 5 + MS);
    assert!(rig.acts());
    // Back in order.
    rig.set(1, place(SinkPart::Acts));
    rig.run(AFTER + FOUND + AFTER / 5);
    assert!(!rig.acts());
    rig.set(1, Far::Refuses);
    rig.run(AFTER + MS);
    assert!(rig.acts(), "both are dead");
}

#[test]
fn a_first_standby_that_starts_again_and_again_does_not_keep_the_second_waiting_for_ever() {
    let mut rig = Rig::new(&[Far::Refuses, Far::Refuses]);
    for _ in 0..4 {
        rig.set(1, Far::Says(Some(SinkPlace { rank: 1, part: SinkPart::Waits })));
        rig.run(Duration::from_millis(2_000));
        rig.set(1, Far::Refuses);
        rig.run(Duration::from_millis(1_000));
    }
    assert!(rig.acts());
}

#[test]
fn who_cannot_be_before_it_is_told_once_and_not_waited_for() {
    let mut rig = Rig::new(&[Far::Says(None), Far::Says(Some(SinkPlace { rank: 2, part: SinkPart::Hears }))]);
    rig.run(Duration::from_secs(60));
    assert_eq!(rig.turns, [(Instant::ZERO + AFTER, true)]);
    let odd: Vec<String> =
        rig.reports.iter().filter(|report| report.is_warning()).map(ToString::to_string).collect();
    assert_eq!(odd.len(), 3, "{odd:?}");
    assert!(odd[0].contains("pi-0 (10.0.0.0:7000)") && odd[0].contains("look at its role"), "{odd:?}");
    assert!(odd[1].contains("stands at place 2") && odd[1].contains("the same order"), "{odd:?}");
    assert!(odd[2].contains("standby 2 takes the sink's place"), "{odd:?}");
    let status = rig.machine.machine().status();
    assert_eq!((status["acts"].as_bool(), &status["watches"][0]["state"]), (Some(true), &json!("no sink")));
    assert_eq!(status["findings"].as_array().map(Vec::len), Some(2));
}

#[test]
fn it_does_not_give_way_to_itself() {
    let mut rig = Rig::new(&[Far::Refuses]);
    rig.run(Duration::from_secs(10));
    rig.input(|machine, now| machine.link_up(now, PeerIx(0), LinkId(900)));
    for id in 1..100 {
        rig.run(AFTER / 5);
        let own = Some(name("own"));
        rig.input(|machine, now| machine.pong(now, LinkId(900), &id.to_string(), own, Some(PRIMARY)));
    }
    assert!(rig.acts());
}

#[test]
fn it_keeps_the_contract_whatever_comes() {
    for_seeds(200, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut rig = Rig::new(&[Far::Silent; 3]);
        for _ in 0..300 {
            let (ix, link) = (PeerIx(rng.usize(0..4)), LinkId(rng.u64(1..6)));
            let place = SinkPlace { rank: rng.u8(0..4), part: SinkPart::ALL[rng.usize(0..3)] };
            let (id, node) = (rng.u8(0..40).to_string(), name(["own", "pi-1", "pi-2"][rng.usize(0..3)]));
            match rng.u8(0..5) {
                0 => drop(rig.machine.input(|machine, now| machine.link_up(now.mono, ix, link))),
                1 => drop(rig.machine.input(|machine, now| machine.link_failed(now.mono, ix, "refused"))),
                2 => drop(rig.machine.input(|machine, now| {
                    machine.link_down(now.mono, link, "reset");
                })),
                _ => drop(rig.machine.input(|machine, now| {
                    machine.pong(now.mono, link, &id, Some(node), rng.bool().then_some(place));
                })),
            }
            let until = rig.now() + MS * rng.u32(0..3_000);
            rig.machine.run_until(until);
            rig.machine.timeout();
            assert!(rig.machine.machine().links.len() <= 3);
        }
    });
}
