//! The lab's text packets: what is read is written and read again as the same, and a token grows by what is put in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pisink::model::{Body, LAB_PAIRS_MAX, LabPair, LabText};
use pisink::wire::{Dialect, Framing, LAB_TEXT_MAX_BYTES, encode_lab};
use pisink_fuzz::{decode, whole_and_in_pieces};

fuzz_target!(|data: &[u8]| {
    let lab = || Framing::speaking(Dialect::Lab);
    for message in whole_and_in_pieces(data, 1, 64, lab).into_iter().flatten() {
        let Body::Lab(text) = message.body else { panic!("{message:?}") };
        let mut bytes = Vec::new();
        encode_lab(&text, &mut bytes);
        if bytes.len() <= LAB_TEXT_MAX_BYTES {
            let again = decode(lab(), &bytes, bytes.len(), 64);
            let [Ok(again)] = &again[..] else { panic!("{text:?} is written as {}", bytes.escape_ascii()) };
            assert_eq!(again.body, Body::Lab(text.clone()));
        }
        match text {
            LabText::Post(pairs) => assert!(pairs.len() <= LAB_PAIRS_MAX),
            LabText::Token(token) => {
                let pairs = |hosts: Vec<Vec<LabPair>>| hosts.iter().map(Vec::len).sum::<usize>();
                let before = pairs(token.hosts());
                let grown = pairs(token.with(&[LabPair::of("rtemp", Ok(1.0))]).hosts());
                assert!(grown > before || grown >= LAB_PAIRS_MAX, "{before} pairs, then {grown}");
            }
            LabText::Request | LabText::Ack => {}
        }
    }
});
