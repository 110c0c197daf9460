//! Worlds in which nothing goes wrong but what a test does: sinks that die and come back, and their standbys.

use std::time::Duration;

use super::{Plan, World};
use crate::model::SinkPart;
use crate::node::Node;
use crate::node::duty::Duty;

impl World {
    /// `sinks` of which all but the first stand by, and `sources`.
    pub(in crate::node) fn of_standbys(sinks: usize, sources: usize, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let plan = Plan::of_standbys(sinks, sources, &mut rng);
        Self::of(plan, rng, seed)
    }

    pub(in crate::node) fn run_for(&mut self, time: Duration) {
        self.run(self.now + time, |_| false);
    }

    /// How long it takes until a standby acts, or no longer does; `None` when it takes longer than `most`.
    pub(in crate::node) fn until_acts(
        &mut self,
        host: usize,
        acts: bool,
        most: Duration,
    ) -> Option<Duration> {
        let from = self.now;
        self.run(from + most, |world| world.acts(host) == acts);
        (self.acts(host) == acts).then(|| self.now.saturating_since(from))
    }

    /// Whether a standby collects.
    pub(in crate::node) fn acts(&self, host: usize) -> bool {
        let acts = |node: &Node| matches!(&node.duty, Duty::Standby(standby) if standby.place().part == SinkPart::Acts);
        self.hosts[host].running.as_ref().is_some_and(|running| acts(running.node.machine()))
    }

    /// The links and attempts at links that a host has opened.
    pub(in crate::node) fn opened(&self, host: usize) -> usize {
        self.hosts[host].running.as_ref().map_or(0, |running| running.peers.len())
    }

    pub(in crate::node) fn kill(&mut self, host: usize) {
        self.stop(host);
    }

    pub(in crate::node) fn start_again(&mut self, host: usize) {
        self.start(host);
    }

    pub(in crate::node) fn part_two(&mut self, one: usize, other: usize) {
        self.cut((one.min(other), one.max(other)));
    }

    pub(in crate::node) fn join_all(&mut self) {
        self.blocked.clear();
    }

    /// No more readings are taken.
    pub(in crate::node) fn stop_sampling(&mut self) {
        self.is_faulty = false;
    }

    /// How many readings of the sources are at none of the sinks.
    pub(in crate::node) fn at_no_sink(&self) -> usize {
        let (sinks, sources) = self.hosts.split_at(self.plan.primaries);
        let journals = sources.iter().map(|source| source.disk.journal);
        let places = journals
            .flat_map(|journal| (1..=self.stories[&journal].last()).map(move |place| (journal, place)));
        let is_at = |journal, place, sink: &super::Host| {
            sink.disk.taken.get(&journal).is_some_and(|held| held.rows.contains_key(&place))
        };
        places.filter(|&(journal, place)| !sinks.iter().any(|sink| is_at(journal, place, sink))).count()
    }

    /// How many readings of the sources a sink has.
    pub(in crate::node) fn held(&self, sink: usize) -> usize {
        let sources = &self.hosts[self.plan.primaries..];
        let held = |host: &super::Host| {
            self.hosts[sink].disk.taken.get(&host.disk.journal).map_or(0, |held| held.rows.len())
        };
        sources.iter().map(held).sum()
    }

    /// How many readings the sources have.
    pub(in crate::node) fn told(&self) -> usize {
        let sources = &self.hosts[self.plan.primaries..];
        sources.iter().map(|source| self.stories[&source.disk.journal].rows.len()).sum()
    }
}
