//! jsocket's frames: round trips, splits, and what is wrong with them.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::{Dialect, Framing};
use super::*;
use crate::model::{Access, Body, Command, Commands, Framings};

const EVERYBODY: Access = Access { open: Framings::ALL, allow: Commands::NONE };
const ALL: [JsocketDialect; 3] = [JsocketDialect::V2012, JsocketDialect::V1, JsocketDialect::V2];

fn frame(dialect: JsocketDialect, text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    let head = match dialect {
        JsocketDialect::V2012 => length.to_le_bytes().to_vec(),
        JsocketDialect::V1 => length.to_be_bytes().to_vec(),
        JsocketDialect::V2 => [MAGIC, length.to_be_bytes(), crc32fast::hash(text).to_be_bytes()].concat(),
    };
    [&head, text].concat()
}

fn decode(framing: &mut Framing, mut input: &[u8]) -> Vec<Result<Body, WireError>> {
    let mut seen = Vec::new();
    while let Some(message) = framing.next(&mut input) {
        seen.push(message.map(|message| message.body));
    }
    assert!(input.is_empty());
    seen
}

fn foreign(value: Json) -> Result<Body, WireError> {
    Ok(Body::Foreign(value))
}

#[test]
fn frames_of_the_real_programs_are_read() {
    // As jsocket 2.0.3 sends {"greeting": "hey"}, header first.
    let text = br#"{"greeting":"hey"}"#;
    assert_eq!(frame(JsocketDialect::V2, text).get(..8), Some(&b"JSN1\0\0\0\x12"[..]));
    for dialect in ALL {
        let mut framing = Framing::unknown(EVERYBODY);
        let frames = [
            &frame(dialect, text)[..],
            &frame(dialect, b"[0, NaN]"),
            &frame(dialect, "\"\u{e4}\"".as_bytes()),
        ];
        let seen = decode(&mut framing, &frames.concat());
        assert_eq!(
            seen,
            [foreign(json!({"greeting": "hey"})), foreign(json!([0, "NaN"])), foreign(json!("\u{e4}"))]
        );
        assert_eq!(framing.dialect(), Some(Dialect::Jsocket(dialect)));
        let asked = decode(&mut framing, &frame(dialect, br#"{"key":"PING","id":7}"#));
        assert_eq!(asked, [Ok(Body::Ping)]);
    }
}

#[test]
fn falsy_values_are_messages() {
    for dialect in ALL {
        let mut framing = Framing::speaking(Dialect::Jsocket(dialect));
        for value in [json!(null), json!(false), json!(0), json!(""), json!([]), json!({})] {
            assert_eq!(decode(&mut framing, &frame(dialect, value.to_string().as_bytes())), [foreign(value)]);
        }
    }
}

#[test]
fn what_is_wrong_is_told_and_the_next_message_is_read() {
    for dialect in ALL {
        let mut framing = Framing::speaking(Dialect::Jsocket(dialect));
        for text in [&b""[..], b"{", b"\"\xff\"", b"{} {}", b"nonsense"] {
            let seen = decode(&mut framing, &[frame(dialect, text), frame(dialect, b"1")].concat());
            assert!(matches!(seen[0], Err(WireError::NotJson { .. })), "{:?}", seen[0]);
            assert_eq!(seen[1..], [foreign(json!(1))]);
        }
    }
    let mut damaged = frame(JsocketDialect::V2, b"{\"a\":1}");
    *damaged.last_mut().unwrap() = b']';
    let mut framing = Framing::unknown(EVERYBODY);
    let seen = decode(&mut framing, &[damaged, frame(JsocketDialect::V2, b"2")].concat());
    assert!(matches!(seen[0], Err(WireError::BadChecksum { .. })));
    assert_eq!(seen[1..], [foreign(json!(2))]);
}

#[test]
fn where_the_next_message_begins_is_lost_the_link_ends() {
    let mut framing = Framing::unknown(EVERYBODY);
    let seen =
        decode(&mut framing, &[frame(JsocketDialect::V2, b"1"), b"JSN2 and more and more".to_vec()].concat());
    assert_eq!(seen[0], foreign(json!(1)));
    assert!(matches!(&seen[1..], [Err(error @ WireError::NotJsocket { .. })] if error.is_fatal()));
    for (dialect, length) in
        [(JsocketDialect::V2012, u32::MAX.to_le_bytes()), (JsocketDialect::V1, u32::MAX.to_be_bytes())]
    {
        let mut framing = Framing::speaking(Dialect::Jsocket(dialect));
        let seen = decode(&mut framing, &length);
        assert!(matches!(seen[..], [Err(WireError::Oversize { max_bytes: JSOCKET_MAX_BYTES })]));
        // It is told in its own framing, and nothing more is taken.
        let mut answer = Vec::new();
        let ping = Message { id: String::new(), to: None, sender: None, timestamp: None, body: Body::Ping };
        framing.encode(&ping, WallTime::default(), &mut answer);
        assert_eq!(decode(&mut Framing::speaking(Dialect::Jsocket(dialect)), &answer), [Ok(Body::Ping)]);
        assert_eq!(decode(&mut framing, &frame(dialect, b"1")), []);
    }
}

#[test]
fn a_length_that_is_announced_costs_nothing() {
    for dialect in ALL {
        let mut framing = Framing::speaking(Dialect::Jsocket(dialect));
        let frame = frame(dialect, &vec![b' '; JSOCKET_MAX_BYTES]);
        let head = dialect.header_bytes();
        assert_eq!(decode(&mut framing, &frame[..head]), []);
        assert_eq!((framing.is_partial(), framing.held_bytes()), (true, 0));
        assert_eq!(decode(&mut framing, &frame[head..head + 1_000]), []);
        assert!(framing.held_bytes() <= 2_000, "{}", framing.held_bytes());
        for piece in frame[head + 1_000..].chunks(60_000) {
            decode(&mut framing, piece);
            assert!(framing.held_bytes() <= JSOCKET_MAX_BYTES);
        }
        assert_eq!((framing.is_partial(), framing.held_bytes()), (false, 0));
    }
}

#[test]
fn a_command_is_refused_unless_it_is_allowed() {
    let order = br#"{"key":"ROLE","id":"9","value":{"role":"secondary"}}"#;
    let question = br#"{"key":"ROLE","id":"9"}"#;
    for allow in [Commands::NONE, Commands::NONE.with(Command::Role)] {
        let mut framing = Framing::unknown(Access { open: Framings::ALL, allow });
        let bytes = [frame(JsocketDialect::V1, question), frame(JsocketDialect::V1, order)].concat();
        let seen = decode(&mut framing, &bytes);
        assert!(matches!(seen[0], Ok(Body::Role(_))), "asking changes nothing");
        match &seen[1] {
            Ok(Body::Role(_)) => assert!(allow.has(Command::Role)),
            Err(WireError::NotAllowed { key: "ROLE", id }) => assert!(id == "9" && !allow.has(Command::Role)),
            other => panic!("{other:?}"),
        }
        let line = [&order[..], b"\r"].concat();
        let seen = decode(&mut Framing::unknown(Access { open: Framings::ALL, allow }), &line);
        assert!(matches!(seen[..], [Ok(Body::Role(_))]), "as ever over line JSON");
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        which in 0usize..3,
        texts in proptest::collection::vec("[ -~\u{e4}]{0,20}", 1..8),
        pieces in proptest::collection::vec(1usize..15, 1..20),
    ) {
        let dialect = ALL[which];
        let mut bytes = Vec::new();
        for text in &texts {
            let body = Body::Foreign(json!({"msg": text}));
            let message = Message { id: String::new(), to: None, sender: None, timestamp: None, body };
            encode(dialect, &message, WallTime::default(), &mut bytes);
        }
        let mut framing = Framing::unknown(EVERYBODY);
        let (mut rest, mut seen) = (&bytes[..], Vec::new());
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*piece).min(rest.len()));
            seen.extend(decode(&mut framing, head));
            rest = tail;
        }
        let expected: Vec<_> = texts.iter().map(|text| foreign(json!({"msg": text}))).collect();
        prop_assert_eq!(seen, expected);
        prop_assert!(!framing.is_partial());
    }

    #[test]
    fn garbage_never_panics(
        which in 0usize..3,
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        piece in 1usize..40,
    ) {
        let mut framing = Framing::speaking(Dialect::Jsocket(ALL[which]));
        let broken = frame(ALL[which], &bytes);
        for piece in broken.chunks(piece).chain(bytes.chunks(piece)) {
            decode(&mut framing, piece);
        }
    }
}
