//! Stations over links that lose and double messages, and break: a terminal, a pilot below it, a camera below that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::proto::contract::for_seeds;

/// A message takes so long.
const DELAY: Duration = Duration::from_millis(3);
const SECOND: Duration = Duration::from_secs(1);

struct Net {
    stations: BTreeMap<&'static str, Watched<Station>>,
    /// Each end of a link: whose it is, and the other end.
    ends: BTreeMap<LinkId, (&'static str, LinkId)>,
    on_the_way: BTreeMap<(Instant, u64), (LinkId, Routed)>,
    /// Nobody reaches the terminal.
    is_cut: bool,
    next: u64,
    rng: fastrand::Rng,
    lost_in_100: u8,
    doubled_in_100: u8,
    /// What the terminal was given, in order: the numbers of the messages.
    given: Vec<u64>,
    given_up: BTreeSet<String>,
    orders: Vec<StationOrder>,
    complaints: Vec<String>,
}

impl Net {
    fn new(seed: u64) -> Self {
        let stations = [("T", None), ("pi", Some("T")), ("cam", Some("pi"))];
        Self {
            stations: stations.into_iter().map(|(id, above)| (id, station(id, above))).collect(),
            ends: BTreeMap::new(),
            on_the_way: BTreeMap::new(),
            is_cut: false,
            next: 1,
            rng: fastrand::Rng::with_seed(seed),
            lost_in_100: 0,
            doubled_in_100: 0,
            given: Vec::new(),
            given_up: BTreeSet::new(),
            orders: Vec::new(),
            complaints: Vec::new(),
        }
    }

    fn at(&self, id: &str) -> &Station {
        self.stations[id].machine()
    }

    fn now(&self) -> Instant {
        self.stations["T"].now()
    }

    fn input(&mut self, id: &'static str, input: impl FnOnce(&mut Station, Now)) {
        let outputs = self.stations.get_mut(id).unwrap().input(input);
        self.carry_out(id, outputs);
    }

    fn carry_out(&mut self, id: &'static str, outputs: Vec<StationOutput>) {
        for output in outputs {
            match output {
                StationOutput::Connect => self.connect(id),
                StationOutput::Send(link, routed) => self.put(link, routed),
                StationOutput::Readings { values, .. } => {
                    assert_eq!(id, "T");
                    self.given.extend(values.iter().map(|v| v.value.unwrap() as u64));
                }
                StationOutput::Report(StationReport::GivenUp { id, .. }) => {
                    self.given_up.insert(id);
                }
                StationOutput::Report(StationReport::Complaint { text, .. }) => self.complaints.push(text),
                StationOutput::Order(asker, order) => {
                    let answers = order == StationOrder::Latest && id == "T";
                    self.orders.push(order);
                    let answer = answers.then(|| ("LATEST", json!({"x": 1})));
                    self.input(id, |s, now| s.answer(now, &asker, Ok(answer)));
                }
                StationOutput::Disconnect(_)
                | StationOutput::Close(..)
                | StationOutput::Read { .. }
                | StationOutput::Report(_) => {}
            }
        }
    }

    fn connect(&mut self, id: &'static str) {
        let above = if id == "cam" { "pi" } else { "T" };
        if self.is_cut && above == "T" {
            return self.input(id, |s, now| s.above_failed(now, "no route"));
        }
        let (lower, upper) = (LinkId(self.next), LinkId(self.next + 1));
        self.next += 2;
        self.ends.insert(lower, (id, upper));
        self.ends.insert(upper, (above, lower));
        self.input(above, |s, now| s.introduced(now, upper, id));
        self.input(id, |s, now| s.above_up(now, lower));
    }

    fn put(&mut self, link: LinkId, routed: Routed) {
        if self.rng.u8(..100) < self.lost_in_100 {
            return;
        }
        let Some((_, other)) = self.ends.get(&link).copied() else { return };
        let copies = 1 + u64::from(self.rng.u8(..100) < self.doubled_in_100);
        for _ in 0..copies {
            self.next += 1;
            self.on_the_way.insert((self.now() + DELAY, self.next), (other, routed.clone()));
        }
    }

    /// Breaks all links to the terminal, with what is on them.
    fn cut(&mut self) {
        self.is_cut = true;
        let is_terminals = |link: &LinkId| self.ends.get(link).is_some_and(|(id, _)| *id == "T");
        let broken = self.ends.iter().filter(|(link, (_, other))| is_terminals(link) || is_terminals(other));
        let broken: Vec<LinkId> = broken.map(|(link, _)| *link).collect();
        for link in broken {
            if let Some((id, _)) = self.ends.remove(&link) {
                self.input(id, |s, now| {
                    s.link_down(now, link, "cut");
                });
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now() + time;
        for _ in 0..1_000_000 {
            let due = |station: &Watched<Station>| station.machine().poll_timeout().map(|(due, _)| due);
            let timer = self.stations.values().filter_map(due).min();
            let message = self.on_the_way.keys().next().copied();
            let next = timer.into_iter().chain(message.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.advance(next);
            if let Some(first) = message.filter(|(at, _)| *at <= next) {
                let (link, routed) = self.on_the_way.remove(&first).unwrap();
                if let Some((id, _)) = self.ends.get(&link).copied() {
                    self.input(id, |s, now| s.message(now, link, routed));
                }
                continue;
            }
            let ids: Vec<&'static str> = self.stations.keys().copied().collect();
            for id in ids {
                let station = self.stations.get_mut(id).unwrap();
                if due(station).is_some_and(|due| due <= next) {
                    let outputs = station.timeout();
                    self.carry_out(id, outputs);
                }
            }
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Instant) {
        let to = to.max(self.now());
        self.stations.values_mut().for_each(|station| station.advance(to));
    }

    fn data(&mut self, number: u64) {
        self.data_of("cam", number);
    }

    fn data_of(&mut self, id: &'static str, number: u64) {
        self.input(id, |s, now| {
            s.send(now, "T", "DATA", json!({"n": number}));
        });
    }
}

#[test]
fn receipts_go_from_end_to_end_over_two_hops() {
    let mut net = Net::new(1);
    net.run(SECOND);
    let (confirmed, passed_on) = (net.at("cam").counts.confirmed, net.at("pi").counts.passed_on);
    net.data(7);
    net.run(SECOND);
    assert_eq!(net.given, [7]);
    assert_eq!(net.at("cam").counts.confirmed, confirmed + 1);
    assert_eq!(net.at("pi").counts.passed_on, passed_on + 2, "the message and its receipt");
    assert_eq!((net.at("cam").outbox.len(), net.given_up.len()), (0, 0));
    assert_eq!(net.at("pi").counts.repeated_to_us, 0);
}

#[test]
fn an_answer_and_a_refusal_find_their_way_back() {
    let mut net = Net::new(1);
    net.run(SECOND);
    net.input("cam", |s, now| {
        s.send(now, "T", "LATEST", Json::Null);
        s.send(now, "T", "KILL", Json::Null);
    });
    net.run(SECOND);
    assert_eq!(
        net.orders,
        [StationOrder::Latest, StationOrder::Latest],
        "the answer is a message of its key"
    );
    assert!(net.complaints[0].contains("--allow KILL"), "{:?}", net.complaints);
    // The terminal reaches the camera, of which it knows only through the pilot.
    net.input("T", |s, now| {
        s.send(now, "cam", "STOP", Json::Null);
    });
    net.run(SECOND);
    assert_eq!(net.orders.last(), Some(&StationOrder::Stop));
    assert_eq!(net.at("T").outbox.len(), 0);
}

#[test]
fn what_is_lost_is_repeated_and_what_is_doubled_is_taken_once() {
    for_seeds(60, |seed| {
        let mut net = Net::new(seed);
        net.run(SECOND);
        (net.lost_in_100, net.doubled_in_100) = (15, 20);
        for number in 0..40 {
            net.data(number);
            net.run(SECOND / 4);
        }
        net.run(30 * SECOND);
        let distinct: BTreeSet<u64> = net.given.iter().copied().collect();
        assert_eq!(distinct.len(), net.given.len(), "none is taken twice: {:?}", net.given);
        let lost: Vec<u64> = (0..40).filter(|number| !distinct.contains(number)).collect();
        assert!(lost.len() <= net.given_up.len(), "{lost:?} lost, only {:?} given up", net.given_up);
        assert!(net.at("cam").counts.repeated_to_us + net.at("T").counts.repeated_to_us > 0);
        assert_eq!(net.at("cam").outbox.len(), 0, "nothing waits for ever");
    });
}

#[test]
fn after_a_break_all_comes_in_order() {
    let mut net = Net::new(3);
    net.run(SECOND);
    net.cut();
    (0..20).for_each(|number| net.data_of("pi", number));
    net.run(3 * SECOND);
    assert!(net.given.is_empty());
    net.is_cut = false;
    net.run(20 * SECOND);
    assert_eq!(net.given, (0..20).collect::<Vec<_>>());
    assert_eq!(net.given_up.len(), 0, "{:?}", net.given_up);
}

#[test]
fn a_longer_break_ends_the_tries_and_nothing_goes_round_in_circles() {
    let mut net = Net::new(4);
    net.run(SECOND);
    net.cut();
    net.data(1);
    net.data_of("pi", 2);
    net.run(90 * SECOND);
    assert!(net.given_up.iter().any(|id| id.starts_with("cam_")), "{:?}", net.given_up);
    assert!(net.given_up.iter().any(|id| id.starts_with("pi_")), "{:?}", net.given_up);
    net.is_cut = false;
    net.run(20 * SECOND);
    net.given_up.clear();
    net.input("cam", |s, now| {
        s.send(now, "nobody", "PING", Json::Null);
    });
    let passed_on = net.at("pi").counts.passed_on;
    net.run(30 * SECOND);
    assert_eq!(net.at("pi").counts.passed_on - passed_on, 2, "two tries, and nothing comes back");
    assert!(net.given_up.iter().any(|id| id.starts_with("cam_")));
}
