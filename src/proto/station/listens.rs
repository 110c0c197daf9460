//! What each key means to a station. A command that changes the node is obeyed only where its settings allow it; what
//! is refused is confirmed like any other message, for it has come, and answered by an ERROR that says how to allow it.

use serde_json::{Map, Value as Json, json};

use super::config::{StationAsker, StationOrder, StationOutput, StationReport};
use super::data::{self, Found};
use super::{Station, words};
use crate::model::{Command, Now, StationMessage};
use crate::proto::LinkId;

/// The keys that a station understands, for the answer to one that it does not.
pub const STATION_KEYS: &[&str] = &[
    "CONFIRM",
    "STREAM",
    "KILL",
    "PING",
    "INIT",
    "START",
    "STOP",
    "PARAM",
    "CHANGE",
    "STOPALL",
    "STATE",
    "HANDSHAKE",
    "DATA",
    "CONTINUOUS",
    "COHERE",
    "FILE",
    "LATEST",
    "ERROR",
];

/// Most values of one STREAM; more of them are passed over and counted.
const STREAM_VALUES_MAX: usize = 100_000;

impl Station {
    pub(super) fn listen(&mut self, now: Now, link: LinkId, message: StationMessage) {
        match message.key.as_str() {
            "CONFIRM" => self.confirmed(now, &message),
            "DATA" | "CONTINUOUS" => self.data(now, link, message),
            "STREAM" => self.streamed(now, link, message),
            "PING" => self.tell(now, &message.sender, "STATE", Json::from(self.state.clone())),
            "STATE" => self.pilot_state(now, &message),
            "HANDSHAKE" => self.handshake(now, &message),
            "INIT" => {
                for pilot in self.pilots.names() {
                    self.tell(now, &pilot, "PING", Json::Null);
                }
            }
            "STOPALL" => self.stop_all(now, &message),
            "CHANGE" => self.change(now, &message),
            "START" => {
                self.command(now, Command::Start, &message, StationOrder::Start(message.value.clone()))
            }
            "STOP" => self.command(now, Command::Stop, &message, StationOrder::Stop),
            "PARAM" => {
                self.command(now, Command::Param, &message, StationOrder::Param(message.value.clone()))
            }
            "KILL" => self.command(now, Command::Kill, &message, StationOrder::Kill),
            "FILE" => self.command(now, Command::File, &message, StationOrder::File(message.value.clone())),
            "COHERE" => self.order(&message, StationOrder::Cohere(message.value.clone())),
            "LATEST" => self.order(&message, StationOrder::Latest),
            "ERROR" => {
                let text = message
                    .value
                    .get("text")
                    .and_then(Json::as_str)
                    .map_or_else(|| words(&message.value.to_string()), words);
                self.report(StationReport::Complaint { sender: message.sender, text });
            }
            key => {
                let text = format!(
                    "key {:?} is not known here; known keys are {}",
                    words(key),
                    STATION_KEYS.join(", ")
                );
                self.refuse(now, &message, text);
            }
        }
    }

    fn confirmed(&mut self, now: Now, receipt: &StationMessage) {
        let Some(id) = receipt.value.as_str() else { return };
        if self.outbox.confirm(id).is_some() {
            self.counts.confirmed += 1;
            self.stream_confirmed(now, id);
        }
    }

    /// Readings, and a copy to those who want to see them: the agent within, and the pilot's plot.
    fn data(&mut self, now: Now, link: LinkId, message: StationMessage) {
        let pilot = pilot_of(&message);
        let mut found = Found::default();
        data::read(&message.value, message.blosc, &mut found);
        self.found(link, &message.sender, pilot, found);
        for viewer in [format!("_{}", self.config.id), format!("P_{pilot}")] {
            if self.links.exactly(&viewer).is_some() {
                self.tell(now, &viewer, &message.key, message.value.clone());
            }
        }
    }

    fn found(&mut self, link: LinkId, sender: &str, pilot: &str, found: Found) {
        let Found { values, unread, passed_over } = found;
        if let Some(why) = unread.into_iter().next() {
            self.report(StationReport::Unread { sender: sender.to_owned(), why: words(&why) });
        }
        if !values.is_empty() || passed_over > 0 {
            let pilot = pilot.to_owned();
            self.outputs.push_back(StationOutput::Readings { link, pilot, values, passed_over });
        }
    }

    /// Many messages in one: each has the headers as fields of its own, and is acted upon by the inner key.
    fn streamed(&mut self, now: Now, link: LinkId, mut message: StationMessage) {
        let Some(Json::String(inner_key)) = message.value.get("inner_key") else {
            return self.refuse(now, &message, "STREAM: inner_key is missing".to_owned());
        };
        let inner_key = inner_key.clone();
        let payload = match message.value.get_mut("payload").map(Json::take) {
            Some(Json::Array(payload)) => payload,
            _ => return self.refuse(now, &message, "STREAM: payload has to be a list".to_owned()),
        };
        let headers = match message.value.get_mut("headers").map(Json::take) {
            Some(Json::Object(headers)) => headers,
            _ => Map::new(),
        };
        match inner_key.as_str() {
            "DATA" | "CONTINUOUS" => self.streamed_data(now, link, message, (inner_key, headers), payload),
            "STREAM" => self.refuse(now, &message, "STREAM: a stream of streams is not taken".to_owned()),
            _ => {
                for value in payload.into_iter().take(STREAM_MESSAGES_MAX) {
                    let value = with_headers(value, &headers);
                    self.listen(
                        now,
                        link,
                        StationMessage { key: inner_key.clone(), value, ..message.clone() },
                    );
                }
            }
        }
    }

    /// The readings of all values of a stream together: it may have hundreds of thousands a second.
    fn streamed_data(
        &mut self,
        now: Now,
        link: LinkId,
        message: StationMessage,
        (inner_key, headers): (String, Map<String, Json>),
        payload: Vec<Json>,
    ) {
        let said = headers.get("pilot").and_then(Json::as_str).filter(|pilot| !pilot.is_empty());
        let pilot = said.unwrap_or(&message.sender).to_owned();
        let mut found = Found::default();
        for value in &payload {
            if found.values.len() >= STREAM_VALUES_MAX {
                found.passed_over += 1;
                continue;
            }
            data::read(value, message.blosc, &mut found);
        }
        self.found(link, &message.sender, &pilot, found);
        for viewer in [format!("_{}", self.config.id), format!("P_{pilot}")] {
            if self.links.exactly(&viewer).is_some() {
                let value = json!({ "inner_key": inner_key, "headers": headers, "payload": payload });
                self.tell(now, &viewer, "STREAM", value);
            }
        }
    }

    fn pilot_state(&mut self, now: Now, message: &StationMessage) {
        let id = message.sender.as_str();
        // A terminal above has no state, and is no pilot.
        let is_above = self.links.above.as_ref().is_some_and(|above| above.id == id);
        if is_above || (message.value.is_null() && self.pilots.state(id).is_empty()) {
            return;
        }
        let is_news = self.pilots.says(id, Some(&message.value), None);
        self.tell_of_pilot(id, is_news);
        let inner = format!("_{}", self.config.id);
        if self.links.exactly(&inner).is_some() {
            self.tell(now, &inner, "STATE", json!({ "state": message.value, "pilot": id }));
        }
        let plot = format!("P_{id}");
        if self.links.exactly(&plot).is_some() {
            self.tell(now, &plot, "STATE", message.value.clone());
        }
    }

    fn handshake(&mut self, now: Now, message: &StationMessage) {
        let text = |name: &str| message.value.get(name).and_then(Json::as_str);
        let id = text("pilot").unwrap_or(&message.sender);
        let is_news = self.pilots.says(id, message.value.get("state"), text("ip"));
        self.tell_of_pilot(id, is_news);
        let inner = format!("_{}", self.config.id);
        if self.links.exactly(&inner).is_some() {
            self.tell(now, &inner, "HANDSHAKE", message.value.clone());
        }
    }

    fn tell_of_pilot(&mut self, id: &str, is_news: bool) {
        if is_news {
            let state = self.pilots.state(id).to_owned();
            self.report(StationReport::Pilot { id: words(id), state });
        }
    }

    fn stop_all(&mut self, now: Now, message: &StationMessage) {
        if !self.is_allowed(now, Command::Stop, message) {
            return;
        }
        for pilot in self.pilots.names() {
            self.send(now, &pilot, "STOP", Json::Null);
            let plot = format!("P_{pilot}");
            if self.links.exactly(&plot).is_some() {
                self.tell(now, &plot, "STOP", Json::Null);
            }
        }
    }

    /// A parameter of a pilot is to change: of the one that is named, or of this node.
    fn change(&mut self, now: Now, message: &StationMessage) {
        match message.value.get("pilot").and_then(Json::as_str) {
            Some(pilot) if !self.links.is_here(pilot) => {
                if self.is_allowed(now, Command::Param, message) {
                    self.send(now, pilot, "PARAM", message.value.clone());
                }
            }
            _ => self.command(now, Command::Param, message, StationOrder::Param(message.value.clone())),
        }
    }

    fn command(&mut self, now: Now, command: Command, message: &StationMessage, order: StationOrder) {
        if self.is_allowed(now, command, message) {
            self.order(message, order);
        }
    }

    fn order(&mut self, message: &StationMessage, order: StationOrder) {
        let asker = StationAsker { sender: message.sender.clone(), id: message.id.clone() };
        self.outputs.push_back(StationOutput::Order(asker, order));
    }

    fn is_allowed(&mut self, now: Now, command: Command, message: &StationMessage) -> bool {
        if self.config.allow.has(command) {
            return true;
        }
        let key = command.as_str();
        self.report(StationReport::NotAllowed { sender: message.sender.clone(), key });
        let text = format!("{key} is not allowed here; start the node with `--allow {key}` to allow it");
        self.refuse(now, message, text);
        false
    }

    fn refuse(&mut self, now: Now, message: &StationMessage, text: String) {
        let asker = StationAsker { sender: message.sender.clone(), id: message.id.clone() };
        self.answer(now, &asker, Err(text));
    }
}

/// Most messages of other keys than DATA in one STREAM.
const STREAM_MESSAGES_MAX: usize = 100;

/// Whose readings these are: the pilot that the value names, else the sender.
fn pilot_of(message: &StationMessage) -> &str {
    let said = message.value.get("pilot").or_else(|| message.more.get("pilot")).and_then(Json::as_str);
    said.filter(|pilot| !pilot.is_empty()).unwrap_or(&message.sender)
}

fn with_headers(mut value: Json, headers: &Map<String, Json>) -> Json {
    if let Json::Object(fields) = &mut value {
        fields.extend(headers.clone());
    }
    value
}
