//! ZMTP 3.1 (RFC 37) with the mechanism NULL: what ZeroMQ's sockets speak over TCP. Takes the greeting, the handshake
//! and the frames apart, and gives whole messages; says nothing about what they mean.
//!
//! A peer of ZMTP 3.0 or later is understood. This side sends its greeting and its READY at once ([`greeting`]), for
//! libzmq sends ten bytes and then waits for ours.

use super::{WireError, excerpt};

/// Longest message, all its frames together, in bytes.
pub const MESSAGE_MAX_BYTES: usize = 10 << 20;
/// Most frames of one message. Envelopes of routed messages have a few.
pub const FRAMES_MAX: usize = 64;
/// Longest command (READY with its properties, PING), in bytes.
const COMMAND_MAX_BYTES: usize = 4 << 10;
/// Longest context of a PING (RFC 37): so much of it comes back.
const PING_CONTEXT_MAX_BYTES: usize = 16;

const GREETING_BYTES: usize = 64;
/// Where the greeting's parts begin.
const SIGNATURE_END: usize = 9;
const VERSION: usize = 10;
const MECHANISM: usize = 12;
const MECHANISM_BYTES: usize = 20;
const NULL: &[u8; MECHANISM_BYTES] = b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;
const LONG_HEADER_BYTES: usize = 9;
const SHORT_HEADER_BYTES: usize = 2;

/// What came on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZmtpEvent {
    /// The handshake is over: once, before any message.
    Ready {
        /// Its `Socket-Type`: `DEALER`, `ROUTER`, ...
        socket_type: String,
        /// Its `Identity`; empty when it has none.
        identity: Vec<u8>,
    },
    /// A message: one frame or more.
    Frames(Vec<Vec<u8>>),
    /// A heartbeat, to be answered at once by [`encode_pong`] with the same context.
    Ping(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Handshake,
    Traffic,
}

/// Cuts what comes on one link. Holds only what has come of an unfinished message.
#[derive(Debug)]
pub struct ZmtpDecoder {
    stage: Stage,
    /// The header of the frame that is under way.
    header: [u8; LONG_HEADER_BYTES],
    header_len: usize,
    /// What has come of its body; or of the greeting.
    body: Vec<u8>,
    /// The frames of the message that is under way.
    frames: Vec<Vec<u8>>,
    /// The bytes of `frames`.
    frames_bytes: usize,
}

impl Default for ZmtpDecoder {
    fn default() -> Self {
        Self {
            stage: Stage::Greeting,
            header: [0; LONG_HEADER_BYTES],
            header_len: 0,
            body: Vec::new(),
            frames: Vec::new(),
            frames_bytes: 0,
        }
    }
}

impl ZmtpDecoder {
    /// Takes up to one event from the front of `input` and moves `input` past it.
    ///
    /// `None` means that all of `input` is taken and the message is not complete. Every error is fatal: the link must
    /// be closed.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Result<ZmtpEvent, WireError>> {
        if self.stage == Stage::Greeting {
            match self.take_greeting(input) {
                Ok(true) => self.stage = Stage::Handshake,
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        loop {
            let event = match self.take_frame(input) {
                Ok(Some((COMMAND, command))) => self.command(&command),
                Ok(Some((flags, frame))) => self.frame(flags, frame),
                Ok(None) => return None,
                Err(error) => Err(error),
            };
            if let Some(event) = event.transpose() {
                return Some(event);
            }
        }
    }

    /// Whether a message, or the handshake, has begun and not ended.
    pub fn is_partial(&self) -> bool {
        self.stage == Stage::Handshake
            || self.header_len > 0
            || !self.body.is_empty()
            || !self.frames.is_empty()
    }

    /// Bytes of memory that what has begun takes.
    pub fn held_bytes(&self) -> usize {
        let frames = self.frames.capacity() * size_of::<Vec<u8>>() + self.frames_bytes;
        self.body.capacity() + frames
    }

    /// Whether the greeting is complete. It is refused as soon as a wrong byte has come.
    fn take_greeting(&mut self, input: &mut &[u8]) -> Result<bool, WireError> {
        move_bytes(input, GREETING_BYTES - self.body.len(), &mut self.body);
        let byte = |at: usize| self.body.get(at).copied();
        if byte(0).is_some_and(|first| first != 0xff)
            || byte(SIGNATURE_END).is_some_and(|tenth| tenth != 0x7f)
        {
            return Err(not_zmtp(format!("a greeting that is none: {}", excerpt(&self.body))));
        }
        if let Some(major) = byte(VERSION).filter(|major| *major < 3) {
            // A peer of ZMTP 2 sends its revision, 1, and then another greeting.
            return Err(not_zmtp(format!("version {major} is too old: use ZeroMQ 4 or later (ZMTP 3)")));
        }
        if let Some(mechanism) = self.body.get(MECHANISM..MECHANISM + MECHANISM_BYTES)
            && mechanism != NULL
        {
            let name: &[u8] = mechanism.split(|byte| *byte == 0).next().unwrap_or_default();
            let why = format!(
                "mechanism {} is not spoken here: only NULL, take security off the socket",
                excerpt(name)
            );
            return Err(not_zmtp(why));
        }
        let is_complete = self.body.len() == GREETING_BYTES;
        if is_complete {
            self.body = Vec::new();
        }
        Ok(is_complete)
    }

    /// The next frame with its flags MORE and COMMAND, when it is complete.
    fn take_frame(&mut self, input: &mut &[u8]) -> Result<Option<(u8, Vec<u8>)>, WireError> {
        while self.header_len < self.header_bytes() {
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            if let Some(place) = self.header.get_mut(self.header_len) {
                *place = *byte;
            }
            self.header_len += 1;
            if self.header_len == self.header_bytes() {
                self.check_header()?;
            }
        }
        let size = self.body_bytes();
        move_bytes(input, size - self.body.len(), &mut self.body);
        if self.body.len() < size {
            return Ok(None);
        }
        self.header_len = 0;
        let [flags, ..] = self.header;
        Ok(Some((flags & !LONG, std::mem::take(&mut self.body))))
    }

    fn header_bytes(&self) -> usize {
        let [flags, ..] = self.header;
        if self.header_len > 0 && flags & LONG != 0 { LONG_HEADER_BYTES } else { SHORT_HEADER_BYTES }
    }

    /// The body's size as the header says it: proven against the bounds by `check_header` before it is used.
    fn body_bytes(&self) -> usize {
        let [flags, size @ ..] = self.header;
        let [short, ..] = size;
        let size = if flags & LONG != 0 { u64::from_be_bytes(size) } else { u64::from(short) };
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    fn check_header(&self) -> Result<(), WireError> {
        let [flags, ..] = self.header;
        let is_command = flags & COMMAND != 0;
        if flags & !(MORE | LONG | COMMAND) != 0 || (is_command && flags & MORE != 0) {
            return Err(not_zmtp(format!("a frame with flags {flags:#04x}")));
        }
        if self.stage == Stage::Handshake && !is_command {
            return Err(not_zmtp("a message before READY".to_owned()));
        }
        let max_bytes = if is_command { COMMAND_MAX_BYTES } else { MESSAGE_MAX_BYTES - self.frames_bytes };
        if self.body_bytes() > max_bytes {
            let max_bytes = if is_command { COMMAND_MAX_BYTES } else { MESSAGE_MAX_BYTES };
            return Err(WireError::Oversize { max_bytes });
        }
        if !is_command && self.frames.len() == FRAMES_MAX {
            return Err(not_zmtp(format!("a message of more than {FRAMES_MAX} frames")));
        }
        Ok(())
    }

    fn frame(&mut self, flags: u8, frame: Vec<u8>) -> Result<Option<ZmtpEvent>, WireError> {
        self.frames_bytes += frame.len();
        self.frames.push(frame);
        if flags & MORE != 0 {
            return Ok(None);
        }
        self.frames_bytes = 0;
        Ok(Some(ZmtpEvent::Frames(std::mem::take(&mut self.frames))))
    }

    fn command(&mut self, command: &[u8]) -> Result<Option<ZmtpEvent>, WireError> {
        let mut rest = command;
        let Some(name) = sized_by_one_byte(&mut rest).filter(|name| !name.is_empty()) else {
            return Err(not_zmtp(format!("a command without a name: {}", excerpt(command))));
        };
        match (self.stage, name) {
            (Stage::Handshake, b"READY") => {
                let ready = ready(rest)?;
                self.stage = Stage::Traffic;
                Ok(Some(ready))
            }
            (Stage::Handshake, b"ERROR") => {
                let reason = sized_by_one_byte(&mut rest).unwrap_or_default();
                Err(not_zmtp(format!("the peer refuses this node: {}", excerpt(reason))))
            }
            (Stage::Handshake, _) => Err(not_zmtp(format!("{} where READY has to come", excerpt(name)))),
            (_, b"PING") => match rest.get(2..) {
                Some(context) => {
                    let context = context.get(..PING_CONTEXT_MAX_BYTES).unwrap_or(context);
                    Ok(Some(ZmtpEvent::Ping(context.to_vec())))
                }
                None => Err(not_zmtp("a PING without its time to live".to_owned())),
            },
            // PONG, SUBSCRIBE, CANCEL and whatever later versions have.
            _ => Ok(None),
        }
    }
}

/// Reads the properties of READY. Their names know no case (RFC 37).
fn ready(mut properties: &[u8]) -> Result<ZmtpEvent, WireError> {
    let (mut socket_type, mut identity) = (None, Vec::new());
    while !properties.is_empty() {
        let name = sized_by_one_byte(&mut properties).filter(|name| !name.is_empty());
        let value = name.and_then(|_| sized_by_four_bytes(&mut properties));
        let (Some(name), Some(value)) = (name, value) else {
            return Err(not_zmtp("READY has a property that is cut off".to_owned()));
        };
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            socket_type = str::from_utf8(value).ok().map(str::to_owned);
        } else if name.eq_ignore_ascii_case(b"Identity") {
            if value.len() > usize::from(u8::MAX) {
                return Err(not_zmtp(format!("an identity of {} bytes; 255 are allowed", value.len())));
            }
            identity = value.to_vec();
        }
    }
    match socket_type {
        Some(socket_type) => Ok(ZmtpEvent::Ready { socket_type, identity }),
        None => Err(not_zmtp("READY without a Socket-Type".to_owned())),
    }
}

/// Appends what is to be said first on a link: the greeting, and READY.
///
/// An identity that is longer than 255 bytes is cut.
pub fn greeting(socket_type: &str, identity: &[u8], out: &mut Vec<u8>) {
    // The signature, with a length in the middle that only peers of ZMTP 1 read; version 3.1.
    out.extend_from_slice(&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
    out.extend_from_slice(NULL);
    // As-server, which means nothing with NULL, and the filler.
    out.extend_from_slice(&[0; GREETING_BYTES - MECHANISM - MECHANISM_BYTES]);
    let identity = identity.get(..usize::from(u8::MAX)).unwrap_or(identity);
    let mut command = b"\x05READY".to_vec();
    property("Socket-Type", socket_type.as_bytes(), &mut command);
    property("Identity", identity, &mut command);
    append_frame(COMMAND, &command, out);
}

/// Appends one message of these frames.
pub fn encode_frames(frames: &[&[u8]], out: &mut Vec<u8>) {
    for (at, frame) in frames.iter().enumerate() {
        let flags = if at + 1 < frames.len() { MORE } else { 0 };
        append_frame(flags, frame, out);
    }
}

/// Appends the answer to a [`ZmtpEvent::Ping`].
pub fn encode_pong(context: &[u8], out: &mut Vec<u8>) {
    let mut command = b"\x04PONG".to_vec();
    command.extend_from_slice(context);
    append_frame(COMMAND, &command, out);
}

fn append_frame(flags: u8, body: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(body.len()) {
        Ok(size) => out.extend_from_slice(&[flags, size]),
        Err(_) => {
            out.push(flags | LONG);
            out.extend_from_slice(&(body.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(body);
}

fn property(name: &str, value: &[u8], out: &mut Vec<u8>) {
    // Both names are short, and the values are bounded.
    out.push(u8::try_from(name.len()).unwrap_or_default());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or_default().to_be_bytes());
    out.extend_from_slice(value);
}

fn sized_by_one_byte<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*size))?;
    *bytes = rest;
    Some(text)
}

fn sized_by_four_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*size)).ok()?)?;
    *bytes = rest;
    Some(value)
}

/// Moves at most `count` bytes. Memory is taken for what has come, never for what a peer says that will come.
fn move_bytes(input: &mut &[u8], count: usize, to: &mut Vec<u8>) {
    let (taken, rest) = input.split_at(count.min(input.len()));
    if to.is_empty() {
        to.reserve_exact(taken.len());
    }
    to.extend_from_slice(taken);
    *input = rest;
}

fn not_zmtp(why: String) -> WireError {
    WireError::NotZmtp { why }
}

#[cfg(test)]
#[path = "zmtp_tests.rs"]
mod tests;
