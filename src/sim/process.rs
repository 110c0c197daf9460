//! Processes: how they begin and end, what they are told, and how what they want is carried out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::{Broken, Invariant, hold};
use super::fault::HostIx;
use super::host::Running;
use super::log::{short_input, short_output};
use super::scenario::SimRole;
use super::world::{Command, Event, World};
use crate::model::{BootId, ClockLink, Instant, JournalId, RingId, Seq};
use crate::node::{Input, Node, NodeConfig, Output, PollConfig, Report, RingPart, Role, StandbyPart};
use crate::proto::RingReport;
use crate::proto::contract::Watched;
use crate::proto::defect::Defect;

/// Time-outs of one machine in a second: more is a machine that spins. A ring that is loaded has none, an idle one at
/// most a thousand.
const TIMEOUTS_PER_S_MAX: u32 = 2_500;

/// Clocks are read in whole microseconds.
const CLOCK_ROUNDING: Duration = Duration::from_micros(5);
/// An exchange of clocks takes no longer: a poll without an answer for so long is given up.
const EXCHANGE_MAX: Duration = Duration::from_secs(5);

/// Bits of a life's seed that say which life it is.
const LIFE_SEED_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl World<'_> {
    /// A node begins with what its card holds.
    pub(super) fn start(&mut self, at: usize) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(at).filter(|host| host.running.is_none()) else { return Ok(()) };
        host.life += 1;
        if !host.is_powered || host.boot == 0 {
            host.is_powered = true;
            host.boot = self.next_boot;
            host.clock.boot(self.now);
            self.next_boot += 1;
        }
        let (now, life) = (host.clock.now(self.now), host.life);
        let journal = host.disk.journal;
        let last = self.stories.get(&journal).map_or(0, |story| story.last());
        let config = NodeConfig {
            name: host.name.clone(),
            journal,
            boot: BootId(u128::from(host.boot)),
            synced: None,
            last: Seq(last),
            consumers: host.disk.consumers.clone(),
            role: self.role(at),
        };
        self.log(format_args!("{} starts life {life}: journal {journal} through {last}", config.name));
        let node = Watched::begun(self.planted_in(Node::new(config, now)), now);
        let running = Running {
            node,
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            visits: 0,
            newest: RingId::default(),
        };
        if let Some(host) = self.hosts.get_mut(at) {
            host.running = Some(running);
        }
        self.after_drive(at)
    }

    /// A node with the defect of this world.
    #[cfg(test)]
    fn planted_in(&self, mut node: Node) -> Node {
        if let Some(defect) = self.planted.defect {
            node.plant(defect);
        }
        node
    }

    /// No program has a defect.
    #[cfg(not(test))]
    fn planted_in(&self, node: Node) -> Node {
        node
    }

    fn role(&self, at: usize) -> Role {
        let (scenario, Some(host)) = (self.scenario, self.hosts.get(at)) else { return Role::Secondary };
        let known = |&(peer, way): &(usize, bool)| {
            let address = address(peer, way);
            let node = host.disk.peers.get(&address).cloned();
            (address, node)
        };
        let cursors = host.disk.taken.iter().map(|(journal, held)| (*journal, Seq(*held))).collect();
        let seed = self.life_seed(at);
        match scenario.role {
            SimRole::Primary if !scenario.collects(HostIx(at)) => Role::Secondary,
            SimRole::Primary => {
                let poll = PollConfig {
                    peers: host.peers.iter().map(known).collect(),
                    cursors,
                    poll_interval: scenario.polling.interval,
                    deadline: scenario.polling.deadline,
                    order: scenario.polling.order,
                    last_round: host.disk.round,
                    seed,
                };
                if at < scenario.sinks {
                    return Role::Primary(poll);
                }
                let before = (0..at).map(|host| known(&(host, false))).collect();
                Role::Standby(StandbyPart { poll, before, standby_after: scenario.ring.standby_after })
            }
            SimRole::Ring => Role::Ring(RingPart {
                peers: host.peers.iter().map(known).collect(),
                cursors,
                sink_rank: u8::try_from(at).ok().filter(|_| at < scenario.sinks),
                makes_token: scenario.ring.makes_token.is_some_and(|host| host.0 == at),
                token_hold: scenario.ring.token_hold,
                round_interval: scenario.ring.round_interval,
                standby_after: scenario.ring.standby_after,
                last_round: host.disk.round,
                seed,
            }),
        }
    }

    /// No two lives have one seed.
    fn life_seed(&self, at: usize) -> u64 {
        let life = self.hosts.get(at).map_or(0, |host| u64::from(host.life));
        let life = if self.planted.is(Defect::LifeKept) { 1 } else { life };
        let number = (at as u64) << 32 | life;
        self.scenario.seed.wrapping_add(number.wrapping_mul(LIFE_SEED_STEP))
    }

    /// The process dies, with all that is not on the disk. Its kernel says so to all who speak to it, unless the power
    /// is gone.
    pub(super) fn crash(&mut self, at: usize, has_power: bool) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        host.is_powered &= has_power;
        let was_running = host.running.take().is_some();
        host.deferred.clear();
        host.set_due();
        if was_running {
            for row in host.disk.crash() {
                self.measures.gone(row.at);
            }
            self.measures.links(self.now, at, 0);
        }
        self.drop_all_links(at, has_power);
        Ok(())
    }

    pub(super) fn timeout(&mut self, at: usize) -> Result<(), Broken> {
        let second = self.elapsed().as_secs();
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        host.timeouts = if host.timeouts.0 == second { (second, host.timeouts.1 + 1) } else { (second, 1) };
        let (name, count) = (&host.name, host.timeouts.1);
        hold(Invariant::Progress, count <= TIMEOUTS_PER_S_MAX, || {
            let due = host.running.as_ref().and_then(|running| running.node.machine().poll_timeout());
            format!("{name}: {count} time-outs within a second; the next is {due:?}")
        })?;
        let mut outputs = std::mem::take(&mut self.outputs);
        let now = host.clock.now(self.now);
        let driven = match &mut host.running {
            Some(running) => running.node.drive_timeout(now, &mut outputs),
            None => Ok(()),
        };
        self.driven(at, driven, outputs)
    }

    /// The node hears something, and what it wants of it is carried out.
    pub(super) fn tell(&mut self, at: usize, input: Input) -> Result<(), Broken> {
        if self.has_log {
            let name = self.hosts.get(at).map(|host| host.name.clone());
            let name = name.as_ref().map_or("?", |name| name.as_str());
            self.log(format_args!("{name} <- {}", short_input(&input)));
        }
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        let mut outputs = std::mem::take(&mut self.outputs);
        let now = host.clock.now(self.now);
        let driven = match &mut host.running {
            Some(running) => running.node.drive(now, |node, now| node.handle_input(now, input), &mut outputs),
            None => Ok(()),
        };
        self.driven(at, driven, outputs)
    }

    fn driven(
        &mut self,
        at: usize,
        driven: Result<(), String>,
        mut outputs: Vec<Output>,
    ) -> Result<(), Broken> {
        driven.map_err(|what| Broken { invariant: Invariant::Progress, what })?;
        for output in outputs.drain(..) {
            self.carry_out(at, output)?;
        }
        self.outputs = outputs;
        self.after_drive(at)
    }

    /// Whoever takes a token is looked at, and when it wants to be called next.
    fn after_drive(&mut self, at: usize) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        host.set_due();
        let Some(running) = &mut host.running else { return Ok(()) };
        let Some(ring) = running.node.machine().ring() else { return Ok(()) };
        let (visits, name, seq) = ring.view().visits;
        if visits == running.visits {
            return Ok(());
        }
        self.measures.ring.hops += visits - running.visits;
        running.visits = visits;
        let newest = std::mem::replace(&mut running.newest, name);
        hold(Invariant::RingGrows, name >= newest, || {
            format!(
                "{} goes back from the ring of epoch {} to that of {}",
                host.name, newest.epoch, name.epoch
            )
        })?;
        self.tokens.visit(name, seq, at)
    }

    fn carry_out(&mut self, at: usize, output: Output) -> Result<(), Broken> {
        if self.has_log {
            let name = self.hosts.get(at).map(|host| host.name.clone());
            let name = name.as_ref().map_or("?", |name| name.as_str());
            self.log(format_args!("{name} -> {}", short_output(&output)));
        }
        match output {
            Output::Connect { far, address, .. } => self.start_dialing(at, far, &address),
            Output::Disconnect(far) => {
                let running = self.hosts.get_mut(at).and_then(|host| host.running.as_mut());
                match running.and_then(|running| running.peers.remove(&far)) {
                    Some(Ok(link)) => self.hang_up(at, link),
                    _ => Ok(()),
                }
            }
            Output::Close(link, _) => self.hang_up(at, link),
            Output::Send(link, message) | Output::SendStatus(link, message) => {
                self.check_sent(at, &message.body)?;
                self.send(at, link, &message)
            }
            Output::Read { asker, after, max } => self.ask_store(at, Command::Read(asker, after, max)),
            Output::Take(readings) => self.ask_store(at, Command::Take(readings)),
            Output::Append(pack) => self.append(at, &pack),
            Output::AddRound(round) => self.add_round(at, &round),
            Output::NoteConsumer(name, seq) => self.note_consumer(at, name, seq),
            Output::NotePeer(address, node) => {
                if let Some(host) = self.hosts.get_mut(at) {
                    host.disk.note_peer(address, node);
                }
                self.begin_commit(at);
                Ok(())
            }
            Output::NoteLink { journal, link, .. } => self.met(at, journal, link),
            // Nobody in this world sends a ROLE or a LATEST; a fault of its own gives another role.
            Output::Beacon(_)
            | Output::NoteMark(_)
            | Output::ChangeRole { .. }
            | Output::ReadLatest { .. }
            | Output::StationOrder(..) => Ok(()),
            Output::Report(Report::Ring(report)) => {
                self.heard(&report);
                Ok(())
            }
            Output::Report(_) => Ok(()),
        }
    }

    /// Two clocks have met, or so a node says.
    fn met(&mut self, at: usize, journal: JournalId, link: ClockLink) -> Result<(), Broken> {
        let Some(&of) = self.homes.get(&journal) else { return Ok(()) };
        let (Some(host), Some(other)) = (self.hosts.get(at), self.hosts.get(of)) else { return Ok(()) };
        self.observer.met(self.now.saturating_since(Instant::ZERO), HostIx(at), HostIx(of), link.error);
        if link.boot != BootId(u128::from(other.boot)) {
            return Ok(());
        }
        let there = other.clock.now(host.clock.when(link.here)).mono;
        let apart = there.saturating_since(link.mono).max(link.mono.saturating_since(there));
        // Clocks that go at different rates part while an exchange takes its time; the meeting says nothing of that.
        let parted = EXCHANGE_MAX.mul_f64(2e-6 * f64::from(self.scenario.clocks.drift_max_ppm));
        hold(Invariant::ClocksMeet, apart <= link.error + parted + CLOCK_ROUNDING, || {
            let (one, two) = (&host.name, &other.name);
            format!("{two} and {one} are {apart:?} apart where they are said to meet within {:?}", link.error)
        })
    }

    fn heard(&mut self, report: &RingReport) {
        let count = &mut self.measures.ring;
        match report {
            RingReport::Claims { .. } => count.claims += 1,
            RingReport::Skipped { .. } => count.skips += 1,
            RingReport::Sink { acts: true } => count.sinks += 1,
            RingReport::Members { .. } => self.health.rings_changed = true,
            _ => {}
        }
        if self.health.rings_changed {
            self.show_rings();
        }
    }

    /// The process hears it as soon as it can.
    pub(super) fn tell_soon(&mut self, at: usize, input: Input) {
        let life = self.hosts.get(at).map_or(0, |host| host.life);
        self.schedule(Duration::ZERO, Event::Tell(at, life, Box::new(input)));
    }
}

/// A host's address; its second one if it is to be reached twice, as over a cable and by radio.
pub(super) fn address(host: usize, is_second: bool) -> String {
    format!("10.{}.{}.{}:7000", u8::from(is_second), host / 250, host % 250 + 1)
}
