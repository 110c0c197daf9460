//! What the store had to be asked for, told to those who asked.

use serde_json::Value as Json;

use super::events::{Asker, Output};
use super::{ID_MAX_CHARS, Node, head};
use crate::model::{Body, Now, Pong};

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

    /// Tells the newest reading of each channel, or why that cannot be told.
    pub(super) fn tell_latest(&mut self, asker: Asker, id: String, latest: Result<Json, String>) {
        let Asker::Link(link) = asker else { return };
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
