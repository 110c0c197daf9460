//! Lines of JSON: what is read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pisink::wire::{Dialect, Framing, encode};
use pisink_fuzz::{decode, whole_and_in_pieces};

/// What is small allocates a little at least.
const HELD_MAX_BYTES: usize = 64;

fuzz_target!(|data: &[u8]| {
    let line = || Framing::speaking(Dialect::Line);
    for message in whole_and_in_pieces(data, 1, HELD_MAX_BYTES, line).into_iter().flatten() {
        let mut bytes = Vec::new();
        encode(&message, message.timestamp.unwrap_or_default(), &mut bytes);
        let again = decode(line(), &bytes, bytes.len(), HELD_MAX_BYTES);
        assert_eq!(again.len(), 1, "{message:?} is written as {}", bytes.escape_ascii());
    }
});
