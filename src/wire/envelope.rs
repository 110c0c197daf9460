//! The envelope: a JSON object with a `key`, and the typed body that each known key has.
//! Any other JSON value is a foreign message.

use std::borrow::Cow;
use std::io::Write;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::clock::{RawClock, RawMark};
use super::ring::{self, Known};
use super::{WireError, json, pong, role, senml};
use crate::model::{Body, BootId, JournalId, Message, NodeName, Pack, PollRequest, Readings, Seq, WallTime};

/// The keys that a node understands, for the reply to one that it does not.
pub const KNOWN_KEYS: &[&str] = &[
    "POLL",
    "READINGS",
    "STATUS",
    "LATEST",
    "PING",
    "PONG",
    "ERROR",
    "TOKEN",
    "TOKEN_ACK",
    "CLAIM",
    "CLAIM_ANSWER",
    "RING",
    "RING_ANSWER",
    "ROLE",
    "ROLE_ANSWER",
];

/// An envelope whose value is read at once (as `V`) or kept as text.
#[derive(Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de>"))]
struct RawEnvelope<'a, V> {
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    to: Option<String>,
    sender: Option<String>,
    value: Option<V>,
    timestamp: Option<String>,
}

/// Reads one JSON text. `Err(Err(why))`: it is no JSON at all.
///
/// `known` is of the last token that came the same way.
pub(super) fn decode(line: &[u8], known: &mut Known) -> Result<Message, Result<WireError, String>> {
    let text = str::from_utf8(line).map_err(|error| Err(error.to_string()))?;
    if text.starts_with('{') {
        if let Some(message) = ring::read_as_written(text, known).or_else(|| read_readings(text)) {
            return Ok(message);
        }
        if let Ok(raw) = serde_json::from_str::<RawEnvelope<'_, &RawValue>>(text)
            && raw.key.is_some()
        {
            return raw.into_message(body).map_err(Ok);
        }
    }
    match serde_json::from_str(text) {
        Ok(value) => Ok(bare(Body::Foreign(value))),
        Err(error) => match json::quoted(text) {
            Some(quoted) => decode(quoted.as_bytes(), known),
            None => Err(Err(error.to_string())),
        },
    }
}

/// READINGS, which are large, in one pass over their text. `None` for anything else, and for what is wrong in any way:
/// then it is read step by step, to say what.
fn read_readings(text: &str) -> Option<Message> {
    const HEAD_MAX_BYTES: usize = 256;
    let head = text.as_bytes().get(..HEAD_MAX_BYTES).unwrap_or(text.as_bytes());
    static READINGS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"READINGS\""));
    READINGS.find(head)?;
    let raw: RawEnvelope<'_, RawReadings> = serde_json::from_str(text).ok()?;
    let readings = |key: &str, value: Option<RawReadings>, _: &str| match value {
        Some(raw) if key == "READINGS" => raw.check().map(Body::Readings),
        _ => Err(String::new()),
    };
    raw.into_message(readings).ok()
}

pub(super) fn bare(body: Body) -> Message {
    Message { id: String::new(), to: None, sender: None, timestamp: None, body }
}

impl<V> RawEnvelope<'_, V> {
    /// The message, with the body that `body` makes of key, value and id.
    fn into_message<E>(
        self,
        body: impl FnOnce(&str, Option<V>, &str) -> Result<Body, E>,
    ) -> Result<Message, E> {
        let id = self.id.map(id_text).unwrap_or_default();
        let body = body(self.key.as_deref().unwrap_or_default(), self.value, &id)?;
        Ok(Message {
            id,
            to: self.to.and_then(|name| NodeName::new(&name).ok()),
            sender: self.sender.and_then(|name| NodeName::new(&name).ok()),
            timestamp: self.timestamp.and_then(|text| parse_timestamp(&text)),
            body,
        })
    }
}

/// Peers number their messages with strings or with numbers: both are kept as text.
fn id_text(raw: &RawValue) -> String {
    serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

pub(super) fn parse_timestamp(text: &str) -> Option<WallTime> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    Some(WallTime::from_unix_micros(timestamp.as_microsecond()))
}

fn body(key: &str, value: Option<&RawValue>, id: &str) -> Result<Body, WireError> {
    let text = value.map_or("null", RawValue::get);
    let bad = |key: &'static str| move |why: String| WireError::BadValue { key, id: id.to_owned(), why };
    match key {
        "POLL" => poll(text).map(Body::Poll).map_err(bad("POLL")),
        "READINGS" => decode_readings_value(text).map(Body::Readings).map_err(bad("READINGS")),
        "STATUS" if text == "null" => Ok(Body::StatusRequest),
        "STATUS" => serde_json::from_str(text).map(Body::Status).map_err(|e| bad("STATUS")(e.to_string())),
        "LATEST" if text == "null" => Ok(Body::LatestRequest),
        "LATEST" => serde_json::from_str(text).map(Body::Latest).map_err(|e| bad("LATEST")(e.to_string())),
        "PING" => Ok(Body::Ping),
        "PONG" => pong::decode(text).map(Body::Pong).map_err(bad("PONG")),
        "ERROR" => {
            let fault: Fault = serde_json::from_str(text).unwrap_or_default();
            Ok(Body::Error { re: fault.re, text: fault.text })
        }
        "ROLE" => role::decode_order(text).map(Body::Role).map_err(bad("ROLE")),
        "ROLE_ANSWER" => role::decode_answer(text).map(Body::RoleAnswer).map_err(bad("ROLE_ANSWER")),
        _ => match ring::decode(key, text) {
            Some((key, body)) => body.map_err(bad(key)),
            None => Ok(Body::Unknown { key: key.chars().take(40).collect() }),
        },
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fault {
    re: String,
    text: String,
}

#[derive(Deserialize)]
struct RawPoll {
    #[serde(default)]
    journal: Option<String>,
    after: u64,
    taken: u64,
    max: u32,
}

fn poll(text: &str) -> Result<PollRequest, String> {
    let raw: RawPoll = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let journal = raw.journal.map(|id| id.parse()).transpose().map_err(|e| format!("journal: {e}"))?;
    Ok(PollRequest { journal, after: Seq(raw.after), taken: Seq(raw.taken), max: raw.max })
}

/// No journal grows so long: at a million readings a second it is 142 years. Leaves room for sums and for SQLite's
/// `i64`.
const SEQ_MAX: u64 = 1 << 52;

#[derive(Deserialize)]
struct RawReadings {
    #[serde(default)]
    re: String,
    node: String,
    journal: String,
    boot: String,
    after: u64,
    first: u64,
    last: u64,
    #[serde(default)]
    clock: Option<RawClock>,
    #[serde(default)]
    mark: Option<RawMark>,
    #[serde(deserialize_with = "senml::deserialize_pack")]
    pack: Pack,
}

/// Reads the value of READINGS.
pub(super) fn decode_readings_value(text: &str) -> Result<Readings, String> {
    let raw: RawReadings = serde_json::from_str(text).map_err(|e| e.to_string())?;
    raw.check()
}

impl RawReadings {
    fn check(self) -> Result<Readings, String> {
        let boot: BootId = self.boot.parse().map_err(|e| format!("boot: {e}"))?;
        let journal: JournalId = self.journal.parse().map_err(|e| format!("journal: {e}"))?;
        if self.first <= self.after || self.first > SEQ_MAX {
            return Err(format!("first: {} does not come after {}", self.first, self.after));
        }
        Ok(Readings {
            re: self.re,
            node: NodeName::new(&self.node).map_err(|e| format!("node: {e}"))?,
            journal,
            boot,
            after: Seq(self.after),
            first: Seq(self.first),
            last: Seq(self.last),
            clock: self.clock.map(|clock| clock.check()).transpose()?,
            mark: self.mark.map(|mark| mark.check()).transpose()?,
            pack: self.pack,
        })
    }
}

/// Room for what most messages have besides readings, taken at once.
const ENVELOPE_BYTES: usize = 256;

/// Appends `message` as one line, ended by `\r\n`. `sent` is its time stamp.
pub fn encode(message: &Message, sent: WallTime, out: &mut Vec<u8>) {
    if let Body::Foreign(value) = &message.body {
        append_json(out, value);
        out.extend_from_slice(b"\r\n");
        return;
    }
    out.reserve(ENVELOPE_BYTES);
    out.push(b'{');
    if !message.id.is_empty() {
        field(out, "id", &message.id);
    }
    if let Some(to) = &message.to {
        field(out, "to", to.as_str());
    }
    if let Some(sender) = &message.sender {
        field(out, "sender", sender.as_str());
    }
    encode_body(&message.body, out);
    append_text(out, format_args!(",\"timestamp\":\"{sent}\"}}\r\n"));
}

fn encode_body(body: &Body, out: &mut Vec<u8>) {
    if let Some(key) = ring::key_of(body) {
        append_text(out, format_args!("\"key\":\"{key}\",\"value\":"));
        return ring::encode_value(body, out);
    }
    let key = match body {
        Body::Poll(_) => "POLL",
        Body::Readings(_) => "READINGS",
        Body::StatusRequest | Body::Status(_) => "STATUS",
        Body::LatestRequest | Body::Latest(_) => "LATEST",
        Body::Ping => "PING",
        Body::Pong(..) => "PONG",
        Body::Role(_) => "ROLE",
        Body::RoleAnswer(_) => "ROLE_ANSWER",
        Body::Error { .. } => "ERROR",
        Body::Unknown { key } => key,
        _ => "FOREIGN",
    };
    out.extend_from_slice(b"\"key\":");
    append_json(out, key);
    match body {
        Body::Poll(poll) => encode_poll(poll, out),
        Body::Readings(readings) => {
            out.extend_from_slice(b",\"value\":");
            encode_readings_value(readings, out);
        }
        Body::Status(value) | Body::Latest(value) | Body::Foreign(value) => {
            out.extend_from_slice(b",\"value\":");
            append_json(out, value);
        }
        Body::Role(_) | Body::RoleAnswer(_) => {
            out.extend_from_slice(b",\"value\":");
            out.extend_from_slice(&role::encode_value(body));
        }
        Body::Error { re, text } => {
            out.extend_from_slice(b",\"value\":{");
            field(out, "re", re);
            out.extend_from_slice(b"\"text\":");
            append_json(out, text.as_str());
            out.push(b'}');
        }
        Body::Pong(pong) => {
            if let Some(value) = pong::value(pong) {
                out.extend_from_slice(b",\"value\":");
                append_json(out, &value);
            }
        }
        _ => {}
    }
}

fn encode_poll(poll: &PollRequest, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"value\":{");
    if let Some(journal) = poll.journal {
        field(out, "journal", &journal.to_string());
    }
    append_text(
        out,
        format_args!("\"after\":{},\"taken\":{},\"max\":{}}}", poll.after, poll.taken, poll.max),
    );
}

/// Appends the value of READINGS.
pub(super) fn encode_readings_value(readings: &Readings, out: &mut Vec<u8>) {
    out.push(b'{');
    field(out, "re", &readings.re);
    field(out, "node", readings.node.as_str());
    field(out, "journal", &readings.journal.to_string());
    field(out, "boot", &readings.boot.to_string());
    append_text(
        out,
        format_args!("\"after\":{},\"first\":{},\"last\":{},", readings.after, readings.first, readings.last),
    );
    if let Some(clock) = &readings.clock {
        out.extend_from_slice(b"\"clock\":");
        append_json(out, &RawClock::from(clock));
        out.push(b',');
    }
    if let Some(mark) = &readings.mark {
        out.extend_from_slice(b"\"mark\":");
        append_json(out, &RawMark::from(mark));
        out.push(b',');
    }
    out.extend_from_slice(b"\"pack\":");
    senml::encode_pack(&readings.pack, out);
    out.push(b'}');
}

/// `name` stands for itself in JSON.
fn field(out: &mut Vec<u8>, name: &str, text: &str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    append_json(out, text);
    out.push(b',');
}

/// Writing to a `Vec` cannot fail.
pub(super) fn append_text(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}

/// Writing to a `Vec` cannot fail, and none of the values has a map with keys that are no strings.
pub(super) fn append_json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}
