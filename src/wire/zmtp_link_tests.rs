use serde_json::json;

use super::*;
use crate::model::{Routed, StationMessage};
use crate::wire::zmtp::{encode_frames, greeting};

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
    for body in bodies.clone() {
        encode(&envelope::bare(body), WallTime::default(), &mut bytes);
    }
    let mut said = read(&mut link(Framings::ALL), &bytes);
    if let Ok(Body::Station(routed)) = &mut said[1] {
        routed.json.clear();
    }
    assert_eq!(said[1..], bodies.map(Ok));
}
