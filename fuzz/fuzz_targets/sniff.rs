//! A link that somebody opens: its first bytes tell the framing, and then it is answered in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pisink::model::{Access, Body, Commands, Framings, Message, WallTime};
use pisink::wire::Framing;
use pisink_fuzz::whole_and_in_pieces;

/// What is small allocates a little at least, more where messages have several parts.
const HELD_MAX_BYTES: usize = 8_192;

/// Where less has come, a line of one or two letters is taken for one, although it could be a jsocket's length too.
const LEAST_PIECE_BYTES: usize = 4;

fuzz_target!(|data: &[u8]| {
    let Some((open, data)) = data.split_first() else { return };
    let open = if open & 1 == 0 { Framings::ALL } else { Framings::LINE };
    let access = Access { open, allow: Commands::NONE };
    whole_and_in_pieces(data, LEAST_PIECE_BYTES, HELD_MAX_BYTES, || Framing::unknown(access));
    let mut framing = Framing::unknown(access);
    let (mut input, mut out) = (data, Vec::new());
    framing.greeting(&mut out);
    while let Some(message) = framing.next(&mut input) {
        let re = String::new();
        let (text, body) = match message {
            Ok(message) => ("yes".to_owned(), Some(message.body)),
            Err(error) if error.is_fatal() => break,
            Err(error) => (error.to_string(), None),
        };
        let body = match body {
            Some(body @ (Body::Foreign(_) | Body::Lab(_))) => body,
            _ => Body::Error { re, text },
        };
        let answer = Message { id: "1".to_owned(), to: None, sender: None, timestamp: None, body };
        framing.encode(&answer, WallTime::default(), &mut out);
        framing.greeting(&mut out);
    }
});
