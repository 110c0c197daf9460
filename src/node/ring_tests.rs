//! A node in the role ring: what it makes of the ring machine's wishes.

use std::sync::Arc;

use super::*;
use crate::model::{Channel, Claim, Cursor, LifeId, Member, MemberId, Outcome, RingId, Token, TokenAck, Who};

fn said_by_peer(body: Body) -> Message {
    Message { id: "1".into(), to: None, sender: Some(name("sink")), timestamp: None, body }
}

fn heard(body: Body) -> Input {
    Input::Message { link: LINK, message: said_by_peer(body) }
}

fn ring() -> Watched<Node> {
    node(Role::Ring(part()))
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
    let mut node = ring();
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
        cursors: vec![Cursor { journal: OWN, after: Seq(2), taken: Seq(1), max: 100 }],
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
        Input::LinkUp { link: LinkId(9), peer: Some(PeerIx(0)), remote: IpAddr::from([10, 0, 0, 1]) },
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
