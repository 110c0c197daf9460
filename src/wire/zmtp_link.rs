//! A link in ZMTP, and what its messages mean: a message of ZRE, a station's (Autopilot), or any JSON as a line has it.
//! The JSON is the last frame; what leads it is only for stations.

use super::zmtp::{self, ZmtpDecoder, ZmtpEvent};
use super::{Contents, WireError, envelope, excerpt, json, station, zre};
use crate::model::{Body, FramingName, Framings, Message, WallTime};

/// Answers to heartbeats wait until they can be sent, but no more bytes than this.
const PONGS_MAX_BYTES: usize = 4 << 10;

/// The state of one link.
#[derive(Debug)]
pub(super) struct ZmtpLink {
    decoder: ZmtpDecoder,
    /// What this side is, to be said once.
    greeting: Option<(&'static str, Vec<u8>)>,
    /// What has to be sent back without anybody above knowing.
    pongs: Vec<u8>,
    contents: Contents,
    /// What may be spoken; both where this side has opened the link.
    open: Framings,
    /// Its other end is a peer of ZRE: it speaks here, and does not listen.
    is_zre: bool,
    /// Its other end is a REQ: an answer is led by an empty frame.
    is_req: bool,
}

impl ZmtpLink {
    /// A link of a `ROUTER` (accepted) or `DEALER` (opened) with this identity.
    pub(super) fn new(
        (socket_type, identity): (&'static str, Vec<u8>),
        contents: Contents,
        open: Framings,
    ) -> Self {
        let greeting = Some((socket_type, identity));
        Self {
            decoder: ZmtpDecoder::default(),
            greeting,
            pongs: Vec::new(),
            contents,
            open,
            is_zre: false,
            is_req: false,
        }
    }

    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        loop {
            match self.decoder.next(input)? {
                Err(error) => return Some(Err(error)),
                Ok(ZmtpEvent::Ready { socket_type, identity }) => {
                    self.is_zre = zre::peer_of(&identity).is_some();
                    self.is_req = socket_type == "REQ";
                    return Some(Ok(envelope::bare(Body::Introduced { socket_type, identity })));
                }
                Ok(ZmtpEvent::Ping(context)) => self.keep(|pongs| zmtp::encode_pong(&context, pongs)),
                Ok(ZmtpEvent::Frames(frames)) if self.is_zre && zre::is_zre(&frames) => {
                    if !self.open.has(FramingName::Zre) {
                        return Some(Err(WireError::NotOpen { framing: FramingName::Zre.as_str() }));
                    }
                    return Some(zre::decode(frames).map(|message| envelope::bare(Body::Zre(message))));
                }
                Ok(ZmtpEvent::Frames(frames)) => match frames.split_last() {
                    None => {}
                    // An empty message asks whether anybody is there, and comes back as it is.
                    Some((last, _)) if last.is_empty() => {
                        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
                        self.keep(|pongs| zmtp::encode_frames(&frames, pongs));
                    }
                    Some((last, path)) => return Some(self.read(path, last)),
                },
            }
        }
    }

    fn read(&self, path: &[Vec<u8>], text: &[u8]) -> Result<Message, WireError> {
        if !self.open.has(FramingName::Autopilot) {
            return Err(WireError::NotOpen { framing: FramingName::Autopilot.as_str() });
        }
        if self.contents == Contents::Plain {
            return self.contents.read_lines(text);
        }
        let json = json::read(text).map_err(|why| WireError::NotJson { why, excerpt: excerpt(text) })?;
        match station::station_message(path, json, text) {
            Ok(routed) => routed.map(|routed| envelope::bare(Body::Station(routed))),
            Err(_) => self.contents.read_lines(text),
        }
    }

    fn keep(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let before = self.pongs.len();
        append(&mut self.pongs);
        if self.pongs.len() > PONGS_MAX_BYTES {
            self.pongs.truncate(before);
        }
    }

    /// Appends `message`: one of ZRE, a station's with the frames that lead it, any other as one frame of JSON. A peer
    /// of ZRE is told nothing on the link that it opened. The greeting goes before all.
    pub(super) fn encode(&mut self, message: &Message, sent: WallTime, out: &mut Vec<u8>) {
        self.greeting(out);
        match &message.body {
            Body::Zre(message) => zre::encode(message, out),
            _ if self.is_zre => {}
            Body::Station(routed) => {
                let json = station::encode_station(routed);
                let path = routed.path.iter().map(String::as_bytes);
                let frames: Vec<&[u8]> = path.chain([json.as_slice()]).collect();
                zmtp::encode_frames(&frames, out);
            }
            _ => {
                let mut text = Vec::new();
                envelope::encode(message, sent, &mut text);
                let text = text.strip_suffix(b"\r\n").unwrap_or(&text);
                let lead: &[&[u8]] = if self.is_req { &[b""] } else { &[] };
                zmtp::encode_frames(&[lead, &[text]].concat(), out);
            }
        }
    }

    /// Appends the greeting, once, and what heartbeats are answered with. While the other end does not read (`out` is
    /// what waits for it), it has none.
    pub(super) fn greeting(&mut self, out: &mut Vec<u8>) {
        if let Some((socket_type, identity)) = self.greeting.take() {
            zmtp::greeting(socket_type, &identity, out);
        }
        let pongs = std::mem::take(&mut self.pongs);
        if out.len() < PONGS_MAX_BYTES {
            out.extend_from_slice(&pongs);
        }
    }

    pub(super) fn is_partial(&self) -> bool {
        self.decoder.is_partial()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.decoder.held_bytes() + self.pongs.capacity()
    }
}

#[cfg(test)]
#[path = "zmtp_link_tests.rs"]
mod tests;
