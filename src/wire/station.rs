//! Autopilot's messages above ZMTP: `[hop...][recipient][json]`, where the JSON is always last and the recipient before
//! it. What reaches a DEALER is often the JSON alone, and a repeat has lost its recipient: both are right.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{WireError, excerpt};
use crate::model::{Routed, STATION_PATH_MAX, STATION_TEXT_MAX_BYTES, STATION_TTL, StationMessage};

/// The fields by which a JSON object is known as a station's message.
const MARKS: [&str; 4] = ["id", "to", "sender", "key"];

/// Reads the message that `json` is, if it is a station's: an object that has `id`, `to`, `sender` and `key`, or lacks
/// one of them and has Autopilot's `ttl`, which nobody else's messages have. `path` are the frames before it; of
/// `json`, `text` is what came.
///
/// # Errors
/// `Err(json)`: it is none, and is given back.
pub fn station_message(
    path: &[impl AsRef<[u8]>],
    json: Json,
    text: &[u8],
) -> Result<Result<Routed, WireError>, Json> {
    let Json::Object(fields) = json else { return Err(json) };
    let found = MARKS.iter().filter(|mark| fields.get(**mark).is_some_and(|mark| !mark.is_null())).count();
    if found < MARKS.len() && !(fields.contains_key("ttl") && fields.contains_key("flags")) {
        return Err(Json::Object(fields));
    }
    let id = fields.get("id").map(text_of).unwrap_or_default();
    let bad = |why| WireError::BadValue { key: "station's message", id, why };
    let message = message(fields).map_err(bad.clone());
    let path = path_of(path).map_err(bad);
    Ok(path.and_then(|path| Ok(Routed { path, message: message?, json: text.to_vec() })))
}

fn path_of(frames: &[impl AsRef<[u8]>]) -> Result<Vec<String>, String> {
    if frames.len() > STATION_PATH_MAX {
        return Err(format!("{} frames lead it; {STATION_PATH_MAX} is the most", frames.len()));
    }
    let name = |frame: &[u8]| match str::from_utf8(frame) {
        Ok(name) if name.len() <= STATION_TEXT_MAX_BYTES => Ok(name.to_owned()),
        _ => Err(format!("a frame that leads it is no name: {}", excerpt(frame))),
    };
    // An empty one is a delimiter, as REQ sockets send it.
    frames.iter().map(AsRef::as_ref).filter(|frame| !frame.is_empty()).map(name).collect()
}

fn message(mut fields: Map<String, Json>) -> Result<StationMessage, String> {
    let mut text = |name: &str| fields.remove(name).as_ref().map(text_of).unwrap_or_default();
    let (id, to, sender, key) = (text("id"), text("to"), text("sender"), text("key"));
    let timestamp: String = text("timestamp").chars().take(STATION_TEXT_MAX_BYTES).collect();
    let flags = match fields.remove("flags") {
        None | Some(Json::Null) => BTreeMap::new(),
        Some(Json::Object(flags)) => flags.into_iter().collect(),
        Some(_) => return Err("flags has to be an object".to_owned()),
    };
    let ttl = match fields.remove("ttl") {
        None | Some(Json::Null) => STATION_TTL,
        Some(ttl) => {
            let ttl = ttl.as_i64().ok_or("ttl has to be a whole number")?;
            u8::try_from(ttl.clamp(0, i64::from(u8::MAX))).unwrap_or(u8::MAX)
        }
    };
    // What says that it has changed since it was made is its maker's own business.
    fields.remove("changed");
    let blosc = fields.remove("blosc").is_some_and(|blosc| blosc == Json::Bool(true));
    let value = fields.remove("value").unwrap_or_default();
    let message = StationMessage { id, to, sender, key, value, timestamp, flags, blosc, ttl, more: fields };
    message.validate().map(|()| message)
}

/// Ids may be numbers; a recipient may be a list, whose last is the one that is meant.
fn text_of(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Array(list) => list.last().filter(|last| !last.is_array()).map(text_of).unwrap_or_default(),
        _ => String::new(),
    }
}

/// The JSON of a message, in the order of Autopilot's own.
#[derive(Serialize)]
struct Fields<'a> {
    id: &'a str,
    to: &'a str,
    sender: &'a str,
    key: &'a str,
    value: &'a Json,
    timestamp: &'a str,
    changed: bool,
    flags: &'a BTreeMap<String, Json>,
    blosc: bool,
    ttl: u8,
    #[serde(flatten)]
    more: &'a Map<String, Json>,
}

/// The JSON of a message: as it came, or as it is made here.
pub fn encode_station(routed: &Routed) -> Vec<u8> {
    if !routed.json.is_empty() {
        return routed.json.clone();
    }
    let StationMessage { id, to, sender, key, value, timestamp, flags, blosc, ttl, more } = &routed.message;
    let (blosc, ttl) = (*blosc, *ttl);
    let fields = Fields { id, to, sender, key, value, timestamp, changed: false, flags, blosc, ttl, more };
    // A map with text for keys can always be written.
    serde_json::to_vec(&fields).unwrap_or_default()
}

#[cfg(test)]
#[path = "station_tests.rs"]
mod tests;
