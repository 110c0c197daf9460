//! The envelope: a JSON object with a `key`, and the typed body that each known key has.
//! Any other JSON value is a foreign message.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{WireError, senml};
use crate::model::{Body, BootId, JournalId, Message, NodeName, PollRequest, Readings, Seq, WallTime};

/// The keys that a node understands, for the reply to one that it does not.
pub const KNOWN_KEYS: &[&str] = &["POLL", "READINGS", "STATUS", "PING", "PONG", "ERROR"];

#[derive(Deserialize)]
struct RawEnvelope<'a> {
    key: String,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    to: Option<String>,
    sender: Option<String>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    timestamp: Option<String>,
}

/// Reads one JSON text. `Err(Err(why))`: it is no JSON at all.
pub(super) fn decode(text: &[u8]) -> Result<Message, Result<WireError, String>> {
    if text.first() == Some(&b'{')
        && let Ok(raw) = serde_json::from_slice::<RawEnvelope<'_>>(text)
    {
        return raw.into_message().map_err(Ok);
    }
    match serde_json::from_slice(text) {
        Ok(value) => Ok(bare(Body::Foreign(value))),
        Err(error) => Err(Err(error.to_string())),
    }
}

fn bare(body: Body) -> Message {
    Message { id: String::new(), to: None, sender: None, timestamp: None, body }
}

impl RawEnvelope<'_> {
    fn into_message(self) -> Result<Message, WireError> {
        let id = self.id.map(id_text).unwrap_or_default();
        let body = body(&self.key, self.value, &id)?;
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

fn parse_timestamp(text: &str) -> Option<WallTime> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    Some(WallTime::from_unix_micros(timestamp.as_microsecond()))
}

fn body(key: &str, value: Option<&RawValue>, id: &str) -> Result<Body, WireError> {
    let text = value.map_or("null", RawValue::get);
    let bad = |key: &'static str| move |why: String| WireError::BadValue { key, id: id.to_owned(), why };
    match key {
        "POLL" => poll(text).map(Body::Poll).map_err(bad("POLL")),
        "READINGS" => readings(text).map(Body::Readings).map_err(bad("READINGS")),
        "STATUS" if text == "null" => Ok(Body::StatusRequest),
        "STATUS" => serde_json::from_str(text).map(Body::Status).map_err(|e| bad("STATUS")(e.to_string())),
        "PING" => Ok(Body::Ping),
        "PONG" => Ok(Body::Pong),
        "ERROR" => {
            let fault: Fault = serde_json::from_str(text).unwrap_or_default();
            Ok(Body::Error { re: fault.re, text: fault.text })
        }
        _ => Ok(Body::Unknown { key: key.chars().take(40).collect() }),
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
struct RawReadings<'a> {
    #[serde(default)]
    re: String,
    node: String,
    journal: String,
    boot: String,
    after: u64,
    first: u64,
    last: u64,
    #[serde(borrow)]
    pack: &'a RawValue,
}

fn readings(text: &str) -> Result<Readings, String> {
    let raw: RawReadings<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let boot: BootId = raw.boot.parse().map_err(|e| format!("boot: {e}"))?;
    let journal: JournalId = raw.journal.parse().map_err(|e| format!("journal: {e}"))?;
    if raw.first <= raw.after || raw.first > SEQ_MAX {
        return Err(format!("first: {} does not come after {}", raw.first, raw.after));
    }
    Ok(Readings {
        re: raw.re,
        node: NodeName::new(&raw.node).map_err(|e| format!("node: {e}"))?,
        journal,
        boot,
        after: Seq(raw.after),
        first: Seq(raw.first),
        last: Seq(raw.last),
        pack: senml::decode_pack(raw.pack.get()).map_err(|e| format!("pack: {e}"))?,
    })
}

/// Appends `message` as one line, ended by `\r\n`. `sent` is its time stamp.
pub fn encode(message: &Message, sent: WallTime, out: &mut Vec<u8>) {
    if let Body::Foreign(value) = &message.body {
        append_json(out, value);
        out.extend_from_slice(b"\r\n");
        return;
    }
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
    out.extend_from_slice(format!(",\"timestamp\":\"{sent}\"}}\r\n").as_bytes());
}

fn encode_body(body: &Body, out: &mut Vec<u8>) {
    let key = match body {
        Body::Poll(_) => "POLL",
        Body::Readings(_) => "READINGS",
        Body::StatusRequest | Body::Status(_) => "STATUS",
        Body::Ping => "PING",
        Body::Pong => "PONG",
        Body::Error { .. } => "ERROR",
        Body::Unknown { key } => key,
        Body::Foreign(_) => "FOREIGN",
    };
    out.extend_from_slice(b"\"key\":");
    append_json(out, key);
    match body {
        Body::Poll(poll) => encode_poll(poll, out),
        Body::Readings(readings) => encode_readings(readings, out),
        Body::Status(value) | Body::Foreign(value) => {
            out.extend_from_slice(b",\"value\":");
            append_json(out, value);
        }
        Body::Error { re, text } => {
            out.extend_from_slice(b",\"value\":{");
            field(out, "re", re);
            out.extend_from_slice(b"\"text\":");
            append_json(out, text.as_str());
            out.push(b'}');
        }
        Body::StatusRequest | Body::Ping | Body::Pong | Body::Unknown { .. } => {}
    }
}

fn encode_poll(poll: &PollRequest, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"value\":{");
    if let Some(journal) = poll.journal {
        field(out, "journal", &journal.to_string());
    }
    let numbers = format!("\"after\":{},\"taken\":{},\"max\":{}}}", poll.after, poll.taken, poll.max);
    out.extend_from_slice(numbers.as_bytes());
}

fn encode_readings(readings: &Readings, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"value\":{");
    field(out, "re", &readings.re);
    field(out, "node", readings.node.as_str());
    field(out, "journal", &readings.journal.to_string());
    field(out, "boot", &readings.boot.to_string());
    out.extend_from_slice(
        format!(
            "\"after\":{},\"first\":{},\"last\":{},\"pack\":",
            readings.after, readings.first, readings.last
        )
        .as_bytes(),
    );
    senml::encode_pack(&readings.pack, out);
    out.push(b'}');
}

fn field(out: &mut Vec<u8>, name: &str, text: &str) {
    append_json(out, name);
    out.push(b':');
    append_json(out, text);
    out.push(b',');
}

/// Writing to a `Vec` cannot fail, and none of the values has a map with keys that are no strings.
fn append_json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}
