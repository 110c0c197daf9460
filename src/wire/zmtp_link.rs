//! One link of ZMTP: greets, answers heartbeats, and tells by a message's frames what it is, a message of ZRE or JSON.

use super::framing::Contents;
use super::ring::Known;
use super::zmtp::{self, ZmtpDecoder, ZmtpEvent};
use super::{WireError, envelope, zre};
use crate::model::{Body, FramingName, Framings, Message, WallTime, ZreId};

/// What waits to be said of the framing itself; a peer that sends heartbeats and reads no answer gets no more.
const OWED_MAX_BYTES: usize = 4 << 10;

/// The state of a link.
#[derive(Debug)]
pub(super) struct ZmtpLink {
    decoder: ZmtpDecoder,
    contents: Contents,
    /// What the last token said.
    known: Known,
    /// The greeting, and answers to heartbeats: what is to be sent before anything else.
    owed: Vec<u8>,
    /// The peer's type of socket.
    socket_type: String,
    /// The peer of ZRE that its identity names.
    zre: Option<ZreId>,
}

impl ZmtpLink {
    /// A link that another one opened: this side is a ROUTER.
    pub(super) fn accepted(contents: Contents) -> Self {
        Self::new("ROUTER", b"", contents)
    }

    /// A link that this side opened as a DEALER of this identity.
    pub(super) fn opened(identity: &[u8], contents: Contents) -> Self {
        Self::new("DEALER", identity, contents)
    }

    fn new(socket_type: &str, identity: &[u8], contents: Contents) -> Self {
        let mut owed = Vec::new();
        zmtp::greeting(socket_type, identity, &mut owed);
        Self {
            decoder: ZmtpDecoder::default(),
            contents,
            known: Known::default(),
            owed,
            socket_type: String::new(),
            zre: None,
        }
    }

    /// Takes up to one message. `open` are the framings that an accepted link may speak.
    pub(super) fn next(
        &mut self,
        input: &mut &[u8],
        open: Option<Framings>,
    ) -> Option<Result<Message, WireError>> {
        loop {
            match self.decoder.next(input)? {
                Ok(ZmtpEvent::Ping(context)) => {
                    if self.owed.len() < OWED_MAX_BYTES {
                        zmtp::encode_pong(&context, &mut self.owed);
                    }
                }
                Ok(ZmtpEvent::Ready { socket_type, identity }) => {
                    self.zre = zre::peer_of(&identity);
                    self.socket_type.clone_from(&socket_type);
                    return Some(Ok(envelope::bare(Body::Introduced { socket_type, identity })));
                }
                Ok(ZmtpEvent::Frames(frames)) => return Some(self.message(frames, open)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn message(&mut self, frames: Vec<Vec<u8>>, open: Option<Framings>) -> Result<Message, WireError> {
        let is_open = |name| open.is_none_or(|open| open.has(name));
        if self.zre.is_some() && zre::is_zre(&frames) {
            if !is_open(FramingName::Zre) {
                return Err(WireError::NotOpen { framing: "ZRE" });
            }
            return zre::decode(frames).map(|message| envelope::bare(Body::Zre(message)));
        }
        if !is_open(FramingName::Autopilot) {
            return Err(WireError::NotOpen { framing: "JSON over ZMTP" });
        }
        // What stands before it is for those who route it.
        let text = frames.last().map(Vec::as_slice).unwrap_or_default();
        self.contents.read(text, &mut self.known)
    }

    /// Appends a message. A peer of ZRE is told nothing on the link that it opened: it does not read there.
    pub(super) fn encode(&mut self, message: &Message, sent: WallTime, out: &mut Vec<u8>) {
        self.greeting(out);
        if let Body::Zre(message) = &message.body {
            return zre::encode(message, out);
        }
        if self.zre.is_some() {
            return;
        }
        let mut text = Vec::new();
        envelope::encode(message, sent, &mut text);
        let text = text.trim_ascii_end();
        // A REQ takes its answer behind an empty frame only.
        match self.socket_type.as_str() {
            "REQ" => zmtp::encode_frames(&[b"", text], out),
            _ => zmtp::encode_frames(&[text], out),
        }
    }

    /// Appends what the framing itself has to say.
    pub(super) fn greeting(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.owed);
        self.owed.shrink_to(0);
    }

    pub(super) fn is_partial(&self) -> bool {
        self.decoder.is_partial()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.decoder.held_bytes() + self.owed.capacity()
    }
}

#[cfg(test)]
#[path = "zmtp_link_tests.rs"]
mod tests;
