//! A node in the role ring: what it makes of the ring machine's wishes.

use std::collections::BTreeMap;

use std::sync::Arc;

use super::*;
use crate::model::{
    Channel, Claim, Cursor, LifeId, Member, MemberId, Outcome, RingId, RingState, Token, TokenAck, WallTime,
    Who,
};

fn said_by_peer(body: Body) -> Message {
    Message { id: "1".into(), to: None, sender: Some(name("sink")), timestamp: None, body }
}

fn heard(body: Body) -> Input {
    Input::Message { link: LINK, message: said_by_peer(body) }
}

pub(super) fn ring(sink_rank: Option<u8>) -> Watched<Node> {
    node(Role::Ring(RingPart { sink_rank, ..part() }))
}

pub(super) fn part() -> RingPart {
    RingPart {
        peers: (0..3).map(|n| (format!("10.0.0.{n}:7000"), None)).collect(),
        cursors: BTreeMap::new(),
        sink_rank: None,
        makes_token: false,
        token_hold: Duration::from_millis(100),
        round_interval: Duration::from_secs(1),
        standby_after: Duration::from_secs(5),
        last_round: 0,
        seed: 1,
    }
}

#[test]
fn a_node_of_a_ring_gives_sealed_readings_to_the_token_that_asks_for_them() {
    let mut node = ring(None);
    let first = name("sink");
    let sink = MemberId { journal: JournalId(1), life: LifeId(1) };
    // It learns its own name in the ring from its answer to a claim.
    let claim = Claim {
        ring: RingId { epoch: 1, leader: sink },
        latest: Default::default(),
        who: Who { node: first.clone(), id: sink, sink_rank: Some(0) },
    };
    let said = tell(&mut node, heard(Body::Claim(claim)));
    let [Output::Send(LINK, Message { body: Body::ClaimAnswer(answer), .. })] = said.as_slice() else {
        panic!("{said:?}")
    };
    let member =
        |who: &Who, n: u8| Member { who: who.clone(), address: format!("10.0.0.{n}:7000"), joined: 0 };
    let sink_who = Who { node: first.clone(), id: sink, sink_rank: Some(0) };
    let mut token = Token {
        ring: RingId { epoch: 2, leader: sink },
        seq: 1,
        to: answer.who.id,
        pass_on: false,
        busy: 1,
        members: vec![member(&sink_who, 0), member(&answer.who, 1)].into(),
        sink: Some(sink.journal),
        cursors: vec![Cursor { journal: OWN, after: Seq(2), taken: Seq(1), max: 100 }].into(),
        pieces: Vec::new(),
    };
    let said = tell(&mut node, heard(Body::Token(Box::new(token.clone()))));
    let is_read = |output: &Output| matches!(output, Output::Read { asker: Asker::Ring, after: Seq(2), .. });
    assert!(said.iter().any(is_read), "{said:?}");
    assert!(said.contains(&Output::NoteConsumer(first, Seq(1))), "{said:?}");
    assert_eq!(node.machine().status(at(Instant::ZERO))["ring"]["members"][1]["node"], "pi-2");

    let mut read = piece(Seq(2));
    let channel = Channel { node: name("pi-2"), chip: "c".into(), quantity: "q".into(), unit: String::new() };
    read.pack.push(&Arc::new(channel), WallTime::from_unix_micros(1), Instant::from_micros(1), Ok(20.5));
    tell(&mut node, Input::Piece { asker: Asker::Ring, piece: Ok(read) });
    // It hands its first token on, as soon as the sink's address answers.
    tell(
        &mut node,
        Input::LinkUp {
            link: LinkId(9),
            far: Some(Far::Duty(PeerIx(0))),
            remote: IpAddr::from([10, 0, 0, 1]),
        },
    );
    let ack = TokenAck { ring: token.ring, seq: 2, outcome: Outcome::Taken };
    let taken = said_by_peer(Body::TokenAck(ack));
    tell(&mut node, Input::Message { link: LinkId(9), message: taken });
    (token.seq, token.busy) = (3, 3);
    let said = tell(&mut node, heard(Body::Token(Box::new(token))));
    let sealed = said.iter().find_map(|output| match output {
        Output::Send(LinkId(9), Message { body: Body::Token(token), .. }) => token.pieces.first(),
        _ => None,
    });
    let opened = open_piece(sealed.unwrap_or_else(|| panic!("{said:?}"))).unwrap();
    assert_eq!((opened.after, opened.pack.readings[0].value), (Seq(2), Ok(20.5)));
}

/// Who this node says it is, when a ring asks.
fn own(node: &mut Watched<Node>) -> Who {
    let asker = Who { node: name("x"), id: MemberId::default(), sink_rank: None };
    let state = RingState { who: asker, ring: RingId::default(), top: RingId::default(), members: 0 };
    let said = tell(node, heard(Body::RingQuery(state)));
    match said.as_slice() {
        [Output::Send(LINK, Message { body: Body::RingAnswer(state), .. })] => state.who.clone(),
        other => panic!("{other:?}"),
    }
}

/// A token as nobody who means well would send it: itself twice, nobody, strangers, cursors and pieces of anybody.
fn lie(rng: &mut fastrand::Rng, own: &Who) -> Token {
    let id =
        |rng: &mut fastrand::Rng| MemberId { journal: JournalId(rng.u64(0..4)), life: LifeId(rng.u64(0..2)) };
    let seq = |rng: &mut fastrand::Rng| Seq([0, rng.u64(0..40), rng.u64(0..1 << 52)][rng.usize(0..3)]);
    let member = |rng: &mut fastrand::Rng| {
        let stranger = Who { node: name("x"), id: id(rng), sink_rank: rng.bool().then(|| rng.u8(..)) };
        let who = if rng.bool() { own.clone() } else { stranger };
        Member { who, address: format!("10.0.0.{}:7000", rng.u8(0..5)), joined: seq(rng).0 }
    };
    let members: Vec<Member> = (0..rng.usize(0..5)).map(|_| member(rng)).collect();
    let cursor = |rng: &mut fastrand::Rng| {
        let journal = if rng.bool() { own.id.journal } else { id(rng).journal };
        let after = seq(rng);
        Cursor { journal, after, taken: Seq(rng.u64(0..=after.0)), max: rng.u32(..) }
    };
    let cursors = (0..rng.usize(0..4)).map(|_| cursor(rng)).collect();
    let mut sealed = |_| {
        let after = seq(rng);
        let mut piece = seal_piece(&Readings { journal: id(rng).journal, ..piece(after) });
        piece.through = Seq(piece.after.0 + rng.u64(1..100));
        piece
    };
    let pieces = (0..3).map(&mut sealed).collect();
    Token {
        ring: RingId { epoch: seq(rng).0, leader: id(rng) },
        seq: seq(rng).0,
        to: if rng.u8(0..4) == 0 { id(rng) } else { own.id },
        pass_on: rng.u8(0..4) == 0,
        busy: seq(rng).0,
        members: members.into(),
        sink: rng.bool().then(|| if rng.bool() { own.id.journal } else { id(rng).journal }),
        cursors,
        pieces,
    }
}

#[test]
fn tokens_that_lie_break_nothing() {
    for_seeds(300, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut node = ring((seed % 2 == 0).then_some(0));
        let own = own(&mut node);
        for _ in 0..60 {
            let message = said_by_peer(Body::Token(Box::new(lie(&mut rng, &own))));
            let mut line = Vec::new();
            encode(&message, WallTime::default(), &mut line);
            if rng.u8(0..4) == 0 {
                let at = rng.usize(0..line.len() - 2);
                line[at] = rng.u8(b' '..=b'~');
            }
            let outputs = hear(&mut node, LINK, &String::from_utf8(line).unwrap());
            let noted = outputs.iter().filter_map(|output| match output {
                Output::NoteConsumer(_, taken) => Some(*taken),
                _ => None,
            });
            assert!(noted.max() <= Some(Seq(5)), "no more is taken from it than there is");
            if rng.u8(0..3) == 0 {
                let until = node.now() + Duration::from_millis(rng.u64(0..1_000));
                node.run_until(until);
            }
            node.timeout();
        }
    });
}
