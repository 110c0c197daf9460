use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::*;
use crate::wire::{KNOWN_KEYS, encode};

fn decode_all(bytes: &[u8], piece: usize) -> Vec<Result<Message, WireError>> {
    let mut decoder = LineDecoder::default();
    let mut messages = Vec::new();
    for mut input in bytes.chunks(piece.max(1)) {
        while let Some(message) = decoder.next(&mut input) {
            messages.push(message);
        }
        assert!(input.is_empty());
    }
    messages
}

fn foreign(bytes: &[u8]) -> Vec<serde_json::Value> {
    decode_all(bytes, bytes.len())
        .into_iter()
        .map(|message| match message.unwrap().body {
            Body::Foreign(value) => value,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn message(body: Body) -> Message {
    Message {
        id: "7".into(),
        to: Some(NodeName::new("pi-2").unwrap()),
        sender: Some(NodeName::new("sink").unwrap()),
        timestamp: Some(WallTime::from_unix_micros(1_768_867_199_123_456)),
        body,
    }
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, message.timestamp.unwrap_or_default(), &mut bytes);
    bytes
}

fn sample_pack() -> Pack {
    let mut pack = Pack::default();
    for (at, quantity) in ["temperature", "humidity"].iter().cycle().take(6).enumerate() {
        let at = i64::try_from(at).unwrap();
        let channel = Arc::new(Channel {
            node: NodeName::new("pi-2").unwrap(),
            chip: "sht3x-44".into(),
            quantity: (*quantity).into(),
            unit: if at % 2 == 0 { "Cel".into() } else { "%RH".into() },
        });
        let value = if at == 3 { Err(ErrReason::Crc) } else { Ok(20.0 + at as f64 / 3.0) };
        pack.push(
            &channel,
            WallTime::from_unix_micros(1_768_867_199_123_456 + at * 1_000_001),
            Instant::from_micros(at * 999_999),
            value,
        );
    }
    pack
}

fn sample_clock() -> ClockSample {
    let wall = WallTime::from_unix_micros(1_768_867_199_123_456);
    let mark = ClockMark { mono: Instant::from_micros(77), wall, synced: Some(Duration::from_millis(3)) };
    ClockSample { boot: BootId(2), received: Instant::from_micros(75), mark }
}

fn sample_messages() -> Vec<Message> {
    let poll = PollRequest { journal: Some(JournalId(0xfeed)), after: Seq(9), taken: Seq(4), max: 500 };
    let readings = Readings {
        re: "6".into(),
        node: NodeName::new("pi-2").unwrap(),
        journal: JournalId(1),
        boot: BootId(2),
        after: Seq(7),
        first: Seq(10),
        last: Seq(99),
        clock: Some(sample_clock()),
        mark: Some(ClockMark { synced: None, ..sample_clock().mark }),
        pack: sample_pack(),
    };
    vec![
        message(Body::Poll(poll.clone())),
        message(Body::Poll(PollRequest { journal: None, ..poll })),
        message(Body::Readings(readings)),
        message(Body::StatusRequest),
        message(Body::LatestRequest),
        message(Body::Latest(serde_json::json!([{"node": "n", "value": 21.5}]))),
        message(Body::Status(json!({"node": "pi-2", "peers": [1, null]}))),
        message(Body::Ping),
        message(Body::Pong(Pong::default())),
        message(Body::Pong(Pong { clock: Some(sample_clock()), ..Pong::default() })),
        message(Body::Pong(Pong {
            role: Some(RoleName::Primary),
            clock: Some(sample_clock()),
            sink: Some(SinkPlace { rank: 2, part: SinkPart::Waits }),
        })),
        message(Body::Error { re: "3".into(), text: "a \"quoted\" word\r\n".into() }),
        message(Body::Unknown { key: "LATER".into() }),
    ]
}

#[test]
fn messages_round_trip_split_at_every_byte() {
    let messages = sample_messages();
    let bytes: Vec<u8> = messages.iter().flat_map(encoded).collect();
    for piece in [1, 2, 3, 7, 64, bytes.len()] {
        let decoded: Vec<Message> = decode_all(&bytes, piece).into_iter().map(Result::unwrap).collect();
        assert_eq!(decoded, messages, "in pieces of {piece}");
    }
    for split in 0..bytes.len() {
        let mut decoder = LineDecoder::default();
        let (mut head, mut tail) = bytes.split_at(split);
        let mut count = 0;
        for input in [&mut head, &mut tail] {
            while let Some(message) = decoder.next(input) {
                assert_eq!(message.unwrap(), messages[count]);
                count += 1;
            }
        }
        assert_eq!(count, messages.len(), "split at {split}");
    }
}

#[test]
fn any_json_value_ended_in_any_way_is_a_foreign_message() {
    let values =
        foreign(b"{\"msg\": \"hello\"}\r{\"msg\": \"still alive\"}\r\n0\nnull\r[]\r\n\r\n\"\"\rfalse\n{}\r");
    assert_eq!(
        values,
        [
            json!({"msg": "hello"}),
            json!({"msg": "still alive"}),
            json!(0),
            json!(null),
            json!([]),
            json!(""),
            json!(false),
            json!({})
        ]
    );
}

#[test]
fn an_object_whose_key_is_no_text_is_foreign() {
    assert_eq!(foreign(b"{\"key\": 5}\r"), [json!({"key": 5})]);
}

#[test]
fn garbage_is_named_and_the_next_line_is_read() {
    let messages = decode_all(b"\x00\xff\x80\x01\r{\"key\":\"PING\",\"id\":3}\r", 5);
    assert!(
        matches!(&messages[0], Err(WireError::NotJson { excerpt, .. }) if excerpt == r"\x00\xff\x80\x01")
    );
    let ping = messages[1].as_ref().unwrap();
    assert_eq!((ping.id.as_str(), &ping.body), ("3", &Body::Ping));
}

#[test]
fn a_known_key_with_a_wrong_value_names_key_id_and_fault() {
    for (line, word) in [
        (r#"{"key":"POLL","id":"9"}"#, "POLL"),
        (r#"{"key":"POLL","value":{"after":1,"taken":0,"max":1,"journal":"xyz"},"id":"9"}"#, "journal"),
        (r#"{"key":"POLL","value":{"after":-1,"taken":0,"max":1},"id":"9"}"#, "-1"),
        (r#"{"key":"READINGS","value":[],"id":"9"}"#, "READINGS"),
    ] {
        let error = decode_all(format!("{line}\r").as_bytes(), 100).remove(0).unwrap_err();
        assert!(matches!(&error, WireError::BadValue { id, .. } if id == "9"), "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(!error.is_fatal());
    }
}

#[test]
fn an_oversize_line_is_fatal_and_bounded() {
    let mut decoder = LineDecoder::default();
    let chunk = vec![b'['; 1 << 16];
    for fed in 0..64 {
        if let Some(Err(error)) = decoder.next(&mut chunk.as_slice()) {
            assert!(error.is_fatal());
            assert_eq!(fed, LINE_MAX_BYTES / chunk.len());
            return;
        }
    }
    panic!("an endless line was taken");
}

#[test]
fn white_space_alone_is_no_partial_line() {
    let mut decoder = LineDecoder::default();
    assert!(decoder.next(&mut b"\n \t".as_slice()).is_none());
    assert!(!decoder.is_partial());
    assert!(decoder.next(&mut b"{".as_slice()).is_none());
    assert!(decoder.is_partial());
}

#[test]
fn base_values_of_other_senml_writers_are_resolved() {
    let pack = crate::wire::decode_pack(
        r#"[{"bn":"pi-9/dht-1/","bt":1.5,"bu":"Cel","n":"temperature","v":3},
            {"n":"temperature","t":2,"v":4,"mono":7},{"n":"humidity","u":"%RH"},
            {"bn":"pi-8/x/y/","n":"q","vs":"ERR","err":"nack"},{"n":"q","vs":"ERR","err":"surprise"}]"#,
    )
    .unwrap();
    let names: Vec<String> = pack.channels.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["pi-9/dht-1/temperature", "pi-9/dht-1/humidity", "pi-8/x/y/q"]);
    let micros: Vec<i64> = pack.readings.iter().map(|r| r.time.as_unix_micros()).collect();
    assert_eq!(micros, [1_500_000, 3_500_000, 1_500_000, 1_500_000, 1_500_000]);
    let values: Vec<Value> = pack.readings.iter().map(|r| r.value).collect();
    let parse = Err(ErrReason::Parse);
    assert_eq!(values, [Ok(3.0), Ok(4.0), parse, Err(ErrReason::Nack), parse]);
    for wrong in [r#"[{"v":1}]"#, r#"[{"n":"a/b"}]"#, r#"[{"n":"ä/b/c"}]"#, "{}", "[1]", "[] x"] {
        assert!(crate::wire::decode_pack(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_known_keys_are_known() {
    for key in KNOWN_KEYS {
        let line = format!("{{\"key\":\"{key}\"}}\r");
        match decode_all(line.as_bytes(), 100).remove(0) {
            Ok(message) => assert!(!matches!(message.body, Body::Unknown { .. }), "{key}"),
            Err(error) => assert!(matches!(error, WireError::BadValue { .. })),
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), piece in 1usize..40) {
        decode_all(&bytes, piece);
    }

    #[test]
    fn broken_messages_never_panic(at in 0usize..900, byte in any::<u8>(), cut in 0usize..900) {
        let mut bytes = encoded(&sample_messages()[2]);
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(cut.max(1));
        bytes.push(b'\r');
        decode_all(&bytes, 17);
    }

    #[test]
    fn packs_round_trip(rows in proptest::collection::vec(
        (0usize..5, 0i64..4_102_444_800_000_000, any::<i64>(), proptest::num::f64::NORMAL, 0usize..30), 0..60,
    )) {
        let mut pack = Pack::default();
        for (channel, time, mono, value, reason) in rows {
            let channel = Arc::new(Channel {
                node: NodeName::new(["a", "b"][channel % 2]).unwrap(),
                chip: format!("chip-{}", channel / 2),
                quantity: "q\"ü\n".into(),
                unit: ["", "Cel", "m/s"][channel % 3].into(),
            });
            let value = ErrReason::ALL.get(reason).map_or(Ok(value), |&reason| Err(reason));
            pack.push(&channel, WallTime::from_unix_micros(time), Instant::from_micros(mono), value);
        }
        let mut bytes = Vec::new();
        crate::wire::encode_pack(&pack, &mut bytes);
        prop_assert_eq!(crate::wire::decode_pack(std::str::from_utf8(&bytes).unwrap()).unwrap(), pack);
    }
}
