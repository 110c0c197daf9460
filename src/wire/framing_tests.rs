//! What first bytes tell, whichever way they come.

use proptest::prelude::*;

use super::super::told::{Told, told};
use super::*;
use crate::model::Commands;

const EVERYBODY: Access = Access { open: Framings::ALL, allow: Commands::NONE };

fn told_of(bytes: &[u8]) -> Option<Dialect> {
    match told(bytes) {
        Told::Is(dialect) => Some(dialect),
        Told::More(_) => None,
    }
}

/// A frame of jsocket with a text of `bytes` in it.
fn framed(length: [u8; 4], bytes: usize) -> Vec<u8> {
    let mut frame = length.to_vec();
    frame.push(b'"');
    frame.resize(4 + bytes - 1, b'x');
    frame.push(b'"');
    frame
}

fn v2012(bytes: u32) -> Vec<u8> {
    framed(bytes.to_le_bytes(), bytes as usize)
}

fn v1(bytes: u32) -> Vec<u8> {
    framed(bytes.to_be_bytes(), bytes as usize)
}

#[test]
fn each_framing_is_told_by_its_first_bytes() {
    use JsocketDialect::{V1, V2, V2012};
    let greeting = [&[0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F][..], &[3, 1]].concat();
    let cases: [(&[u8], Dialect); 12] = [
        (b"{\"key\":\"PING\"}\r\n", Dialect::Line),
        (b"[1,2]\n", Dialect::Line),
        (b"true\n", Dialect::Line),
        (b" {}\r", Dialect::Line),
        (b"GET / HTTP/1.1\r\n", Dialect::Line),
        (b"JSON is no magic\n", Dialect::Line),
        (b"JSN1\0\0\0\x02", Dialect::Jsocket(V2)),
        (b"\0\0\0\x02{}", Dialect::Jsocket(V1)),
        (b"\x02\0\0\0{}", Dialect::Jsocket(V2012)),
        (&greeting, Dialect::Zmtp),
        (b"Requesting Data", Dialect::Lab),
        (b"Post Data,rtemp:22.10,", Dialect::Lab),
    ];
    for (bytes, dialect) in cases {
        assert_eq!(told_of(bytes), Some(dialect), "{}", bytes.escape_ascii());
    }
    assert_eq!(told_of(b"token,seq:1,"), Some(Dialect::Lab));
}

#[test]
fn lengths_that_look_like_another_framing_are_told_by_the_bytes_after_them() {
    // {, ZMTP's FF, a capital letter, [, ", white space, the magic's J, the lab's R, P and t.
    for length in
        [123, 255, 72, 91, 34, 32, 13, 10, 0x4A, 0x52, 0x50, 0x74, 0x227B, 0x0D31, 0x0D_7D7B, 0xFFFF]
    {
        let expected = Some(Dialect::Jsocket(JsocketDialect::V2012));
        assert_eq!(told_of(&v2012(length)), expected, "{length}");
    }
    // A greeting with a long identity before the end of its signature, and one whose filler says nothing.
    for filler in [[0, 0, 0, 0, 0, 0, 1, 1], [0; 8], [0, 0, 0, b'{', 0, 0, 0, 9]] {
        let greeting: Vec<u8> = [0xFF].into_iter().chain(filler).chain([0x7F, 3]).collect();
        let is_zmtp = told_of(&greeting) == Some(Dialect::Zmtp);
        assert_eq!(is_zmtp, filler[3] == 0, "{filler:?}: a length of 255 and a text look like the last");
    }
}

#[test]
fn a_length_that_can_be_read_from_either_end_is_the_one_that_holds_a_text() {
    for length in [256, 512, 2_560, 65_536, 0x0A00, 0x1200, 0x09_0100, 0x01_0900] {
        assert_eq!(told_of(&v2012(length)), Some(Dialect::Jsocket(JsocketDialect::V2012)), "{length}");
        assert_eq!(told_of(&v1(length)), Some(Dialect::Jsocket(JsocketDialect::V1)), "{length}");
    }
    // Both readings are the same: the newer one.
    assert_eq!(told_of(&v2012(0x01_0100)), Some(Dialect::Jsocket(JsocketDialect::V1)));
    // Only one reading is within the bound.
    assert_eq!(told_of(&[0, 0xFF, 0, 0]), Some(Dialect::Jsocket(JsocketDialect::V2012)));
    assert_eq!(told_of(&[0, 0, 0xFF, 0]), Some(Dialect::Jsocket(JsocketDialect::V1)));
}

#[test]
fn nothing_is_waited_for_that_a_peer_sends_only_after_an_answer() {
    // Whole messages, each shorter than what it takes to be sure.
    for line in [&b"{}\r"[..], b"1\r", b"1\n", b"[]\n", b"\r7\r", b"hi\n"] {
        assert_eq!(told_of(line), Some(Dialect::Line), "{}", line.escape_ascii());
    }
    // libzmq sends ten bytes and waits.
    assert_eq!(told_of(&[0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F]), Some(Dialect::Zmtp));
    // A request of the lab ends with its last letter.
    assert_eq!(told_of(b"Requesting Dat"), None);
    assert_eq!(told_of(b"Requesting Data"), Some(Dialect::Lab));
    // Not told, but nobody can have said anything yet either.
    for bytes in
        [&b""[..], b"\r\n", b"{", b"12", b"J", b"JSN", b"\0\0", b"\xFF\0\0\0", b"t", b"\0\0\n", b"\x001\r"]
    {
        assert_eq!(told_of(bytes), None, "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_came_before_it_was_told_is_read_first() {
    let mut framing = Framing::unknown(EVERYBODY);
    let mut seen = Vec::new();
    for byte in b"\r\n1\r2\r3\r{\"key\":\"PING\"}\r" {
        let mut input = std::slice::from_ref(byte);
        while let Some(message) = framing.next(&mut input) {
            seen.push(message.unwrap().body);
        }
        assert!(input.is_empty());
    }
    let numbers = [1, 2, 3].map(|number| Body::Foreign(number.into()));
    assert_eq!(seen, [&numbers[..], &[Body::Ping]].concat());
    assert!(!framing.is_partial() && framing.held_bytes() == 0);
}

#[test]
fn a_framing_that_is_not_open_is_refused_for_good() {
    let mut framing = Framing::unknown(Access { open: Framings::LINE, allow: Commands::NONE });
    let mut input = &b"\x02\0\0\0{}\x02\0\0\0{}"[..];
    let error = framing.next(&mut input).unwrap().unwrap_err();
    assert!(error.is_fatal() && error.to_string().contains("jsocket of 2012"), "{error}");
    assert_eq!(framing.next(&mut input), None);
    assert!(input.is_empty() && !framing.is_partial() && framing.held_bytes() == 0);
    // It is told why, in its own words.
    let mut answer = Vec::new();
    let body = Body::Error { re: String::new(), text: error.to_string() };
    let message = Message { id: String::new(), to: None, sender: None, timestamp: None, body };
    framing.encode(&message, WallTime::default(), &mut answer);
    assert_eq!(usize::from(answer[0]) + 4, answer.len());
}

#[test]
fn an_idle_link_holds_no_more_than_a_decoder_of_lines() {
    assert!(size_of::<Framing>() <= size_of::<LineDecoder>() + 16, "{}", size_of::<Framing>());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_are_taken(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        piece in 1usize..40,
    ) {
        let mut framing = Framing::unknown(EVERYBODY);
        for mut piece in bytes.chunks(piece) {
            for _ in 0..=piece.len() {
                if framing.next(&mut piece).is_none() {
                    break;
                }
            }
            prop_assert!(piece.is_empty());
        }
    }

    #[test]
    fn lines_are_the_same_by_any_pieces(
        texts in proptest::collection::vec("[ -~]{0,12}", 0..10),
        pieces in proptest::collection::vec(1usize..12, 1..20),
    ) {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| format!("{{\"msg\":{text:?}}}\r").into_bytes()).collect();
        let mut framing = Framing::unknown(EVERYBODY);
        let (mut rest, mut seen) = (&bytes[..], 0);
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (mut head, tail) = rest.split_at((*piece).min(rest.len()));
            rest = tail;
            while let Some(message) = framing.next(&mut head) {
                prop_assert!(message.is_ok());
                seen += 1;
            }
        }
        prop_assert_eq!(seen, texts.len());
    }
}
