//! Rounds, links and names. Polling one after the other is in `in_turn`, what is taken of journals in `taking`, what
//! peers may lie in `liars`, their clocks in `clocks`.

use std::sync::Arc;

use super::*;
use crate::model::{BootId, Channel, Pack, PollRequest, WallTime};
use crate::proto::POLL_MAX_READINGS;
use crate::proto::contract::{Watched, at};
use crate::proto::journals::{UNCOMMITTED_MAX, UNCOMMITTED_TOTAL_MAX};

#[path = "primary_clocks_tests.rs"]
mod clocks;
#[path = "primary_in_turn_tests.rs"]
mod in_turn;
#[path = "primary_liars_tests.rs"]
mod liars;
#[path = "primary_taking_tests.rs"]
mod taking;

const MS: Duration = Duration::from_millis(1);
const INTERVAL: Duration = Duration::from_millis(1_000);
const DEADLINE: Duration = Duration::from_millis(400);
const OWN: JournalId = JournalId(0xffff);

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn config(peers: usize) -> PrimaryConfig {
    PrimaryConfig {
        own: (name("sink"), OWN),
        peers: (0..peers).map(|n| (format!("10.0.0.{n}:7000"), None)).collect(),
        cursors: BTreeMap::new(),
        poll_interval: INTERVAL,
        deadline: DEADLINE,
        order: PollOrder::AtOnce,
        last_round: 0,
        seed: 1,
    }
}

/// A primary, and what stands at the other end of each of its links.
struct Rig {
    machine: Watched<Primary>,
    outputs: Vec<PrimaryOutput>,
    next_link: u64,
}

/// A node as its primary sees it: peer `n` is node `pi-n` with journal `n + 1`.
#[derive(Clone)]
struct Far {
    node: NodeName,
    journal: JournalId,
    last: u64,
}

fn far(n: usize, last: u64) -> Far {
    Far { node: name(&format!("pi-{n}")), journal: JournalId(n as u64 + 1), last }
}

#[derive(Clone, Debug)]
struct Sent {
    link: LinkId,
    id: u64,
    poll: PollRequest,
}

impl Rig {
    /// All links stand, nothing is answered yet.
    fn up(config: PrimaryConfig) -> Self {
        let peers = config.peers.len();
        let mut rig = Self::new(config);
        rig.timeout();
        for ix in 0..peers {
            rig.link_up(ix);
        }
        rig
    }

    fn new(config: PrimaryConfig) -> Self {
        let machine = Watched::new(Primary::new(config, Instant::ZERO), Instant::ZERO);
        Self { machine, outputs: Vec::new(), next_link: 100 }
    }

    fn input(&mut self, input: impl FnOnce(&mut Primary, Now)) {
        self.outputs.extend(self.machine.input(input));
    }

    fn timeout(&mut self) {
        self.outputs.extend(self.machine.timeout());
    }

    fn run(&mut self, time: Duration) {
        let until = self.machine.now() + time;
        self.outputs.extend(self.machine.run_until(until));
    }

    fn link_up(&mut self, ix: usize) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.input(|m, now| m.link_up(now, PeerIx(ix), link));
        link
    }

    fn link_of(&self, ix: usize) -> LinkId {
        self.machine.machine().peers[ix].link().expect("a link")
    }

    fn link_down(&mut self, ix: usize) {
        let link = self.link_of(ix);
        self.input(|m, now| assert!(m.link_down(now, link, "reset")));
    }

    /// The last poll on the link of peer `ix`, whether answered or not.
    fn asked(&self, ix: usize) -> Sent {
        let link = self.link_of(ix);
        self.polls().into_iter().rfind(|sent| sent.link == link).expect("a poll")
    }

    fn polls(&self) -> Vec<Sent> {
        let poll = |output: &PrimaryOutput| match output {
            PrimaryOutput::Send(link, id, Body::Poll(poll)) => {
                Some(Sent { link: *link, id: *id, poll: poll.clone() })
            }
            _ => None,
        };
        self.outputs.iter().filter_map(poll).collect()
    }

    fn takes(&self) -> Vec<&Readings> {
        let mut takes = Vec::new();
        for output in &self.outputs {
            if let PrimaryOutput::Take(readings) = output {
                takes.push(readings);
            }
        }
        takes
    }

    /// Number, down and length of each round that ended.
    fn rounds(&self) -> Vec<(u64, Vec<&str>, Duration)> {
        let mut rounds = Vec::new();
        for output in &self.outputs {
            if let PrimaryOutput::Report(PrimaryReport::Round { number, down, took, .. }) = output {
                rounds.push((*number, down.iter().map(NodeName::as_str).collect(), *took));
            }
        }
        rounds
    }

    fn reports(&self, matches: impl Fn(&PrimaryReport) -> bool) -> usize {
        let is = |output: &&PrimaryOutput| matches!(output, PrimaryOutput::Report(report) if matches(report));
        self.outputs.iter().filter(is).count()
    }

    fn connects(&self) -> usize {
        self.outputs.iter().filter(|output| matches!(output, PrimaryOutput::Connect(_))).count()
    }

    fn give(&mut self, ix: usize, readings: Readings) {
        let link = self.link_of(ix);
        self.input(|m, now| m.readings(now, link, readings));
    }

    /// The peer answers the last poll as an honest node would, with at most `most` readings.
    fn answer_with(&mut self, ix: usize, far: &Far, most: u64) {
        let sent = self.asked(ix);
        self.give(ix, honest(far, &sent, most));
    }

    fn answer(&mut self, ix: usize, far: &Far) {
        self.answer_with(ix, far, u64::MAX);
    }

    /// Peer `ix` is up and known: its journal's name has been asked for and given, and the next poll answered.
    fn meet(&mut self, ix: usize, far: &Far) {
        self.answer(ix, far);
        if far.last > 0 {
            self.answer(ix, far);
        }
    }

    fn taken(&mut self, journal: JournalId, cursor: u64) {
        self.input(|m, now| m.taken(now, journal, Seq(cursor)));
    }
}

fn honest(far: &Far, sent: &Sent, most: u64) -> Readings {
    let known = sent.poll.journal == Some(far.journal);
    let after = if known { sent.poll.after.0 } else { 0 };
    let count = if known { (far.last - after).min(u64::from(sent.poll.max)).min(most) } else { 0 };
    Readings {
        re: sent.id.to_string(),
        node: far.node.clone(),
        journal: far.journal,
        boot: BootId(1),
        after: Seq(after),
        first: Seq(after + 1),
        last: Seq(far.last),
        clock: None,
        mark: None,
        pack: pack(count),
    }
}

fn pack(count: u64) -> Pack {
    let channel = Channel { node: name("pi"), chip: "c".into(), quantity: "q".into(), unit: String::new() };
    let channel = Arc::new(channel);
    let mut pack = Pack::default();
    for _ in 0..count {
        pack.push(&channel, WallTime::default(), Instant::ZERO, Ok(1.0));
    }
    pack
}

#[test]
fn all_peers_are_asked_at_once_and_the_round_ends_with_the_last_answer() {
    let mut rig = Rig::up(config(3));
    assert_eq!(rig.polls().len(), 3);
    assert!(rig.polls().iter().all(|sent| sent.poll.journal.is_none() && sent.poll.taken == Seq::ZERO));
    for (ix, wait) in [(2, 10), (0, 20), (1, 30)] {
        assert_eq!(rig.rounds(), []);
        rig.run(wait * MS);
        rig.answer(ix, &far(ix, 0));
    }
    assert_eq!(rig.rounds(), [(1, vec![], 60 * MS)]);
    let record = rig.outputs.iter().find_map(|output| match output {
        PrimaryOutput::AddRound(record) => Some(record),
        _ => None,
    });
    let Now { mono, wall: time } = at(Instant::from_micros(60_000));
    assert_eq!(record, Some(&RoundRecord { number: 1, time, mono, nodes: 4, answered: 4, down: vec![] }));
    rig.run(INTERVAL);
    assert_eq!(rig.polls().len(), 6);
}

#[test]
fn a_round_ends_at_its_deadline_and_only_those_who_did_not_answer_are_down() {
    let mut rig = Rig::up(config(3));
    rig.answer(0, &far(0, 0));
    rig.answer(2, &far(2, 0));
    rig.run(DEADLINE - MS);
    assert_eq!(rig.rounds(), []);
    rig.run(MS);
    // It has never been seen: its address stands for its name.
    assert_eq!(rig.rounds(), [(1, vec!["10.0.0.1_7000"], DEADLINE)]);
}

#[test]
fn a_late_answer_is_taken_though_its_round_is_over() {
    let mut rig = Rig::up(config(2));
    rig.answer(0, &far(0, 0));
    rig.answer(1, &far(1, 3));
    let late = rig.asked(1);
    assert_eq!(late.poll.journal, Some(JournalId(2)));
    rig.run(INTERVAL);
    rig.answer(0, &far(0, 0));
    rig.run(DEADLINE);
    assert_eq!(rig.rounds()[1], (2, vec!["pi-1"], DEADLINE));
    rig.give(1, honest(&far(1, 3), &late, 9));
    assert_eq!(rig.takes().len(), 1);
    assert_eq!(rig.takes()[0].through(), Seq(3));
    assert_eq!(rig.rounds().len(), 2);
    // It counts neither for the round that it missed nor for the next, in which it says nothing.
    rig.run(INTERVAL - DEADLINE);
    rig.answer(0, &far(0, 0));
    rig.run(DEADLINE);
    assert_eq!(rig.rounds()[2], (3, vec!["pi-1"], DEADLINE));
    // An answer to the second round's poll that comes in the fourth is an answer in the fourth.
    rig.run(INTERVAL - DEADLINE);
    rig.answer(0, &far(0, 0));
    rig.answer(1, &far(1, 3));
    assert_eq!(rig.rounds()[3], (4, vec![], Duration::ZERO));
}

#[test]
fn a_round_that_began_late_is_over_when_the_next_begins() {
    let mut rig = Rig::up(PrimaryConfig { deadline: INTERVAL, ..config(1) });
    rig.run(INTERVAL - MS);
    rig.machine.advance(Instant::ZERO + INTERVAL + 300 * MS);
    rig.timeout();
    rig.run(700 * MS);
    let times: Vec<_> = rig.rounds().iter().map(|(number, _, took)| (*number, *took)).collect();
    assert_eq!(times, [(1, INTERVAL + 300 * MS), (2, 700 * MS)]);
}

#[test]
fn dead_peers_hold_up_no_round() {
    let mut rig = Rig::new(config(3));
    rig.timeout();
    let first = rig.link_up(0);
    rig.input(|m, now| m.link_failed(now, PeerIx(1), "refused"));
    rig.answer(0, &far(0, 0));
    // The third is still being connected to, for the first time: this round waits for it.
    assert_eq!(rig.rounds(), []);
    rig.run(DEADLINE);
    assert_eq!(rig.rounds(), [(1, vec!["10.0.0.1_7000", "10.0.0.2_7000"], DEADLINE)]);
    for number in 2..=30 {
        // Attempts come and go meanwhile; no later round waits for one.
        rig.run(INTERVAL - DEADLINE);
        rig.answer(0, &far(0, 0));
        let down = vec!["10.0.0.1_7000", "10.0.0.2_7000"];
        assert_eq!(*rig.rounds().last().unwrap(), (number, down, Duration::ZERO));
        assert_eq!(rig.link_of(0), first);
        rig.run(DEADLINE);
        assert_eq!(rig.rounds().len() as u64, number);
    }
    // Thirty seconds of tries at two peers: with back-off, and at least one in fifteen seconds each.
    assert!((6..=30).contains(&rig.connects()), "{}", rig.connects());
}

#[test]
fn a_link_that_goes_in_a_round_is_waited_for_no_longer() {
    let mut rig = Rig::up(config(2));
    rig.answer(0, &far(0, 0));
    rig.link_down(1);
    assert_eq!(rig.rounds(), [(1, vec!["10.0.0.1_7000"], Duration::ZERO)]);
}

#[test]
fn a_silent_link_is_dropped_and_tried_again() {
    let mut rig = Rig::up(config(1));
    rig.meet(0, &far(0, 0));
    let silent = rig.link_of(0);
    rig.run(20 * INTERVAL);
    assert_eq!(rig.reports(|r| matches!(r, PrimaryReport::Lost { why, .. } if why.contains("silent"))), 1);
    assert_eq!(rig.outputs.iter().filter(|output| is_disconnect(output)).count(), 1 + 3);
    assert!(rig.connects() >= 3, "the first, one after the silence, more after no answer to that");
    assert_eq!(rig.machine.machine().peer_of(silent), None);
    // What comes on the dropped link all the same is nobody's.
    rig.input(|m, now| m.readings(now, silent, honest(&far(0, 9), &rig_sent(silent), 9)));
    assert_eq!(rig.takes().len(), 0);
    rig.link_up(0);
    rig.answer(0, &far(0, 0));
    rig.run(INTERVAL);
    rig.answer(0, &far(0, 0));
    assert_eq!(rig.rounds().last().unwrap().1, Vec::<&str>::new());
    assert_eq!(rig.machine.machine().links.len(), 1);
}

fn rig_sent(link: LinkId) -> Sent {
    let poll = PollRequest { journal: Some(JournalId(1)), after: Seq::ZERO, taken: Seq::ZERO, max: 9 };
    Sent { link, id: 1, poll }
}

fn owner_of(rig: &Rig, journal: JournalId) -> Option<PeerIx> {
    rig.machine.machine().journals.owner(journal)
}

fn is_disconnect(output: &PrimaryOutput) -> bool {
    matches!(output, PrimaryOutput::Disconnect(..))
}

#[test]
fn a_connection_that_never_comes_about_is_given_up_and_tried_again() {
    let mut rig = Rig::new(config(1));
    rig.run(CONNECT_TIMEOUT);
    assert_eq!((rig.connects(), rig.outputs.iter().filter(|output| is_disconnect(output)).count()), (1, 1));
    rig.run(Duration::from_millis(250));
    assert_eq!(rig.connects(), 2);
    // Nobody is given up for good: every fifteen seconds at the latest, for ever.
    let hour = Duration::from_secs(3_600);
    rig.run(hour);
    let tries = rig.connects();
    rig.run(hour);
    assert!(rig.connects() - tries >= 3_600 / 15 - 1);
}

#[test]
fn a_peer_that_speaks_another_language_counts_as_answering_and_holds_up_no_round() {
    let mut rig = Rig::up(config(2));
    let script = rig.link_of(1);
    rig.answer(0, &far(0, 0));
    rig.input(|m, now| m.foreign(now, script));
    assert_eq!(rig.rounds(), [(1, vec![], Duration::ZERO)]);
    for number in 2..40 {
        // It sends when it likes: before the round, after it, or not at all.
        rig.run(INTERVAL / 2);
        if number % 3 == 0 {
            rig.input(|m, now| m.foreign(now, script));
        }
        rig.run(INTERVAL - INTERVAL / 2);
        rig.answer(0, &far(0, 0));
        assert_eq!(*rig.rounds().last().unwrap(), (number, vec![], Duration::ZERO));
    }
    assert_eq!(rig.link_of(1), script, "it cannot be silent in a language that it does not speak");
    rig.link_down(1);
    rig.run(INTERVAL);
    rig.answer(0, &far(0, 0));
    rig.run(DEADLINE);
    assert_eq!(rig.rounds().last().unwrap().1, ["10.0.0.1_7000"]);
}

#[test]
fn a_peer_that_speaks_our_language_after_all_is_a_node_again() {
    let mut rig = Rig::up(config(1));
    let link = rig.link_of(0);
    rig.input(|m, now| m.foreign(now, link));
    rig.meet(0, &far(0, 0));
    rig.run(20 * INTERVAL);
    assert_eq!(rig.machine.machine().peer_of(link), None, "its silence is noticed");
}

#[test]
fn a_deadline_is_never_longer_than_the_interval() {
    let mut rig = Rig::up(PrimaryConfig { deadline: 10 * INTERVAL, ..config(1) });
    rig.run(10 * INTERVAL);
    let rounds = rig.rounds();
    assert!(rounds.len() >= 9);
    assert!(rounds.iter().all(|(_, down, took)| down.len() == 1 && *took <= INTERVAL), "{rounds:?}");
}

#[test]
fn intervals_that_cannot_be_reckoned_with_are_borne() {
    for (poll_interval, deadline) in
        [(Duration::MAX, Duration::MAX), (Duration::ZERO, Duration::ZERO), (Duration::MAX, Duration::ZERO)]
    {
        let mut rig = Rig::up(PrimaryConfig { poll_interval, deadline, ..config(2) });
        rig.answer(0, &far(0, 0));
        rig.run(Duration::from_millis(20));
        assert!(!rig.rounds().is_empty() || deadline == Duration::MAX);
    }
}

#[test]
fn rounds_missed_in_a_long_sleep_are_not_made_up_for() {
    let mut rig = Rig::up(config(0));
    rig.run(INTERVAL);
    assert_eq!(rig.rounds().len(), 2);
    rig.machine.advance(Instant::ZERO + 1_000 * INTERVAL + 300 * MS);
    rig.timeout();
    assert_eq!(rig.rounds().len(), 3);
    let next = rig.machine.machine().poll_timeout().unwrap().0;
    assert_eq!(next, Instant::ZERO + 1_001 * INTERVAL, "and they keep their beat");
}

#[test]
fn numbers_of_rounds_go_on_after_a_restart() {
    let mut rig = Rig::up(PrimaryConfig { last_round: 41, ..config(1) });
    rig.answer(0, &far(0, 0));
    assert_eq!(rig.rounds()[0].0, 42);
}

#[test]
fn two_nodes_of_one_name_are_told_once_and_both_taken() {
    let mut rig = Rig::up(config(2));
    let twin = Far { node: name("pi-0"), ..far(1, 2) };
    for _ in 0..5 {
        rig.meet(0, &far(0, 2));
        rig.meet(1, &twin);
        rig.taken(JournalId(1), 2);
        rig.taken(JournalId(2), 2);
        rig.run(INTERVAL);
    }
    assert_eq!(rig.reports(|r| matches!(r, PrimaryReport::SameName { .. })), 1);
    let journals: BTreeSet<_> = rig.takes().iter().map(|readings| readings.journal).collect();
    assert_eq!(journals.len(), 2);
}

#[test]
fn a_peer_with_this_nodes_own_name_is_told() {
    let mut rig = Rig::up(config(1));
    rig.meet(0, &Far { node: name("sink"), ..far(0, 2) });
    assert_eq!(rig.reports(|r| matches!(r, PrimaryReport::SameName { .. })), 1);
    assert_eq!(rig.takes().len(), 1);
}

#[test]
fn a_peer_that_is_this_node_itself_is_told_once_and_not_taken() {
    let mut rig = Rig::up(config(1));
    let myself = Far { node: name("sink"), journal: OWN, last: 5 };
    for _ in 0..5 {
        rig.answer(0, &myself);
        rig.run(INTERVAL);
    }
    assert_eq!(rig.reports(|r| matches!(r, PrimaryReport::Itself { .. })), 1);
    assert_eq!(rig.takes().len(), 0);
    assert!(rig.rounds().iter().all(|(_, down, _)| down.is_empty()));
}

#[test]
fn one_journal_at_two_addresses_is_told_once_and_taken_from_the_first() {
    let mut rig = Rig::up(config(2));
    let node = far(0, 4);
    rig.answer(0, &node);
    for _ in 0..5 {
        rig.answer_with(0, &node, 0);
        rig.answer(1, &node);
        rig.run(INTERVAL);
    }
    assert_eq!(rig.reports(|r| matches!(r, PrimaryReport::SameJournal { .. })), 1);
    rig.answer(0, &node);
    assert_eq!(rig.takes().len(), 1);
}

#[test]
fn the_second_address_steps_in_for_the_first_and_stays() {
    let mut rig = Rig::up(config(2));
    let node = far(0, 4);
    rig.meet(0, &node);
    rig.answer(1, &node);
    rig.link_down(0);
    rig.run(INTERVAL);
    let node = far(0, 6);
    rig.meet(1, &node);
    let expected = Some(PeerIx(1));
    assert_eq!(owner_of(&rig, node.journal), expected);
    // The first is tried in vain, and then comes back: neither takes the journal from the second.
    rig.input(|m, now| m.link_failed(now, PeerIx(0), "refused"));
    assert_eq!(owner_of(&rig, node.journal), expected);
    rig.run(INTERVAL);
    rig.link_up(0);
    rig.answer(0, &node);
    assert_eq!(owner_of(&rig, node.journal), expected);
    assert_eq!(rig.reports(|r| matches!(r, PrimaryReport::SameJournal { .. })), 2, "once for each order");
    // While the first is silent, the node that both lead to is not down: it answers at the second.
    for _ in 0..3 {
        rig.run(INTERVAL);
        rig.answer(1, &node);
    }
    assert!(rig.rounds().iter().all(|(_, down, _)| !down.contains(&"pi-0")), "{:?}", rig.rounds());
}

#[test]
fn who_is_at_an_address_is_noted_when_it_is_news() {
    let mut rig = Rig::up(PrimaryConfig {
        peers: vec![("10.0.0.0:7000".into(), Some(name("pi-0"))), ("10.0.0.1:7000".into(), None)],
        ..config(0)
    });
    rig.answer(0, &far(0, 0));
    rig.answer(1, &far(1, 0));
    rig.link_down(1);
    rig.run(INTERVAL);
    rig.link_up(1);
    rig.answer(1, &far(1, 0));
    let notes: Vec<_> =
        rig.outputs.iter().filter(|output| matches!(output, PrimaryOutput::NotePeer(..))).collect();
    assert_eq!(notes, [&PrimaryOutput::NotePeer("10.0.0.1:7000".into(), name("pi-1"))]);
}

#[test]
fn an_address_too_long_for_a_name_is_down_like_any_other() {
    let address = format!("{}.example.org:7000", "a".repeat(60));
    let mut rig = Rig::new(PrimaryConfig { peers: vec![(address, None)], ..config(0) });
    rig.run(DEADLINE);
    assert_eq!(rig.rounds()[0].1.len(), 1);
}

#[test]
fn a_refusal_is_told_when_it_is_news_and_the_peer_is_down_in_its_rounds() {
    let mut rig = Rig::up(config(1));
    rig.meet(0, &far(0, 0));
    for number in 2..6 {
        rig.run(INTERVAL);
        let (sent, text) = (rig.asked(0), "x".repeat(100_000));
        rig.input(|m, now| {
            m.error(now, sent.link, &sent.id.to_string(), &text);
        });
        assert_eq!(*rig.rounds().last().unwrap(), (number, vec!["pi-0"], Duration::ZERO));
    }
    let told = rig.outputs.iter().filter_map(|output| match output {
        PrimaryOutput::Report(PrimaryReport::Refused { why, .. }) => Some(why.len()),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [200]);
}

#[test]
fn a_thousand_peers_make_one_round() {
    const PEERS: usize = 1_000;
    let mut rig = Rig::up(config(PEERS));
    for ix in 0..PEERS {
        rig.answer(ix, &far(ix, 0));
    }
    rig.outputs.clear();
    rig.run(INTERVAL);
    assert_eq!(rig.polls().len(), PEERS);
    for ix in (0..PEERS).rev().filter(|ix| ix % 100 != 7) {
        rig.answer(ix, &far(ix, 0));
    }
    rig.run(DEADLINE);
    let down: Vec<String> = (0..10).map(|n| format!("pi-{}", n * 100 + 7)).collect();
    let (_, named, took) = rig.rounds().pop().unwrap();
    assert_eq!(took, DEADLINE);
    let mut named: Vec<&str> = named;
    named.sort_by_key(|name| name.len());
    assert_eq!(named, down);
}
