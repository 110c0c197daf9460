//! One of the lab's programs that is polled: asked on a link of its own each time, and waited for wherever its answer
//! comes.

use std::collections::VecDeque;
use std::time::Duration;

use core::net::IpAddr;
use serde_json::{Value as Json, json};

use super::{LabOutput, LabReport, LabSource};
use crate::model::{Instant, LabPair, LabText, NodeName};
use crate::proto::{LinkId, PeerIx};

/// Who has not answered within this time, or before the next question, is silent. The lab's programs read their sensors
/// when they are asked.
const ANSWER_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Peer {
    name: NodeName,
    address: String,
    /// Where its links led last: that is where its answers come from.
    remote: Option<IpAddr>,
    state: State,
    /// One answer is due, which may be late.
    is_awaited: bool,
    /// Since when it does not answer.
    silent_since: Option<Instant>,
    answers: u64,
    /// Answers that nobody had asked for.
    unasked: u64,
}

#[derive(Debug)]
enum State {
    /// Nothing is to be done before it is asked again.
    Idle { ask_at: Instant },
    /// It is asked: the link stands, stood, or is still being made.
    Asked { link: AskedBy, begun: Instant, until: Instant },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum AskedBy {
    Connecting,
    Link(LinkId),
    /// The link is gone, as the lab's programs close it.
    Closed,
}

impl Peer {
    pub(super) fn new(name: NodeName, address: String, now: Instant) -> Self {
        Self {
            name,
            address,
            remote: None,
            state: State::Idle { ask_at: now },
            is_awaited: false,
            silent_since: None,
            answers: 0,
            unasked: 0,
        }
    }

    pub(super) fn is_at(&self, remote: IpAddr) -> bool {
        self.remote == Some(remote.to_canonical())
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// Its link, while there is one.
    pub(super) fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Asked { link: AskedBy::Link(link), .. } => Some(link),
            _ => None,
        }
    }

    pub(super) fn link_up(&mut self, link: LinkId, remote: IpAddr, outputs: &mut VecDeque<LabOutput>) {
        let State::Asked { link: asked_by, .. } = &mut self.state else {
            return outputs.push_back(LabOutput::Close(link, "nothing is to be asked"));
        };
        *asked_by = AskedBy::Link(link);
        self.remote = Some(remote.to_canonical());
        self.is_awaited = true;
        outputs.push_back(LabOutput::Send(link, LabText::Request));
    }

    /// Whether that was its link. Its answer may still come on another.
    pub(super) fn link_down(&mut self, gone: LinkId) -> bool {
        match &mut self.state {
            State::Asked { link, .. } if *link == AskedBy::Link(gone) => {
                *link = AskedBy::Closed;
                true
            }
            _ => false,
        }
    }

    /// The link to it could not be made. When it is asked again does not change.
    pub(super) fn fail(&mut self, why: &str, outputs: &mut VecDeque<LabOutput>) {
        if let State::Asked { link: link @ AskedBy::Connecting, begun, .. } = &mut self.state {
            *link = AskedBy::Closed;
            let begun = *begun;
            self.fall_silent(begun, why, outputs);
        }
    }

    /// Its answer came.
    pub(super) fn answer(&mut self, link: LinkId, pairs: Vec<LabPair>, outputs: &mut VecDeque<LabOutput>) {
        if !std::mem::take(&mut self.is_awaited) {
            self.unasked += 1;
            return;
        }
        self.answers += 1;
        if let Some(since) = self.silent_since.take() {
            let report = LabReport::Back { name: self.name.clone(), address: self.address.clone(), since };
            outputs.push_back(LabOutput::Report(report));
        }
        outputs.push_back(LabOutput::Take(LabSource::Named(self.name.clone()), pairs));
        if self.link() == Some(link) {
            outputs.push_back(LabOutput::Close(link, "the answer is taken"));
            self.link_down(link);
        }
    }

    /// When there is something to do, and what.
    pub(super) fn due(&self) -> (Instant, &'static str) {
        match self.state {
            State::Idle { ask_at } => (ask_at, "lab peer is asked"),
            State::Asked { until, .. } => (until, "lab peer's deadline"),
        }
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        ix: PeerIx,
        interval: Duration,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        match self.state {
            State::Idle { ask_at } if ask_at <= now => {
                let until = now + interval.min(ANSWER_MAX);
                self.state = State::Asked { link: AskedBy::Connecting, begun: now, until };
                outputs.push_back(LabOutput::Connect(ix, self.address.clone()));
            }
            State::Asked { link, begun, until } if until <= now => {
                // After a long break it is asked once, not once for each time that was missed.
                self.state = State::Idle { ask_at: (begun + interval).max(now + Duration::from_micros(1)) };
                match link {
                    AskedBy::Connecting => {
                        outputs.push_back(LabOutput::Disconnect(ix, None));
                        self.fall_silent(begun, "no answer to the connection", outputs);
                    }
                    AskedBy::Link(link) => outputs.push_back(LabOutput::Disconnect(ix, Some(link))),
                    AskedBy::Closed => {}
                }
                if self.is_awaited {
                    self.fall_silent(begun, "no answer by the deadline", outputs);
                }
            }
            _ => {}
        }
    }

    fn fall_silent(&mut self, since: Instant, why: &str, outputs: &mut VecDeque<LabOutput>) {
        if self.silent_since.is_none() {
            self.silent_since = Some(since);
            let (name, address) = (self.name.clone(), self.address.clone());
            outputs.push_back(LabOutput::Report(LabReport::Silent { name, address, why: why.to_owned() }));
        }
    }

    pub(super) fn status(&self, now: Instant) -> Json {
        json!({
            "name": self.name.as_str(),
            "address": self.address,
            "answers": self.answers,
            "unasked": self.unasked,
            "silent_s": self.silent_since.map(|since| now.saturating_since(since).as_secs()),
        })
    }
}
