//! The native framing: one JSON text a line, ended by `\r`, `\n` or both; what `\r`-JSON scripts, `nc` and `jq` speak.

use memchr::memchr2;

use super::ring::Known;
use super::{Contents, WireError};
use crate::model::Message;

/// Longest line, in bytes. A poll's answer is made to fit it.
pub const LINE_MAX_BYTES: usize = 1 << 20;

/// What a partial line may keep allocated between messages, so that ten thousand idle links stay small.
const KEEP_CAPACITY_BYTES: usize = 0;

/// Cuts lines and reads each as a message. Holds only what has come of an unfinished line.
#[derive(Debug, Default)]
pub struct LineDecoder {
    partial: Vec<u8>,
    /// What the last token said.
    known: Known,
    contents: Contents,
}

impl LineDecoder {
    /// One that reads messages as `contents` says.
    pub fn of(contents: Contents) -> Self {
        Self { contents, ..Self::default() }
    }

    /// Takes up to one message from the front of `input` and moves `input` past it.
    ///
    /// `None` means that all of `input` is taken and the line is not complete. After a fatal error
    /// ([`WireError::is_fatal`]) the link must be closed.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        loop {
            let Some(end) = memchr2(b'\r', b'\n', input) else {
                return self.keep(input).err().map(Err);
            };
            let (head, rest) = input.split_at(end);
            *input = rest.get(1..).unwrap_or_default();
            if self.partial.len() + head.len() > LINE_MAX_BYTES {
                return Some(Err(WireError::Oversize { max_bytes: LINE_MAX_BYTES }));
            }
            if self.partial.is_empty() {
                if head.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Some(self.contents.read(head.trim_ascii_start(), &mut self.known));
            }
            self.partial.extend_from_slice(head);
            let message = self.contents.read(self.partial.trim_ascii_start(), &mut self.known);
            self.partial.clear();
            self.partial.shrink_to(KEEP_CAPACITY_BYTES);
            return Some(message);
        }
    }

    /// Whether a line has begun and not ended.
    pub fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Bytes of memory that a line that has begun takes.
    pub fn held_bytes(&self) -> usize {
        self.partial.capacity()
    }

    fn keep(&mut self, input: &mut &[u8]) -> Result<(), WireError> {
        if self.partial.len() + input.len() > LINE_MAX_BYTES {
            return Err(WireError::Oversize { max_bytes: LINE_MAX_BYTES });
        }
        // A line's leading white space is nobody's message: it must not keep a link "in the middle of a line".
        if !(self.partial.is_empty() && input.iter().all(u8::is_ascii_whitespace)) {
            self.partial.extend_from_slice(input);
        }
        *input = &[];
        Ok(())
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
