use serde_json::json;

use super::*;
use crate::model::{Access, Commands, Routed, StationMessage, ZreBody, ZreId, ZreMessage};
use crate::wire::zmtp::{encode_frames, greeting};
use crate::wire::{Dialect, Framing};

const JSON: &[u8] =
    br#"{"id":"cam_0","to":"T","sender":"cam","key":"DATA","value":{"x":NaN},"flags":{},"ttl":2}"#;

fn link(open: Framings) -> ZmtpLink {
    ZmtpLink::new(("ROUTER", b"T".to_vec()), Contents::Envelopes, open)
}

/// What a DEALER called `cam` sends.
fn from_cam(messages: &[&[&[u8]]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    greeting("DEALER", b"cam", &mut bytes);
    messages.iter().for_each(|frames| encode_frames(frames, &mut bytes));
    bytes
}

fn read(link: &mut ZmtpLink, mut bytes: &[u8]) -> Vec<Result<Body, WireError>> {
    let mut all = Vec::new();
    while let Some(message) = link.next(&mut bytes) {
        all.push(message.map(|message| message.body));
    }
    all
}

#[test]
fn whoever_speaks_is_introduced_and_understood_however_the_bytes_are_split() {
    let bytes =
        from_cam(&[&[b"T", b"T", JSON], &[b"{\"temperature\": 3}"], &[br#"{"key":"PING","id":"1"}"#]]);
    let mut whole = link(Framings::ALL);
    let expected = read(&mut whole, &bytes);
    assert_eq!(expected[0], Ok(Body::Introduced { socket_type: "DEALER".into(), identity: b"cam".to_vec() }));
    let Ok(Body::Station(routed)) = &expected[1] else { panic!("{expected:?}") };
    assert_eq!(
        (routed.path.as_slice(), routed.json.as_slice()),
        (&["T".to_owned(), "T".to_owned()][..], JSON)
    );
    assert_eq!(routed.message.value, json!({"x": "NaN"}));
    assert_eq!(expected[2..], [Ok(Body::Foreign(json!({"temperature": 3}))), Ok(Body::Ping)]);
    for at in 1..bytes.len() {
        let (first, second) = bytes.split_at(at);
        let mut link = link(Framings::ALL);
        let mut split = read(&mut link, first);
        split.extend(read(&mut link, second));
        assert_eq!(split, expected, "split at {at}");
    }
}

#[test]
fn what_would_deafen_others_is_an_offence_and_the_link_goes_on() {
    let bytes = from_cam(&[
        &[b"T", b"T", b"{\"id\": "],
        &[b"T", b"CLOSING"],
        &[b"\xff\xfe"],
        &[b"T", b"T", br#"{"id":"x","to":null,"sender":"cam","key":"A","ttl":2,"flags":{}}"#],
        &[b"T", b"T", JSON],
    ]);
    let said = read(&mut link(Framings::ALL), &bytes);
    assert_eq!(said.len(), 6);
    for offence in &said[1..5] {
        assert!(offence.as_ref().is_err_and(|error| !error.is_fatal()), "{offence:?}");
    }
    assert!(matches!(&said[5], Ok(Body::Station(_))));
}

#[test]
fn it_is_greeted_once_and_an_empty_message_comes_back() {
    let mut link = link(Framings::ALL);
    let mut out = Vec::new();
    link.greeting(&mut out);
    let mut expected = Vec::new();
    greeting("ROUTER", b"T", &mut expected);
    assert_eq!(out, expected);
    let bytes = from_cam(&[&[b"T", b""]]);
    assert_eq!(read(&mut link, &bytes).len(), 1);
    out.clear();
    link.greeting(&mut out);
    assert_eq!(out, [1, 1, b'T', 0, 0]);
    // One that asks and asks and does not read makes nothing grow.
    for _ in 0..10_000 {
        let mut ping: &[u8] = &[0, 0];
        assert_eq!(link.next(&mut ping), None);
        link.greeting(&mut out);
    }
    assert!(out.len() <= 2 * PONGS_MAX_BYTES && link.held_bytes() <= 2 * PONGS_MAX_BYTES);
}

#[test]
fn it_is_closed_to_whom_it_is_not_open() {
    let bytes = from_cam(&[&[b"T", b"T", JSON]]);
    let said = read(&mut link(Framings::NONE.with(FramingName::Zre)), &bytes);
    assert_eq!(said[1], Err(WireError::NotOpen { framing: "autopilot" }));
}

#[test]
fn messages_of_both_kinds_are_written_as_they_are_read() {
    let station = StationMessage::new("T_1".into(), ("T", "cam"), "PING", json!(null));
    let bodies = [
        Body::Station(Routed::new(vec!["T".into(), "pi".into(), "cam".into()], station)),
        Body::Foreign(json!([1, 2])),
        Body::Ping,
    ];
    let mut bytes = from_cam(&[]);
    let mut writer = link(Framings::ALL);
    writer.greeting(&mut Vec::new());
    for body in bodies.clone() {
        writer.encode(&envelope::bare(body), WallTime::default(), &mut bytes);
    }
    let mut said = read(&mut link(Framings::ALL), &bytes);
    if let Ok(Body::Station(routed)) = &mut said[1] {
        routed.json.clear();
    }
    assert_eq!(said[1..], bodies.map(Ok));
}

const ID: ZreId = ZreId([7; 16]);

fn dealer(identity: &[u8]) -> Framing {
    Framing::speaking(Dialect::Zmtp).named(identity.to_vec())
}

fn access(open: &str) -> Access {
    Access { open: open.parse().unwrap(), allow: Commands::NONE }
}

fn of_port(framing: &mut Framing, bytes: &[u8], piece: usize) -> Vec<Result<Body, WireError>> {
    let mut found = Vec::new();
    for mut input in bytes.chunks(piece) {
        while let Some(message) = framing.next(&mut input) {
            found.push(message.map(|message| message.body));
        }
    }
    found
}

fn bare(body: Body) -> Message {
    envelope::bare(body)
}

fn introduced(socket_type: &str, identity: &[u8]) -> Result<Body, WireError> {
    Ok(Body::Introduced { socket_type: socket_type.into(), identity: identity.to_vec() })
}

#[test]
fn a_dealer_and_the_port_that_it_comes_to_understand_each_other() {
    for piece in [1, 7, 10, 11, 64, 1_000] {
        let mut dealer = dealer(&zre::identity(ID));
        let mut port = Framing::unknown(access("zre"));
        let ping = ZreMessage { sequence: 2, body: ZreBody::Ping };
        let mut there = Vec::new();
        dealer.greeting(&mut there);
        dealer.encode(&bare(Body::Zre(ping.clone())), WallTime::default(), &mut there);
        let found = of_port(&mut port, &there, piece);
        assert_eq!(found, [introduced("DEALER", &zre::identity(ID)), Ok(Body::Zre(ping))]);
        assert_eq!(port.dialect(), Some(Dialect::Zmtp));
        let mut back = Vec::new();
        port.greeting(&mut back);
        assert_eq!(of_port(&mut dealer, &back, piece), [introduced("ROUTER", b"")]);
        // A peer of ZRE does not read what comes back.
        back.clear();
        port.encode(&bare(Body::Ping), WallTime::default(), &mut back);
        port.greeting(&mut back);
        assert_eq!(back, b"");
    }
}

#[test]
fn json_is_answered_as_a_frame_behind_the_greeting() {
    for (socket_type, delimiter) in [("DEALER", b"".as_slice()), ("REQ", b"\x01\0")] {
        let mut there = Vec::new();
        zmtp::greeting(socket_type, b"me", &mut there);
        there.extend_from_slice(delimiter);
        zmtp::encode_frames(&[br#"{"msg":1}"#], &mut there);
        there.extend_from_slice(b"\x04\x08\x04PING\0\0x");
        let mut port = Framing::unknown(access("autopilot"));
        let found = of_port(&mut port, &there, 5);
        assert_eq!(found, [introduced(socket_type, b"me"), Ok(Body::Foreign(json!({"msg": 1})))]);
        let mut back = Vec::new();
        // The greeting goes first, even where the answer is ready before anybody asked for the greeting.
        port.encode(&bare(Body::Foreign(json!(0))), WallTime::default(), &mut back);
        let mut expected = Vec::new();
        zmtp::greeting("ROUTER", b"", &mut expected);
        zmtp::encode_pong(b"x", &mut expected);
        let text = back.strip_prefix(expected.as_slice()).unwrap();
        let text = text.strip_prefix(delimiter).unwrap();
        assert_eq!(text, b"\x00\x010");
        let mut client = dealer(b"me");
        assert_eq!(of_port(&mut client, &back, 9)[0], introduced("ROUTER", b""));
    }
}

#[test]
fn what_is_not_open_is_refused_by_its_first_message() {
    let mut zre_bytes = Vec::new();
    zmtp::greeting("DEALER", &zre::identity(ID), &mut zre_bytes);
    zre::encode(&ZreMessage { sequence: 1, body: ZreBody::Ping }, &mut zre_bytes);
    let mut json_bytes = Vec::new();
    zmtp::greeting("DEALER", b"pilot1", &mut json_bytes);
    zmtp::encode_frames(&[b"{}"], &mut json_bytes);
    for (open, bytes) in [("autopilot", zre_bytes), ("zre", json_bytes)] {
        let found = of_port(&mut Framing::unknown(access(open)), &bytes, 3);
        assert!(matches!(found[..], [Ok(_), Err(WireError::NotOpen { .. })]), "{found:?}");
    }
    let refused = of_port(&mut Framing::unknown(access("line")), b"\xff\0\0\0\0\0\0\0\x01\x7f\x03", 3);
    assert!(matches!(refused[..], [Err(WireError::NotOpen { framing: "ZMTP" })]));
}

#[test]
fn a_flood_of_heartbeats_owes_a_bounded_answer() {
    let mut port = Framing::unknown(access("zre"));
    let mut there = Vec::new();
    zmtp::greeting("DEALER", b"", &mut there);
    there.extend_from_slice(&b"\x04\x08\x04PING\0\0x".repeat(100_000));
    of_port(&mut port, &there, 64 << 10);
    assert!(port.held_bytes() < 3 * PONGS_MAX_BYTES, "{}", port.held_bytes());
}
