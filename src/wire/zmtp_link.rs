//! A link in ZMTP, and what its messages mean: a station's message (Autopilot), or any JSON as a line has it. The JSON
//! is the last frame; what leads it is only for stations.

use super::ring::Known;
use super::zmtp::{self, ZmtpDecoder, ZmtpEvent};
use super::{Contents, WireError, envelope, excerpt, json, station};
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
}

impl ZmtpLink {
    /// A link of a `ROUTER` (accepted) or `DEALER` (opened) with this identity.
    pub(super) fn new(
        (socket_type, identity): (&'static str, Vec<u8>),
        contents: Contents,
        open: Framings,
    ) -> Self {
        let greeting = Some((socket_type, identity));
        Self { decoder: ZmtpDecoder::default(), greeting, pongs: Vec::new(), contents, open }
    }

    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        loop {
            match self.decoder.next(input)? {
                Err(error) => return Some(Err(error)),
                Ok(ZmtpEvent::Ready { socket_type, identity }) => {
                    return Some(Ok(envelope::bare(Body::Introduced { socket_type, identity })));
                }
                Ok(ZmtpEvent::Ping(context)) => self.keep(|pongs| zmtp::encode_pong(&context, pongs)),
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
        let json = json::read(text).map_err(|why| WireError::NotJson { why, excerpt: excerpt(text) })?;
        match station::station_message(path, json, text) {
            Ok(routed) => routed.map(|routed| envelope::bare(Body::Station(routed))),
            // Members of a ring do not speak ZMTP: no token has come before this one.
            Err(_) => self.contents.read(text, &mut Known::default()),
        }
    }

    fn keep(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let before = self.pongs.len();
        append(&mut self.pongs);
        if self.pongs.len() > PONGS_MAX_BYTES {
            self.pongs.truncate(before);
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

/// Appends `message`: a station's with the frames that lead it, any other as one frame of JSON.
pub(super) fn encode(message: &Message, sent: WallTime, out: &mut Vec<u8>) {
    if let Body::Station(routed) = &message.body {
        let json = station::encode_station(routed);
        let path = routed.path.iter().map(String::as_bytes);
        let frames: Vec<&[u8]> = path.chain([json.as_slice()]).collect();
        return zmtp::encode_frames(&frames, out);
    }
    let mut text = Vec::new();
    envelope::encode(message, sent, &mut text);
    let text = text.strip_suffix(b"\r\n").unwrap_or(&text);
    zmtp::encode_frames(&[text], out);
}

#[cfg(test)]
#[path = "zmtp_link_tests.rs"]
mod tests;
