//! ZMTP: what is read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pisink::wire::WireError;
use pisink::wire::zmtp::{ZmtpDecoder, ZmtpEvent, encode_frames, greeting};
use pisink_fuzz::{Decoder, decode, whole_and_in_pieces};

/// A table of frames is taken at once.
const HELD_MAX_BYTES: usize = 8_192;

struct Zmtp(ZmtpDecoder);

impl Decoder for Zmtp {
    type Item = ZmtpEvent;
    fn next(&mut self, input: &mut &[u8]) -> Option<Result<ZmtpEvent, WireError>> {
        let event = self.0.next(input);
        // Every error closes the link; what the decoder makes of more bytes is nobody's business.
        if matches!(event, Some(Err(_))) {
            *input = &[];
            self.0 = ZmtpDecoder::default();
        }
        event
    }
    fn held_bytes(&self) -> usize {
        self.0.held_bytes()
    }
}

fuzz_target!(|data: &[u8]| {
    let events = whole_and_in_pieces(data, 1, HELD_MAX_BYTES, || Zmtp(ZmtpDecoder::default()));
    for frames in events.into_iter().flatten().filter_map(|event| match event {
        ZmtpEvent::Frames(frames) => Some(frames),
        ZmtpEvent::Ready { .. } | ZmtpEvent::Ping(_) => None,
    }) {
        let mut bytes = Vec::new();
        greeting("DEALER", b"fuzz", &mut bytes);
        encode_frames(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut bytes);
        let again = decode(Zmtp(ZmtpDecoder::default()), &bytes, bytes.len(), HELD_MAX_BYTES);
        assert!(
            matches!(&again[..], [Ok(ZmtpEvent::Ready { .. }), Ok(ZmtpEvent::Frames(same))] if *same == frames)
        );
    }
});
