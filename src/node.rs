//! One node as a pure machine: composes what every node does (answer polls, take scripts' messages, say how it is)
//! with its role. The same code runs on a Pi, driven by the event loop, and in tests, driven by a scheduler; the
//! contract with the driver is that of [`crate::proto`].

use std::collections::VecDeque;

use core::net::IpAddr;
use serde_json::Value as Json;

use crate::model::{Body, Instant, JournalId, Message, NodeName, Now, Pack, Pong, Readings};
use crate::proto::contract::Machine;
use crate::proto::{
    Far, Lab, LabConfig, LinkId, OwnClock, PeerIx, PrimaryOutput, Ring, RingOutput, Secondary,
    SecondaryOutput, StandbyOutput, Zre,
};
use crate::wire::{Dialect, KNOWN_KEYS, WireError, open_piece, seal_piece};

mod answers;
mod duty;
mod events;
mod guests;
mod lab;
mod roles;
mod standby;
mod station;
mod status;
mod zre;

pub use crate::proto::RingPart;
use duty::{Duty, DutyOutput};
pub use events::{Asker, Input, NodeConfig, Output, PollConfig, Report, Role, StandbyPart};
use guests::Guests;
pub use station::StationAnswer;
use station::StationPart;

/// Longest id of a message that is echoed, in characters: a peer that numbers with more gets so much of it back.
const ID_MAX_CHARS: usize = 100;
/// Most of a peer's words that are told or sent back, in characters.
const TEXT_MAX_CHARS: usize = 200;

/// Readings of scripts that go to the store together, if they come together.
const APPEND_MAX_READINGS: usize = 2_000;
/// Channels in one such pack: they are searched one by one.
const APPEND_MAX_CHANNELS: usize = 64;

/// The machine.
#[derive(Debug)]
pub struct Node {
    name: NodeName,
    journal: JournalId,
    clock: OwnClock,
    began_at: Instant,
    secondary: Secondary,
    duty: Duty,
    guests: Guests,
    lab: Lab,
    /// Its part among peers of ZRE.
    zre: Option<Box<Zre>>,
    /// Whether a primary polls the nodes among them.
    discovers: bool,
    /// Its part in Autopilot's network.
    station: Option<Box<StationPart>>,
    next_id: u64,
    outputs: VecDeque<Output>,
}

impl Node {
    /// Begins at `now`.
    pub fn new(config: NodeConfig, now: Now) -> Self {
        let NodeConfig { name, journal, boot, synced, last, consumers, role } = config;
        let duty = Duty::new(name.clone(), (journal, last), role, now.mono);
        let mut clock = OwnClock::new(boot);
        clock.set_synced(synced);
        let mut node = Self {
            secondary: Secondary::new(name.clone(), journal, last, consumers),
            name,
            journal,
            clock,
            began_at: now.mono,
            duty,
            guests: Guests::default(),
            lab: Lab::new(LabConfig::default(), now.mono),
            zre: None,
            discovers: false,
            station: None,
            next_id: 1,
            outputs: VecDeque::new(),
        };
        node.observe(now);
        node
    }

    /// Tells it what happened.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        if let Input::ClockSynced(synced) = input {
            self.clock.set_synced(synced);
        }
        self.observe(now);
        match input {
            Input::LinkUp { link, far, remote } => {
                self.guests.link_up(link, remote);
                self.link_up(now, link, far, remote);
            }
            Input::LinkFailed { far: Far::Duty(peer), why } => self.duty.link_failed(now, peer, &why),
            Input::LinkFailed { far: Far::Lab(ix), why } => {
                self.drive_lab(now, |lab| lab.link_failed(now.mono, ix, &why));
            }
            Input::LinkFailed { far: Far::Zre(peer), .. } => {
                self.tell_zre(now, |zre| zre.link_failed(now.mono, peer));
            }
            Input::LinkFailed { far: Far::Station(_), why } => self.station_link_failed(now, &why),
            Input::LinkDown { link, why } => {
                self.forget(link);
                self.duty.link_down(now, link, &why);
                self.lab.link_down(link);
                self.tell_zre(now, |zre| zre.link_down(now.mono, link));
                self.station_link_down(now, link, &why);
            }
            Input::Message { link, message } => self.message(now, link, message),
            Input::Offence { link, error } => self.offence(now, link, error),
            Input::Appended(last) => {
                self.secondary.appended(last);
                self.duty.appended(last);
                self.station_appended(now, last);
            }
            Input::Piece { asker: Asker::Link(link), piece } => {
                self.secondary.piece(now, &self.clock, link, piece);
            }
            Input::Piece { asker: Asker::Ring, piece } => {
                let clock = Some(self.clock.sample(now.mono, now));
                if let Duty::Ring(ring) = &mut self.duty {
                    ring.piece(now, piece.map(|readings| seal_piece(&Readings { clock, ..readings })));
                }
            }
            Input::Latest { asker: Asker::Lab(asker), latest, .. } => self.lab_latest(now, asker, latest),
            Input::Piece { asker: Asker::Zre(_), .. } => {}
            Input::Latest { asker: Asker::Zre(peer), id, latest } => {
                self.tell_zre_latest(now, peer, id, latest);
            }
            Input::Beacon { from, beacon } => self.tell_zre(now, |zre| zre.beacon(now.mono, from, beacon)),
            Input::Piece { asker: Asker::Station, piece } => self.station_piece(now, piece),
            Input::Latest { asker: Asker::Station, id, latest } => self.station_latest(now, &id, latest),
            Input::StationAnswered { asker, answer } => self.station_answered(now, &asker, answer),
            Input::Latest { asker, id, latest } => self.tell_latest(asker, id, latest),
            // The lab's programs are told what is newest, not a piece.
            Input::Piece { asker: Asker::Lab(_), .. } | Input::ClockSynced(_) => {}
            Input::Taken { journal, cursor } => self.duty.taken(now, journal, cursor),
            Input::Refused { journal } => self.duty.refused(journal),
            Input::Become(role) => self.take_up(now, *role),
            Input::OrderAnswered { link, id, answer } => self.answer_order(link, id, answer),
        }
    }

    fn link_up(&mut self, now: Now, link: LinkId, far: Option<Far>, remote: IpAddr) {
        match far {
            Some(Far::Duty(peer)) => self.duty.link_up(now, peer, link),
            Some(Far::Lab(ix)) => self.drive_lab(now, |lab| lab.link_up(now.mono, ix, link, remote)),
            Some(Far::Zre(peer)) => self.tell_zre(now, |zre| zre.link_up(peer, link)),
            Some(Far::Station(_)) => self.station_link_up(link),
            None => {}
        }
    }

    /// When to call [`Node::handle_timeout`] at the latest, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let zre = self.zre.as_ref().and_then(|part| part.poll_timeout());
        let station = self.station.as_ref().and_then(|part| part.machine.poll_timeout());
        [self.duty.poll_timeout(), zre, station, self.lab.poll_timeout()].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.observe(now);
        self.duty.handle_timeout(now);
        if self.lab.poll_timeout().is_some_and(|(due, _)| due <= now.mono) {
            self.drive_lab(now, |lab| lab.handle_timeout(now));
        }
        self.tell_zre(now, |zre| zre.handle_timeout(now.mono));
        self.discover(now);
        self.station_timeout(now);
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if let Some(output) = self.secondary.poll_output() {
                return Some(self.secondary_output(output));
            }
            match self.duty.poll_output()? {
                DutyOutput::Primary(output) => return Some(self.primary_output(output)),
                DutyOutput::Standby(output) => return Some(self.standby_output(output)),
                DutyOutput::Ring(output) => self.ring_output(output),
            }
        }
    }

    fn secondary_output(&mut self, output: SecondaryOutput) -> Output {
        match output {
            SecondaryOutput::Send(link, body) => self.send(link, body),
            SecondaryOutput::Read { link, after, max, .. } => {
                Output::Read { asker: Asker::Link(link), after, max }
            }
            SecondaryOutput::NoteConsumer(name, seq) => Output::NoteConsumer(name, seq),
        }
    }

    fn primary_output(&mut self, output: PrimaryOutput) -> Output {
        match output {
            PrimaryOutput::Connect(peer) => self.connect(peer),
            PrimaryOutput::Disconnect(peer, link) => self.disconnect(peer, link),
            PrimaryOutput::Send(link, id, body) => {
                let message = self.envelope(id.to_string(), body);
                Output::Send(link, message)
            }
            PrimaryOutput::Take(readings) => Output::Take(readings),
            PrimaryOutput::AddRound(round) => Output::AddRound(round),
            PrimaryOutput::NoteLink { node, journal, link } => Output::NoteLink { node, journal, link },
            PrimaryOutput::NotePeer(address, node) => Output::NotePeer(address, node),
            PrimaryOutput::Report(report) => Output::Report(Report::Primary(report)),
        }
    }

    fn standby_output(&mut self, output: StandbyOutput) -> Output {
        match output {
            StandbyOutput::Connect(peer) => self.connect(peer),
            StandbyOutput::Disconnect(peer, link) => self.disconnect(peer, link),
            StandbyOutput::Send(link, id, body) => Output::Send(link, self.envelope(id.to_string(), body)),
            StandbyOutput::NotePeer(address, node) => Output::NotePeer(address, node),
            StandbyOutput::Report(report) => Output::Report(Report::Standby(report)),
        }
    }

    fn ring_output(&mut self, output: RingOutput) {
        let output = match output {
            RingOutput::Connect(peer) => self.connect(peer),
            RingOutput::Disconnect(peer, link) => self.disconnect(peer, link),
            RingOutput::Send(link, id, body) => Output::Send(link, self.envelope(id.to_string(), body)),
            RingOutput::Read { after, max } => Output::Read { asker: Asker::Ring, after, max },
            RingOutput::Take(piece) => match open_piece(&piece) {
                Ok(readings) => Output::Take(readings),
                Err(why) => {
                    self.duty.refused(piece.journal);
                    Output::Report(Report::Piece { journal: piece.journal, why })
                }
            },
            // Those who poll and those who collect by a token are consumers alike.
            RingOutput::NoteConsumer(name, taken) => return self.secondary.note(name, taken),
            RingOutput::AddRound(round) => Output::AddRound(round),
            RingOutput::NoteLink { node, journal, link } => Output::NoteLink { node, journal, link },
            RingOutput::NotePeer(address, node) => Output::NotePeer(address, node),
            RingOutput::Report(report) => Output::Report(Report::Ring(report)),
        };
        self.outputs.push_back(output);
    }

    fn connect(&self, peer: PeerIx) -> Output {
        let address = self.duty.address(peer);
        Output::Connect { far: Far::Duty(peer), address, dialect: Dialect::Line }
    }

    /// The driver drops the link without a word: nobody else will say that it is gone.
    fn disconnect(&mut self, peer: PeerIx, link: Option<LinkId>) -> Output {
        if let Some(link) = link {
            self.forget(link);
        }
        Output::Disconnect(Far::Duty(peer))
    }

    fn observe(&mut self, now: Now) {
        if let Some(mark) = self.clock.observe(now) {
            self.outputs.push_back(Output::NoteMark(mark));
        }
    }

    fn message(&mut self, now: Now, link: LinkId, message: Message) {
        let Message { id, sender, body, .. } = message;
        let id = head(&id, ID_MAX_CHARS);
        match body {
            Body::Poll(poll) => self.secondary.poll(now, &self.clock, link, id, sender, poll),
            Body::Readings(readings) => self.readings(now, link, readings),
            Body::StatusRequest => {
                let message = self.envelope(id, Body::Status(self.status(now)));
                self.outputs.push_back(Output::SendStatus(link, message));
            }
            Body::LatestRequest => self.read_latest(Asker::Link(link), id),
            Body::Ping => {
                let pong = self.envelope(id, Body::Pong(self.pong(now)));
                self.outputs.push_back(Output::Send(link, pong));
            }
            Body::Role(order) => self.order(link, id, order),
            Body::Pong(Pong { clock, sink, .. }) => {
                self.duty.pong(now, link, &id, (sender, sink), clock.as_ref());
            }
            Body::Status(_) | Body::Latest(_) | Body::RoleAnswer(_) => {}
            Body::Error { re, text } => {
                // What a polled peer refuses is told by the primary.
                let polling = self.duty.polling();
                let is_answer = polling.is_some_and(|primary| primary.error(now, link, &re, &text));
                if !is_answer && self.guests.complain(link) {
                    let from = self.guests.label(link);
                    self.outputs.push_back(Output::Report(Report::Complaint { from, text }));
                }
            }
            Body::Unknown { key } => {
                let text = format!("key {key:?} is not known here; known keys are {}", KNOWN_KEYS.join(", "));
                let error = self.send(link, Body::Error { re: id, text });
                self.outputs.push_back(error);
            }
            body @ (Body::Token(_)
            | Body::TokenAck(_)
            | Body::Claim(_)
            | Body::ClaimAnswer(_)
            | Body::RingQuery(_)
            | Body::RingAnswer(_)) => match &mut self.duty {
                Duty::Ring(ring) => {
                    ring.message(now, link, body);
                }
                _ => {
                    let text = "this node is in no ring: take its address out of the ring's list of peers";
                    let error = self.send(link, Body::Error { re: id, text: text.to_owned() });
                    self.outputs.push_back(error);
                }
            },
            Body::Introduced { identity, .. } => {
                if !self.introduced_to_zre(now, link, &identity) {
                    self.introduced(now, link, &identity);
                }
            }
            Body::Zre(message) => self.tell_zre(now, |zre| zre.message(now.mono, link, message)),
            Body::Station(routed) => self.station_message(now, link, routed),
            Body::Foreign(json) => self.foreign(now, link, json),
            Body::Lab(text) => self.lab_text(now, link, text),
        }
    }

    fn readings(&mut self, now: Now, link: LinkId, readings: Readings) {
        match self.duty.polling().filter(|primary| primary.peer_of(link).is_some()) {
            Some(primary) => primary.readings(now, link, readings),
            None => {
                let text = "READINGS: nobody here asked for them; a primary takes them in answer to its POLL"
                    .to_owned();
                let re = head(&readings.re, ID_MAX_CHARS);
                let error = self.send(link, Body::Error { re, text });
                self.outputs.push_back(error);
            }
        }
    }

    fn foreign(&mut self, now: Now, link: LinkId, json: Json) {
        if let Some(primary) = self.duty.polling() {
            primary.foreign(now, link);
        }
        let mut pack = self.open_pack();
        if let Some(said) = self.guests.say(link, &json, now, &mut pack)
            && said.is_to_be_told
        {
            let report = Report::Foreign { from: said.from, message: json, readings: said.readings };
            self.outputs.push_back(Output::Report(report));
        }
        if !pack.is_empty() {
            self.outputs.push_back(Output::Append(pack));
        }
    }

    /// What is to be appended last and not yet carried out, to put more to it: a script's small messages that come
    /// together go to the store together.
    fn open_pack(&mut self) -> Pack {
        match self.outputs.back_mut() {
            Some(Output::Append(pack))
                if pack.len() < APPEND_MAX_READINGS && pack.channels.len() < APPEND_MAX_CHANNELS =>
            {
                let pack = std::mem::take(pack);
                self.outputs.pop_back();
                pack
            }
            _ => Pack::default(),
        }
    }

    fn offence(&mut self, now: Now, link: LinkId, error: WireError) {
        let from = self.guests.label(link);
        let closed = error.is_fatal() || self.guests.offend(link);
        let re = error.message_id().map_or(String::new(), |id| head(id, ID_MAX_CHARS));
        let why = head(&error.to_string(), TEXT_MAX_CHARS);
        let reply = self.send(link, Body::Error { re, text: why.clone() });
        self.outputs.push_back(reply);
        if closed {
            self.forget(link);
            self.duty.link_down(now, link, &why);
            self.lab.link_down(link);
            self.tell_zre(now, |zre| zre.link_down(now.mono, link));
            self.station_link_down(now, link, &why);
            self.outputs.push_back(Output::Close(link, why));
        }
        self.outputs.push_back(Output::Report(Report::Offence { from, error, closed }));
    }

    fn forget(&mut self, link: LinkId) {
        self.guests.link_down(link);
        self.secondary.link_down(link);
    }

    fn send(&mut self, link: LinkId, body: Body) -> Output {
        let id = self.next_id.to_string();
        self.next_id += 1;
        Output::Send(link, self.envelope(id, body))
    }

    fn envelope(&self, id: String, body: Body) -> Message {
        Message { id, to: None, sender: Some(self.name.clone()), timestamp: None, body }
    }

    /// Breaks one rule.
    #[cfg(test)]
    pub(crate) fn plant(&mut self, defect: crate::proto::defect::Defect) {
        self.secondary.plant(defect);
        match &mut self.duty {
            Duty::Primary(primary) => primary.plant(defect),
            Duty::Ring(ring) => ring.plant(defect),
            Duty::Secondary | Duty::Standby(_) => {}
        }
    }

    /// The machine of the role ring, while it has that role.
    pub(crate) fn ring(&self) -> Option<&Ring> {
        match &self.duty {
            Duty::Ring(ring) => Some(ring),
            _ => None,
        }
    }
}

/// The beginning of a text, in whole characters.
fn head(text: &str, max_chars: usize) -> String {
    text.chars().take(max_chars).collect()
}

impl Machine for Node {
    type Output = Output;
    fn handle_timeout(&mut self, now: Now) {
        Node::handle_timeout(self, now);
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Node::poll_timeout(self)
    }
    fn poll_output(&mut self) -> Option<Output> {
        Node::poll_output(self)
    }
    fn outputs_max(&self) -> usize {
        // A duty that has just been let go drops its links.
        let dropped = self.outputs.iter().filter(|output| matches!(output, Output::Disconnect(_))).count();
        let zre = self.zre.as_ref().map_or(0, |part| part.outputs_max());
        let station = self.station.as_ref().map_or(0, |part| part.machine.outputs_max());
        4 + dropped
            + zre
            + station
            + 2 * self.lab.outputs_max()
            + match &self.duty {
                Duty::Secondary => 0,
                Duty::Primary(primary) => primary.outputs_max(),
                Duty::Standby(standby) => standby.outputs_max(),
                Duty::Ring(ring) => ring.outputs_max(),
            }
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
