//! The link to the station above: opened, kept, opened again; and what a pilot says there unasked.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Station, StationOutput, StationReport, words};
use crate::model::{Instant, Now};
use crate::proto::{Backoff, LinkId};

/// How long a connection may take to come about, its handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Connection {
    state: State,
    backoff: Backoff,
    /// That it is lost was told.
    is_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down { retry_at: Instant },
    Connecting { until: Instant },
    Up { ping_at: Instant },
}

impl Connection {
    pub(super) fn new(backoff: Backoff, now: Instant) -> Self {
        Self { state: State::Down { retry_at: now }, backoff, is_told: false }
    }

    pub(super) fn due(&self) -> Option<(Instant, &'static str)> {
        Some(match self.state {
            State::Down { retry_at } => (retry_at, "the station above is tried again"),
            State::Connecting { until } => (until, "the station above does not answer"),
            State::Up { ping_at } => (ping_at, "the station above hears how this one is"),
        })
    }
}

impl Station {
    /// The link to the station above stands, and its other end has said who it is.
    pub fn above_up(&mut self, now: Now, link: LinkId) {
        let (Some(connection), Some(above)) = (&mut self.connection, &mut self.links.above) else { return };
        above.link = Some(link);
        let id = above.id.clone();
        connection.backoff.reset();
        connection.is_told = false;
        connection.state = State::Up { ping_at: now.mono + ping_interval(&self.config) };
        self.report(StationReport::Above { id: id.clone() });
        self.send_what_waits_for(now, link);
        let hello = json!({
            "pilot": self.config.id,
            "ip": self.config.prefs.get("IP").cloned().unwrap_or_default(),
            "state": self.state,
            "prefs": self.config.prefs,
        });
        self.send(now, &id, "HANDSHAKE", hello);
        self.send(now, &id, "STATE", Json::from(self.state.as_str()));
        self.stream_reached(now);
    }

    /// The link to the station above did not come about.
    pub fn above_failed(&mut self, now: Now, why: &str) {
        self.above_lost(now, why);
    }

    pub(super) fn above_lost(&mut self, now: Now, why: &str) {
        let Some(connection) = &mut self.connection else { return };
        connection.state = State::Down { retry_at: now.mono + connection.backoff.next_delay() };
        let is_told = std::mem::replace(&mut connection.is_told, true);
        if let Some(above) = &mut self.links.above {
            above.link = None;
            let id = above.id.clone();
            if !is_told {
                self.report(StationReport::AboveLost { id, why: words(why) });
            }
        }
        self.stream_lost(now);
    }

    pub(super) fn tend_connection(&mut self, now: Now) {
        let Some(connection) = &mut self.connection else { return };
        match connection.state {
            State::Down { retry_at } if retry_at <= now.mono => {
                connection.state = State::Connecting { until: now.mono + CONNECT_TIMEOUT };
                self.outputs.push_back(StationOutput::Connect);
            }
            State::Connecting { until } if until <= now.mono => {
                self.outputs.push_back(StationOutput::Disconnect(None));
                self.above_lost(now, "it does not answer");
            }
            State::Up { ping_at } if ping_at <= now.mono => {
                connection.state = State::Up { ping_at: now.mono + ping_interval(&self.config) };
                if let Some(id) = self.links.above.as_ref().map(|above| above.id.clone()) {
                    self.tell(now, &id, "STATE", Json::from(self.state.as_str()));
                }
            }
            _ => {}
        }
    }

    /// Lets go of the station above: this one ends, or begins anew.
    pub fn leave(&mut self) {
        let link = self.links.above.as_mut().and_then(|above| above.link.take());
        if self.connection.take().is_some() {
            self.outputs.push_back(StationOutput::Disconnect(link));
        }
    }
}

fn ping_interval(config: &super::StationConfig) -> Duration {
    // A pilot without an interval would never come to rest.
    const LEAST: Duration = Duration::from_millis(100);
    config.above.as_ref().map_or(LEAST, |above| above.ping_interval.max(LEAST))
}
