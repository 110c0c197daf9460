//! ZRE's contents (RFC 36, version 2): the beacon's datagram, and the messages as frames above ZMTP. What other peers
//! of ZRE die of (a datagram cut short, bad UTF-8, an empty WHISPER) is an error here, or an empty content.

use std::collections::{BTreeMap, BTreeSet};

use super::{WireError, zmtp};
use crate::model::{Beacon, Hello, ZreBody, ZreId, ZreMessage};

/// A beacon's size in bytes.
pub const BEACON_BYTES: usize = 22;
/// Longest first frame of a message, in bytes: a HELLO has name, groups and headers.
pub const HELLO_MAX_BYTES: usize = 16 << 10;
/// Longest name, group or header's key, in bytes: their length is one byte on the wire.
pub const NAME_MAX_BYTES: usize = 255;

const BEACON_HEAD: &[u8; 4] = b"ZRE\x01";
const SIGNATURE: [u8; 2] = [0xaa, 0xa1];
const VERSION: u8 = 2;
/// What stands before a peer's id in its identity, for an identity must not begin with a zero.
const IDENTITY_MARK: u8 = 1;

/// Reads a datagram. `None`: it is no beacon of this version.
pub fn decode_beacon(datagram: &[u8]) -> Option<Beacon> {
    let rest = datagram.strip_prefix(BEACON_HEAD)?;
    let (id, port) = rest.split_first_chunk::<16>()?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    Some(Beacon { id: ZreId(*id), port: (port != 0).then_some(port) })
}

/// The datagram of a beacon.
pub fn encode_beacon(beacon: &Beacon) -> [u8; BEACON_BYTES] {
    let mut datagram = [0; BEACON_BYTES];
    let parts = BEACON_HEAD.iter().chain(&beacon.id.0).copied();
    for (to, from) in datagram.iter_mut().zip(parts.chain(beacon.port.unwrap_or(0).to_be_bytes())) {
        *to = from;
    }
    datagram
}

/// The peer whose link's identity this is.
pub fn peer_of(identity: &[u8]) -> Option<ZreId> {
    let id = identity.strip_prefix(&[IDENTITY_MARK])?;
    Some(ZreId(id.try_into().ok()?))
}

/// A link's identity.
pub fn identity(id: ZreId) -> [u8; 17] {
    let mut identity = [IDENTITY_MARK; 17];
    for (to, from) in identity.iter_mut().skip(1).zip(id.0) {
        *to = from;
    }
    identity
}

/// Whether frames are meant to be a message of ZRE.
pub fn is_zre(frames: &[Vec<u8>]) -> bool {
    frames.first().is_some_and(|first| first.starts_with(&SIGNATURE))
}

/// Reads the frames of a message.
pub fn decode(frames: Vec<Vec<u8>>) -> Result<ZreMessage, WireError> {
    let mut frames = frames.into_iter();
    let first = frames.next().unwrap_or_default();
    if first.len() > HELLO_MAX_BYTES {
        return Err(not_zre(&format!(
            "a first frame of {} bytes; {HELLO_MAX_BYTES} are allowed",
            first.len()
        )));
    }
    let mut input = Input(&first);
    if input.array()? != SIGNATURE {
        return Err(not_zre("no signature AA A1"));
    }
    let [kind, version] = input.array()?;
    if version != VERSION {
        return Err(not_zre(&format!("version {version}; only {VERSION} is spoken here")));
    }
    let sequence = u16::from_be_bytes(input.array()?);
    let body = match kind {
        1 => ZreBody::Hello(input.hello()?),
        2 => ZreBody::Whisper(frames.collect()),
        3 => ZreBody::Shout { group: input.short_text()?, content: frames.collect() },
        4 => ZreBody::Join { group: input.short_text()?, status: input.byte()? },
        5 => ZreBody::Leave { group: input.short_text()?, status: input.byte()? },
        6 => ZreBody::Ping,
        7 => ZreBody::PingOk,
        _ => return Err(not_zre(&format!("a message of kind {kind}; there are 1 to 7"))),
    };
    Ok(ZreMessage { sequence, body })
}

/// Appends a message, as frames of ZMTP.
pub fn encode(message: &ZreMessage, out: &mut Vec<u8>) {
    let kind = match &message.body {
        ZreBody::Hello(_) => 1,
        ZreBody::Whisper(_) => 2,
        ZreBody::Shout { .. } => 3,
        ZreBody::Join { .. } => 4,
        ZreBody::Leave { .. } => 5,
        ZreBody::Ping => 6,
        ZreBody::PingOk => 7,
    };
    let mut first = SIGNATURE.to_vec();
    first.extend_from_slice(&[kind, VERSION]);
    first.extend_from_slice(&message.sequence.to_be_bytes());
    let mut content: &[Vec<u8>] = &[];
    match &message.body {
        ZreBody::Hello(hello) => append_hello(hello, &mut first),
        ZreBody::Whisper(frames) => content = frames,
        ZreBody::Shout { group, content: frames } => {
            append_short(group, &mut first);
            content = frames;
        }
        ZreBody::Join { group, status } | ZreBody::Leave { group, status } => {
            append_short(group, &mut first);
            first.push(*status);
        }
        ZreBody::Ping | ZreBody::PingOk => {}
    }
    // A WHISPER or SHOUT without a frame of content kills a pyre.
    let has_content = matches!(message.body, ZreBody::Whisper(_) | ZreBody::Shout { .. });
    let empty: &[u8] = &[];
    let mut frames = vec![first.as_slice()];
    frames.extend(content.iter().map(Vec::as_slice));
    frames.extend((has_content && content.is_empty()).then_some(empty));
    zmtp::encode_frames(&frames, out);
}

fn append_hello(hello: &Hello, out: &mut Vec<u8>) {
    append_short(&hello.endpoint, out);
    append_count(hello.groups.len(), out);
    for group in &hello.groups {
        append_long(group, out);
    }
    out.push(hello.status);
    append_short(&hello.name, out);
    append_count(hello.headers.len(), out);
    for (key, value) in &hello.headers {
        append_short(key, out);
        append_long(value, out);
    }
}

/// A text of at most [`NAME_MAX_BYTES`]; a longer one is cut.
fn append_short(text: &str, out: &mut Vec<u8>) {
    let end = (0..=NAME_MAX_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    let text = end.and_then(|end| text.get(..end)).unwrap_or_default();
    out.push(u8::try_from(text.len()).unwrap_or_default());
    out.extend_from_slice(text.as_bytes());
}

fn append_long(text: &str, out: &mut Vec<u8>) {
    append_count(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// What a node says of itself is small: its count fits.
fn append_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or_default().to_be_bytes());
}

/// What is not yet read of a first frame.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(*array)
    }

    fn byte(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn text(&mut self, size: usize) -> Result<String, WireError> {
        let (text, rest) = self.0.split_at_checked(size).ok_or_else(cut_off)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| not_zre("a text that is no UTF-8"))
    }

    fn short_text(&mut self) -> Result<String, WireError> {
        let size = self.byte()?;
        self.text(usize::from(size))
    }

    fn long_text(&mut self) -> Result<String, WireError> {
        let size = self.count()?;
        self.text(size)
    }

    fn count(&mut self) -> Result<usize, WireError> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| cut_off())
    }

    /// The loops end where the frame ends, whatever a count says.
    fn hello(&mut self) -> Result<Hello, WireError> {
        let endpoint = self.short_text()?;
        let mut groups = BTreeSet::new();
        for _ in 0..self.count()? {
            let group = self.long_text()?;
            if group.len() > NAME_MAX_BYTES {
                return Err(not_zre(&format!("a group's name of {} bytes", group.len())));
            }
            groups.insert(group);
        }
        let status = self.byte()?;
        let name = self.short_text()?;
        let mut headers = BTreeMap::new();
        for _ in 0..self.count()? {
            headers.insert(self.short_text()?, self.long_text()?);
        }
        Ok(Hello { endpoint, groups, status, name, headers })
    }
}

fn cut_off() -> WireError {
    not_zre("a message that is cut off")
}

fn not_zre(why: &str) -> WireError {
    WireError::NotZre { why: why.to_owned() }
}

#[cfg(test)]
#[path = "zre_tests.rs"]
mod tests;
