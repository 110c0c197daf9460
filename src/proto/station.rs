//! A station of Autopilot's network: passes messages on, confirms what is for it, repeats what is not confirmed, acts
//! upon each message once and in the order in which it came. What a message means by its key stands in `listens`.
//!
//! Receipts go from end to end: who receives a message confirms it to its sender, by the way on which it came, and the
//! stations between only pass both on. A receipt means that the message has come, not that anything was done.

use std::collections::VecDeque;

use serde_json::{Value as Json, json};

use crate::model::{Commands, Instant, NOLOG, NOREPEAT, Now, Routed, Seq, StationMessage};
use crate::proto::contract::Machine;
use crate::proto::{Backoff, LinkId};

mod above;
mod array;
mod config;
mod data;
mod inbox;
mod links;
mod listens;
mod outbox;
mod pilots;
mod stream;

pub use config::{
    AboveConfig, StationAsker, StationConfig, StationOrder, StationOutput, StationReport, StreamConfig,
};

pub use listens::STATION_KEYS;

use above::Connection;
use inbox::Inbox;
use links::{Links, Way};
use outbox::{OUTBOX_MAX, Outbox};
use pilots::{PILOTS_MAX, Pilots};
use stream::Stream;

/// Most of a peer's words that are told or kept, in characters.
const WORDS_MAX_CHARS: usize = 200;

/// The machine.
#[derive(Debug)]
pub struct Station {
    config: StationConfig,
    links: Links,
    inbox: Inbox,
    outbox: Outbox,
    pilots: Pilots,
    connection: Option<Connection>,
    stream: Stream,
    /// What it says of itself: `IDLE`, `RUNNING`, ...
    state: String,
    next_id: u64,
    counts: Counts,
    outputs: VecDeque<StationOutput>,
}

/// What happened since the start.
#[derive(Debug, Default)]
struct Counts {
    received: u64,
    passed_on: u64,
    repeated_to_us: u64,
    sent: u64,
    confirmed: u64,
    given_up: u64,
}

impl Station {
    /// Begins at `now`, when the own journal goes through `last`: what is in it by then is not streamed.
    pub fn new(config: StationConfig, last: Seq, now: Now) -> Self {
        let above = config.above.as_ref();
        let connection =
            above.map(|above| Connection::new(Backoff::new(config.seed, above.ping_interval, 1), now.mono));
        Self {
            links: Links::new(config.id.clone(), above.map(|above| above.id.clone())),
            inbox: Inbox::default(),
            outbox: Outbox::new(config.repeat_interval),
            pilots: Pilots::default(),
            connection,
            stream: Stream::after(last),
            state: config.state.clone(),
            next_id: 0,
            counts: Counts::default(),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// What it is called.
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// A peer on a link that it opened says who it is. What waits for it goes there at once.
    pub fn introduced(&mut self, now: Now, link: LinkId, identity: &str) {
        match self.links.introduce(link, identity) {
            Ok(()) => self.send_what_waits_for(now, link),
            Err(why) => {
                self.outputs.push_back(StationOutput::Close(link, why.clone()));
                self.report(StationReport::Refused { why });
            }
        }
    }

    /// A link is gone.
    pub fn link_down(&mut self, now: Now, link: LinkId, why: &str) {
        if self.links.is_above(link) {
            self.above_lost(now, why);
        }
        self.links.down(link);
    }

    /// A message came.
    pub fn message(&mut self, now: Now, link: LinkId, routed: Routed) {
        self.counts.received += 1;
        self.links.learn(&routed.message.sender, link);
        let named;
        let mut rest = self.links.rest(link, &routed.path);
        if rest.is_empty() {
            // A repeat, and what comes from above, has only the JSON to say for whom it is.
            named = [routed.message.to.clone()];
            rest = &named;
        }
        match self.links.way(Some(link), rest) {
            Way::Here => self.receive(now, link, routed.message),
            Way::Link(to, path) => {
                self.counts.passed_on += 1;
                self.outputs.push_back(StationOutput::Send(to, Routed { path, ..routed }));
            }
            Way::Nowhere => {
                let StationMessage { to, sender, .. } = routed.message;
                self.report(StationReport::NoWay { to, sender });
            }
        }
    }

    /// Sends a message that wants a receipt.
    pub fn send(&mut self, now: Now, to: &str, key: &str, value: Json) -> String {
        let message = self.make(now, to, key, value);
        let id = message.id.clone();
        self.dispatch(now, message);
        id
    }

    /// Sends a message that wants none, and is not worth a line in a log.
    pub fn tell(&mut self, now: Now, to: &str, key: &str, value: Json) {
        let message = self.make(now, to, key, value).flagged(NOREPEAT).flagged(NOLOG);
        self.dispatch(now, message);
    }

    /// What came of an order: told to the one who gave it. The answer to an order that was obeyed is the state, which
    /// has a message of its own; to what asks for something it is the key's own message.
    pub fn answer(&mut self, now: Now, asker: &StationAsker, answer: Result<Option<(&str, Json)>, String>) {
        match answer {
            Ok(None) => {}
            Ok(Some((key, value))) => self.tell(now, &asker.sender, key, value),
            Err(text) => self.tell(now, &asker.sender, "ERROR", json!({ "re": asker.id, "text": text })),
        }
    }

    /// The node is in this state now, as `asker` wanted, who hears of it; and so does the station above when it is
    /// another than before.
    pub fn set_state(&mut self, now: Now, state: &str, asker: &StationAsker) {
        let is_another = self.state != state;
        state.clone_into(&mut self.state);
        let above = self.links.above.as_ref().map(|above| above.id.clone());
        let is_told = above.as_ref() == Some(&asker.sender);
        if let Some(above) = above.filter(|_| is_another || is_told) {
            self.send(now, &above, "STATE", Json::from(state));
        }
        if !is_told {
            self.tell(now, &asker.sender, "STATE", Json::from(state));
        }
    }

    /// These commands are obeyed from now on.
    pub fn set_allowed(&mut self, allow: Commands) {
        self.config.allow = allow;
    }

    /// What it says of itself.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// When to call [`Station::handle_timeout`] at the latest, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let repeat = self.outbox.next_due().map(|due| (due, "a message without a receipt is sent again"));
        let above = self.connection.as_ref().and_then(Connection::due);
        let stream = self.stream_due().map(|due| (due, "what waits to be streamed goes"));
        [repeat, above, stream].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        let links = &self.links;
        let can_go = |message: &StationMessage| links.link_to(&message.to).is_some();
        let mut all_due = Vec::new();
        while let Some(due) = self.outbox.take_due(now.mono, can_go) {
            all_due.push(due);
        }
        for due in all_due {
            match due {
                Ok(message) => self.put_on_its_way(message),
                Err(message) => self.give_up(now, message),
            }
        }
        self.tend_connection(now);
        self.tend_stream(now);
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<StationOutput> {
        self.outputs.pop_front()
    }

    /// How it is, for the status.
    pub fn status(&self) -> Json {
        let Counts { received, passed_on, repeated_to_us, sent, confirmed, given_up } = self.counts;
        let above = self
            .links
            .above
            .as_ref()
            .map(|above| json!({ "id": above.id, "is_reached": above.link.is_some() }));
        json!({
            "id": self.config.id,
            "state": self.state,
            "above": above,
            "allow": self.config.allow.to_string(),
            "peers": self.links.count(),
            "behind_them": self.links.count_behind(),
            "pilots": self.pilots.status(),
            "received": received,
            "passed_on": passed_on,
            "repeated_to_us": repeated_to_us,
            "sent": sent,
            "confirmed": confirmed,
            "given_up": given_up,
            "without_receipt": self.outbox.len(),
            "streamed": self.stream.sent(),
        })
    }

    /// A message that is for this station: confirmed whatever it says, acted upon once.
    fn receive(&mut self, now: Now, link: LinkId, message: StationMessage) {
        if message.wants_receipt() {
            let receipt = self.make(now, &message.sender, "CONFIRM", Json::from(message.id.as_str()));
            self.reply(link, receipt);
        }
        if !self.inbox.is_new(&message) {
            self.counts.repeated_to_us += 1;
            return;
        }
        self.listen(now, link, message);
    }

    /// Sends an answer on the way on which the question came.
    fn reply(&mut self, link: LinkId, message: StationMessage) {
        match self.links.way(None, std::slice::from_ref(&message.to)) {
            Way::Link(link, path) => self.put_on(link, path, message),
            // Its sender bears this station's own name, or is not known any more.
            Way::Here | Way::Nowhere => self.put_on(link, Vec::new(), message),
        }
    }

    fn make(&mut self, now: Now, to: &str, key: &str, value: Json) -> StationMessage {
        let id = format!("{}_{}", self.config.id, self.next_id);
        self.next_id += 1;
        let message = StationMessage::new(id, (&self.config.id, to), key, value);
        StationMessage { timestamp: now.wall.to_string(), ..message }
    }

    fn dispatch(&mut self, now: Now, message: StationMessage) {
        if message.wants_receipt() {
            let is_sent = self.links.link_to(&message.to).is_some();
            for old in self.outbox.add(now.mono, message.clone(), is_sent) {
                self.give_up(now, old);
            }
        }
        self.put_on_its_way(message);
    }

    fn put_on_its_way(&mut self, message: StationMessage) {
        if let Way::Link(link, path) = self.links.way(None, std::slice::from_ref(&message.to)) {
            self.put_on(link, path, message);
        }
    }

    fn put_on(&mut self, link: LinkId, path: Vec<String>, message: StationMessage) {
        self.counts.sent += 1;
        self.outputs.push_back(StationOutput::Send(link, Routed::new(path, message)));
    }

    fn send_what_waits_for(&mut self, now: Now, link: LinkId) {
        let links = &self.links;
        let leads_there = |message: &StationMessage| links.link_to(&message.to) == Some(link);
        for message in self.outbox.take_for(now.mono, leads_there) {
            self.put_on_its_way(message);
        }
    }

    fn give_up(&mut self, now: Now, message: StationMessage) {
        self.counts.given_up += 1;
        let StationMessage { id, to, key, .. } = message;
        self.stream_failed(now, &id);
        self.report(StationReport::GivenUp { id, to, key });
    }

    fn report(&mut self, report: StationReport) {
        self.outputs.push_back(StationOutput::Report(report));
    }
}

impl Machine for Station {
    type Output = StationOutput;
    fn handle_timeout(&mut self, now: Now) {
        Station::handle_timeout(self, now);
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Station::poll_timeout(self)
    }
    fn poll_output(&mut self) -> Option<StationOutput> {
        Station::poll_output(self)
    }
    /// Everything that waits goes at once, or every pilot hears something.
    fn outputs_max(&self) -> usize {
        2 * (OUTBOX_MAX + PILOTS_MAX) + 16
    }
}

/// The beginning of somebody's words.
fn words(text: &str) -> String {
    text.chars().take(WORDS_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests;
