use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{
    BootId, Channel, Cursor, Cursors, Instant, Member, Message, Pack, Roster, Seq, TOKEN_MAX_BYTES,
    TOKEN_PIECES_MAX, Token, WallTime,
};
use crate::wire::{
    Dialect, Framing, JsocketDialect, LINE_MAX_BYTES, LineDecoder, WireError, encode as encode_message,
};

fn decode_line(bytes: &[u8]) -> Result<Message, WireError> {
    LineDecoder::default().next(&mut &bytes[..]).expect("a whole line")
}

fn encoded(body: Body) -> Vec<u8> {
    let message = Message { id: "7".into(), to: None, sender: None, timestamp: None, body };
    let mut bytes = Vec::new();
    encode_message(&message, WallTime::default(), &mut bytes);
    bytes
}

fn id(n: u64) -> MemberId {
    MemberId { journal: JournalId(n), life: LifeId(u64::MAX - n) }
}

fn ring(epoch: u64) -> RingId {
    RingId { epoch, leader: id(epoch + 1) }
}

fn who(n: u64) -> Who {
    let sink_rank = u8::try_from(n).ok().filter(|rank| *rank < 3);
    Who { node: NodeName::new(&format!("pi-{n}")).unwrap(), id: id(n), sink_rank }
}

fn readings(count: usize, after: u64) -> Readings {
    let channel = Arc::new(Channel {
        node: NodeName::new("pi-2").unwrap(),
        chip: "sht3x-44".into(),
        quantity: "a \"quantity\"\r\n".into(),
        unit: "Cel".into(),
    });
    let mut pack = Pack::default();
    for at in 0..count {
        pack.push(
            &channel,
            WallTime::from_unix_micros(1_768_867_199_500_000),
            Instant::ZERO,
            Ok(at as f64 + 0.25),
        );
    }
    Readings {
        re: String::new(),
        node: NodeName::new("pi-2").unwrap(),
        journal: JournalId(2),
        boot: BootId(5),
        after: Seq(after),
        first: Seq(after + 1),
        last: Seq(9_999),
        clock: None,
        mark: None,
        pack,
    }
}

fn members(count: u64) -> Roster {
    let member = |n| Member { who: who(n), address: format!("pi-{n}.local:7001"), joined: n };
    (0..count).map(member).collect::<Vec<_>>().into()
}

fn token() -> Token {
    Token {
        ring: ring(4),
        seq: 77,
        to: id(1),
        pass_on: true,
        busy: 70,
        members: members(5),
        sink: Some(JournalId(0)),
        cursors: vec![Cursor { journal: JournalId(2), after: Seq(9), taken: Seq(4), max: 100 }].into(),
        pieces: vec![seal_piece(&readings(3, 9)), seal_piece(&readings(1, 12))],
    }
}

fn bodies() -> Vec<Body> {
    let plain =
        Token { pass_on: false, sink: None, cursors: Cursors::default(), pieces: Vec::new(), ..token() };
    let by = ring(9);
    let outcomes =
        [Outcome::Taken, Outcome::Seen(by), Outcome::Promised(by), Outcome::NotHere, Outcome::Unreachable];
    let state = RingState { who: who(2), ring: ring(3), top: ring(5), members: 4 };
    let answer = ClaimAnswer { ring: ring(1), is_promised: true, is_alive: false, top: ring(2), who: who(1) };
    let mut bodies = vec![
        Body::Token(Box::new(token())),
        Body::Token(Box::new(plain)),
        Body::Claim(Claim { ring: ring(8), latest: (ring(7), 41), who: who(60) }),
        Body::ClaimAnswer(ClaimAnswer { is_promised: false, is_alive: true, ..answer.clone() }),
        Body::ClaimAnswer(answer),
        Body::RingQuery(state.clone()),
        Body::RingAnswer(state),
    ];
    bodies.extend(outcomes.map(|outcome| Body::TokenAck(TokenAck { ring: ring(4), seq: 77, outcome })));
    bodies
}

#[test]
fn messages_round_trip() {
    for body in bodies() {
        let message = decode_line(&encoded(body.clone())).unwrap();
        assert_eq!((message.id.as_str(), message.body), ("7", body));
    }
}

#[test]
fn members_and_cursors_are_read_anew_when_they_change_and_only_then() {
    let mut decoder = LineDecoder::default();
    let mut next = |token: &Token| {
        let line = encoded(Body::Token(Box::new(token.clone())));
        match decoder.next(&mut line.as_slice()).unwrap().unwrap().body {
            Body::Token(token) => token,
            other => panic!("{other:?}"),
        }
    };
    let first = next(&token());
    let mut second = next(&Token { seq: 78, ..(*first).clone() });
    assert!(std::ptr::eq(&*first.members, &*second.members), "the members were read a second time");
    assert!(std::ptr::eq(&*first.cursors, &*second.cursors), "the cursors were read a second time");
    second.members.remove(2);
    second.cursors.retain(|cursor| cursor.journal != JournalId(2));
    let third = next(&second);
    assert_eq!((third.members.len(), third.cursors.len()), (4, 0));
    assert_eq!(third.members, second.members);
    assert_eq!(next(&token()), Box::new(token()));
}

/// The same JSON as no node of ours would write it.
fn written_otherwise(line: &[u8]) -> Vec<u8> {
    let mut other = line.to_vec();
    other.insert(1, b' ');
    other
}

#[test]
fn who_writes_its_json_otherwise_is_understood_as_well() {
    for body in bodies() {
        let line = encoded(body);
        let other = written_otherwise(&line);
        assert!(read_as_written(str::from_utf8(&other).unwrap().trim_end(), &mut Known::default()).is_none());
        assert_eq!(decode_line(&other).unwrap(), decode_line(&line).unwrap());
    }
}

#[test]
fn tokens_and_their_acknowledgements_are_read_as_they_are_written() {
    for body in bodies() {
        let is_quick = match &body {
            Body::Token(_) => true,
            Body::TokenAck(ack) => !matches!(ack.outcome, Outcome::Seen(_) | Outcome::Promised(_)),
            _ => false,
        };
        let line = encoded(body.clone());
        let read = read_as_written(str::from_utf8(&line).unwrap().trim_end(), &mut Known::default());
        assert_eq!(read.map(|message| message.body), is_quick.then_some(body));
    }
}

#[test]
fn a_token_of_several_lines_goes_on_as_one() {
    let line = encoded(Body::Token(Box::new(token())));
    let members = line.windows(11).position(|part| part == b"\"members\":[").unwrap() + 11;
    let text = [&line[..members], b"\r\n \n", line[members..].trim_ascii_end()].concat();
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    let mut framing = Framing::speaking(Dialect::Jsocket(JsocketDialect::V1));
    let message = framing.next(&mut &[&length[..], &text].concat()[..]).unwrap().unwrap();
    assert_eq!(message.body, Body::Token(Box::new(token())));
    let again = encoded(message.body);
    assert_eq!(again.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count(), 2, "the end of the line");
}

#[test]
fn a_member_without_an_address_stays_without_one() {
    let nowhere = Member { who: who(9), address: String::new(), joined: 3 };
    let token = Token { members: vec![nowhere].into(), ..token() };
    let message = decode_line(&encoded(Body::Token(Box::new(token.clone())))).unwrap();
    assert_eq!(message.body, Body::Token(Box::new(token)));
}

#[test]
fn a_piece_is_opened_to_what_was_sealed_and_to_nothing_else() {
    let sealed = seal_piece(&readings(3, 9));
    assert_eq!((sealed.after, sealed.through, sealed.journal), (Seq(9), Seq(12), JournalId(2)));
    assert_eq!(open_piece(&sealed).unwrap(), readings(3, 9));
    for wrong in [
        Piece { through: Seq(13), ..sealed.clone() },
        Piece { after: Seq(8), ..sealed.clone() },
        Piece { journal: JournalId(3), ..sealed.clone() },
    ] {
        assert!(open_piece(&wrong).unwrap_err().contains("labelled"));
    }
    assert!(open_piece(&Piece { text: "{}".into(), ..sealed }).is_err());
}

#[test]
fn a_full_token_fits_a_line() {
    let name = |n: u64| NodeName::new(&format!("{:x<63}", format!("pi-{n}"))).unwrap();
    let member = |n: u64| Member {
        who: Who { node: name(n), ..who(n) },
        address: format!("{n:x<260}"),
        joined: COUNT_MAX,
    };
    let cursor = |n: u64| Cursor {
        journal: JournalId(n),
        after: Seq(COUNT_MAX),
        taken: Seq(COUNT_MAX),
        max: u32::MAX,
    };
    let mut full = Token {
        members: (0..64).map(member).collect::<Vec<_>>().into(),
        cursors: (0..64).map(cursor).collect(),
        ..token()
    };
    full.pieces.clear();
    let bytes = TOKEN_MAX_BYTES / TOKEN_PIECES_MAX - 120;
    for at in 0..TOKEN_PIECES_MAX as u64 {
        let text = format!("\"{}\"", "x".repeat(bytes - 2)).into();
        full.pieces.push(Piece { journal: JournalId(at), after: Seq(at), through: Seq(COUNT_MAX), text });
    }
    assert_eq!(full.bytes(), TOKEN_MAX_BYTES);
    let line = encoded(Body::Token(Box::new(full.clone())));
    assert!(line.len() < LINE_MAX_BYTES, "{} bytes", line.len());
    assert_eq!(decode_line(&line).unwrap().body, Body::Token(Box::new(full.clone())));
    full.pieces[0].text = format!("\"{}\"", "x".repeat(bytes)).into();
    let error = decode_line(&encoded(Body::Token(Box::new(full)))).unwrap_err();
    assert!(error.to_string().contains("bytes of readings"), "{error}");
}

#[test]
fn what_is_wrong_is_named() {
    let line = |text: &str| decode_line(text.as_bytes()).unwrap_err().to_string();
    let good = String::from_utf8(encoded(bodies().remove(1))).unwrap();
    for (from, to, word) in [
        ("\"epoch\":4", "\"epoch\":4503599627370497", "epoch"),
        ("\"pi-3 0", "\"p,i 0", "node"),
        ("\"pi-3 0", "\"pi-3 x", "journal"),
        ("pi-3.local:7001", "pi-3 local", "6 words"),
        ("pi-3.local:7001", "pi-3.local:7001\\\"", "address"),
        ("pi-3.local:7001 3 ", "pi-3.local:7001 -3 ", "joined"),
        ("pi-2.local:7001 2 2", "pi-2.local:7001 2 256", "sink_rank"),
        ("\"seq\":77", "\"seq\":-1", "-1"),
        ("\"members\":[", "\"members\":[7,", "members"),
    ] {
        assert!(good.contains(from), "{from} in {good}");
        let error = line(&good.replacen(from, to, 1));
        assert!(error.starts_with("TOKEN: ") && error.contains(word), "{error}");
    }
    let many = Token { members: members(65), ..token() };
    let error = decode_line(&encoded(Body::Token(Box::new(many)))).unwrap_err();
    assert!(error.to_string().contains("members: 65 are more than 64"), "{error}");
    let ack = "{\"key\":\"TOKEN_ACK\",\"value\":{\"ring\":{\"epoch\":1,\"leader\":{\"journal\":\"0000000000000001\",\
               \"life\":\"0000000000000001\"}},\"seq\":1,\"outcome\":\"seen\"}}\r";
    assert!(line(ack).contains("outcome"));
    let cursor = Cursor { journal: JournalId(1), after: Seq(1), taken: Seq(2), max: 0 };
    let error =
        decode_line(&encoded(Body::Token(Box::new(Token { cursors: vec![cursor].into(), ..token() }))));
    assert!(error.unwrap_err().to_string().contains("taken 2"));
}

proptest! {
    #[test]
    fn nothing_is_read_that_is_not_json(
        which in 0usize..12, at in any::<usize>(), byte in any::<u8>(), is_inserted in any::<bool>(),
        primed in any::<bool>(),
    ) {
        let line = encoded(bodies().swap_remove(which));
        let mut broken = line.clone();
        let at = 1 + at % (line.len() - 3);
        if is_inserted {
            broken.insert(at, byte);
        } else {
            broken[at] = byte;
        }
        let mut decoder = LineDecoder::default();
        if primed {
            prop_assert!(decoder.next(&mut line.as_slice()).is_some());
        }
        let quick = decoder.next(&mut broken.as_slice()).and_then(Result::ok);
        let slow = LineDecoder::default().next(&mut written_otherwise(&broken).as_slice()).and_then(Result::ok);
        prop_assert_eq!(quick, slow);
    }

    #[test]
    fn broken_messages_never_panic(
        which in 0usize..12, at in any::<usize>(), byte in any::<u8>(), cut in any::<usize>(),
    ) {
        let mut bytes = encoded(bodies().swap_remove(which));
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(cut % length);
        bytes.push(b'\r');
        let mut decoder = LineDecoder::default();
        let mut input = bytes.as_slice();
        while decoder.next(&mut input).is_some() {}
    }
}

#[test]
fn what_is_no_message_of_a_ring_is_told_in_its_words() {
    for (key, what) in
        [("RING", "a node and its ring"), ("CLAIM", "a claim of a token"), ("TOKEN", "a token")]
    {
        let (_, read) = decode(key, "7").unwrap();
        let told = read.unwrap_err();
        assert!(told.contains(&format!("expected an object with {what}")), "{told}");
    }
}
