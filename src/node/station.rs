//! A node's part in Autopilot's network: hands what comes to its station, and carries out what that wants. Readings of
//! pilots go into the node's own journal under the pilot's name, like those of any other guest.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::events::{Asker, Output, Report};
use super::{Node, TEXT_MAX_CHARS, head};
use crate::model::{Body, Commands, Message, Now, Readings, Routed, Seq};
use crate::proto::foreign::ForeignValue;
use crate::proto::{
    Far, LinkId, PeerIx, Station, StationAsker, StationConfig, StationOrder, StationOutput, StationReport,
};
use crate::wire::Dialect;

/// The chip name of channels that a station fills.
const CHIP: &str = "autopilot";
/// The state of a node that senses.
const RUNNING: &str = "RUNNING";
/// The only station for which a link is opened.
const ABOVE: Far = Far::Station(PeerIx(0));
/// Stations that wait for what the store has to be asked; others are to ask again.
const WAITING_MAX: usize = 64;
/// Readings that go to the store together.
const TOGETHER_MAX: usize = super::APPEND_MAX_READINGS;

/// The station, and what the node knows of its links.
#[derive(Debug)]
pub(super) struct StationPart {
    pub(super) machine: Station,
    /// Where the station above listens.
    address: String,
    /// The link to the station above, from when it stands.
    above: Option<LinkId>,
    /// Who waits for the store.
    waiting: BTreeMap<u64, StationAsker>,
    next_waiting: u64,
}

/// What came of an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StationAnswer {
    /// The state that the node has now, if it may be another.
    pub state: Option<String>,
    /// A message to the one who asked: its key and its value.
    pub message: Option<(String, Json)>,
}

impl Node {
    /// The same node with a part in Autopilot's network.
    #[must_use]
    pub fn with_station(mut self, config: StationConfig, now: Now) -> Self {
        let is_running = config.state == RUNNING;
        let address = config.above.as_ref().map(|above| above.address.clone()).unwrap_or_default();
        let last = self.secondary.last();
        let mut machine = Station::new(config, last, now);
        machine.set_streaming(now, is_running);
        let (waiting, next_waiting) = (BTreeMap::new(), 0);
        self.station = Some(Box::new(StationPart { machine, address, above: None, waiting, next_waiting }));
        self.drain_station(now);
        self
    }

    /// These commands are obeyed from now on.
    pub fn allow_stations(&mut self, allow: Commands) {
        if let Some(part) = &mut self.station {
            part.machine.set_allowed(allow);
        }
    }

    /// What this node calls itself among stations.
    pub(super) fn station_identity(&self) -> Vec<u8> {
        self.station.as_ref().map_or_else(Vec::new, |part| part.machine.id().as_bytes().to_vec())
    }

    /// The link to the station above stands; it is used when its other end has said who it is.
    pub(super) fn station_link_up(&mut self, link: LinkId) {
        if let Some(part) = &mut self.station {
            part.above = Some(link);
        }
    }

    pub(super) fn station_link_failed(&mut self, now: Now, why: &str) {
        self.with_machine(now, |part| part.machine.above_failed(now, why));
    }

    pub(super) fn station_link_down(&mut self, now: Now, link: LinkId, why: &str) {
        self.with_machine(now, |part| {
            if part.above == Some(link) {
                part.above = None;
                part.machine.above_failed(now, why);
            }
            part.machine.link_down(now, link, why);
        });
    }

    /// A peer of ZeroMQ says who it is. Names that are no text are no station's.
    pub(super) fn introduced(&mut self, now: Now, link: LinkId, identity: &[u8]) {
        let Ok(identity) = str::from_utf8(identity) else { return };
        self.with_machine(now, |part| {
            if part.above == Some(link) {
                part.machine.above_up(now, link);
            } else if !identity.starts_with('\u{1}') {
                part.machine.introduced(now, link, identity);
            }
        });
    }

    pub(super) fn station_message(&mut self, now: Now, link: LinkId, routed: Routed) {
        if self.station.is_none() {
            let text = "this node takes no part in Autopilot's network".to_owned();
            let error = self.send(link, Body::Error { re: head(&routed.message.id, TEXT_MAX_CHARS), text });
            self.outputs.push_back(error);
            return;
        }
        self.with_machine(now, |part| part.machine.message(now, link, routed));
    }

    pub(super) fn station_appended(&mut self, now: Now, last: Seq) {
        self.with_machine(now, |part| part.machine.appended(now, last));
    }

    pub(super) fn station_piece(&mut self, now: Now, piece: Result<Readings, String>) {
        self.with_machine(now, |part| part.machine.piece(now, piece));
    }

    pub(super) fn station_timeout(&mut self, now: Now) {
        self.with_machine(now, |part| part.machine.handle_timeout(now));
    }

    /// What came of an order that the driver carried out.
    pub(super) fn station_answered(
        &mut self,
        now: Now,
        asker: &StationAsker,
        answer: Result<StationAnswer, String>,
    ) {
        self.with_machine(now, |part| {
            if let Ok(StationAnswer { state: Some(state), .. }) = &answer {
                part.machine.set_state(now, state, asker);
                part.machine.set_streaming(now, state == RUNNING);
            }
            let message = answer.map(|answer| answer.message);
            let message = message
                .as_ref()
                .map(|message| message.as_ref().map(|(key, value)| (key.as_str(), value.clone())));
            part.machine.answer(now, asker, message.map_err(String::clone));
        });
    }

    pub(super) fn station_latest(&mut self, now: Now, id: &str, latest: Result<Json, String>) {
        self.with_machine(now, |part| {
            let Some(asker) = id.parse().ok().and_then(|number: u64| part.waiting.remove(&number)) else {
                return;
            };
            part.machine.answer(now, &asker, latest.map(|latest| Some(("LATEST", latest))));
        });
    }

    fn with_machine(&mut self, now: Now, act: impl FnOnce(&mut StationPart)) {
        if let Some(part) = &mut self.station {
            act(part);
            self.drain_station(now);
        }
    }

    fn drain_station(&mut self, now: Now) {
        while let Some(output) = self.station.as_mut().and_then(|part| part.machine.poll_output()) {
            self.station_output(now, output);
        }
    }

    fn station_output(&mut self, now: Now, output: StationOutput) {
        let output = match output {
            StationOutput::Connect => {
                let address = self.station.as_ref().map(|part| part.address.clone()).unwrap_or_default();
                Output::Connect { far: ABOVE, address, dialect: Dialect::Zmtp }
            }
            StationOutput::Disconnect(link) => {
                let standing = self.station.as_mut().and_then(|part| part.above.take());
                if let Some(link) = link.or(standing) {
                    self.forget(link);
                }
                Output::Disconnect(ABOVE)
            }
            StationOutput::Send(link, routed) => {
                let body = Body::Station(routed);
                Output::Send(
                    link,
                    Message { id: String::new(), to: None, sender: None, timestamp: None, body },
                )
            }
            StationOutput::Close(link, why) => {
                self.forget(link);
                Output::Close(link, why)
            }
            StationOutput::Readings { link, pilot, values, passed_over } => {
                return self.station_readings(now, link, &pilot, values, passed_over);
            }
            StationOutput::Read { after, max } => Output::Read { asker: Asker::Station, after, max },
            StationOutput::Order(asker, StationOrder::Latest) => return self.station_asks_latest(now, asker),
            StationOutput::Order(asker, order) => Output::StationOrder(asker, order),
            StationOutput::Report(report) => {
                if let StationReport::Refused { .. } = report {
                    self.guests.count_offence();
                }
                Output::Report(Report::Station(report))
            }
        };
        self.outputs.push_back(output);
    }

    fn station_asks_latest(&mut self, now: Now, asker: StationAsker) {
        let Some(part) = &mut self.station else { return };
        if part.waiting.len() >= WAITING_MAX {
            let why = "too many wait for the store; ask again later".to_owned();
            return part.machine.answer(now, &asker, Err(why));
        }
        let number = part.next_waiting;
        part.next_waiting += 1;
        part.waiting.insert(number, asker);
        self.read_latest(Asker::Station, number.to_string());
    }

    fn station_readings(
        &mut self,
        now: Now,
        link: LinkId,
        pilot: &str,
        values: Vec<ForeignValue>,
        passed_over: usize,
    ) {
        self.guests.pass_over(passed_over);
        let mut values = values.into_iter().peekable();
        let mut is_first = true;
        while values.peek().is_some() {
            let mut pack = self.open_pack();
            let some = values.by_ref().take(TOGETHER_MAX);
            let said = self.guests.take((link, pilot, CHIP), some, now, &mut pack);
            if !pack.is_empty() {
                self.outputs.push_back(Output::Append(pack));
            }
            if let Some(said) = said.filter(|said| is_first && said.is_to_be_told) {
                let message = json!({ "key": "DATA", "pilot": head(pilot, TEXT_MAX_CHARS) });
                let (from, readings) = (said.from, said.readings);
                // Before the readings, so that more can be put to them.
                let at = self.outputs.len().saturating_sub(1);
                self.outputs.insert(at, Output::Report(Report::Foreign { from, message, readings }));
            }
            is_first = false;
        }
    }
}
