//! A node among peers of ZRE: it is found by its beacons, answers what they ask by WHISPER, and takes the readings that
//! they send, as those of guests.

use core::net::SocketAddr;
use serde_json::{Value as Json, json};

use super::events::{Asker, Output, Report};
use super::{ID_MAX_CHARS, Node, TEXT_MAX_CHARS, head};
use crate::model::{Body, Message, NodeName, Now, ZreId};
use crate::proto::foreign::{self, FOREIGN_READINGS_MAX};
use crate::proto::{
    Far, LinkId, NODES_GROUP, PORT_HEADER, PeerIx, ROLE_HEADER, Zre, ZreConfig, ZreEvent, ZreOutput, ZrePeer,
};
use crate::wire::{self, Dialect, KNOWN_KEYS, zre};

/// The chip name of channels that a peer of ZRE fills.
const CHIP: &str = "zre";
/// Most characters of a peer's name that are told.
const NAME_MAX_CHARS: usize = 40;

impl Node {
    /// Becomes a peer of ZRE. Its role is told by a header. With `discovers`, it polls the nodes that it finds while it
    /// is a primary.
    pub fn join_zre(&mut self, mut config: ZreConfig, discovers: bool, now: Now) {
        self.discovers = discovers;
        config.headers.insert(ROLE_HEADER.to_owned(), self.duty.name().to_owned());
        self.zre = Some(Box::new(Zre::new(config, now.mono)));
    }

    /// What this node calls itself on a link, where the framing has names for the ends.
    pub fn zmtp_identity(&self, far: Option<Far>) -> Vec<u8> {
        match (far, &self.zre) {
            (Some(Far::Zre(_)), Some(part)) => zre::identity(part.config().id).to_vec(),
            _ => self.station_identity(),
        }
    }

    /// Tells its part among peers what happened, if it has one.
    pub(super) fn tell_zre(&mut self, now: Now, tell: impl FnOnce(&mut Zre)) {
        if let Some(part) = &mut self.zre {
            tell(part);
            self.zre_drain(now);
        }
    }

    /// The other end of a link said who it is; whether that is a peer, or one that this node opened the link to.
    pub(super) fn introduced_to_zre(&mut self, now: Now, link: LinkId, identity: &[u8]) -> bool {
        self.tell_zre(now, |part| part.introduced(now.mono, link, zre::peer_of(identity)));
        self.zre.as_ref().is_some_and(|part| part.is_its_link(link))
    }

    /// The newest readings, for the peer that asked for them.
    pub(super) fn tell_zre_latest(
        &mut self,
        now: Now,
        peer: ZreId,
        id: String,
        latest: Result<Json, String>,
    ) {
        let answer = match latest {
            Ok(latest) => (id, Body::Latest(latest)),
            Err(text) => (String::new(), Body::Error { re: id, text }),
        };
        self.zre_answer(now, peer, answer);
        self.zre_drain(now);
    }

    /// Polls whoever of the peers is a node that waits to be polled.
    pub(super) fn discover(&mut self, now: Now) {
        let (true, Some(part)) = (self.discovers, &self.zre) else { return };
        let Some(primary) = self.duty.polling() else { return };
        for peer in part.peers().filter(|peer| peer.is_in(NODES_GROUP)) {
            let waits = matches!(peer.header(ROLE_HEADER), Some("secondary" | "standby"));
            let port: Option<u16> = peer.header(PORT_HEADER).and_then(|port| port.parse().ok());
            if let (true, Some(port), Ok(name)) = (waits, port, NodeName::new(peer.name())) {
                let address = SocketAddr::new(peer.address().ip(), port).to_string();
                primary.discover(now, &name, &address);
            }
        }
    }

    /// The role is another: others are to know.
    pub(super) fn tell_zre_role(&mut self, now: Now) {
        let role = self.duty.name();
        self.tell_zre(now, |part| part.set_header(ROLE_HEADER, role));
    }

    fn zre_drain(&mut self, now: Now) {
        while let Some(output) = self.zre.as_mut().and_then(|part| part.poll_output()) {
            match output {
                ZreOutput::Beacon(beacon) => self.outputs.push_back(Output::Beacon(beacon)),
                ZreOutput::Connect(peer, address) => {
                    let far = Far::Zre(peer);
                    self.outputs.push_back(Output::Connect { far, address, dialect: Dialect::Zmtp });
                }
                ZreOutput::Disconnect(peer, link) => self.zre_disconnect(peer, link),
                ZreOutput::Close(link) => {
                    self.forget(link);
                    self.outputs.push_back(Output::Close(link, "the peer begins anew".to_owned()));
                }
                ZreOutput::Send(link, message) => {
                    let message = self.envelope(String::new(), Body::Zre(message));
                    self.outputs.push_back(Output::Send(link, message));
                }
                ZreOutput::Event(event) => self.zre_event(now, event),
            }
        }
    }

    fn zre_disconnect(&mut self, peer: PeerIx, link: Option<LinkId>) {
        if let Some(link) = link {
            self.forget(link);
        }
        self.outputs.push_back(Output::Disconnect(Far::Zre(peer)));
    }

    fn zre_event(&mut self, now: Now, event: ZreEvent) {
        match event {
            ZreEvent::Enter { peer } => {
                let Some(known) = self.zre.as_ref().and_then(|part| part.peer(peer)) else { return };
                let what = format!("is a peer by ZRE, at {}", known.address());
                let peer = label(known.name(), peer);
                self.outputs.push_back(Output::Report(Report::Zre { peer, what }));
            }
            ZreEvent::Exit { peer, name, why } => {
                let (peer, what) = (label(&name, peer), format!("is no peer by ZRE any more: {why}"));
                self.outputs.push_back(Output::Report(Report::Zre { peer, what }));
            }
            ZreEvent::Joined { .. } | ZreEvent::Left { .. } | ZreEvent::PingOk { .. } => {}
            ZreEvent::Whisper { peer, link, content } | ZreEvent::Shout { peer, link, content, .. } => {
                self.zre_content(now, peer, link, &content);
            }
        }
    }

    /// What a peer says: a question, or readings. The last frame counts, as it does where messages are routed.
    fn zre_content(&mut self, now: Now, peer: ZreId, link: LinkId, content: &[Vec<u8>]) {
        let Some(text) = content.last().filter(|text| !text.is_empty()) else { return };
        let Message { id, body, .. } = match wire::read_json(text) {
            Ok(message) => message,
            Err(error) => {
                // Words are for people, and may hold readings as scripts write them.
                if let Ok(words) = str::from_utf8(text) {
                    return self.zre_readings(now, peer, link, Json::String(words.to_owned()));
                }
                let text = head(&error.to_string(), TEXT_MAX_CHARS);
                return self.zre_answer(now, peer, (String::new(), Body::Error { re: String::new(), text }));
            }
        };
        let id = head(&id, ID_MAX_CHARS);
        match body {
            Body::Foreign(json) => self.zre_readings(now, peer, link, json),
            Body::LatestRequest => self.outputs.push_back(Output::ReadLatest { asker: Asker::Zre(peer), id }),
            Body::StatusRequest => {
                let status = self.status(now);
                self.zre_answer(now, peer, (id, Body::Status(status)));
            }
            Body::Ping => {
                let pong = Body::Pong(self.pong(now));
                self.zre_answer(now, peer, (id, pong));
            }
            // Answers are not answered, or two nodes would never end.
            Body::Pong(..) | Body::Status(_) | Body::Latest(_) | Body::Error { .. } | Body::RoleAnswer(_) => {
            }
            Body::Unknown { key } => {
                let text =
                    format!("key {key:?} is not known here; by ZRE these are answered: LATEST, STATUS, PING");
                self.zre_answer(now, peer, (String::new(), Body::Error { re: id, text }));
            }
            _ => {
                let known = KNOWN_KEYS.join(", ");
                let text = format!(
                    "by ZRE only LATEST, STATUS and PING are answered; send the others of {known} to this node's port"
                );
                self.zre_answer(now, peer, (String::new(), Body::Error { re: id, text }));
            }
        }
    }

    fn zre_readings(&mut self, now: Now, peer: ZreId, link: LinkId, json: Json) {
        let name = self.zre.as_ref().and_then(|part| part.peer(peer)).map(|known| known.name().to_owned());
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| peer.to_string());
        let values = foreign::values(&json).into_iter().take(FOREIGN_READINGS_MAX);
        let mut pack = self.open_pack();
        if let Some(said) = self.guests.take((link, &name, CHIP), values, now, &mut pack)
            && said.is_to_be_told
        {
            let report = Report::Foreign { from: said.from, message: json, readings: said.readings };
            self.outputs.push_back(Output::Report(report));
        }
        if !pack.is_empty() {
            self.outputs.push_back(Output::Append(pack));
        }
    }

    /// Tells a peer something, by WHISPER.
    fn zre_answer(&mut self, now: Now, peer: ZreId, (id, body): (String, Body)) {
        let mut text = Vec::new();
        wire::encode(&self.envelope(id, body), now.wall, &mut text);
        let text = text.trim_ascii_end().to_vec();
        if let Some(part) = &mut self.zre {
            part.whisper(peer, vec![text]);
        }
    }
}

/// Name and id of a peer, for people.
fn label(name: &str, id: ZreId) -> String {
    format!("{} ({id})", head(name, NAME_MAX_CHARS).escape_debug())
}

/// Who is there, for the status.
pub(super) fn status(part: &Zre, now: Now) -> Json {
    let peer = |peer: &ZrePeer| {
        json!({
            "id": peer.id().to_string(),
            "name": head(peer.name(), NAME_MAX_CHARS),
            "address": peer.address().to_string(),
            "silent_s": peer.silence(now.mono).as_secs(),
        })
    };
    let config = part.config();
    json!({
        "id": config.id.to_string(),
        "address": config.address.to_string(),
        "groups": config.groups,
        "peers": part.peers().map(peer).collect::<Vec<_>>(),
        "turned_away": part.turned_away(),
    })
}

#[cfg(test)]
#[path = "zre_tests.rs"]
mod tests;
