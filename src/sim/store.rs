//! The store thread of a host, and its sensors: what is asked of the disk, when it is durable, and who is told.

use std::sync::Arc;
use std::time::Duration;

use super::check::{Broken, Invariant, hold};
use super::disk::{self, Row};
use super::fault::HostIx;
use super::scenario::SimRole;
use super::world::{Command, Event, World, between};
use crate::model::{
    Body, Channel, ErrReason, Instant, JournalId, NodeName, Pack, Readings, RoundRecord, Seq, TOKEN_MAX_BYTES,
};
use crate::node::Input;
use crate::proto::defect::Defect;

/// When readings were taken that are there when the run begins.
const BEFORE: Instant = Instant::from_micros(-1);
/// A commit that failed is tried again after this.
const COMMIT_AGAIN: Duration = Duration::from_secs(1);
/// What a slow disk needs at most.
const SLOW_COMMIT_MAX: Duration = Duration::from_secs(4);

impl World<'_> {
    /// A command is on its way to the store thread.
    pub(super) fn ask_store(&mut self, at: usize, command: Command) -> Result<(), Broken> {
        let is_full = self.trouble.is_full(at) && self.chances.disk.u8(0..4) == 0;
        if let (true, Command::Take(readings)) = (is_full, &command) {
            // The queue is full: the event loop says so, before the store has come to what is queued.
            if let Some(host) = self.hosts.get_mut(at) {
                host.disk.refuse(readings.journal);
            }
            self.tell_soon(at, Input::Refused { journal: readings.journal });
            return Ok(());
        }
        let wait = between(&mut self.chances.disk, &(Duration::ZERO..=self.scenario.disk.queue_max));
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        host.commands_until = host.commands_until.max(self.now + wait);
        let (arrival, life) = (host.commands_until, host.life);
        self.schedule_at(arrival, Event::Command(at, life, Box::new(command)));
        Ok(())
    }

    /// An answer is on its way from the store thread.
    fn reply(&mut self, at: usize, input: Input) {
        let wait = between(&mut self.chances.disk, &(Duration::ZERO..=self.scenario.disk.queue_max));
        let Some(host) = self.hosts.get_mut(at) else { return };
        host.replies_until = host.replies_until.max(self.now + wait);
        let (arrival, life) = (host.replies_until, host.life);
        self.schedule_at(arrival, Event::Tell(at, life, Box::new(input)));
    }

    pub(super) fn command(&mut self, at: usize, command: Command) -> Result<(), Broken> {
        match command {
            Command::Take(readings) => self.take(at, &readings),
            Command::Read(asker, after, max) => {
                let piece = self.read(at, after, max);
                self.reply(at, Input::Piece { asker, piece });
                Ok(())
            }
        }
    }

    fn take(&mut self, at: usize, readings: &Readings) -> Result<(), Broken> {
        let is_by_token = self.scenario.role == SimRole::Ring;
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        if host.disk.take(readings, &self.stories, is_by_token)? {
            if self.planted.is(Defect::StoreConfirmsEarly) {
                let cursor = readings.through();
                self.reply(at, Input::Taken { journal: readings.journal, cursor });
            }
            self.begin_commit(at);
        } else {
            self.reply(at, Input::Refused { journal: readings.journal });
        }
        Ok(())
    }

    fn read(&mut self, at: usize, after: Seq, max: u32) -> Result<Readings, String> {
        if self.trouble.is_unreadable(at) {
            return Err("the disk is busy".to_owned());
        }
        let host = self.hosts.get(at).ok_or("no such host")?;
        let story = self.stories.get(&host.disk.journal).ok_or("no such journal")?;
        let most = max.min(self.scenario.disk.piece_max);
        let mut piece = disk::read(story, host.disk.journal, &host.name, after, most, host.boot);
        if self.planted.is(Defect::StoreSkipsOne) && piece.pack.len() > 1 {
            piece.pack.readings.remove(0);
            piece.first = piece.first.next();
        }
        Ok(piece)
    }

    /// There is something to be made durable.
    pub(super) fn begin_commit(&mut self, at: usize) {
        let is_slow = self.trouble.is_slow(at);
        let Some(host) = self.hosts.get_mut(at) else { return };
        if host.disk.is_commit_due || host.running.is_none() || !host.disk.is_dirty() {
            return;
        }
        host.disk.is_commit_due = true;
        let begins = host.flush_from.max(self.now);
        host.flush_from = begins + self.scenario.disk.flush_interval;
        let sync = &self.scenario.disk.sync;
        let slow = Duration::ZERO..=SLOW_COMMIT_MAX;
        let wait = between(&mut self.chances.disk, if is_slow { &slow } else { sync });
        let life = host.life;
        self.schedule_at(begins + wait, Event::Commit(at, life));
    }

    pub(super) fn commit(&mut self, at: usize) -> Result<(), Broken> {
        let is_failing = self.trouble.is_full(at);
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        let committed = host.disk.commit(&mut self.stories, is_failing)?;
        let journal = host.disk.journal;
        for journal in committed.refused {
            self.reply(at, Input::Refused { journal });
        }
        if let Some(last) = committed.appended {
            if self.scenario.collects(HostIx(at)) {
                self.collected(journal, last);
            }
            self.reply(at, Input::Appended(last));
        }
        for (journal, cursor) in committed.taken {
            self.collected(journal, cursor);
            self.reply(at, Input::Taken { journal, cursor });
        }
        if is_failing {
            let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
            if host.disk.is_dirty() && !std::mem::replace(&mut host.disk.is_commit_due, true) {
                let life = host.life;
                self.schedule(COMMIT_AGAIN, Event::Commit(at, life));
            }
        }
        Ok(())
    }

    /// A journal is at a sink through here.
    fn collected(&mut self, journal: JournalId, through: Seq) {
        let Some(story) = self.stories.get_mut(&journal) else { return };
        let from = story.collected;
        story.collected = from.max(through.0);
        let count = usize::try_from(story.collected - from).unwrap_or(0);
        for row in story.rows_after(from).iter().take(count) {
            self.measures.collected(self.now, row.at);
        }
    }

    /// The sensors of a host say something.
    pub(super) fn sense(&mut self, at: usize) -> Result<(), Broken> {
        if !self.is_sensing {
            return Ok(());
        }
        self.schedule(self.scenario.sampling.interval, Event::Sense(at));
        if self.hosts.get(at).is_some_and(|host| host.running.is_some()) {
            self.sense_channels(at, self.now);
            if self.planted.is(Defect::StoreAppendsEarly) {
                self.append_early(at);
            }
            self.begin_commit(at);
        }
        Ok(())
    }

    /// The defect of a store that is hasty: what waits for the disk is said to be on it.
    fn append_early(&mut self, at: usize) {
        let Some(host) = self.hosts.get(at) else { return };
        let durable = self.stories.get(&host.disk.journal).map_or(0, |story| story.last());
        let last = Seq(durable + host.disk.waiting() as u64);
        self.reply(at, Input::Appended(last));
    }

    /// One reading of each channel.
    fn sense_channels(&mut self, at: usize, now: Instant) {
        let rng = &mut self.chances.sense;
        let Some(host) = self.hosts.get_mut(at) else { return };
        let stamp = host.clock.now(now);
        let err_every = self.scenario.sampling.err_every;
        for (channel, value) in (0..).zip(&mut host.values) {
            *value += rng.f64() - 0.5;
            let is_err = err_every > 0 && rng.u32(0..err_every) == 0;
            let value = if is_err { Err(ErrReason::Nack) } else { Ok(*value) };
            let (boot, mono, wall) = (host.boot, stamp.mono, stamp.wall);
            host.disk.append(Row { at: now, mono, wall, value, boot, channel });
            self.measures.sensed(now);
        }
    }

    /// A script's readings go into the journal of the node that it talks to.
    pub(super) fn append(&mut self, at: usize, pack: &Pack) -> Result<(), Broken> {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        let story = self.stories.entry(host.disk.journal).or_default();
        for reading in &pack.readings {
            let Some(channel) = pack.channel(reading) else { continue };
            let channel = story.channel(channel);
            let (boot, mono, wall, value) = (host.boot, reading.mono, reading.time, reading.value);
            host.disk.append(Row { at: now, mono, wall, value, boot, channel });
            self.measures.sensed(now);
        }
        self.begin_commit(at);
        Ok(())
    }

    pub(super) fn add_round(&mut self, at: usize, round: &RoundRecord) -> Result<(), Broken> {
        let (elapsed, now) = (self.elapsed(), self.now);
        self.measures.rounds += 1;
        self.observer.round(elapsed, HostIx(at), round);
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        host.round = Some((now, round.nodes, round.answered));
        host.disk.add_round(round.number)?;
        self.begin_commit(at);
        Ok(())
    }

    /// What a consumer is noted to have is on its disk, as long as it keeps its card.
    pub(super) fn note_consumer(&mut self, at: usize, name: NodeName, seq: Seq) -> Result<(), Broken> {
        let Some(journal) = self.hosts.get(at).map(|host| host.disk.journal) else { return Ok(()) };
        let named = self.hosts.iter().filter(|host| host.name == name);
        let durable = named.clone().map(|host| host.disk.cursor(journal)).max().unwrap_or(0);
        let is_new_card = named.clone().any(|host| host.flashes > 0);
        hold(Invariant::Acknowledged, seq.0 <= durable || is_new_card, || {
            format!("host {at} notes that {name} has it through {seq}, and {name} has {durable} on its disk")
        })?;
        if let Some(host) = self.hosts.get_mut(at) {
            host.disk.note_consumer(name, seq);
        }
        self.begin_commit(at);
        Ok(())
    }

    /// What a node says is true: nothing is acknowledged or given out that is not on its disk.
    pub(super) fn check_sent(&self, at: usize, body: &Body) -> Result<(), Broken> {
        let Some(host) = self.hosts.get(at) else { return Ok(()) };
        let acknowledged = |journal: JournalId, taken: Seq| {
            let durable = host.disk.cursor(journal);
            hold(Invariant::Acknowledged, taken.0 <= durable, || {
                let name = &host.name;
                format!(
                    "{name} acknowledges journal {journal} through {taken}, and has {durable} on its disk"
                )
            })
        };
        match body {
            Body::Poll(poll) => poll.journal.map_or(Ok(()), |journal| acknowledged(journal, poll.taken)),
            Body::Readings(readings) => {
                let last = self.stories.get(&host.disk.journal).map_or(0, |story| story.last());
                let said = readings.last.max(readings.through()).0;
                hold(Invariant::Genuine, said <= last, || {
                    format!("{} gives out readings through {said}, and has {last} on its disk", host.name)
                })
            }
            Body::Token(token) => {
                hold(Invariant::Bounded, token.bytes() <= TOKEN_MAX_BYTES, || {
                    format!("{} bytes in a token", token.bytes())
                })?;
                let mut journals: Vec<JournalId> =
                    token.members.iter().map(|member| member.who.id.journal).collect();
                journals.sort_unstable();
                let is_twice = journals.windows(2).any(|pair| pair.first() == pair.last());
                hold(Invariant::OneToken, !is_twice, || "a member is twice in a token".to_owned())?;
                if token.sink == Some(host.disk.journal) {
                    for cursor in token.cursors.iter() {
                        acknowledged(cursor.journal, cursor.taken)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A new card, with a backlog if the scenario begins with one.
    pub(super) fn new_journal(&mut self, at: usize, backlog: usize) -> Result<(), Broken> {
        let journal = JournalId(self.chances.sense.u64(1..));
        let scenario = self.scenario;
        let name = self.hosts.get(at).map(|host| host.name.clone());
        let Some((name, host)) = name.zip(self.hosts.get_mut(at)) else { return Ok(()) };
        self.homes.retain(|_, home| *home != at);
        self.homes.insert(journal, at);
        host.disk = disk::Disk::new(journal);
        let story = self.stories.entry(journal).or_default();
        for channel in 0..scenario.sampling.channels {
            let padding = "x".repeat(scenario.sampling.name_bytes);
            let channel = Channel {
                node: name.clone(),
                chip: format!("sim{padding}-{channel:02x}"),
                quantity: "temperature".to_owned(),
                unit: "Cel".to_owned(),
            };
            story.channels.push(Arc::new(channel));
        }
        host.values =
            (0..scenario.sampling.channels).map(|_| 20.0 + 10.0 * self.chances.sense.f64()).collect();
        for _ in 0..backlog.div_ceil(usize::from(scenario.sampling.channels)) {
            self.sense_channels(at, BEFORE);
        }
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        host.disk.commit(&mut self.stories, false)?;
        if scenario.collects(HostIx(at)) {
            let last = self.stories.get(&journal).map_or(0, |story| story.last());
            self.collected(journal, Seq(last));
        }
        Ok(())
    }
}

impl super::scenario::Scenario {
    /// Whether this host collects from others.
    pub fn collects(&self, host: HostIx) -> bool {
        host.0 < self.sinks + self.standbys
    }

    /// Whether readings of a host have to come to this sink.
    pub(super) fn is_collected_by(&self, sink: usize, source: usize) -> bool {
        match self.role {
            SimRole::Primary => self.collects(HostIx(sink)) && sink != source,
            SimRole::Ring => sink != source,
        }
    }
}
