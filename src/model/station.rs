//! What Autopilot's stations say to one another: one message with its fields, and the frames that lead it. Which frames
//! it had on the way is kept beside it, so that a message that only passes through goes on byte for byte.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// Longest id, name or key, in bytes: a ZMTP identity has 255.
pub const STATION_TEXT_MAX_BYTES: usize = 255;
/// Most frames before the JSON: hops, and the recipient.
pub const STATION_PATH_MAX: usize = 16;
/// How often a message is sent at most, unless it says otherwise.
pub const STATION_TTL: u8 = 2;

/// The flag of a message that wants no receipt.
pub const NOREPEAT: &str = "NOREPEAT";
/// The flag of a message whose value is not to be told in logs.
pub const MINPRINT: &str = "MINPRINT";
/// The flag of a message that is not to be told in logs at all.
pub const NOLOG: &str = "NOLOG";

/// One message of a station.
#[derive(Clone, Debug, PartialEq)]
pub struct StationMessage {
    /// `<sender>_<number>`; a repeat has the id of the first.
    pub id: String,
    /// For whom it is in the end.
    pub to: String,
    /// Who made it.
    pub sender: String,
    /// What kind of message it is.
    pub key: String,
    /// What it says.
    pub value: Json,
    /// When its sender made it, by its clock, as it wrote that (ISO 8601, mostly without a zone).
    pub timestamp: String,
    /// How it is to be treated; what stands under a flag's name means nothing.
    pub flags: BTreeMap<String, Json>,
    /// Arrays in it are pickles in a compressed block: they are never decoded.
    pub blosc: bool,
    /// How many more times it may be sent.
    pub ttl: u8,
    /// Fields besides these.
    pub more: Map<String, Json>,
}

impl StationMessage {
    /// A message that wants a receipt, with no time stamp.
    pub fn new(id: String, (sender, to): (&str, &str), key: &str, value: Json) -> Self {
        Self {
            id,
            to: to.to_owned(),
            sender: sender.to_owned(),
            key: key.to_owned(),
            value,
            timestamp: String::new(),
            flags: BTreeMap::new(),
            blosc: false,
            ttl: STATION_TTL,
            more: Map::new(),
        }
    }

    /// The same with a flag.
    #[must_use]
    pub fn flagged(mut self, flag: &str) -> Self {
        self.flags.insert(flag.to_owned(), Json::Bool(true));
        self
    }

    /// Whether its sender waits for a receipt. Receipts themselves are never confirmed.
    pub fn wants_receipt(&self) -> bool {
        self.key != "CONFIRM" && !self.flags.contains_key(NOREPEAT)
    }

    /// What is wrong with it, if anything: `id`, `to`, `sender` and `key` have to be there.
    pub fn validate(&self) -> Result<(), String> {
        for (name, text) in [("id", &self.id), ("to", &self.to), ("sender", &self.sender), ("key", &self.key)]
        {
            if text.is_empty() {
                return Err(format!("{name} is missing; a message has id, to, sender and key"));
            }
            if text.len() > STATION_TEXT_MAX_BYTES {
                return Err(format!("{name} has {} bytes; {STATION_TEXT_MAX_BYTES} is the most", text.len()));
            }
        }
        Ok(())
    }
}

/// A message on a link, with the frames before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Routed {
    /// The frames before the JSON: none, or hops with the recipient as the last.
    pub path: Vec<String>,
    /// The message.
    pub message: StationMessage,
    /// Its JSON as it came, to be passed on as it is; empty for a message that was made here.
    pub json: Vec<u8>,
}

impl Routed {
    /// A message made here.
    pub fn new(path: Vec<String>, message: StationMessage) -> Self {
        Self { path, message, json: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_too_long_is_named() {
        let message = |id: &str, key: &str| StationMessage::new(id.into(), ("a", "b"), key, Json::Null);
        assert_eq!(message("a_1", "PING").validate(), Ok(()));
        assert!(message("", "PING").validate().unwrap_err().starts_with("id is missing"));
        assert!(message("a_1", &"x".repeat(256)).validate().unwrap_err().contains("key has 256 bytes"));
    }

    #[test]
    fn a_receipt_is_wanted_unless_said_otherwise() {
        let message = |key: &str| StationMessage::new("a_1".into(), ("a", "b"), key, Json::Null);
        assert!(message("DATA").wants_receipt());
        assert!(!message("DATA").flagged(NOREPEAT).wants_receipt());
        assert!(message("DATA").flagged(NOLOG).wants_receipt());
        assert!(!message("CONFIRM").wants_receipt());
    }
}
