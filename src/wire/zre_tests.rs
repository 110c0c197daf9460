use proptest::prelude::*;

use super::*;
use crate::wire::zmtp::{ZmtpDecoder, ZmtpEvent, greeting};

const ID: ZreId = ZreId(*b"0123456789abcdef");

fn frames_of(message: &ZreMessage) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    greeting("DEALER", &identity(ID), &mut bytes);
    encode(message, &mut bytes);
    let (mut decoder, mut input) = (ZmtpDecoder::default(), bytes.as_slice());
    let Some(Ok(ZmtpEvent::Ready { identity, .. })) = decoder.next(&mut input) else { panic!("no READY") };
    assert_eq!(peer_of(&identity), Some(ID));
    let Some(Ok(ZmtpEvent::Frames(frames))) = decoder.next(&mut input) else { panic!("no message") };
    assert!(input.is_empty() && is_zre(&frames));
    frames
}

fn hello() -> Hello {
    Hello {
        endpoint: "tcp://10.99.0.1:7001".into(),
        groups: ["pisink".into(), "greenhouse".into()].into(),
        status: 2,
        name: "pi-1".into(),
        headers: [("pisink-role".into(), "primary".into()), ("k".into(), String::new())].into(),
    }
}

fn bodies() -> Vec<ZreBody> {
    let content = vec![b"{}".to_vec(), Vec::new(), vec![0xff; 300]];
    vec![
        ZreBody::Hello(hello()),
        ZreBody::Hello(Hello::default()),
        ZreBody::Whisper(content.clone()),
        ZreBody::Shout { group: "g".into(), content },
        ZreBody::Join { group: "g".repeat(255), status: 255 },
        ZreBody::Leave { group: String::new(), status: 0 },
        ZreBody::Ping,
        ZreBody::PingOk,
    ]
}

#[test]
fn the_seven_messages_round_trip() {
    for (sequence, body) in (1..).zip(bodies()) {
        let message = ZreMessage { sequence, body };
        assert_eq!(decode(frames_of(&message)), Ok(message));
    }
}

#[test]
fn bytes_are_as_pyre_has_them() {
    let join = ZreMessage { sequence: 0x0203, body: ZreBody::Join { group: "chat".into(), status: 7 } };
    assert_eq!(frames_of(&join), [b"\xaa\xa1\x04\x02\x02\x03\x04chat\x07".to_vec()]);
    let hello = Hello {
        endpoint: "tcp://h:1".into(),
        groups: ["g".into()].into(),
        status: 1,
        name: "n".into(),
        headers: [("a".into(), "bc".into())].into(),
    };
    let hello = ZreMessage { sequence: 1, body: ZreBody::Hello(hello) };
    assert_eq!(
        frames_of(&hello),
        [b"\xaa\xa1\x01\x02\0\x01\x09tcp://h:1\0\0\0\x01\0\0\0\x01g\x01\x01n\0\0\0\x01\x01a\0\0\0\x02bc"
            .to_vec()]
    );
}

#[test]
fn a_whisper_of_nothing_is_sent_with_an_empty_frame_and_read_without() {
    let whisper = ZreMessage { sequence: 2, body: ZreBody::Whisper(Vec::new()) };
    assert_eq!(frames_of(&whisper), [b"\xaa\xa1\x02\x02\0\x02".to_vec(), Vec::new()]);
    assert_eq!(decode(vec![b"\xaa\xa1\x02\x02\0\x02".to_vec()]), Ok(whisper));
}

#[test]
fn beacons_round_trip_and_others_are_none() {
    for port in [None, Some(1), Some(65_535)] {
        let beacon = Beacon { id: ID, port };
        assert_eq!(decode_beacon(&encode_beacon(&beacon)), Some(beacon));
    }
    assert_eq!(encode_beacon(&Beacon { id: ID, port: Some(0x1234) }), *b"ZRE\x010123456789abcdef\x12\x34");
    let datagram = encode_beacon(&Beacon { id: ID, port: Some(7) });
    for size in 0..BEACON_BYTES {
        assert_eq!(decode_beacon(&datagram[..size]), None);
    }
    assert_eq!(decode_beacon(&[&datagram[..], b"x"].concat()), None);
    assert_eq!(decode_beacon(b"ZRE\x020123456789abcdef\x12\x34"), None, "another version");
}

#[test]
fn identities_of_others_are_no_peers() {
    for other in [b"".as_slice(), b"pilot1", &[1; 16], &[1; 18], &[2; 17]] {
        assert_eq!(peer_of(other), None);
    }
}

#[test]
fn what_is_cut_off_at_any_byte_is_an_error() {
    for body in bodies() {
        let frames = frames_of(&ZreMessage { sequence: 1, body });
        for size in 0..frames[0].len() {
            let mut cut = frames.clone();
            cut[0].truncate(size);
            let error = decode(cut).unwrap_err();
            assert!(!error.is_fatal() && error.to_string().contains("cut off"), "{error}");
        }
    }
    assert!(decode(Vec::new()).is_err());
}

#[test]
fn wrong_messages_are_named() {
    let long = [b"\xaa\xa1\x01\x02\0\x01".to_vec(), vec![0; HELLO_MAX_BYTES]].concat();
    for (first, word) in [
        (b"\xaa\xa2\x06\x02\0\x01".as_slice(), "signature"),
        (b"\xaa\xa1\x06\x03\0\x01", "version 3"),
        (b"\xaa\xa1\x09\x02\0\x01", "kind 9"),
        (b"\xaa\xa1\x04\x02\0\x01\x02\xff\xfe\0", "UTF-8"),
        (b"\xaa\xa1\x01\x02\0\x01\0\xff\xff\xff\xff", "cut off"),
        (b"\xaa\xa1\x01\x02\0\x01\0\0\0\0\x01\xff\xff\xff\xff", "cut off"),
        (&long, "bytes"),
    ] {
        let error = decode(vec![first.to_vec()]).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_name_that_is_too_long_is_cut_between_characters() {
    let join = ZreMessage { sequence: 1, body: ZreBody::Join { group: "ä".repeat(200), status: 1 } };
    let Ok(ZreMessage { body: ZreBody::Join { group, .. }, .. }) = decode(frames_of(&join)) else { panic!() };
    assert_eq!(group, "ä".repeat(127));
}

proptest! {
    #[test]
    fn arbitrary_frames_never_panic(
        kind in 0u8..9,
        rest in proptest::collection::vec(any::<u8>(), 0..80),
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..4),
    ) {
        let _ = decode(frames.clone());
        let first = [&[0xaa, 0xa1, kind, 2], rest.as_slice()].concat();
        let _ = decode([vec![first], frames].concat());
        let _ = decode_beacon(&rest);
        let _ = peer_of(&rest);
    }
}
