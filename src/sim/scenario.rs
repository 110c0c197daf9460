//! What a run is made of: how many nodes in which roles, what they sense, how their network, disks and clocks are, and
//! what goes wrong. Two runs of one scenario are the same, byte for byte.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::fault::{Fault, HostIx, PlannedFault};
use crate::model::RING_MEMBERS_MAX;
use crate::proto::PollOrder;

/// Most nodes of a scenario that polls.
pub const POLLED_MAX: usize = 1_000;

/// How the nodes bring their readings together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimRole {
    /// The first nodes are primaries and poll all others, which are secondaries.
    Primary,
    /// All are members of a token ring.
    Ring,
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// How many nodes, the sinks among them. Host 0 is the sink.
    pub nodes: usize,
    /// How they bring their readings together.
    pub role: SimRole,
    /// How many of them collect. In a ring the first is the sink, and the others are its standbys, in order; primaries
    /// all collect from all.
    pub sinks: usize,
    /// How many nodes after the sinks stand by for a primary. (The standbys of a ring are among its `sinks`.)
    pub standbys: usize,
    /// Whatever is left to chance comes out of this.
    pub seed: u64,
    /// How long the nodes sense. Then the run goes on until everything is at a sink.
    pub duration: Duration,
    /// What they sense.
    pub sampling: Sampling,
    /// How a primary polls.
    pub polling: Polling,
    /// How the ring goes round.
    pub ring: RingSettings,
    /// How what is sent travels.
    pub network: NetworkModel,
    /// How disks write.
    pub disk: DiskModel,
    /// How clocks go.
    pub clocks: ClockModel,
    /// What is unusual about the site.
    pub site: Site,
    /// What goes wrong, in any order.
    pub faults: Vec<PlannedFault>,
}

/// What nodes sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// From one reading of a channel to the next.
    pub interval: Duration,
    /// Channels of each node.
    pub channels: u16,
    /// Readings that each journal has at the start.
    pub backlog: usize,
    /// Bytes that a chip's name has beside what it needs: readings of different length on the wire.
    pub name_bytes: usize,
    /// One in so many readings is an ERR; 0 for none.
    pub err_every: u32,
}

/// How a primary polls.
#[derive(Clone, Debug, PartialEq)]
pub struct Polling {
    /// From one round's start to the next.
    pub interval: Duration,
    /// A round is over after this at the latest.
    pub deadline: Duration,
    /// In what order a round asks the nodes.
    pub order: PollOrder,
}

/// How a ring goes round.
#[derive(Clone, Debug, PartialEq)]
pub struct RingSettings {
    /// How long an idle token takes for a rotation.
    pub token_hold: Duration,
    /// Least time between two rounds.
    pub round_interval: Duration,
    /// A standby, of a ring or of a primary, takes the sink's place when there was none for so long.
    pub standby_after: Duration,
    /// The host that makes the first token; without one the ring elects.
    pub makes_token: Option<HostIx>,
    /// The sink stands somewhere in the list of peers, not at its head.
    pub is_shuffled: bool,
}

/// A network under TCP. It loses, repeats and reorders packets; what a node sees of that are bytes in order that come
/// late, in pieces, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkModel {
    /// How long a packet takes.
    pub latency: RangeInclusive<Duration>,
    /// The share of packets that are lost, from 0 to 1. Each is sent again after 200 ms, then 400 ms and so on, and
    /// what was sent behind it waits.
    pub loss: f64,
    /// The share of packets that are sent twice: they take their time on a slow link twice.
    pub duplicate: f64,
    /// The share of packets that others overtake: those wait for it as long again as the longest latency.
    pub reorder: f64,
    /// The share of messages that arrive in pieces, cut anywhere.
    pub cut: f64,
    /// What a link carries; `None` without limit.
    pub bytes_per_s: Option<u64>,
}

/// Disks, and the thread that writes them.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskModel {
    /// How long a commit takes. What it was to make durable is lost when the process dies before its end.
    pub sync: RangeInclusive<Duration>,
    /// From one commit to the next at least.
    pub flush_interval: Duration,
    /// How long a command to the thread takes at most, and its answer.
    pub queue_max: Duration,
    /// Most readings in one answer of the journal.
    pub piece_max: u32,
}

/// Clocks of hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockModel {
    /// A host's wall clock is off by this much at most, to either side.
    pub offset_max: Duration,
    /// A host's clocks are fast or slow by this much at most, in parts per million.
    pub drift_max_ppm: u32,
}

/// What is unusual about a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// All secondaries bear one name.
    pub has_twins: bool,
    /// A primary finds itself among its peers.
    pub polls_itself: bool,
    /// Every secondary is listed twice, by two addresses that lead to it over different networks.
    pub has_two_ways: bool,
    /// When the faults are over, the first of these networks is gone for good.
    pub loses_first_way: bool,
}

/// A scenario that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// Too few nodes, or too many.
    #[error("{nodes} nodes: a scenario of this role has 1 to {most}")]
    Nodes {
        /// So many were asked for.
        nodes: usize,
        /// So many there may be.
        most: usize,
    },
    /// Too few sinks, or too many.
    #[error("{sinks} of {nodes} nodes collect: at least one, and not more than there are")]
    Sinks {
        /// So many were asked for.
        sinks: usize,
        /// Of so many.
        nodes: usize,
    },
    /// A fault names a host that is not there.
    #[error("`{fault}` names host {host}; the hosts are sink and 1 to {}", nodes.saturating_sub(1))]
    Host {
        /// The fault.
        fault: String,
        /// The host.
        host: HostIx,
        /// So many there are.
        nodes: usize,
    },
    /// A time is zero that must not be.
    #[error("{what} is zero")]
    Zero {
        /// Which.
        what: &'static str,
    },
}

impl Scenario {
    /// A site on a good wired network, with the settings that nodes have by default. Nothing goes wrong.
    pub fn calm(role: SimRole, nodes: usize) -> Self {
        let ms = Duration::from_millis;
        Self {
            nodes,
            role,
            sinks: 1,
            standbys: 0,
            seed: 1,
            duration: Duration::from_secs(60),
            sampling: Sampling {
                interval: Duration::from_secs(1),
                channels: 1,
                backlog: 0,
                name_bytes: 0,
                err_every: 0,
            },
            polling: Polling {
                interval: Duration::from_secs(1),
                deadline: ms(500),
                order: PollOrder::AtOnce,
            },
            ring: RingSettings {
                token_hold: ms(100),
                round_interval: Duration::from_secs(1),
                standby_after: Duration::from_secs(5),
                makes_token: None,
                is_shuffled: false,
            },
            network: NetworkModel {
                latency: Duration::from_micros(200)..=ms(2),
                loss: 0.0,
                duplicate: 0.0,
                reorder: 0.0,
                cut: 0.0,
                bytes_per_s: None,
            },
            disk: DiskModel {
                sync: ms(2)..=ms(20),
                flush_interval: ms(200),
                queue_max: ms(1),
                piece_max: crate::proto::POLL_MAX_READINGS,
            },
            clocks: ClockModel { offset_max: Duration::ZERO, drift_max_ppm: 0 },
            site: Site::default(),
            faults: Vec::new(),
        }
    }

    /// Whether it can be run.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let (nodes, sinks) = (self.nodes, self.sinks.saturating_add(self.standbys));
        let most = match self.role {
            SimRole::Ring => RING_MEMBERS_MAX,
            SimRole::Primary => POLLED_MAX,
        };
        if !(1..=most).contains(&nodes) {
            return Err(ScenarioError::Nodes { nodes, most });
        }
        if !(1..=nodes).contains(&sinks) || self.sinks == 0 {
            return Err(ScenarioError::Sinks { sinks, nodes });
        }
        let times = [
            ("the duration", self.duration),
            ("the sampling interval", self.sampling.interval),
            ("the polling interval", self.polling.interval),
            ("the deadline of a round", self.polling.deadline),
        ];
        if let Some((what, _)) = times.into_iter().find(|(_, time)| time.is_zero()) {
            return Err(ScenarioError::Zero { what });
        }
        if self.sampling.channels == 0 {
            return Err(ScenarioError::Zero { what: "the number of channels" });
        }
        for fault in &self.faults {
            if let Some(host) = fault.fault.hosts().into_iter().find(|host| host.0 >= nodes) {
                return Err(ScenarioError::Host { fault: fault.to_string(), host, nodes });
            }
        }
        Ok(())
    }

    /// When a fault ends: a moment's at once, one without an end with the sampling. `None` for a host that stays dead.
    pub fn end_of(&self, fault: &PlannedFault) -> Option<Duration> {
        match fault.to {
            _ if fault.fault.is_moment() => Some(fault.from),
            Some(to) => Some(to),
            None if fault.fault.downs().is_some() => None,
            None => Some(self.duration.max(fault.from)),
        }
    }

    /// From then on nothing goes wrong any more: the bounds on healing count from here.
    pub fn calm_from(&self) -> Duration {
        let is_lossy = self.network.loss > 0.0;
        let lossy_until = if is_lossy { self.duration } else { Duration::ZERO };
        let ends = self.faults.iter().map(|fault| self.end_of(fault).unwrap_or(fault.from));
        ends.chain([lossy_until]).max().unwrap_or_default()
    }

    /// Whether a fault leaves this host dead for good.
    pub fn stays_dead(&self, host: HostIx) -> bool {
        let kills = |fault: &&PlannedFault| fault.fault.downs() == Some(host) && fault.to.is_none();
        self.faults.iter().any(|fault| kills(&fault))
    }

    /// What a host is called: the name of its node.
    pub fn name_of(&self, host: HostIx) -> String {
        match (self.role, host.0) {
            (_, 0) => "sink".to_owned(),
            (SimRole::Primary, at) if at < self.sinks => format!("sink-{at}"),
            (SimRole::Primary, at) if self.collects(host) => format!("standby-{at}"),
            (SimRole::Primary, _) if self.site.has_twins => "twin".to_owned(),
            (_, at) => format!("pi-{at}"),
        }
    }
}

impl Fault {
    /// From `from` to `to`.
    pub fn during(self, from: Duration, to: Duration) -> PlannedFault {
        PlannedFault { from, to: Some(to), fault: self }
    }

    /// At a moment, or from then on for good.
    pub fn at(self, from: Duration) -> PlannedFault {
        PlannedFault { from, to: None, fault: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_cannot_be_run_is_refused() {
        let calm = || Scenario::calm(SimRole::Ring, 3);
        assert_eq!(calm().check(), Ok(()));
        for (scenario, why) in [
            (Scenario { nodes: 65, ..calm() }, "1 to 64"),
            (Scenario { sinks: 4, ..calm() }, "4 of 3"),
            (Scenario { duration: Duration::ZERO, ..calm() }, "duration is zero"),
            (Scenario { faults: vec![Fault::Kill(HostIx(3)).at(SECOND)], ..calm() }, "sink and 1 to 2"),
        ] {
            let error = scenario.check().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn calm_begins_when_the_last_fault_is_over() {
        let mut scenario = Scenario::calm(SimRole::Primary, 3);
        assert_eq!(scenario.calm_from(), Duration::ZERO);
        scenario.faults =
            vec![Fault::Kill(HostIx(1)).at(9 * SECOND), Fault::Pause(HostIx(2)).during(SECOND, 4 * SECOND)];
        assert_eq!(scenario.calm_from(), 9 * SECOND);
        assert!(scenario.stays_dead(HostIx(1)) && !scenario.stays_dead(HostIx(2)));
        scenario.faults.push(Fault::Slow(100).at(2 * SECOND));
        assert_eq!(scenario.calm_from(), scenario.duration);
    }
}
