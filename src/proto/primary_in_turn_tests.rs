//! Polling one after the other: never is more than one answer on its way, and nobody can hold up the others for long.

use super::*;

fn in_turn(peers: usize) -> PrimaryConfig {
    PrimaryConfig { order: PollOrder::InTurn, ..config(peers) }
}

/// Who has been asked so far, in order.
fn asked(rig: &Rig) -> Vec<usize> {
    let links: Vec<LinkId> = (0..rig.machine.machine().peers.len()).map(|ix| rig.link_of(ix)).collect();
    let who = |sent: &Sent| links.iter().position(|link| *link == sent.link).expect("a link that stands");
    rig.polls().iter().map(who).collect()
}

#[test]
fn each_is_asked_when_the_last_has_answered() {
    let mut rig = Rig::up(in_turn(3));
    for ix in 0..3 {
        assert_eq!(asked(&rig), (0..=ix).collect::<Vec<_>>());
        rig.run(10 * MS);
        rig.answer(ix, &far(ix, 0));
    }
    assert_eq!(rig.rounds(), [(1, vec![], 30 * MS)]);
    rig.run(INTERVAL);
    assert_eq!(asked(&rig), [0, 1, 2, 0]);
}

#[test]
fn who_does_not_answer_passes_its_turn_on_when_its_share_is_over() {
    let mut rig = Rig::up(in_turn(4));
    // Four share 400 ms; the first lets its hundred pass.
    rig.run(100 * MS - MS);
    assert_eq!(asked(&rig), [0]);
    rig.run(MS);
    assert_eq!(asked(&rig), [0, 1]);
    rig.answer(1, &far(1, 0));
    rig.answer(2, &far(2, 0));
    rig.answer(3, &far(3, 0));
    assert_eq!((asked(&rig), rig.rounds().len()), (vec![0, 1, 2, 3], 0), "its answer may still come");
    // It does, late, and counts.
    rig.run(50 * MS);
    rig.answer(0, &far(0, 0));
    assert_eq!(rig.rounds(), [(1, vec![], 150 * MS)]);
}

#[test]
fn who_still_owes_an_answer_is_not_asked_again_and_not_waited_for() {
    let mut rig = Rig::up(in_turn(2));
    rig.run(INTERVAL);
    rig.answer(1, &far(1, 0));
    rig.outputs.clear();
    rig.run(INTERVAL - MS);
    assert!(asked(&rig).is_empty(), "the first owes its answer, the second has given it");
    rig.run(MS);
    assert_eq!(asked(&rig), [1], "at the round's very beginning");
    assert_eq!(rig.rounds(), [(2, vec!["10.0.0.0_7000"], DEADLINE)]);
}

#[test]
fn a_lost_link_a_refusal_and_a_script_pass_the_turn_on() {
    let mut rig = Rig::up(in_turn(4));
    rig.link_down(0);
    let sent = rig.asked(1);
    rig.input(|m, now| assert!(m.error(now, sent.link, &sent.id.to_string(), "no")));
    let script = rig.link_of(2);
    rig.input(|m, now| m.foreign(now, script));
    rig.answer(3, &far(3, 0));
    assert_eq!(rig.rounds(), [(1, vec!["10.0.0.0_7000", "10.0.0.1_7000"], Duration::ZERO)]);
}

#[test]
fn a_script_never_holds_up_a_round() {
    let mut rig = Rig::up(in_turn(2));
    let script = rig.link_of(0);
    rig.input(|m, now| m.foreign(now, script));
    rig.answer(1, &far(1, 0));
    for number in 2..6 {
        rig.run(INTERVAL);
        rig.answer(1, &far(1, 0));
        assert_eq!(*rig.rounds().last().unwrap(), (number, vec![], Duration::ZERO));
    }
}

#[test]
fn a_backlog_is_taken_in_pieces_and_the_others_have_their_turns_between() {
    const PIECES: usize = 5;
    let last = PIECES as u64 * u64::from(POLL_MAX_READINGS);
    let mut rig = Rig::up(in_turn(2));
    let mut order = Vec::new();
    while asked(&rig).len() > order.len() {
        assert_eq!(asked(&rig).len(), order.len() + 1, "one poll at a time");
        let ix = *asked(&rig).last().unwrap();
        order.push(ix);
        rig.answer(ix, &far(ix, last));
    }
    // The journal's name, and five pieces, of each.
    assert_eq!(order, [0, 1].repeat(1 + PIECES));
    let taken: usize = rig.takes().iter().map(|readings| readings.pack.len()).sum();
    assert_eq!(taken as u64, 2 * last);
}

#[test]
fn a_peer_that_comes_back_has_its_turn_at_once() {
    let mut rig = Rig::up(in_turn(2));
    rig.meet(0, &far(0, 0));
    rig.meet(1, &far(1, 0));
    rig.link_down(1);
    rig.outputs.clear();
    rig.link_up(1);
    assert_eq!(asked(&rig), [1]);
}

#[test]
fn no_share_is_too_short_to_reckon_with() {
    // A thousand share 400 ms, and none answers: the turns go on from round to round without a spin.
    let mut rig = Rig::up(in_turn(1_000));
    rig.run(2 * INTERVAL);
    let first: Vec<usize> = asked(&rig).into_iter().take(1_000).collect();
    assert_eq!(first, (0..1_000).collect::<Vec<_>>(), "everybody has a turn");
    assert_eq!(rig.rounds().len(), 2);
}
