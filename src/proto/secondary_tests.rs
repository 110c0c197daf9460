use std::sync::Arc;

use super::*;
use crate::model::{BootId, Channel, WallTime};
use crate::proto::contract::{Machine, Watched, for_seeds};

impl Machine for Secondary {
    type Output = SecondaryOutput;
    fn handle_timeout(&mut self, _now: Now) {}
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        None
    }
    fn poll_output(&mut self) -> Option<SecondaryOutput> {
        Secondary::poll_output(self)
    }
    fn outputs_max(&self) -> usize {
        2
    }
}

const OWN: JournalId = JournalId(0xa);
const BOOT: BootId = BootId(7);
const LINK: LinkId = LinkId(1);

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn secondary(last: u64) -> Watched<Secondary> {
    let machine = Secondary::new(name("pi-2"), OWN, Seq(last), BTreeMap::new());
    Watched::new(machine, Instant::ZERO)
}

fn request(journal: Option<JournalId>, after: u64, taken: u64) -> PollRequest {
    PollRequest { journal, after: Seq(after), taken: Seq(taken), max: 10 }
}

fn poll(machine: &mut Watched<Secondary>, link: LinkId, poll: PollRequest) -> Vec<SecondaryOutput> {
    machine.input(|m, now| m.poll(now, &OwnClock::new(BOOT), link, "7".into(), Some(name("sink")), poll))
}

fn pack(count: u64) -> Pack {
    let channel = Channel { node: name("pi-2"), chip: "c".into(), quantity: "q".into(), unit: String::new() };
    let channel = Arc::new(channel);
    let mut pack = Pack::default();
    for at in 0..count {
        pack.push(&channel, WallTime::default(), Instant::ZERO, Ok(at as f64));
    }
    pack
}

fn piece(first: u64, boot: BootId, pack: Pack) -> Readings {
    let (re, node, journal) = (String::new(), name("pi-2"), OWN);
    let (after, first, last) = (Seq(first - 1), Seq(first), Seq(first));
    Readings { re, node, journal, boot, after, first, last, clock: None, mark: None, pack }
}

/// The answer on `link` in `outputs`, and there is no other.
fn answer(outputs: &[SecondaryOutput], link: LinkId) -> &Body {
    let mut sent = outputs.iter().filter_map(|output| match output {
        SecondaryOutput::Send(to, body) => Some((*to, body)),
        _ => None,
    });
    let (to, body) = sent.next().expect("an answer");
    assert_eq!((to, sent.next()), (link, None));
    body
}

fn readings(body: &Body) -> &Readings {
    match body {
        Body::Readings(readings) => readings,
        other => panic!("{other:?}"),
    }
}

fn error(body: &Body) -> &str {
    match body {
        Body::Error { re, text } => {
            assert_eq!(re, "7");
            text
        }
        other => panic!("{other:?}"),
    }
}

fn reads(outputs: &[SecondaryOutput]) -> Vec<(LinkId, Seq, u32)> {
    let read = |output: &SecondaryOutput| match output {
        SecondaryOutput::Read { link, after, max, .. } => Some((*link, *after, *max)),
        _ => None,
    };
    outputs.iter().filter_map(read).collect()
}

#[test]
fn a_poll_at_the_end_is_answered_at_once_and_empty() {
    let mut machine = secondary(5);
    let outputs = poll(&mut machine, LINK, request(Some(OWN), 5, 5));
    assert_eq!(reads(&outputs), []);
    let empty = readings(answer(&outputs, LINK));
    assert_eq!((empty.re.as_str(), empty.journal, empty.boot), ("7", OWN, BOOT));
    assert_eq!((empty.after, empty.first, empty.last), (Seq(5), Seq(6), Seq(5)));
    assert!(empty.pack.is_empty());
}

#[test]
fn a_poll_is_answered_with_what_was_read_and_named_as_it_asked() {
    let mut machine = secondary(5);
    let outputs = poll(&mut machine, LINK, request(Some(OWN), 2, 2));
    assert_eq!(reads(&outputs), [(LINK, Seq(2), 10)]);
    let outputs =
        machine.input(|m, now| m.piece(now, &OwnClock::new(BOOT), LINK, Ok(piece(4, BootId(6), pack(2)))));
    let piece = readings(answer(&outputs, LINK));
    // A prefix is gone: the cursor that was asked for goes along, so that the asker sees the hole.
    assert_eq!((piece.after, piece.first, piece.last, piece.through()), (Seq(2), Seq(4), Seq(5), Seq(5)));
    assert_eq!((piece.re.as_str(), piece.boot), ("7", BootId(6)));
}

#[test]
fn an_answer_says_when_its_poll_came_and_when_it_left() {
    let mut machine = secondary(5);
    let came = machine.now();
    poll(&mut machine, LINK, request(Some(OWN), 2, 2));
    machine.advance(came + std::time::Duration::from_millis(30));
    let clock = OwnClock::new(BOOT);
    let outputs = machine.input(|m, now| m.piece(now, &clock, LINK, Ok(piece(3, BootId(6), pack(2)))));
    let said = readings(answer(&outputs, LINK)).clock.expect("a node says how its clocks stand");
    // Of the present boot, though the readings are of an earlier one.
    assert_eq!((said.boot, said.received, said.mark.mono), (BOOT, came, machine.now()));
}

#[test]
fn a_poll_asks_for_no_more_than_the_bound() {
    let mut machine = secondary(5);
    let greedy = PollRequest { max: u32::MAX, ..request(Some(OWN), 0, 0) };
    assert_eq!(reads(&poll(&mut machine, LINK, greedy)), [(LINK, Seq(0), POLL_MAX_READINGS)]);
}

#[test]
fn a_poll_for_no_readings_is_answered_without_a_read() {
    let mut machine = secondary(5);
    let outputs = poll(&mut machine, LINK, PollRequest { max: 0, ..request(Some(OWN), 2, 1) });
    assert_eq!(reads(&outputs), []);
    let empty = readings(answer(&outputs, LINK));
    assert_eq!((empty.after, empty.first, empty.last), (Seq(2), Seq(3), Seq(5)));
    assert!(outputs.contains(&SecondaryOutput::NoteConsumer(name("sink"), Seq(1))));
}

#[test]
fn a_poll_for_another_journal_is_told_the_own_journals_name_and_notes_nobody() {
    let mut machine = secondary(5);
    for journal in [None, Some(JournalId(0xb))] {
        let outputs = poll(&mut machine, LINK, request(journal, 99, 99));
        assert_eq!(outputs.len(), 1);
        let empty = readings(answer(&outputs, LINK));
        assert_eq!((empty.journal, empty.after, empty.first, empty.last), (OWN, Seq(0), Seq(1), Seq(5)));
        assert!(empty.pack.is_empty());
    }
    assert!(machine.machine().consumers().is_empty());
}

#[test]
fn a_cursor_beyond_the_end_is_an_error_that_names_the_next_step() {
    let mut machine = secondary(5);
    let outputs = poll(&mut machine, LINK, request(Some(OWN), 6, 6));
    let text = error(answer(&outputs, LINK));
    for word in ["6", "000000000000000a", "ends at 5", "moving its data folder away"] {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
    assert!(machine.machine().consumers().is_empty(), "what cannot be is not noted");
}

#[test]
fn a_second_poll_while_a_read_is_under_way_is_an_error_and_no_second_read() {
    let mut machine = secondary(5);
    poll(&mut machine, LINK, request(Some(OWN), 1, 0));
    let outputs = poll(&mut machine, LINK, request(Some(OWN), 1, 0));
    assert_eq!(reads(&outputs), []);
    assert!(error(answer(&outputs, LINK)).contains("wait for it"));
    // Another link has a read of its own.
    assert_eq!(reads(&poll(&mut machine, LinkId(2), request(Some(OWN), 1, 0))), [(LinkId(2), Seq(1), 10)]);
    let outputs =
        machine.input(|m, now| m.piece(now, &OwnClock::new(BOOT), LINK, Ok(piece(2, BOOT, pack(1)))));
    assert_eq!(readings(answer(&outputs, LINK)).first, Seq(2));
    assert_eq!(reads(&poll(&mut machine, LINK, request(Some(OWN), 2, 2))).len(), 1);
}

#[test]
fn a_read_that_fails_is_an_error_with_the_stores_words() {
    let mut machine = secondary(5);
    poll(&mut machine, LINK, request(Some(OWN), 1, 0));
    let outputs =
        machine.input(|m, now| m.piece(now, &OwnClock::new(BOOT), LINK, Err("the disk is on fire".into())));
    assert!(error(answer(&outputs, LINK)).contains("the disk is on fire"));
    assert_eq!(reads(&poll(&mut machine, LINK, request(Some(OWN), 1, 0))).len(), 1);
}

#[test]
fn a_link_that_is_gone_is_forgotten() {
    let mut machine = secondary(5);
    poll(&mut machine, LINK, request(Some(OWN), 1, 0));
    machine.input(|m, _| m.link_down(LINK));
    assert_eq!(
        machine.input(|m, now| m.piece(now, &OwnClock::new(BOOT), LINK, Ok(piece(2, BOOT, pack(1))))),
        []
    );
}

#[test]
fn a_consumer_is_noted_when_it_moves_and_never_above_its_cursor() {
    let mut machine = secondary(5);
    let noted = |machine: &mut Watched<Secondary>, after, taken| {
        let outputs = poll(machine, LINK, request(Some(OWN), after, taken));
        machine.input(|m, now| m.piece(now, &OwnClock::new(BOOT), LINK, Ok(piece(after + 1, BOOT, pack(1)))));
        let note = |output| match output {
            SecondaryOutput::NoteConsumer(who, seq) if who == name("sink") => Some(seq.0),
            _ => None,
        };
        outputs.into_iter().filter_map(note).collect::<Vec<_>>()
    };
    assert_eq!(noted(&mut machine, 0, 0), [0], "one that has nothing yet holds retention back too");
    assert_eq!(noted(&mut machine, 2, 1), [1]);
    assert_eq!(noted(&mut machine, 3, 1), [0; 0]);
    assert_eq!(noted(&mut machine, 3, 99), [3]);
    // One that goes back has lost its card: what it no longer has is wanted again.
    assert_eq!(noted(&mut machine, 2, 2), [2]);
    assert_eq!(machine.machine().consumers(), &BTreeMap::from([(name("sink"), Seq(2))]));
}

#[test]
fn what_is_remembered_of_consumers_is_bounded() {
    let mut machine = secondary(5);
    for n in 0..CONSUMERS_MAX + 10 {
        let who = name(&format!("sink-{n}"));
        machine.input(|m, now| {
            m.poll(now, &OwnClock::new(BOOT), LINK, "7".into(), Some(who), request(Some(OWN), 5, 5))
        });
    }
    assert_eq!(machine.machine().consumers().len(), CONSUMERS_MAX);
    // Those who are known go on, the others are served all the same.
    machine.input(|m, _| m.appended(Seq(6)));
    let outputs = machine.input(|m, now| {
        m.poll(now, &OwnClock::new(BOOT), LINK, "7".into(), Some(name("sink-0")), request(Some(OWN), 6, 6))
    });
    assert_eq!(outputs.len(), 2);
    let late = name(&format!("sink-{CONSUMERS_MAX}"));
    let outputs = machine.input(|m, now| {
        m.poll(now, &OwnClock::new(BOOT), LINK, "7".into(), Some(late), request(Some(OWN), 6, 6))
    });
    assert_eq!(readings(answer(&outputs, LINK)).last, Seq(6));
}

#[test]
fn the_end_never_goes_back() {
    let mut machine = secondary(5);
    machine.input(|m, _| m.appended(Seq(9)));
    machine.input(|m, _| m.appended(Seq(7)));
    assert_eq!(machine.machine().last(), Seq(9));
}

#[test]
fn it_keeps_the_contract_whatever_comes() {
    for_seeds(200, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut machine = secondary(rng.u64(0..20));
        for _ in 0..200 {
            let link = LinkId(rng.u64(0..4));
            let outputs = match rng.u8(0..5) {
                0 => machine.input(|m, _| m.appended(Seq(rng.u64(0..40)))),
                1 => machine.input(|m, _| m.link_down(link)),
                2 => machine.input(|m, now| {
                    m.piece(
                        now,
                        &OwnClock::new(BOOT),
                        link,
                        Ok(piece(rng.u64(1..40), BOOT, pack(rng.u64(0..3)))),
                    )
                }),
                _ => {
                    let journal = [None, Some(OWN), Some(OWN), Some(JournalId(1))][rng.usize(0..4)];
                    let end = if rng.u8(0..9) == 0 { u64::MAX } else { 40 };
                    let wanted = PollRequest {
                        journal,
                        after: Seq(rng.u64(0..=end)),
                        taken: Seq(rng.u64(0..=end)),
                        max: rng.u32(..),
                    };
                    machine.input(|m, now| {
                        m.poll(now, &OwnClock::new(BOOT), link, String::new(), Some(name("s")), wanted)
                    })
                }
            };
            for (_, after, max) in reads(&outputs) {
                assert!(after < machine.machine().last() && (1..=POLL_MAX_READINGS).contains(&max));
            }
            machine.timeout();
        }
    });
}
