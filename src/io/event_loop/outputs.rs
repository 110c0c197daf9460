//! Carries out what the node wants.

use std::net::SocketAddr;

use mio::net::TcpStream;
use serde_json::{Value as Json, json};

use super::EventLoop;
use crate::io::clock;
use crate::io::crew::Crew;
use crate::io::link::{Fate, Link, OUTBOUND_MAX_BYTES};
use crate::io::ports;
use crate::io::store_thread::StoreCommand;
use crate::model::{Body, Message, Now, Readings};
use crate::node::{Asker, Input, Node, Output, Report};
use crate::proto::{Far, LinkId, PrimaryReport};
use crate::wire::{Dialect, Framing};

/// Reads of the own journal that may wait in the store at once, for all who poll; the others are to ask again later.
/// What is appended waits behind them.
const READS_MAX: usize = 64;
/// What those are told who find no room.
const BEHIND: &str = "the store is behind; ask again later";

/// Pieces of other nodes' journals that are handed to the store together, and how many readings make a piece that does
/// not wait for others.
const PIECES_MAX: usize = 64;
const LARGE_PIECE_READINGS: usize = 500;

/// The link that is being read, and is not among the others meanwhile.
pub(super) type Beside<'a> = Option<(LinkId, &'a mut Link)>;

impl EventLoop {
    pub(super) fn drain(&mut self, now: Now) {
        self.drain_beside(now, None);
    }

    /// Carries out what the node wants. `beside` is the link that is being read; true when it is to be dropped.
    pub(super) fn drain_beside(&mut self, now: Now, mut beside: Beside<'_>) -> bool {
        let mut drop_beside = false;
        while let Some(output) = self.parts.node.poll_output() {
            match output {
                Output::Send(link, message) => self.send(now, link, &message, &mut beside),
                Output::SendStatus(link, mut message) => {
                    // The link that is being read is not among the others at this moment.
                    self.complete_status(&mut message, self.links.len() + usize::from(beside.is_some()));
                    self.send(now, link, &message, &mut beside);
                }
                Output::Close(link, why) => match &mut beside {
                    Some((id, open)) if *id == link => open.fate = Fate::Closing,
                    _ => {
                        log::debug!("a link is closed: {why}");
                        self.close(link);
                    }
                },
                Output::Disconnect(far) => {
                    self.resolving.remove(&far);
                    let link = self.peers.remove(&far);
                    drop_beside |= link.is_some() && link == beside.as_ref().map(|(id, _)| *id);
                    if let Some(link) = link {
                        self.remove_link(link);
                    }
                }
                Output::Connect { far, address, dialect } => self.start_connecting(far, &address, dialect),
                Output::Read { asker, after, max } => {
                    if !self.ask_to_read(StoreCommand::Read { asker, after, max }, asker, &mut beside) {
                        self.parts
                            .node
                            .handle_input(now, Input::Piece { asker, piece: Err(BEHIND.to_owned()) });
                    }
                }
                Output::ReadLatest { asker, id } => {
                    let command = StoreCommand::ReadLatest { asker, id: id.clone() };
                    if !self.ask_to_read(command, asker, &mut beside) {
                        let latest = Err(BEHIND.to_owned());
                        self.parts.node.handle_input(now, Input::Latest { asker, id, latest });
                    }
                }
                Output::Take(readings) => self.take(now, readings),
                Output::Append(pack) => self.parts.store.append(pack),
                Output::AddRound(round) => self.ask_store(now, StoreCommand::AddRound(round)),
                Output::NoteConsumer(name, seq) => self.ask_store(now, StoreCommand::NoteConsumer(name, seq)),
                Output::NoteMark(mark) => self.ask_store(now, StoreCommand::NoteMark(mark)),
                Output::NoteLink { node, journal, link } => {
                    self.ask_store(now, StoreCommand::NoteLink { node, journal, link });
                }
                Output::NotePeer(address, node) => self.ask_store(now, StoreCommand::NotePeer(address, node)),
                Output::ChangeRole { link, id, order } => self.order(now, link, id, order, &mut beside),
                Output::Beacon(beacon) => {
                    self.parts.beacons.iter_mut().for_each(|beacons| beacons.send(beacon));
                }
                Output::StationOrder(asker, order) => self.station_order(now, asker, order),
                Output::Report(report) => self.tell_people(now, &report),
            }
        }
        drop_beside
    }

    /// Hands a command to the store; when it cannot even queue, the node hears that its readings were refused.
    fn ask_store(&mut self, now: Now, command: StoreCommand) {
        if let Err(StoreCommand::Take(pieces)) = self.parts.store.send(command) {
            for readings in pieces {
                self.parts.node.handle_input(now, Input::Refused { journal: readings.journal });
            }
        }
    }

    /// Small pieces are handed to the store together at the end of the turn, so that it is not woken for each.
    fn take(&mut self, now: Now, readings: Readings) {
        let is_large = readings.pack.len() >= LARGE_PIECE_READINGS;
        self.pieces.push(readings);
        if is_large || self.pieces.len() >= PIECES_MAX {
            self.hand_over(now);
        }
    }

    /// Hands over the pieces that wait for it.
    pub(super) fn hand_over(&mut self, now: Now) {
        if !self.pieces.is_empty() {
            let pieces = std::mem::take(&mut self.pieces);
            self.ask_store(now, StoreCommand::Take(pieces));
        }
    }

    /// Has the store read something for `asker`; false when it has too much to do.
    fn ask_to_read(&mut self, command: StoreCommand, asker: Asker, beside: &mut Beside<'_>) -> bool {
        if self.reads >= READS_MAX || self.parts.store.send(command).is_err() {
            return false;
        }
        self.reads += 1;
        if let Some(link) = asker.link()
            && let Some(asking) = self.link_or_beside(link, beside)
        {
            asking.awaited += 1;
        }
        true
    }

    /// An open link, which may be the one that is being read.
    pub(super) fn link_or_beside<'a>(
        &'a mut self,
        id: LinkId,
        beside: &'a mut Beside<'_>,
    ) -> Option<&'a mut Link> {
        match beside {
            Some((open, link)) if *open == id => Some(&mut **link),
            _ => self.links.get_mut(&id),
        }
    }

    fn tell_people(&mut self, now: Now, report: &Report) {
        if matches!(report, Report::Primary(_) | Report::Standby(_) | Report::Ring(_) | Report::Lab(_)) {
            return log::log!(level(report), "{report}");
        }
        self.tell_of_strangers(now, level(report), report);
    }

    /// A line that strangers have caused: not more of them than the log can bear.
    pub(super) fn tell_of_strangers(&mut self, now: Now, level: log::Level, line: &impl std::fmt::Display) {
        match self.telling.may_tell(now.mono) {
            Some(0) => log::log!(level, "{line}"),
            Some(untold) => log::log!(level, "{line} ({untold} such lines before it were not told)"),
            None => {}
        }
    }

    fn send(&mut self, now: Now, id: LinkId, message: &Message, beside: &mut Beside<'_>) {
        let link = match beside {
            Some((open, link)) if *open == id => Some(&mut **link),
            _ => self.links.get_mut(&id),
        };
        let Some(link) = link else { return };
        self.unsent.insert(id);
        let before = link.queued_bytes;
        let is_short = link.queue(message, now.wall);
        if !matches!(message.body, Body::Status(_)) {
            self.said = (self.said.0 + 1, self.said.1 + (link.queued_bytes - before));
        }
        if !is_short {
            let why = format!("does not read what it is sent ({} MiB wait)", OUTBOUND_MAX_BYTES >> 20);
            let line = format!("{}: {why}: its link is closed", link.remote);
            link.lose(why);
            self.tell_of_strangers(now, log::Level::Warn, &line);
        }
    }

    fn complete_status(&self, message: &mut Message, links: usize) {
        let Body::Status(status) = &mut message.body else { return };
        let (messages_sent, bytes_sent) = self.said;
        let more = json!({
            "links": links,
            "turned_away": self.turned_away,
            "messages_sent": messages_sent,
            "bytes_sent": bytes_sent,
        });
        extend(status, more);
        let access = &self.parts.crew.plan().settings().access;
        extend(status, ports::status(&self.parts.ports, access));
        extend(status, self.parts.crew.status());
    }

    fn start_connecting(&mut self, far: Far, address: &str, dialect: Dialect) {
        if let Ok(address) = address.parse::<SocketAddr>() {
            return self.connect(far, Ok(address), dialect);
        }
        if let Some(found) = self.found.get(address) {
            return self.connect(far, Ok(*found), dialect);
        }
        let attempt = self.next_link;
        self.next_link += 1;
        self.resolving.insert(far, (attempt, dialect));
        if !self.parts.resolver.ask(far, attempt, address) {
            self.resolving.remove(&far);
            self.connect(far, Err("too many names wait to be resolved".to_owned()), dialect);
        }
    }

    /// Called while the node is being drained too: what it is told here is drained by the caller or by the next turn.
    pub(super) fn connect(&mut self, far: Far, address: Result<SocketAddr, String>, dialect: Dialect) {
        let stream = address.and_then(|address| {
            TcpStream::connect(address).map(|stream| (stream, address)).map_err(|error| error.to_string())
        });
        let added = stream.and_then(|(stream, address)| {
            let framing = Framing::speaking(dialect).named(self.parts.node.zmtp_identity(Some(far)));
            self.add_link(stream, address, Some(far), framing)
                .ok_or_else(|| "the socket cannot be watched".to_owned())
        });
        match added {
            Ok(link) => {
                self.peers.insert(far, link);
            }
            Err(why) => self.parts.node.handle_input(clock::now(), Input::LinkFailed { far, why }),
        }
    }
}

/// The node's own words, and what is known of the threads around it.
pub(super) fn whole_status(node: &Node, crew: &Crew, now: Now) -> Json {
    let mut status = node.status(now);
    extend(&mut status, crew.status());
    status
}

fn extend(status: &mut Json, more: Json) {
    if let (Json::Object(fields), Json::Object(more)) = (status, more) {
        fields.extend(more);
    }
}

/// Rounds come every second for months: who wants to see them asks for details.
fn level(report: &Report) -> log::Level {
    match report {
        Report::Primary(PrimaryReport::Round { .. }) => log::Level::Debug,
        report if report.is_warning() => log::Level::Warn,
        _ => log::Level::Info,
    }
}
