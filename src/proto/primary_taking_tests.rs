//! What is asked for, taken and acknowledged.

use super::*;

const FIRST: JournalId = JournalId(1);

/// Sum of the readings that are with the store and not confirmed.
fn waiting(rig: &Rig, confirmed: u64) -> u64 {
    rig.takes().iter().map(|readings| readings.through().0).max().unwrap_or(0) - confirmed
}

#[test]
fn a_first_contact_asks_for_the_journals_name_and_goes_on_where_the_store_is() {
    let cursors = BTreeMap::from([(FIRST, Seq(70))]);
    let mut rig = Rig::up(PrimaryConfig { cursors, ..config(1) });
    let node = far(0, 100);
    assert_eq!((rig.asked(0).poll.journal, rig.asked(0).poll.after), (None, Seq(0)));
    rig.answer(0, &node);
    let poll = rig.asked(0).poll;
    assert_eq!((poll.journal, poll.after, poll.taken), (Some(FIRST), Seq(70), Seq(70)));
    rig.answer(0, &node);
    assert_eq!((rig.takes()[0].first, rig.takes()[0].through()), (Seq(71), Seq(100)));
}

#[test]
fn only_what_the_store_has_confirmed_is_acknowledged() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 10_000);
    rig.answer(0, &node);
    rig.answer_with(0, &node, 100);
    assert_eq!((rig.asked(0).poll.after, rig.asked(0).poll.taken), (Seq(100), Seq(0)));
    rig.taken(FIRST, 40);
    rig.answer_with(0, &node, 100);
    assert_eq!((rig.asked(0).poll.after, rig.asked(0).poll.taken), (Seq(200), Seq(40)));
}

#[test]
fn a_catch_up_goes_in_pieces_with_a_bound_on_what_is_not_durable() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 50_000);
    rig.answer(0, &node);
    let mut confirmed = 0;
    while confirmed < node.last {
        for piece in [1_999, 2_000, 17, 2_000, 2_000, 2_000, 2_000] {
            let poll = rig.asked(0).poll;
            assert!(poll.max <= POLL_MAX_READINGS);
            assert!(
                poll.after.0 + u64::from(poll.max) <= confirmed + UNCOMMITTED_MAX,
                "{poll:?} {confirmed}"
            );
            rig.answer_with(0, &node, piece);
        }
        assert!((1..=UNCOMMITTED_MAX).contains(&waiting(&rig, confirmed)));
        confirmed += (waiting(&rig, confirmed) / 2).max(1);
        rig.taken(FIRST, confirmed);
    }
    rig.run(INTERVAL);
    assert_eq!(rig.asked(0).poll.taken, Seq(node.last));
    let takes = rig.takes();
    let mut end = 0;
    for readings in takes {
        assert_eq!((readings.first.0, readings.after.0), (end + 1, end), "each reading once, in order");
        end = readings.through().0;
    }
    assert_eq!(end, node.last);
}

#[test]
fn a_store_that_confirms_nothing_gets_no_more_than_the_bound_and_its_node_still_answers() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 1_000_000);
    for round in 0..20 {
        for _ in 0..6 {
            rig.answer(0, &node);
        }
        if round % 3 == 2 {
            // A new link is no new allowance.
            rig.link_down(0);
            rig.run(INTERVAL / 2);
            rig.link_up(0);
            rig.answer(0, &node);
            rig.answer(0, &node);
            rig.run(INTERVAL / 2);
        } else {
            rig.run(INTERVAL);
        }
        rig.answer(0, &node);
        assert!(rig.rounds().last().unwrap().1.is_empty());
    }
    let readings: usize = rig.takes().iter().map(|readings| readings.pack.len()).sum();
    assert_eq!(readings as u64, UNCOMMITTED_MAX);
    // And when it recovers, all goes on.
    rig.taken(FIRST, UNCOMMITTED_MAX);
    rig.answer(0, &node);
    rig.answer(0, &node);
    assert!(waiting(&rig, UNCOMMITTED_MAX) > 0);
}

#[test]
fn after_a_refusal_all_that_is_not_durable_is_asked_for_again() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 10_000);
    rig.answer(0, &node);
    for _ in 0..3 {
        rig.answer_with(0, &node, 100);
    }
    rig.taken(FIRST, 100);
    let in_flight = rig.asked(0);
    assert_eq!(in_flight.poll.after, Seq(300));
    rig.input(|m, _| m.refused(FIRST));
    let before = rig.takes().len();
    rig.give(0, honest(&node, &in_flight, 100));
    assert_eq!(rig.takes().len(), before, "it begins beyond what the store has");
    rig.run(INTERVAL);
    let poll = rig.asked(0).poll;
    assert_eq!((poll.after, poll.taken), (Seq(100), Seq(100)));
    // The refusals of what came after the first are on their way still, and change nothing.
    rig.input(|m, _| m.refused(FIRST));
    rig.run(INTERVAL);
    assert_eq!((rig.asked(0).poll.after, rig.asked(0).poll.taken), (Seq(100), Seq(100)));
    rig.answer_with(0, &node, 500);
    let last = rig.takes().pop().unwrap();
    assert_eq!((last.after, last.through()), (Seq(100), Seq(600)));
}

#[test]
fn a_refusal_that_comes_while_the_link_is_down_counts_too() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 1_000);
    rig.answer(0, &node);
    rig.answer_with(0, &node, 100);
    rig.link_down(0);
    rig.input(|m, _| m.refused(FIRST));
    rig.run(INTERVAL);
    rig.link_up(0);
    rig.answer(0, &node);
    assert_eq!((rig.asked(0).poll.after, rig.asked(0).poll.taken), (Seq(0), Seq(0)));
}

#[test]
fn a_confirmation_that_comes_while_the_link_is_down_counts_too() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 1_000);
    rig.answer(0, &node);
    rig.answer_with(0, &node, 100);
    rig.link_down(0);
    rig.taken(FIRST, 100);
    rig.run(INTERVAL);
    rig.link_up(0);
    rig.answer(0, &node);
    assert_eq!((rig.asked(0).poll.after, rig.asked(0).poll.taken), (Seq(100), Seq(100)));
}

#[test]
fn an_answer_from_before_a_new_link_is_not_taken() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 1_000);
    rig.answer(0, &node);
    let old = rig.asked(0);
    rig.link_down(0);
    rig.run(INTERVAL);
    rig.link_up(0);
    rig.answer(0, &node);
    rig.input(|m, now| m.readings(now, old.link, honest(&node, &old, 9)));
    rig.give(0, honest(&node, &old, 9));
    assert_eq!(rig.takes().len(), 0);
    rig.answer(0, &node);
    assert_eq!(rig.takes().len(), 1);
}

#[test]
fn one_answer_twice_is_taken_once() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 1_000);
    rig.answer(0, &node);
    let sent = rig.asked(0);
    rig.give(0, honest(&node, &sent, 9));
    rig.give(0, honest(&node, &sent, 9));
    assert_eq!(rig.takes().len(), 1);
}

#[test]
fn a_peer_with_a_new_journal_is_taken_from_its_start() {
    let mut rig = Rig::up(config(1));
    rig.meet(0, &far(0, 500));
    rig.taken(FIRST, 500);
    rig.link_down(0);
    rig.run(INTERVAL);
    rig.link_up(0);
    let flashed = Far { journal: JournalId(0xbb), ..far(0, 3) };
    rig.meet(0, &flashed);
    let last = rig.takes().pop().unwrap();
    assert_eq!((last.journal, last.after, last.through()), (JournalId(0xbb), Seq(0), Seq(3)));
    assert_eq!(rig.reports(|r| matches!(r, PrimaryReport::Found { .. })), 2);
    // The old card comes back: it is known.
    rig.link_down(0);
    rig.run(INTERVAL);
    rig.link_up(0);
    rig.answer(0, &far(0, 502));
    assert_eq!(rig.asked(0).poll.after, Seq(500));
}

#[test]
fn a_hole_that_the_source_owns_up_to_is_taken() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 100_000);
    rig.answer(0, &node);
    let sent = rig.asked(0);
    let first = Seq(99_000);
    rig.give(0, Readings { first, pack: pack(10), ..honest(&node, &sent, 0) });
    assert_eq!(rig.takes().len(), 1);
    // So much is not durable: nothing more is asked for until it is.
    rig.run(INTERVAL);
    assert_eq!(rig.asked(0).poll.max, 0);
    rig.answer(0, &node);
    rig.taken(FIRST, 99_009);
    let poll = rig.asked(0).poll;
    assert_eq!((poll.after, poll.taken), (Seq(99_009), Seq(99_009)));
    assert_eq!(poll.max, POLL_MAX_READINGS);
}

#[test]
fn a_link_that_breaks_in_the_middle_of_each_piece_gets_smaller_ones() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 1_000);
    for _ in 0..20 {
        rig.answer(0, &node);
        // It stands for a second, and so few come through in one.
        while rig.asked(0).poll.max <= 100
            && rig.takes().last().is_none_or(|last| last.through().0 < node.last)
        {
            rig.answer(0, &node);
        }
        rig.link_down(0);
        rig.run(Duration::from_millis(300));
        rig.link_up(0);
    }
    assert_eq!(rig.takes().last().map(|last| last.through()), Some(Seq(node.last)));
}

#[test]
fn a_link_too_slow_for_a_whole_piece_gets_smaller_ones() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 100_000);
    let silence = Duration::from_secs(3);
    // 200 readings a second come through.
    let time_of = |sent: &Sent| Duration::from_millis(5) * sent.poll.max;
    rig.answer(0, &node);
    for _ in 0..60 {
        let sent = rig.asked(0);
        if sent.poll.journal.is_some() && time_of(&sent) > silence {
            rig.run(silence);
            rig.run(Duration::from_millis(300));
            rig.link_up(0);
            rig.answer(0, &node);
            continue;
        }
        rig.run(time_of(&sent));
        rig.answer(0, &node);
        if let Some(end) = rig.takes().last().map(|readings| readings.through().0) {
            rig.taken(FIRST, end);
        }
    }
    let end = rig.takes().last().map_or(0, |readings| readings.through().0);
    assert!(end > 5_000, "{end}");
    assert!(rig.reports(|r| matches!(r, PrimaryReport::Lost { .. })) <= 4);
    // The link is better now: whole pieces again.
    for _ in 0..12 {
        rig.answer(0, &node);
        let end = rig.takes().last().unwrap().through().0;
        rig.taken(FIRST, end);
    }
    assert_eq!(rig.asked(0).poll.max, POLL_MAX_READINGS);
}

/// Readings that are asked for or handed to the store, of all peers, and not durable. Peer `n` has journal `n + 1`.
fn uncommitted(rig: &Rig, peers: usize, durable: &[u64]) -> u64 {
    let of_peer = |n: usize| {
        let journal = JournalId(n as u64 + 1);
        let takes = rig.takes();
        let end = takes.iter().rfind(|taken| taken.journal == journal).map_or(0, |taken| taken.through().0);
        let State::Up { asked, .. } = rig.machine.machine().peers[n].state else { return 0 };
        end - durable[n] + asked.map_or(0, |asked| u64::from(asked.max))
    };
    (0..peers).map(of_peer).sum()
}

#[test]
fn many_peers_with_a_backlog_share_one_bound_and_each_has_its_turn() {
    const PEERS: usize = 100;
    const LAST: u64 = 20_000;
    let mut rig = Rig::up(config(PEERS));
    let nodes: Vec<Far> = (0..PEERS).map(|n| far(n, LAST)).collect();
    let (mut durable, mut fed_in_turn) = ([0; PEERS], [0; PEERS]);
    for (n, node) in nodes.iter().enumerate() {
        rig.answer(n, node);
    }
    for turn in 0.. {
        // The store is slow: all that is asked is answered, until nobody is asked any more.
        let is_asked = |rig: &Rig, n: usize| {
            matches!(rig.machine.machine().peers[n].state, State::Up { asked: Some(_), .. })
        };
        while let Some(n) = (0..PEERS).find(|&n| is_asked(&rig, n)) {
            rig.answer(n, &nodes[n]);
            let waiting = uncommitted(&rig, PEERS, &durable);
            assert!(waiting <= UNCOMMITTED_TOTAL_MAX, "turn {turn}: {waiting} wait");
        }
        for n in 0..PEERS {
            let journal = nodes[n].journal;
            let through =
                rig.takes().iter().rfind(|taken| taken.journal == journal).map(|taken| taken.through().0);
            if let Some(through) = through.filter(|&through| through > durable[n]) {
                (durable[n], fed_in_turn[n]) = (through, turn);
                rig.taken(journal, through);
            }
        }
        // A turn has room for 32 pieces: nobody waits longer than until all others have had one.
        let starves = |n: &usize| durable[*n] < LAST && turn - fed_in_turn[*n] > 4;
        assert_eq!((0..PEERS).find(starves), None, "turn {turn}: {durable:?}");
        if durable.iter().all(|&through| through == LAST) {
            return;
        }
    }
}

#[test]
fn a_round_asks_many_peers_for_little_each() {
    const PEERS: usize = 1_000;
    let mut rig = Rig::up(config(PEERS));
    for n in 0..PEERS {
        rig.answer(n, &far(n, 0));
    }
    rig.run(INTERVAL);
    let asked: u64 = (0..PEERS).map(|n| u64::from(rig.asked(n).poll.max)).sum();
    assert!((UNCOMMITTED_TOTAL_MAX / 4..=UNCOMMITTED_TOTAL_MAX / 2).contains(&asked), "{asked}");
}
