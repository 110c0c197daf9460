//! Clocks of peers: whose are met, when, and what is told of them.

use super::*;
use crate::model::{ClockLink, ClockMark, ClockSample};

/// A node's clocks are an hour ahead of ours, and its wall clock believes in 1970.
const AHEAD: Duration = Duration::from_secs(3_600);

fn clock(boot: u128, received: Instant, sent: Instant) -> ClockSample {
    let wall = WallTime::from_unix_micros((sent + AHEAD).as_micros());
    let mark = ClockMark { mono: sent + AHEAD, wall, synced: None };
    ClockSample { boot: BootId(boot), received: received + AHEAD, mark }
}

impl Rig {
    /// The peer answers the last poll, 10 ms after it was asked: 2 ms there, 4 ms of work, 4 ms back.
    fn answer_with_clock(&mut self, ix: usize, far: &Far, boot: u128) {
        let sent = self.asked(ix);
        let asked_at = self.machine.now();
        self.run(10 * MS);
        let clock = clock(boot, asked_at + 2 * MS, asked_at + 6 * MS);
        self.give(ix, Readings { clock: Some(clock), ..honest(far, &sent, u64::MAX) });
    }

    fn links(&self) -> Vec<(&str, JournalId, ClockLink)> {
        let mut links = Vec::new();
        for output in &self.outputs {
            if let PrimaryOutput::NoteLink { node, journal, link } = output {
                links.push((node.as_str(), *journal, *link));
            }
        }
        links
    }

    fn clock_status(&self, ix: usize) -> serde_json::Value {
        self.machine.machine().status(at(self.machine.now()))["peers"][ix]["clock"].clone()
    }
}

#[test]
fn the_first_answer_says_where_the_clocks_met_though_it_brings_no_reading() {
    let mut rig = Rig::up(config(1));
    assert!(rig.clock_status(0).is_null());
    let asked_at = rig.machine.now();
    rig.answer_with_clock(0, &far(0, 4), 1);
    let links = rig.links();
    let [(node, journal, link)] = links[..] else { panic!("{links:?}") };
    assert_eq!((node, journal, link.boot), ("pi-0", JournalId(1), BootId(1)));
    assert_eq!((link.mono, link.here), (asked_at + AHEAD + 4 * MS, asked_at + 5 * MS));
    assert!((3 * MS..4 * MS).contains(&link.error), "{link:?}");
    let status = rig.clock_status(0);
    // `at` of the contract: our wall clock shows 1.7e9 s more than our monotonic one.
    assert_eq!(status["offset_s"], 3_600.0 - 0.001 - 1.7e9);
    assert_eq!((&status["is_set"], &status["round_trip_s"]), (&false.into(), &0.006.into()));
}

#[test]
fn a_window_later_the_next_one_comes_and_after_a_reboot_at_once() {
    let mut rig = Rig::up(config(1));
    for round in 0..8 {
        rig.answer_with_clock(0, &far(0, 0), 1 + u128::from(round >= 6));
        rig.run(INTERVAL);
    }
    let boots: Vec<u128> = rig.links().iter().map(|(_, _, link)| link.boot.0).collect();
    // At 0, 1 and 3 s; then, in the middle of a window, in the other boot, and a second after.
    assert_eq!(boots, [1, 1, 1, 2, 2]);
}

#[test]
fn only_the_peer_that_a_journal_comes_from_dates_it() {
    let mut rig = Rig::up(config(2));
    let node = far(0, 0);
    rig.answer_with_clock(0, &node, 1);
    rig.answer_with_clock(1, &node, 2);
    let own = Far { node: name("sink"), journal: OWN, last: 0 };
    rig.run(INTERVAL);
    rig.answer_with_clock(1, &own, 3);
    let boots: Vec<u128> = rig.links().iter().map(|(_, _, link)| link.boot.0).collect();
    assert_eq!(boots, [1], "neither a copy of its card nor this node itself");

    // One that was met under its own journal, and now has the card of the other.
    let mut rig = Rig::up(config(2));
    rig.answer_with_clock(0, &node, 1);
    rig.answer_with_clock(1, &far(1, 0), 2);
    rig.run(INTERVAL);
    rig.answer_with_clock(1, &Far { node: name("pi-1"), ..node }, 2);
    rig.run(INTERVAL);
    rig.answer_with_clock(1, &Far { node: name("pi-1"), ..far(0, 0) }, 2);
    let met: Vec<(JournalId, u128)> = rig.links().iter().map(|(_, of, link)| (*of, link.boot.0)).collect();
    assert_eq!(met, [(JournalId(1), 1), (JournalId(2), 2)]);
}

#[test]
fn an_answer_that_was_not_waited_for_is_no_exchange() {
    let mut rig = Rig::up(config(1));
    let sent = rig.asked(0);
    let (now, stranger) = (rig.machine.now(), Sent { id: sent.id + 7, ..sent });
    let readings = honest(&far(0, 0), &stranger, 0);
    rig.give(0, Readings { clock: Some(clock(1, now, now)), ..readings });
    assert!(rig.links().is_empty());
}
