//! The three dialects of jsocket: what is read is written and read again as one message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pisink::model::WallTime;
use pisink::wire::{Dialect, Framing, JsocketDialect};
use pisink_fuzz::{decode, whole_and_in_pieces};

/// What is small allocates a little at least.
const HELD_MAX_BYTES: usize = 4_096;

fuzz_target!(|data: &[u8]| {
    let Some((which, data)) = data.split_first() else { return };
    let dialects = [JsocketDialect::V2012, JsocketDialect::V1, JsocketDialect::V2];
    let dialect = Dialect::Jsocket(dialects[usize::from(*which) % dialects.len()]);
    let framing = || Framing::speaking(dialect);
    for message in whole_and_in_pieces(data, 1, HELD_MAX_BYTES, framing).into_iter().flatten() {
        let mut bytes = Vec::new();
        framing().encode(&message, WallTime::default(), &mut bytes);
        let again = decode(framing(), &bytes, 7, HELD_MAX_BYTES);
        assert_eq!(again.len(), 1, "{message:?} is written as {}", bytes.escape_ascii());
    }
});
