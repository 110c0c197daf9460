//! Carries out what the node wants.

use std::net::SocketAddr;

use mio::net::TcpStream;
use serde_json::Value as Json;

use super::EventLoop;
use crate::io::clock;
use crate::io::link::{Link, OUTBOUND_MAX_BYTES};
use crate::io::store_thread::StoreCommand;
use crate::model::{Body, Message, Now};
use crate::node::{Input, Output, Report};
use crate::proto::{LinkId, PeerIx, PrimaryReport};

impl EventLoop {
    pub(super) fn drain(&mut self, now: Now) {
        self.drain_beside(now, None);
    }

    /// Carries out what the node wants. `beside` is the link that is being read; true when it is to be dropped.
    pub(super) fn drain_beside(&mut self, now: Now, mut beside: Option<(LinkId, &mut Link)>) -> bool {
        let mut drop_beside = false;
        while let Some(output) = self.parts.node.poll_output() {
            match output {
                Output::Send(link, message) => self.send(now, link, &message, &mut beside),
                Output::SendStatus(link, mut message) => {
                    self.complete_status(&mut message);
                    self.send(now, link, &message, &mut beside);
                }
                Output::Close(link, why) => match &mut beside {
                    Some((id, open)) if *id == link => open.is_closing = true,
                    _ => {
                        log::debug!("a link is closed: {why}");
                        self.close(link);
                    }
                },
                Output::Disconnect(peer) => {
                    self.resolving.remove(&peer);
                    let link = self.peers.remove(&peer);
                    drop_beside |= link.is_some() && link == beside.as_ref().map(|(id, _)| *id);
                    if let Some(link) = link {
                        self.remove_link(link);
                    }
                }
                Output::Connect { peer, address } => self.start_connecting(peer, &address),
                Output::Read { link, after, max } => {
                    self.ask_store(now, StoreCommand::Read { link, after, max })
                }
                Output::Take(readings) => self.ask_store(now, StoreCommand::Take(Box::new(readings))),
                Output::Append(pack) => self.parts.store.append(pack),
                Output::AddRound(round) => self.ask_store(now, StoreCommand::AddRound(round)),
                Output::NoteConsumer(name, seq) => self.ask_store(now, StoreCommand::NoteConsumer(name, seq)),
                Output::NotePeer(address, node) => self.ask_store(now, StoreCommand::NotePeer(address, node)),
                Output::Report(report) => log::log!(level(&report), "{report}"),
            }
        }
        drop_beside
    }

    /// Hands a command to the store; when it cannot even queue, the node hears that it was refused.
    fn ask_store(&mut self, now: Now, command: StoreCommand) {
        let Err(command) = self.parts.store.send(command) else { return };
        let refusal = match command {
            StoreCommand::Read { link, .. } => {
                Input::Piece { link, piece: Err("the store is behind; ask again later".to_owned()) }
            }
            StoreCommand::Take(readings) => Input::Refused { journal: readings.journal },
            _ => return,
        };
        self.parts.node.handle_input(now, refusal);
    }

    fn send(&mut self, now: Now, id: LinkId, message: &Message, beside: &mut Option<(LinkId, &mut Link)>) {
        let link = match beside {
            Some((open, link)) if *open == id => Some(&mut **link),
            _ => self.links.get_mut(&id),
        };
        let Some(link) = link else { return };
        self.unsent.insert(id);
        if !link.queue(message, now.wall) {
            log::warn!(
                "{}: does not read what it is sent ({} MiB wait): its link is closed",
                link.remote,
                OUTBOUND_MAX_BYTES >> 20
            );
            link.give_up();
        }
    }

    fn complete_status(&self, message: &mut Message) {
        let Body::Status(Json::Object(fields)) = &mut message.body else { return };
        fields.insert("links".to_owned(), self.links.len().into());
        fields.insert("turned_away".to_owned(), self.turned_away.into());
        if let Json::Object(more) = (self.parts.more_status)() {
            fields.extend(more);
        }
    }

    fn start_connecting(&mut self, peer: PeerIx, address: &str) {
        if let Ok(address) = address.parse::<SocketAddr>() {
            return self.connect(peer, Ok(address));
        }
        let attempt = self.next_link;
        self.next_link += 1;
        self.resolving.insert(peer, attempt);
        if !self.parts.resolver.ask(peer, attempt, address) {
            self.resolving.remove(&peer);
            self.connect(peer, Err("too many names wait to be resolved".to_owned()));
        }
    }

    /// Called while the node is being drained too: what it is told here is drained by the caller or by the next turn.
    pub(super) fn connect(&mut self, peer: PeerIx, address: Result<SocketAddr, String>) {
        let stream = address.and_then(|address| {
            TcpStream::connect(address).map(|stream| (stream, address)).map_err(|error| error.to_string())
        });
        let added = stream.and_then(|(stream, address)| {
            self.add_link(stream, address, Some(peer))
                .ok_or_else(|| "the socket cannot be watched".to_owned())
        });
        match added {
            Ok(link) => {
                self.peers.insert(peer, link);
            }
            Err(why) => self.parts.node.handle_input(clock::now(), Input::LinkFailed { peer, why }),
        }
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
