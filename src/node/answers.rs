//! What the store had to be asked for, told to those who asked.

use serde_json::Value as Json;

use super::events::{Asker, Output};
use super::{Duty, ID_MAX_CHARS, Node, head};
use crate::model::{Body, Now, Pong, Readings};
use crate::proto::LinkId;
use crate::wire::seal_piece;

impl Node {
    /// How it is, in a few words.
    pub(super) fn pong(&self, now: Now) -> Pong {
        let (role, sink) = (Some(self.duty.role()), self.duty.sink_place());
        Pong { role, clock: Some(self.clock.sample(now.mono, now)), sink }
    }

    /// Somebody wants the newest reading of each channel.
    pub(super) fn read_latest(&mut self, asker: Asker, id: String) {
        self.outputs.push_back(Output::ReadLatest { asker, id });
    }

    /// A piece of the own journal, or why there is none.
    pub(super) fn piece(&mut self, now: Now, asker: Asker, piece: Result<Readings, String>) {
        match asker {
            Asker::Link(link) => self.secondary.piece(now, &self.clock, link, piece),
            Asker::Ring => {
                let clock = Some(self.clock.sample(now.mono, now));
                if let Duty::Ring(ring) = &mut self.duty {
                    ring.piece(now, piece.map(|readings| seal_piece(&Readings { clock, ..readings })));
                }
            }
            Asker::Station => self.station_piece(now, piece),
            // They are told what is newest, not a piece.
            Asker::Lab(_) | Asker::Zre(_) => {}
        }
    }

    /// Tells the newest reading of each channel, or why that cannot be told.
    pub(super) fn tell_latest(&mut self, now: Now, asker: Asker, id: String, latest: Result<Json, String>) {
        match asker {
            Asker::Link(link) => self.tell_link_latest(link, id, latest),
            Asker::Lab(asker) => self.lab_latest(now, asker, latest),
            Asker::Zre(peer) => self.tell_zre_latest(now, peer, id, latest),
            Asker::Station => self.station_latest(now, &id, latest),
            // A token carries pieces alone.
            Asker::Ring => {}
        }
    }

    fn tell_link_latest(&mut self, link: LinkId, id: String, latest: Result<Json, String>) {
        let output = match latest {
            Ok(latest) => Output::Send(link, self.envelope(id, Body::Latest(latest))),
            Err(text) => {
                let re = head(&id, ID_MAX_CHARS);
                self.send(link, Body::Error { re, text })
            }
        };
        self.outputs.push_back(output);
    }
}
