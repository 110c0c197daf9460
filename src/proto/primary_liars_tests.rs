//! Peers that lie, and inputs in any order: nothing panics, spins, grows or is acknowledged too early.

use super::*;
use crate::proto::contract::for_seeds;

const FIRST: JournalId = JournalId(1);

/// Gives `answers` one after the other, each to the poll that was asked last, and says how many polls there were.
fn polls_for(rig: &mut Rig, answers: impl Iterator<Item = Far>) -> usize {
    let before = rig.polls().len();
    for far in answers {
        let sent = rig.asked(0);
        rig.give(0, honest(&far, &sent, u64::MAX));
    }
    rig.polls().len() - before
}

#[test]
fn a_peer_that_shows_another_journal_each_time_is_not_followed() {
    let mut rig = Rig::up(config(1));
    let journals = (0..50).map(|n| Far { journal: JournalId(n + 10), ..far(0, 5) });
    assert!(polls_for(&mut rig, journals) <= 3, "in one round");
    assert_eq!(rig.takes().len(), 0);
    assert_eq!(rig.machine.machine().journals.len(), 1, "what nothing is held of is not remembered");
    rig.run(INTERVAL);
    rig.meet(0, &far(0, 5));
    assert_eq!(rig.takes().len(), 1, "and when it is honest again, it is taken");
}

#[test]
fn a_peer_that_gives_another_name_each_time_is_not_followed() {
    let mut rig = Rig::up(config(1));
    let names = (0..50).map(|n| Far { node: name(&format!("n{n}")), ..far(0, 5) });
    assert!(polls_for(&mut rig, names) <= 3, "in one round");
}

#[test]
fn a_peer_that_comes_and_goes_within_one_long_round_is_taken_each_time() {
    let mut rig = Rig::up(PrimaryConfig { poll_interval: Duration::from_secs(3_600), ..config(1) });
    for last in 1..400 {
        rig.answer(0, &far(0, last));
        rig.answer(0, &far(0, last));
        rig.taken(FIRST, last);
        assert_eq!(rig.takes().len() as u64, last);
        rig.link_down(0);
        rig.run(Duration::from_millis(300));
        rig.link_up(0);
    }
}

#[test]
fn a_peer_that_claims_more_than_it_gives_makes_nobody_spin() {
    let mut rig = Rig::up(config(1));
    let boaster = far(0, u64::MAX);
    rig.answer_with(0, &boaster, 0);
    let before = rig.polls().len();
    for _ in 0..100 {
        rig.answer_with(0, &boaster, 0);
    }
    assert_eq!(
        rig.polls().len(),
        before,
        "an empty answer is not followed by another poll in the same round"
    );
}

#[test]
fn a_peer_that_gives_more_than_was_asked_for_is_not_taken() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 1_000_000);
    rig.answer(0, &node);
    let sent = rig.asked(0);
    rig.give(0, Readings { pack: pack(u64::from(POLL_MAX_READINGS) + 1), ..honest(&node, &sent, 0) });
    assert_eq!(rig.takes().len(), 0);
    assert_eq!(rig.reports(|r| matches!(r, PrimaryReport::Refused { .. })), 1);
    assert_eq!(rig.polls().len(), 2, "nor asked again at once");
}

#[test]
fn a_peer_that_answers_another_cursor_than_was_asked_is_not_taken() {
    let mut rig = Rig::up(config(1));
    let node = far(0, 100);
    rig.answer(0, &node);
    rig.answer_with(0, &node, 10);
    let sent = rig.asked(0);
    assert_eq!(sent.poll.after, Seq(10));
    for after in [0, 9, 11, 50] {
        let readings =
            Readings { after: Seq(after), first: Seq(60), pack: pack(5), ..honest(&node, &sent, 0) };
        rig.give(0, Readings { re: rig.asked(0).id.to_string(), ..readings });
        assert_eq!(rig.takes().len(), 1, "{after}");
        rig.run(INTERVAL);
    }
    rig.answer(0, &node);
    assert_eq!((rig.takes()[1].after, rig.takes()[1].through()), (Seq(10), Seq(100)));
}

#[test]
fn readings_in_the_answer_that_only_names_the_journal_are_not_taken() {
    let mut rig = Rig::up(config(1));
    let sent = rig.asked(0);
    rig.give(0, Readings { pack: pack(5), ..honest(&far(0, 5), &sent, 0) });
    assert_eq!(rig.takes().len(), 0);
    assert_eq!((rig.asked(0).poll.journal, rig.asked(0).poll.after), (Some(FIRST), Seq(0)));
}

#[test]
fn a_peer_at_the_end_of_all_numbers_is_borne() {
    let mut rig = Rig::up(config(1));
    rig.answer(0, &far(0, 5));
    let sent = rig.asked(0);
    let first = Seq(1 << 52);
    rig.give(0, Readings { first, last: Seq(u64::MAX), pack: pack(3), ..honest(&far(0, 5), &sent, 0) });
    rig.run(3 * INTERVAL);
    rig.taken(FIRST, u64::MAX);
    rig.run(3 * INTERVAL);
    rig.input(|m, _| m.refused(FIRST));
    rig.run(3 * INTERVAL);
}

#[test]
fn a_link_that_stands_twice_leaves_nothing_behind() {
    let mut rig = Rig::up(config(1));
    for _ in 0..10 {
        rig.link_up(0);
    }
    assert_eq!(rig.machine.machine().links.len(), 1);
    rig.link_down(0);
    assert_eq!(rig.machine.machine().links.len(), 0);
    // A failure of an attempt that is none is nobody's.
    rig.run(INTERVAL);
    let link = rig.link_up(0);
    rig.input(|m, now| m.link_failed(now, PeerIx(0), "late"));
    assert_eq!(rig.machine.machine().peer_of(link), Some(PeerIx(0)));
}

/// Peers of the random test, and ids that exist and that do not.
const PEERS: usize = 4;

fn random_readings(rng: &mut fastrand::Rng, rig: &Rig, link: LinkId) -> Readings {
    let asked = rig.polls().into_iter().rfind(|sent| sent.link == link);
    let sent = asked.unwrap_or_else(|| rig_sent(link));
    let n = if rng.u8(0..8) == 0 { rng.usize(0..PEERS) } else { usize::try_from(link.0 % 4).unwrap() };
    let mut node = far(n, sent.poll.after.0.min(1 << 52) + rng.u64(0..6_000));
    if rng.u8(0..20) == 0 {
        node.journal = JournalId(rng.u64(1..9));
    }
    let mut readings = honest(&node, &sent, rng.u64(0..40));
    match rng.u8(0..30) {
        0 => readings.last = Seq(rng.u64(..)),
        1 => readings.first = Seq(readings.first.0 + rng.u64(0..1 << 51)),
        2 => readings.re = rng.u64(0..30).to_string(),
        3 => readings.after = Seq(rng.u64(0..readings.first.0)),
        4 => readings.pack = pack(rng.u64(0..2_500)),
        _ => {}
    }
    readings
}

#[test]
fn it_keeps_the_contract_whatever_comes() {
    for_seeds(100, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut rig =
            Rig::new(PrimaryConfig { poll_interval: rng.u32(1..2_000) * MS, seed, ..config(PEERS) });
        let mut durable: BTreeMap<JournalId, Seq> = BTreeMap::new();
        for _ in 0..400 {
            let ix = rng.usize(0..PEERS);
            let link = rig.machine.machine().peers[ix].link().unwrap_or(LinkId(rng.u64(0..200)));
            let journal = JournalId(rng.u64(1..9));
            match rng.u8(0..24) {
                0..2 => rig.run(rng.u32(0..8_000) * MS),
                2..5 => rig.run(rng.u32(0..30) * MS),
                5..7 if rig.machine.machine().peers[ix].link().is_none() => drop(rig.link_up(ix)),
                7 => rig.input(|m, now| m.link_failed(now, PeerIx(rng.usize(0..5)), "refused")),
                8 => rig.input(|m, now| {
                    m.link_down(now, link, "reset");
                }),
                9 => rig.input(|m, now| {
                    m.error(now, link, &rng.u64(0..50).to_string(), "no");
                }),
                10 if rng.bool() => rig.input(|m, now| m.foreign(now, link)),
                11 => rig.input(|m, _| m.refused(journal)),
                12..15 => {
                    let of_journal = |readings: &&&Readings| readings.journal == journal;
                    let Some(end) = rig.takes().iter().rfind(of_journal).map(|r| r.through()) else {
                        continue;
                    };
                    let cursor = durable.entry(journal).or_default();
                    *cursor = (*cursor).max(end);
                    let cursor = *cursor;
                    rig.input(|m, now| m.taken(now, journal, cursor));
                }
                _ => {
                    let readings = random_readings(&mut rng, &rig, link);
                    rig.input(|m, now| m.readings(now, link, readings));
                }
            }
            rig.timeout();
            check(&rig, &durable);
            rig.outputs.retain(|output| matches!(output, PrimaryOutput::Send(..) | PrimaryOutput::Take(..)));
            let excess = rig.outputs.len().saturating_sub(300);
            rig.outputs.drain(..excess);
        }
    });
}

/// What holds at every moment, whatever peers, links and the store do.
fn check(rig: &Rig, durable: &BTreeMap<JournalId, Seq>) {
    let machine = rig.machine.machine();
    assert!(
        machine.links.len() <= PEERS && machine.journals.owned() <= PEERS && machine.timers.len() <= PEERS
    );
    let (kept, sum) = machine.journals.uncommitted();
    assert_eq!(kept, sum, "what is kept as the sum");
    for Sent { poll, .. } in rig.polls() {
        let Some(journal) = poll.journal else { continue };
        let confirmed = durable.get(&journal).copied().unwrap_or_default();
        assert!(poll.taken <= confirmed, "acknowledged and not durable: {poll:?}, durable {confirmed}");
        assert!(poll.taken <= poll.after);
        let uncommitted = poll.after.0 - poll.taken.0;
        assert!(poll.max == 0 || uncommitted + u64::from(poll.max) <= UNCOMMITTED_MAX, "{poll:?}");
    }
}
