//! The lab's text packets: `Requesting Data`, `Post Data,rtemp:22.10,...,` and `token,...,seq:N`.
//!
//! A packet has no terminator: it ends where its connection is closed, or where its sender pauses. So whoever drives
//! the decoder calls [`LabDecoder::finish`] then. Only a request is whole by itself: its sender waits for the answer.

use std::time::Duration;

use super::{WireError, excerpt};
use crate::model::{Body, LAB_PAIRS_MAX, LabText, LabToken, Message, lab_pairs};

/// Longest packet, in bytes. The lab's programs take 1,024 at once and write less.
pub const LAB_TEXT_MAX_BYTES: usize = 16 << 10;

/// Who says nothing more for so long has said all of a packet. Longer than a segment that was lost takes to come again.
pub const LAB_PAUSE: Duration = Duration::from_millis(500);

const REQUEST: &str = "Requesting Data";
const POST: &str = "Post Data";
const SEQ: &str = "seq:";
const ACK: &str = "ACK";

/// Collects a packet. Holds only what has come of an unfinished one.
#[derive(Debug, Default)]
pub struct LabDecoder {
    partial: Vec<u8>,
}

impl LabDecoder {
    /// Takes what is in `input`, up to one packet that is whole by itself, and moves `input` past it.
    ///
    /// `None` means that all of `input` is taken. After a fatal error ([`WireError::is_fatal`]) the link must be
    /// closed.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        loop {
            if self.partial.is_empty() {
                *input = input.trim_ascii_start();
            }
            if input.is_empty() {
                return None;
            }
            let wanted = REQUEST.len().saturating_sub(self.partial.len());
            let may_be_request = wanted > 0 && REQUEST.as_bytes().starts_with(&self.partial);
            let room = if may_be_request { wanted } else { LAB_TEXT_MAX_BYTES - self.partial.len() };
            let (taken, rest) = input.split_at(room.min(input.len()));
            if taken.is_empty() {
                *self = Self::default();
                *input = &[];
                return Some(Err(WireError::Oversize { max_bytes: LAB_TEXT_MAX_BYTES }));
            }
            self.partial.extend_from_slice(taken);
            *input = rest;
            if self.partial == REQUEST.as_bytes() {
                self.partial = Vec::new();
                return Some(Ok(bare(LabText::Request)));
            }
        }
    }

    /// The packet is at its end: the connection is closed, or its sender pauses. `None` where none has begun.
    pub fn finish(&mut self) -> Option<Result<Message, WireError>> {
        if self.partial.is_empty() {
            return None;
        }
        Some(read(&std::mem::take(&mut self.partial)).map(bare))
    }

    /// Whether a packet has begun and not ended.
    pub fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Bytes of memory that a packet that has begun takes.
    pub fn held_bytes(&self) -> usize {
        self.partial.capacity()
    }
}

fn bare(text: LabText) -> Message {
    Message { id: String::new(), to: None, sender: None, timestamp: None, body: Body::Lab(text) }
}

fn read(packet: &[u8]) -> Result<LabText, WireError> {
    let not_lab = |why: &str| WireError::NotLab { why: why.to_owned(), excerpt: excerpt(packet) };
    let text = str::from_utf8(packet).map_err(|error| not_lab(&error.to_string()))?.trim();
    let head = text.split_once(',').map_or(text, |(head, _)| head);
    if text == ACK {
        return Ok(LabText::Ack);
    }
    if head == POST {
        let found: Vec<_> = lab_pairs(text).collect();
        return match found.is_empty() {
            true => Err(not_lab("a post without a single key:value")),
            false => Ok(LabText::Post(found)),
        };
    }
    if let Some((before, seq)) =
        text.rsplit_once(SEQ).filter(|(before, _)| before.starts_with("tok") && before.ends_with([',', '/']))
    {
        let seq =
            seq.trim_end_matches([',', ' ']).parse().map_err(|_| not_lab("seq: is followed by no number"))?;
        if before.split([',', '/']).count() > 2 * LAB_PAIRS_MAX {
            return Err(not_lab("a token that has been round too often"));
        }
        return Ok(LabText::Token(LabToken { before: before.to_owned(), seq }));
    }
    Err(not_lab("known are `Requesting Data`, `Post Data,key:value,...,` and `token,...,seq:N`"))
}

/// Appends a packet. Nothing follows it: its end is the close of the connection, or a pause.
pub fn encode_lab(text: &LabText, out: &mut Vec<u8>) {
    match text {
        LabText::Request => out.extend_from_slice(REQUEST.as_bytes()),
        LabText::Post(pairs) => {
            out.extend_from_slice(POST.as_bytes());
            out.push(b',');
            for pair in pairs {
                for piece in [&pair.key, ":", &pair.text, ","] {
                    out.extend_from_slice(piece.as_bytes());
                }
            }
        }
        LabText::Token(LabToken { before, seq }) => {
            for piece in [before, SEQ, &seq.to_string()] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
        LabText::Ack => out.extend_from_slice(ACK.as_bytes()),
    }
}

#[cfg(test)]
#[path = "lab_tests.rs"]
mod tests;
