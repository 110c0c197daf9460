//! Links of ZMTP as a node has them: what a client sends, and what it is answered.

use serde_json::json;

use super::*;
use crate::model::{Access, Commands, ZreBody, ZreMessage};
use crate::wire::{Dialect, Framing};

const ID: ZreId = ZreId([7; 16]);

fn access(open: &str) -> Access {
    Access { open: open.parse().unwrap(), allow: Commands::NONE }
}

fn messages(framing: &mut Framing, bytes: &[u8], piece: usize) -> Vec<Result<Body, WireError>> {
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
        let mut dealer = Framing::dealer(&zre::identity(ID));
        let mut port = Framing::unknown(access("zre"));
        let ping = ZreMessage { sequence: 2, body: ZreBody::Ping };
        let mut there = Vec::new();
        dealer.greeting(&mut there);
        dealer.encode(&bare(Body::Zre(ping.clone())), WallTime::default(), &mut there);
        let found = messages(&mut port, &there, piece);
        assert_eq!(found, [introduced("DEALER", &zre::identity(ID)), Ok(Body::Zre(ping))]);
        assert_eq!(port.dialect(), Some(Dialect::Zmtp));
        let mut back = Vec::new();
        port.greeting(&mut back);
        assert_eq!(messages(&mut dealer, &back, piece), [introduced("ROUTER", b"")]);
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
        let found = messages(&mut port, &there, 5);
        assert_eq!(found, [introduced(socket_type, b"me"), Ok(Body::Foreign(json!({"msg": 1})))]);
        let mut back = Vec::new();
        port.encode(&bare(Body::Foreign(json!(0))), WallTime::default(), &mut back);
        let mut expected = Vec::new();
        zmtp::greeting("ROUTER", b"", &mut expected);
        zmtp::encode_pong(b"x", &mut expected);
        let text = back.strip_prefix(expected.as_slice()).unwrap();
        let text = text.strip_prefix(delimiter).unwrap();
        assert_eq!(text, b"\x00\x010");
        let mut client = Framing::dealer(b"me");
        assert_eq!(messages(&mut client, &back, 9)[0], introduced("ROUTER", b""));
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
        let found = messages(&mut Framing::unknown(access(open)), &bytes, 3);
        assert!(matches!(found[..], [Ok(_), Err(WireError::NotOpen { .. })]), "{found:?}");
    }
    let refused = messages(&mut Framing::unknown(access("line")), b"\xff\0\0\0\0\0\0\0\x01\x7f\x03", 3);
    assert!(matches!(refused[..], [Err(WireError::NotOpen { framing: "ZMTP" })]));
}

#[test]
fn a_flood_of_heartbeats_owes_a_bounded_answer() {
    let mut port = Framing::unknown(access("zre"));
    let mut there = Vec::new();
    zmtp::greeting("DEALER", b"", &mut there);
    there.extend_from_slice(&b"\x04\x08\x04PING\0\0x".repeat(100_000));
    messages(&mut port, &there, 64 << 10);
    assert!(port.held_bytes() < 3 * OWED_MAX_BYTES, "{}", port.held_bytes());
}
