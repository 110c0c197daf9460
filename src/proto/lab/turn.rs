//! This host's turn with the lab's token: it is held for a while, and passed on until that has worked.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{CONNECT_MAX, LabOutput, LabReport, LabRing};
use crate::model::{Instant, LabText, LabToken};
use crate::proto::{LinkId, PeerIx};

/// A next host that cannot be reached is tried again after this time: its programs are started one after the other.
const RETRY: Duration = Duration::from_secs(1);
/// The token is lost when none came for so long, for each host. The lab's programs keep it for two seconds.
const LOST_AFTER_PER_HOST: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Turn {
    ring: LabRing,
    state: State,
    /// When a token came, or was made.
    last_at: Instant,
    /// The next host could not be reached, and people know it.
    is_told: bool,
    passed: u64,
    made: u64,
}

#[derive(Debug)]
enum State {
    /// It is somewhere else.
    Away,
    /// It is here until then.
    Held(LabToken, Instant),
    /// The link to the next host is being made.
    Passing(LabToken, Instant),
}

impl Turn {
    pub(super) fn new(ring: LabRing, now: Instant) -> Self {
        let state = if ring.makes_token { State::Held(LabToken::new(), now) } else { State::Away };
        let made = u64::from(ring.makes_token);
        Self { ring, state, last_at: now, is_told: false, passed: 0, made }
    }

    /// A token came; whether this host puts its own into it, for it has not been at all of them.
    pub(super) fn takes(&mut self, now: Instant, seq: u32) -> bool {
        self.last_at = now;
        seq < self.ring.hosts
    }

    /// Keeps the token, and later passes it on. There is one: what was held before is an older one.
    pub(super) fn hold(&mut self, now: Instant, token: LabToken) {
        self.state = match self.state {
            // The link that is being made brings the newer one.
            State::Passing(_, until) => State::Passing(token, until),
            State::Away | State::Held(..) => State::Held(token, now + self.ring.token_hold),
        };
    }

    pub(super) fn link_up(&mut self, now: Instant, link: LinkId, outputs: &mut VecDeque<LabOutput>) {
        if let State::Passing(token, _) = std::mem::replace(&mut self.state, State::Away) {
            outputs.push_back(LabOutput::Send(link, LabText::Token(token)));
            self.passed += 1;
            self.last_at = now;
            self.is_told = false;
        }
        outputs.push_back(LabOutput::Close(link, "the token is passed"));
    }

    pub(super) fn fail(&mut self, now: Instant, why: &str, outputs: &mut VecDeque<LabOutput>) {
        let State::Passing(token, _) = std::mem::replace(&mut self.state, State::Away) else { return };
        self.state = State::Held(token, now + RETRY);
        if !std::mem::replace(&mut self.is_told, true) {
            let report = LabReport::NotPassed { next: self.ring.next.clone(), why: why.to_owned() };
            outputs.push_back(LabOutput::Report(report));
        }
    }

    pub(super) fn due(&self) -> Option<(Instant, &'static str)> {
        match &self.state {
            State::Held(_, until) => Some((*until, "lab token goes on")),
            State::Passing(_, until) => Some((*until, "lab token's link")),
            State::Away => self.ring.makes_token.then(|| (self.lost_at(), "lab token is lost")),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, ix: PeerIx, outputs: &mut VecDeque<LabOutput>) {
        if self.due().is_none_or(|(due, _)| due > now) {
            return;
        }
        match std::mem::replace(&mut self.state, State::Away) {
            State::Held(token, _) => {
                self.state = State::Passing(token, now + CONNECT_MAX);
                outputs.push_back(LabOutput::Connect(ix, self.ring.next.clone()));
            }
            passing @ State::Passing(..) => {
                self.state = passing;
                outputs.push_back(LabOutput::Disconnect(ix, None));
                self.fail(now, "no answer to the connection", outputs);
            }
            State::Away => {
                let quiet = now.saturating_since(self.last_at);
                outputs.push_back(LabOutput::Report(LabReport::TokenLost { quiet }));
                self.last_at = now;
                self.made += 1;
                self.state = State::Held(LabToken::new(), now + RETRY);
            }
        }
    }

    pub(super) fn status(&self) -> Json {
        let held = !matches!(self.state, State::Away);
        let LabRing { next, hosts, .. } = &self.ring;
        json!({ "next": next, "hosts": hosts, "held": held, "passed": self.passed, "made": self.made })
    }

    fn lost_at(&self) -> Instant {
        self.last_at + LOST_AFTER_PER_HOST.saturating_mul(self.ring.hosts.max(1))
    }
}
