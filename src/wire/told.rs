//! Which framing a connection speaks, from its first bytes.
//!
//! Each framing begins in a way that no other has, with two exceptions. A length of jsocket can look like anything: 123
//! is `{`, 255 is ZMTP's first byte; the bytes after it decide. And a length that is a multiple of 256 can be read from
//! either end; then the shorter reading is waited for, and is right if it holds a whole JSON text. No bytes are waited
//! for that a peer would send only after an answer.

use super::framing::{Dialect, JsocketDialect};

/// Longest JSON text of jsocket, in bytes; its own bound.
pub const JSOCKET_MAX_BYTES: usize = 10 << 20;

/// The signature with which a greeting of ZMTP begins: `FF`, eight bytes that mean nothing any more, `7F`.
const ZMTP_SIGNATURE_BYTES: usize = 10;
const JSOCKET_MAGIC: &[u8] = b"JSN1";
/// A length, which each jsocket but the second begins with.
const LENGTH_BYTES: usize = 4;
/// How packets of the lab begin. Some of its programs cut their own `token` short.
const LAB_WORDS: [&[u8]; 3] = [b"Requesting Data", b"Post Data,", b"tok"];

/// What the first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Is(Dialect),
    /// Not yet: with so many bytes it is told at the latest, unless these say that more are needed.
    More(usize),
}

/// What all that has come so far tells.
pub(super) fn told(first: &[u8]) -> Told {
    let Some(lead) = first.first() else { return Told::More(1) };
    if *lead == 0xFF {
        return zmtp(first);
    }
    if begins(JSOCKET_MAGIC, first) {
        return match first.len() < JSOCKET_MAGIC.len() {
            true => Told::More(JSOCKET_MAGIC.len()),
            false => Told::Is(Dialect::Jsocket(JsocketDialect::V2)),
        };
    }
    if let Some(word) = LAB_WORDS.into_iter().find(|word| begins(word, first)) {
        return if first.len() < word.len() { Told::More(word.len()) } else { Told::Is(Dialect::Lab) };
    }
    let Some((length, text)) = first.split_first_chunk::<LENGTH_BYTES>() else {
        // A whole line is a message already, and its sender may wait for the answer.
        return if has_line(first) { Told::Is(Dialect::Line) } else { Told::More(LENGTH_BYTES) };
    };
    match (*lead, is_2012(*length)) {
        (0, is_2012) => big_or_little_endian(*length, is_2012, text),
        (_, true) => Told::Is(Dialect::Jsocket(JsocketDialect::V2012)),
        (_, false) => Told::Is(Dialect::Line),
    }
}

/// Whether one is the beginning of the other.
fn begins(word: &[u8], first: &[u8]) -> bool {
    let both = word.len().min(first.len());
    word.get(..both) == first.get(..both)
}

fn zmtp(first: &[u8]) -> Told {
    if first.len() < ZMTP_SIGNATURE_BYTES {
        return Told::More(ZMTP_SIGNATURE_BYTES);
    }
    if let Some((length, text)) = first.split_first_chunk::<LENGTH_BYTES>()
        && is_2012(*length)
        && text.first().is_some_and(|byte| begins_json(*byte))
    {
        return Told::Is(Dialect::Jsocket(JsocketDialect::V2012));
    }
    // Without the end of the signature it is nothing that is known; the decoder of lines names what came.
    let is_zmtp = first.get(ZMTP_SIGNATURE_BYTES - 1) == Some(&0x7F);
    Told::Is(if is_zmtp { Dialect::Zmtp } else { Dialect::Line })
}

/// Whether this can be the length that a jsocket of 2012 sends. No JSON text has a zero byte in it.
fn is_2012(length: [u8; LENGTH_BYTES]) -> bool {
    let length = u32::from_le_bytes(length);
    length > 0 && usize::try_from(length).is_ok_and(|length| length <= JSOCKET_MAX_BYTES)
}

/// A length that begins with a zero: from either end, if it ends with one too.
fn big_or_little_endian(length: [u8; LENGTH_BYTES], can_be_2012: bool, text: &[u8]) -> Told {
    let (big, little) = (u32::from_be_bytes(length), u32::from_le_bytes(length));
    let shorter = usize::try_from(big.min(little)).unwrap_or(usize::MAX);
    let is_big_legal = usize::try_from(big).is_ok_and(|big| big <= JSOCKET_MAX_BYTES);
    if !can_be_2012 || big == little {
        return Told::Is(Dialect::Jsocket(JsocketDialect::V1));
    }
    if !is_big_legal {
        return Told::Is(Dialect::Jsocket(JsocketDialect::V2012));
    }
    let Some(text) = text.get(..shorter) else { return Told::More(LENGTH_BYTES + shorter) };
    let is_shorter = serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    let is_big = is_shorter == (big < little);
    Told::Is(Dialect::Jsocket(if is_big { JsocketDialect::V1 } else { JsocketDialect::V2012 }))
}

fn has_line(first: &[u8]) -> bool {
    // No text has a zero in it, and many lengths have one.
    let end = first.iter().rposition(|byte| matches!(byte, b'\r' | b'\n')).filter(|_| !first.contains(&0));
    end.and_then(|end| first.get(..end)).is_some_and(|line| !line.iter().all(u8::is_ascii_whitespace))
}

/// Whether a JSON text, as Python writes it too, can begin so.
fn begins_json(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte.is_ascii_digit() || b"{[\"-tfnNI".contains(&byte)
}
