use proptest::prelude::*;

use super::*;

fn decode(bytes: &[u8], piece: usize) -> Vec<Result<ZmtpEvent, WireError>> {
    let mut decoder = ZmtpDecoder::default();
    let mut events = Vec::new();
    for mut input in bytes.chunks(piece.max(1)) {
        while let Some(event) = decoder.next(&mut input) {
            let is_over = event.is_err();
            events.push(event);
            if is_over {
                return events;
            }
        }
        assert!(input.is_empty());
    }
    events
}

fn dealer() -> Vec<u8> {
    let mut bytes = Vec::new();
    greeting("DEALER", b"pilot1", &mut bytes);
    bytes
}

fn ready() -> ZmtpEvent {
    ZmtpEvent::Ready { socket_type: "DEALER".into(), identity: b"pilot1".to_vec() }
}

/// The error that `rest` gives after a good greeting and READY.
fn fault_after_ready(rest: &[u8]) -> WireError {
    let mut bytes = dealer();
    bytes.extend_from_slice(rest);
    let mut events = decode(&bytes, 7);
    assert_eq!(events.remove(0), Ok(ready()));
    let error = events.remove(0).unwrap_err();
    assert!(error.is_fatal());
    error
}

#[test]
fn the_greeting_and_ready_are_as_libzmq_has_them() {
    let bytes = dealer();
    assert_eq!(&bytes[..12], b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01");
    assert_eq!(&bytes[12..32], b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(bytes[32..64], [0; 32]);
    assert_eq!(&bytes[64..], b"\x04\x2f\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x06pilot1");
    assert_eq!(decode(&bytes, 1), [Ok(ready())]);
}

#[test]
fn messages_survive_a_split_at_every_byte() {
    let large = vec![7; 300];
    let messages: [&[&[u8]]; 4] = [&[b"hello"], &[b"a", b"", &large], &[b""], &[&large, b"z"]];
    let mut bytes = dealer();
    for frames in messages {
        encode_frames(frames, &mut bytes);
    }
    let mut expected = vec![Ok(ready())];
    expected.extend(
        messages
            .iter()
            .map(|frames| Ok(ZmtpEvent::Frames(frames.iter().map(|frame| frame.to_vec()).collect()))),
    );
    for split in 0..bytes.len() {
        let mut decoder = ZmtpDecoder::default();
        let (mut head, mut tail) = bytes.split_at(split);
        let mut events = Vec::new();
        for input in [&mut head, &mut tail] {
            while let Some(event) = decoder.next(input) {
                events.push(event);
            }
        }
        assert_eq!(events, expected, "split at {split}");
        assert!(!decoder.is_partial());
        assert_eq!(decoder.held_bytes(), 0);
    }
    assert_eq!(decode(&bytes, 1), expected);
}

#[test]
fn libzmq_itself_with_its_odd_signature_and_long_commands() {
    // libzmq puts a length into the signature, and may send a short body in a long frame.
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x12\x7f\x03\x00NULL".to_vec();
    bytes.resize(64, 0);
    bytes.extend_from_slice(b"\x06\0\0\0\0\0\0\0\x1c\x05READY\x0bsocket-TYPE\0\0\0\x06ROUTER");
    let expected = ZmtpEvent::Ready { socket_type: "ROUTER".into(), identity: Vec::new() };
    assert_eq!(decode(&bytes, 3), [Ok(expected)]);
}

#[test]
fn a_heartbeat_is_told_with_its_context_and_answered_with_it() {
    let mut bytes = dealer();
    bytes.extend_from_slice(b"\x04\x0b\x04PING\0\x0aabcd");
    // Commands that nobody here knows are passed over, also between the frames of a message.
    encode_frames(&[b"x", b"y"], &mut bytes);
    let between = bytes.len() - 3;
    bytes.splice(between..between, *b"\x04\x05\x04PONG\x04\x0c\x09SUBSCRIBEab");
    let events: Vec<_> = decode(&bytes, 2).into_iter().map(Result::unwrap).collect();
    assert_eq!(events[1], ZmtpEvent::Ping(b"abcd".to_vec()));
    assert_eq!(events[2], ZmtpEvent::Frames(vec![b"x".to_vec(), b"y".to_vec()]));
    let mut pong = Vec::new();
    encode_pong(b"abcd", &mut pong);
    assert_eq!(pong, b"\x04\x09\x04PONGabcd");
}

#[test]
fn a_wrong_greeting_is_named_as_soon_as_it_shows() {
    let mut curve = dealer();
    curve[12..17].copy_from_slice(b"CURVE");
    for (bytes, word) in [
        (b"GET / HTTP/1.1\r\n".as_slice(), "none: G"),
        (b"\xff\0\0\0\0\0\0\0\x01{", "greeting"),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f\x01", "version 1"),
        (&curve[..32], "CURVE"),
    ] {
        let events = decode(bytes, 1);
        let error = events[0].as_ref().unwrap_err();
        assert!(error.is_fatal() && error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_wrong_handshake_is_named() {
    for (rest, word) in [
        (b"\0\x01x".as_slice(), "before READY"),
        (b"\x04\x07\x05ERROR\0", "refuses"),
        (b"\x04\x10\x05ERROR\x09no thanks", "no thanks"),
        (b"\x04\x06\x05HELLO", "HELLO where READY"),
        (b"\x04\x06\x05READY", "Socket-Type"),
        (b"\x04\x08\x05READY\x0bS", "cut off"),
        (b"\x04\x0e\x05READY\x01S\xff\xff\xff\xffab", "cut off"),
        (b"\x04\0", "without a name"),
        (b"\x04\x02\x05R", "without a name"),
    ] {
        let mut bytes = dealer()[..64].to_vec();
        bytes.extend_from_slice(rest);
        let error = decode(&bytes, 5).remove(0).unwrap_err();
        assert!(error.is_fatal() && error.to_string().contains(word), "{error}");
    }
}

#[test]
fn wrong_frames_are_named() {
    assert!(fault_after_ready(b"\x08\x01x").to_string().contains("0x08"));
    assert!(fault_after_ready(b"\x05\x01x").to_string().contains("0x05"));
    assert!(fault_after_ready(b"\x04\x06\x04PING\0").to_string().contains("PING"));
}

#[test]
fn sizes_are_bounded_before_memory_is_taken() {
    let oversize = |max_bytes| WireError::Oversize { max_bytes };
    assert_eq!(fault_after_ready(b"\x02\xff\xff\xff\xff\xff\xff\xff\xff"), oversize(MESSAGE_MAX_BYTES));
    assert_eq!(fault_after_ready(b"\x02\0\0\0\0\0\xa0\0\x01"), oversize(MESSAGE_MAX_BYTES));
    assert_eq!(fault_after_ready(b"\x06\0\0\0\0\0\0\x10\x01"), oversize(COMMAND_MAX_BYTES));
    // The frames of one message count together.
    assert_eq!(fault_after_ready(b"\x01\x01x\x02\0\0\0\0\0\xa0\0\0"), oversize(MESSAGE_MAX_BYTES));
    let flood = b"\x01\0".repeat(FRAMES_MAX + 1);
    assert!(fault_after_ready(&flood).to_string().contains("64 frames"));

    let mut decoder = ZmtpDecoder::default();
    let mut bytes = dealer();
    bytes.extend_from_slice(b"\x02\0\0\0\0\0\xa0\0\0some");
    let mut input = bytes.as_slice();
    assert_eq!(decoder.next(&mut input), Some(Ok(ready())));
    assert_eq!(decoder.next(&mut input), None);
    assert!(decoder.is_partial() && decoder.held_bytes() < 100, "{}", decoder.held_bytes());
}

#[test]
fn a_peer_that_stops_in_the_handshake_is_in_the_middle_of_something() {
    let mut decoder = ZmtpDecoder::default();
    assert!(!decoder.is_partial());
    let bytes = dealer();
    for mut part in [&bytes[..10], &bytes[10..64]] {
        assert_eq!(decoder.next(&mut part), None);
        assert!(decoder.is_partial());
    }
    assert_eq!(decoder.next(&mut &bytes[64..]), Some(Ok(ready())));
    assert!(!decoder.is_partial());
}

proptest! {
    #[test]
    fn frames_round_trip(
        messages in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 1..6), 0..6),
        piece in 1usize..700,
    ) {
        let mut bytes = dealer();
        for frames in &messages {
            encode_frames(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut bytes);
        }
        let mut expected = vec![Ok(ready())];
        expected.extend(messages.into_iter().map(|frames| Ok(ZmtpEvent::Frames(frames))));
        prop_assert_eq!(decode(&bytes, piece), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1usize..40) {
        decode(&bytes, piece);
        let mut after = dealer();
        after.extend_from_slice(&bytes);
        decode(&after, piece);
        decode(&[&dealer()[..64], &bytes].concat(), piece);
    }
}
