//! jsocket: a length before each JSON text, in the three ways that it has been said since 2012. No greeting, no end.
//!
//! | version | a message is |
//! | --- | --- |
//! | 1.1 (2012) | u32 length, little-endian as on the machines that it ran on; JSON |
//! | 1.4 to 1.9 | u32 length, big-endian; JSON |
//! | 2.0 | `JSN1`; u32 length and u32 CRC-32 of the JSON, both big-endian; JSON |

use super::told::JSOCKET_MAX_BYTES;
use super::{Contents, JsocketDialect, WireError, excerpt};
use crate::model::{Message, WallTime};

const MAGIC: [u8; 4] = *b"JSN1";
/// A length, a magic word, a checksum.
const WORD_BYTES: usize = 4;
/// The longest header, that of version 2.
const HEADER_MAX_BYTES: usize = 3 * WORD_BYTES;

/// Cuts messages and reads each. Holds only what has come of an unfinished one.
#[derive(Debug)]
pub(super) struct JsocketDecoder {
    dialect: JsocketDialect,
    contents: Contents,
    header: [u8; HEADER_MAX_BYTES],
    header_len: usize,
    /// What has come of the JSON text.
    text: Vec<u8>,
}

impl JsocketDialect {
    fn header_bytes(self) -> usize {
        match self {
            JsocketDialect::V2012 | JsocketDialect::V1 => WORD_BYTES,
            JsocketDialect::V2 => HEADER_MAX_BYTES,
        }
    }
}

impl JsocketDecoder {
    pub(super) fn new(dialect: JsocketDialect, contents: Contents) -> Self {
        Self { dialect, contents, header: [0; HEADER_MAX_BYTES], header_len: 0, text: Vec::new() }
    }

    /// As that of [`super::LineDecoder`].
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        let header_bytes = self.dialect.header_bytes();
        if let Some(room) = self.header.get_mut(self.header_len..header_bytes) {
            let count = room.len().min(input.len());
            let (head, rest) = input.split_at(count);
            room.get_mut(..count)?.copy_from_slice(head);
            self.header_len += count;
            *input = rest;
        }
        if self.header_len < header_bytes {
            return None;
        }
        let length = match self.length() {
            Ok(length) => length,
            Err(error) => return Some(Err(error)),
        };
        let wanted = length.saturating_sub(self.text.len());
        let Some((head, rest)) = input.split_at_checked(wanted) else {
            self.keep(input, wanted);
            *input = &[];
            return None;
        };
        *input = rest;
        self.header_len = 0;
        if self.text.is_empty() {
            return Some(self.read(head));
        }
        let mut text = std::mem::take(&mut self.text);
        text.extend_from_slice(head);
        Some(self.read(&text))
    }

    /// Half a text waits for its rest: room is made for what has come, never for what was announced.
    fn keep(&mut self, part: &[u8], wanted: usize) {
        let room = self.text.capacity() - self.text.len();
        if room < part.len() {
            self.text.reserve_exact(self.text.len().max(part.len()).min(wanted));
        }
        self.text.extend_from_slice(part);
    }

    fn length(&self) -> Result<usize, WireError> {
        let length = match self.dialect {
            JsocketDialect::V2012 => u32::from_le_bytes(self.word(0)),
            JsocketDialect::V1 => u32::from_be_bytes(self.word(0)),
            JsocketDialect::V2 if self.word(0) != MAGIC => {
                let why = format!("no JSN1 where a message begins, but {}", excerpt(&self.header));
                return Err(WireError::NotJsocket { why });
            }
            JsocketDialect::V2 => u32::from_be_bytes(self.word(1)),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > JSOCKET_MAX_BYTES {
            return Err(WireError::Oversize { max_bytes: JSOCKET_MAX_BYTES });
        }
        Ok(length)
    }

    /// A word of the header, which is complete.
    fn word(&self, at: usize) -> [u8; WORD_BYTES] {
        let (words, _) = self.header.as_chunks::<WORD_BYTES>();
        words.get(at).copied().unwrap_or_default()
    }

    fn read(&self, text: &[u8]) -> Result<Message, WireError> {
        if self.dialect == JsocketDialect::V2 {
            let (said, found) = (u32::from_be_bytes(self.word(2)), crc32fast::hash(text));
            if said != found {
                return Err(WireError::BadChecksum { said, found });
            }
        }
        self.contents.read_lines(text)
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_partial(&self) -> bool {
        self.header_len > 0
    }

    /// Bytes of memory that a message that has begun takes.
    pub(super) fn held_bytes(&self) -> usize {
        self.text.capacity()
    }
}

/// Appends `message` in this dialect. `sent` is its time stamp.
pub(super) fn encode(dialect: JsocketDialect, message: &Message, sent: WallTime, out: &mut Vec<u8>) {
    let begin = out.len();
    out.resize(begin + dialect.header_bytes(), 0);
    super::envelope::encode(message, sent, out);
    // The end of a line is no part of the text.
    out.truncate(out.len() - b"\r\n".len());
    let Some((header, text)) =
        out.get_mut(begin..).and_then(|all| all.split_at_mut_checked(dialect.header_bytes()))
    else {
        return;
    };
    // What a node says has at most a few MiB.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    match dialect {
        JsocketDialect::V2012 => header.copy_from_slice(&length.to_le_bytes()),
        JsocketDialect::V1 => header.copy_from_slice(&length.to_be_bytes()),
        JsocketDialect::V2 => {
            let words = [MAGIC, length.to_be_bytes(), crc32fast::hash(text).to_be_bytes()];
            header.copy_from_slice(words.as_flattened());
        }
    }
}

#[cfg(test)]
#[path = "jsocket_tests.rs"]
mod tests;
