use proptest::prelude::*;

use super::*;
use crate::model::{ErrReason, LabPair};

/// What comes of bytes that arrive in pieces of this size, and an end.
fn decode(bytes: &[u8], piece: usize) -> Vec<Result<LabText, WireError>> {
    let mut decoder = LabDecoder::default();
    let mut found = Vec::new();
    for mut input in bytes.chunks(piece.max(1)) {
        while let Some(message) = decoder.next(&mut input) {
            let is_fatal = matches!(&message, Err(error) if error.is_fatal());
            found.push(message);
            if is_fatal {
                return texts(found);
            }
        }
        assert!(input.is_empty());
        assert!(decoder.held_bytes() <= 2 * LAB_TEXT_MAX_BYTES);
    }
    found.extend(decoder.finish());
    assert!(!decoder.is_partial() && decoder.finish().is_none());
    texts(found)
}

fn texts(found: Vec<Result<Message, WireError>>) -> Vec<Result<LabText, WireError>> {
    let text = |message: Message| match message.body {
        Body::Lab(text) => text,
        other => panic!("{other:?}"),
    };
    found.into_iter().map(|message| message.map(text)).collect()
}

fn encoded(text: &LabText) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_lab(text, &mut bytes);
    bytes
}

fn post(pairs: &[(&str, &str)]) -> LabText {
    let pair = |(key, text): &(&str, &str)| LabPair { key: (*key).into(), text: (*text).into() };
    LabText::Post(pairs.iter().map(pair).collect())
}

#[test]
fn the_lab_s_packets_split_at_every_byte() {
    let five =
        [("rtemp", "22.10"), ("rhumd", "41.20"), ("stemp", "21.00"), ("smois", "345.00"), ("winds", "ERR")];
    let token = LabToken { before: "token,rtemp:22.10,winds:ERR,".into(), seq: 2 };
    for (bytes, text) in [
        (&b"Requesting Data"[..], LabText::Request),
        (b"Post Data,rtemp:22.10,rhumd:41.20,stemp:21.00,smois:345.00,winds:ERR,", post(&five)),
        (b"token,seq:1", LabText::Token(LabToken::new())),
        (b"token,rtemp:22.10,winds:ERR,seq:2", LabText::Token(token)),
        (b"ACK", LabText::Ack),
    ] {
        assert_eq!(encoded(&text), bytes);
        for piece in 1..=bytes.len() {
            assert_eq!(decode(bytes, piece), [Ok(text.clone())], "{text:?} in pieces of {piece}");
        }
    }
}

#[test]
fn a_request_is_whole_by_itself_and_others_wait_for_their_end() {
    let mut decoder = LabDecoder::default();
    let mut input = &b" \r\nRequesting Data\nRequesting Data"[..];
    for _ in 0..2 {
        assert_eq!(decoder.next(&mut input).unwrap().unwrap().body, Body::Lab(LabText::Request));
    }
    assert!(decoder.next(&mut input).is_none() && !decoder.is_partial());
    input = b"Post Data,rtemp:1";
    assert!(decoder.next(&mut input).is_none() && decoder.is_partial());
    input = b".50,";
    assert!(decoder.next(&mut input).is_none());
    let text = decoder.finish().unwrap().unwrap().body;
    assert_eq!(text, Body::Lab(post(&[("rtemp", "1.50")])));
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn what_is_no_packet_is_named() {
    for (bytes, words) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "known are `Requesting Data`"),
        (b"Post Data", "without a single key:value"),
        (b"Post Data,,,,", "without a single key:value"),
        (b"Post Data,21.5,", "without a single key:value"),
        (b"Post Datartemp:21.5,", "known are"),
        (b"token", "known are"),
        (b"token,seq:", "followed by no number"),
        (b"token,a:1seq:2", "known are"),
        (b"token,seq:-1", "followed by no number"),
        (b"token,seq:99999999999999999999", "followed by no number"),
        (b"Post Data,rtemp:\xff,", "invalid utf-8"),
        (b"{\"key\":\"PING\"}", "known are"),
    ] {
        let found = decode(bytes, 7);
        let [Err(error @ WireError::NotLab { .. })] = &found[..] else { panic!("{found:?}") };
        assert!(error.to_string().contains(words), "{error}");
    }
    let many = format!("token,{}seq:3", "a,".repeat(1_000));
    assert!(matches!(decode(many.as_bytes(), 100)[..], [Err(WireError::NotLab { .. })]));
}

#[test]
fn what_cannot_be_read_in_a_post_is_an_err() {
    let found = decode(b"Post Data,rtemp:nan,rhumd:ERR,smois:1e999,winds:3:4,note,", 64);
    let [Ok(LabText::Post(pairs))] = &found[..] else { panic!("{found:?}") };
    let values: Vec<_> = pairs.iter().map(LabPair::value).collect();
    assert_eq!(values, [Err(ErrReason::Parse); 4]);
}

#[test]
fn a_packet_without_an_end_is_bounded() {
    let flood = vec![b'x'; LAB_TEXT_MAX_BYTES + 1];
    for piece in [1_000, flood.len()] {
        assert_eq!(decode(&flood, piece), [Err(WireError::Oversize { max_bytes: LAB_TEXT_MAX_BYTES })]);
    }
    let most = decode(&flood[1..], 4_096);
    assert!(matches!(most[..], [Err(WireError::NotLab { .. })]), "{most:?}");
}

proptest! {
    #[test]
    fn garbage_gives_errors_and_never_more(
        bytes in prop::collection::vec(any::<u8>(), 0..3_000),
        piece in 1..200_usize,
    ) {
        decode(&bytes, piece);
    }

    #[test]
    fn what_is_almost_a_packet_gives_no_more_than_it_says(
        text in "(Post Data|token|tok|Requesting Data)?[,:/a-z0-9.ERseq-]{0,80}",
    ) {
        decode(text.as_bytes(), 5);
    }

    #[test]
    fn posts_and_tokens_come_back_as_they_were(
        pairs in prop::collection::vec(("[a-z]{1,8}", "-?[0-9]{1,4}\\.[0-9]{2}|ERR"), 1..40),
        seq in any::<u32>(),
        piece in 1..100_usize,
    ) {
        let pairs: Vec<LabPair> = pairs.into_iter().map(|(key, text)| LabPair { key, text }).collect();
        let token = LabToken { seq, ..LabToken::new().with(&pairs) };
        for text in [LabText::Post(pairs), LabText::Token(token)] {
            prop_assert_eq!(decode(&encoded(&text), piece), [Ok(text)]);
        }
    }
}
