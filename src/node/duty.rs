//! What a node does besides sensing and answering: the machine of its role, if that has one.

use serde_json::Value as Json;

use crate::model::{ClockSample, Instant, JournalId, NodeName, Now, RoleName, Seq, SinkPart, SinkPlace};
use crate::proto::{
    LinkId, PeerIx, Primary, PrimaryConfig, PrimaryOutput, Ring, RingConfig, RingOutput, StandbyOutput,
};

use super::events::{PollConfig, Role};
use super::standby::StandbySink;

/// The machine of the role.
#[derive(Debug)]
pub(super) enum Duty {
    /// A secondary: others collect from it.
    Secondary,
    Primary(Primary),
    Standby(Box<StandbySink>),
    Ring(Box<Ring>),
}

/// What the machine wants.
pub(super) enum DutyOutput {
    Primary(PrimaryOutput),
    Standby(StandbyOutput),
    Ring(RingOutput),
}

impl Duty {
    /// Takes the role up at `now`, at the node of this name with this journal, durable through that place.
    pub(super) fn new(name: NodeName, own: (JournalId, Seq), role: Role, now: Instant) -> Self {
        match role {
            Role::Secondary => Duty::Secondary,
            Role::Primary(poll) => Duty::Primary(primary((name, own.0), poll, now)),
            Role::Standby(part) => Duty::Standby(Box::new(StandbySink::new((name, own.0), part, now))),
            Role::Ring(part) => {
                let config = RingConfig { node: name, journal: own.0, last: own.1, part };
                Duty::Ring(Box::new(Ring::new(config, now)))
            }
        }
    }

    /// The last round that it began.
    pub(super) fn round(&self) -> u64 {
        match self {
            Duty::Secondary => 0,
            Duty::Primary(primary) => primary.round(),
            Duty::Standby(standby) => standby.round(),
            Duty::Ring(ring) => ring.round(),
        }
    }

    /// Drops every link that it has or tries to have: it ends.
    pub(super) fn leave(&mut self) {
        match self {
            Duty::Secondary => {}
            Duty::Primary(primary) => primary.leave(),
            Duty::Standby(standby) => standby.leave(),
            Duty::Ring(ring) => ring.leave(),
        }
    }

    /// The role's name, as flags and status have it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Duty::Secondary => "secondary",
            Duty::Primary(_) => "primary",
            Duty::Standby(_) => "standby",
            Duty::Ring(_) => "ring",
        }
    }

    pub(super) fn link_up(&mut self, now: Now, peer: PeerIx, link: LinkId) {
        match self {
            Duty::Secondary => {}
            Duty::Primary(primary) => primary.link_up(now, peer, link),
            Duty::Standby(standby) => standby.link_up(now, peer, link),
            Duty::Ring(ring) => ring.link_up(now, peer, link),
        }
    }

    pub(super) fn link_failed(&mut self, now: Now, peer: PeerIx, why: &str) {
        match self {
            Duty::Secondary => {}
            Duty::Primary(primary) => primary.link_failed(now, peer, why),
            Duty::Standby(standby) => standby.link_failed(now, peer, why),
            Duty::Ring(ring) => ring.link_failed(now, peer, why),
        }
    }

    /// A link is gone; whether it was one that the machine had asked for.
    pub(super) fn link_down(&mut self, now: Now, link: LinkId, why: &str) -> bool {
        match self {
            Duty::Secondary => false,
            Duty::Primary(primary) => primary.link_down(now, link, why),
            Duty::Standby(standby) => standby.link_down(now, link, why),
            Duty::Ring(ring) => ring.link_down(now, link, why),
        }
    }

    /// The polling, while this node collects by it.
    pub(super) fn polling(&mut self) -> Option<&mut Primary> {
        match self {
            Duty::Primary(primary) => Some(primary),
            Duty::Standby(standby) => standby.polling(),
            Duty::Secondary | Duty::Ring(_) => None,
        }
    }

    /// An answer came to a question how somebody stands.
    pub(super) fn pong(
        &mut self,
        now: Now,
        link: LinkId,
        id: &str,
        (node, place): (Option<NodeName>, Option<SinkPlace>),
        clock: Option<&ClockSample>,
    ) {
        match self {
            Duty::Standby(standby) => standby.pong(now, link, id, (node, place)),
            Duty::Ring(ring) => {
                if let Some(clock) = clock {
                    ring.pong(now, link, id, clock);
                }
            }
            Duty::Secondary | Duty::Primary(_) => {}
        }
    }

    /// The role, as one asks for it: a standby is a primary that waits for its turn.
    pub(super) fn role(&self) -> RoleName {
        match self {
            Duty::Secondary => RoleName::Secondary,
            Duty::Primary(_) | Duty::Standby(_) => RoleName::Primary,
            Duty::Ring(_) => RoleName::Ring,
        }
    }

    /// Where this node stands in the order of those who collect by polling.
    pub(super) fn sink_place(&self) -> Option<SinkPlace> {
        match self {
            Duty::Primary(_) => Some(SinkPlace { rank: 0, part: SinkPart::Acts }),
            Duty::Standby(standby) => Some(standby.place()),
            Duty::Secondary | Duty::Ring(_) => None,
        }
    }

    /// What the status says of it, each part under its key.
    pub(super) fn status(&self, now: Now) -> Vec<(&'static str, Json)> {
        match self {
            Duty::Secondary => Vec::new(),
            Duty::Primary(primary) => vec![("polling", primary.status(now))],
            Duty::Standby(standby) => standby.status(now),
            Duty::Ring(ring) => vec![("ring", ring.status(now))],
        }
    }

    pub(super) fn appended(&mut self, last: Seq) {
        if let Duty::Ring(ring) = self {
            ring.appended(last);
        }
    }

    pub(super) fn taken(&mut self, now: Now, journal: JournalId, cursor: Seq) {
        match self {
            Duty::Secondary => {}
            Duty::Primary(primary) => primary.taken(now, journal, cursor),
            Duty::Standby(standby) => standby.taken(now, journal, cursor),
            Duty::Ring(ring) => ring.taken(journal, cursor),
        }
    }

    pub(super) fn refused(&mut self, journal: JournalId) {
        match self {
            Duty::Secondary => {}
            Duty::Primary(primary) => primary.refused(journal),
            Duty::Standby(standby) => standby.refused(journal),
            Duty::Ring(ring) => ring.refused(journal),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self {
            Duty::Secondary => None,
            Duty::Primary(primary) => primary.poll_timeout(),
            Duty::Standby(standby) => standby.poll_timeout(),
            Duty::Ring(ring) => ring.poll_timeout(),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        match self {
            Duty::Secondary => {}
            Duty::Primary(primary) => primary.handle_timeout(now),
            Duty::Standby(standby) => standby.handle_timeout(now),
            Duty::Ring(ring) => ring.handle_timeout(now),
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<DutyOutput> {
        match self {
            Duty::Secondary => None,
            Duty::Primary(primary) => primary.poll_output().map(DutyOutput::Primary),
            Duty::Standby(standby) => standby.poll_output(),
            Duty::Ring(ring) => ring.poll_output().map(DutyOutput::Ring),
        }
    }

    /// A listed address.
    pub(super) fn address(&self, peer: PeerIx) -> String {
        match self {
            Duty::Secondary => String::new(),
            Duty::Primary(primary) => primary.address(peer),
            Duty::Standby(standby) => standby.address(peer),
            Duty::Ring(ring) => ring.address(peer),
        }
    }
}

/// A primary that begins at `now`; `own` are the node's name and journal.
pub(super) fn primary(own: (NodeName, JournalId), poll: PollConfig, now: Instant) -> Primary {
    let config = PrimaryConfig {
        own,
        peers: poll.peers,
        cursors: poll.cursors,
        poll_interval: poll.poll_interval,
        deadline: poll.deadline,
        order: poll.order,
        last_round: poll.last_round,
        seed: poll.seed,
    };
    Primary::new(config, now)
}
