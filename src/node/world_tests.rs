//! A small world: nodes on hosts with disks, joined by a network, in virtual time, with faults out of one seed.
//! Nothing in it is a node's own code: it is what an event loop, a store and a kernel do, as a model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use core::net::IpAddr;

use disk::{Disk, Held, Row, Stories};
use net::{Connection, End};

use crate::model::{
    Body, BootId, Channel, Instant, JournalId, Message, NodeName, Pack, Readings, Seq, WallTime,
};
use crate::node::{Asker, Input, Node, NodeConfig, Output, PollConfig, Role, StandbyPart};
use crate::proto::contract::Watched;
use crate::proto::{LinkId, PeerIx};
use crate::wire;

#[path = "world_disk_tests.rs"]
mod disk;
#[path = "world_faults_tests.rs"]
mod faults;
#[path = "world_net_tests.rs"]
mod net;
#[path = "world_standby_tests.rs"]
mod standby;

pub(super) use faults::Plan;

/// Events in one run: more is a world that does not come to rest.
const EVENTS_MAX: u64 = 2_000_000;

/// A standby collects when nobody before it did for so long.
const STANDBY_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum Event {
    /// Bytes may arrive at this end of this connection.
    Arrive(u64, usize),
    /// This end hears that its connection is gone.
    Closed(u64, usize),
    /// An attempt at a connection reaches its goal: host, life, peer, attempt, goal and the way there.
    Connect(usize, u32, PeerIx, u64, (usize, bool)),
    /// A command reaches the store thread of a host in this life of it.
    Command(usize, u32, Command),
    Commit(usize, u32),
    /// The store thread's answer reaches the node.
    Reply(usize, u32, Input),
    Sample(usize),
    Start(usize),
    Fault,
    EndOf(faults::Trouble),
}

#[derive(Debug)]
enum Command {
    Take(Readings),
    Read(LinkId, Seq, u32),
    /// What the role needs that the host is to have.
    Role,
}

/// A node that runs, and what its event loop would hold.
#[derive(Debug)]
struct Running {
    node: Watched<Node>,
    /// Its links: connection and which end of it.
    links: BTreeMap<LinkId, (u64, usize)>,
    /// Each peer's link, or the attempt at one.
    peers: BTreeMap<PeerIx, Result<LinkId, u64>>,
}

#[derive(Debug)]
struct Host {
    name: NodeName,
    /// Hosts that it polls, if it is a primary, and whether by their second address.
    peers: Option<Vec<(usize, bool)>>,
    /// Hosts before it in the order of sinks: it polls only while they are dead.
    before: std::ops::Range<usize>,
    disk: Disk,
    /// Commands and replies keep their order: the last of each arrives at these times.
    commands_until: Instant,
    replies_until: Instant,
    life: u32,
    booted_at: Instant,
    /// How often its card was changed.
    flashes: u32,
    running: Option<Running>,
}

pub(super) struct World {
    plan: Plan,
    rng: fastrand::Rng,
    now: Instant,
    events: BTreeMap<(Instant, u64), Event>,
    serial: u64,
    hosts: Vec<Host>,
    connections: BTreeMap<u64, Connection>,
    next_link: u64,
    next_value: u32,
    stories: Stories,
    blocked: BTreeSet<(usize, usize)>,
    slow_disks: BTreeSet<usize>,
    unreadable: BTreeSet<usize>,
    /// Mixes all that was sent: two runs of one seed must come to the same.
    pub(super) fingerprint: u64,
    is_traced: bool,
    is_faulty: bool,
    /// The first way to every host is cut for good.
    is_cut: bool,
}

macro_rules! trace {
    ($world:expr, $($arg:tt)*) => {
        if $world.is_traced {
            println!("{:>10.3} ms  {}", $world.now.as_micros() as f64 / 1e3, format!($($arg)*));
        }
    };
}
use trace;

/// A host's address; its second one if it is to be reached twice, as over a cable and by radio.
fn address(host: usize, is_second: bool) -> String {
    format!("10.{}.0.{host}:7000", u8::from(is_second))
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let plan = Plan::draw(&mut rng);
        let mut world = Self::of(plan, rng, seed);
        world.schedule(Duration::ZERO, Event::Fault);
        world
    }

    /// Without faults of its own.
    fn of(plan: Plan, rng: fastrand::Rng, seed: u64) -> Self {
        let mut world = Self {
            rng,
            now: Instant::ZERO,
            events: BTreeMap::new(),
            serial: 0,
            hosts: Vec::new(),
            connections: BTreeMap::new(),
            next_link: 1,
            next_value: 1,
            stories: Stories::new(),
            blocked: BTreeSet::new(),
            slow_disks: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            fingerprint: seed,
            is_traced: std::env::var_os("PISINK_SEED").is_some(),
            is_faulty: true,
            is_cut: false,
            plan,
        };
        trace!(world, "{:?}", world.plan);
        for at in 0..world.plan.hosts {
            world.add_host(at);
        }
        world
    }

    fn add_host(&mut self, at: usize) {
        let is_primary = at < self.plan.primaries;
        let name = match at {
            at if is_primary => format!("sink-{at}"),
            // Two nodes may bear one name: they are told apart by their journals.
            at if self.plan.has_twins && at > self.plan.primaries => "twin".to_owned(),
            at => format!("pi-{at}"),
        };
        let peers = is_primary.then(|| self.others(at));
        let journal = self.new_journal();
        let mut disk = Disk::new(journal);
        disk.append((0..self.plan.backlog).map(|_| self.new_row(BootId(1))).collect::<Vec<_>>());
        disk.commit(&mut self.stories);
        let name = NodeName::new(&name).unwrap();
        let (life, flashes, booted_at) = (0, 0, Instant::ZERO);
        let (commands_until, replies_until, running) = (Instant::ZERO, Instant::ZERO, None);
        self.hosts.push(Host {
            name,
            peers,
            before: if is_primary && self.plan.has_standbys { 0..at } else { 0..0 },
            disk,
            commands_until,
            replies_until,
            life,
            booted_at,
            flashes,
            running,
        });
        let start = self.millis(0, 500);
        self.schedule(start, Event::Start(at));
        self.schedule(start, Event::Sample(at));
    }

    /// Whom a primary polls, by which of their addresses.
    fn others(&self, at: usize) -> Vec<(usize, bool)> {
        let polled = (0..self.plan.hosts).filter(|&peer| peer != at || self.plan.polls_itself);
        let ways: &[bool] = if self.plan.has_two_ways { &[false, true] } else { &[false] };
        polled.flat_map(|peer| ways.iter().map(move |&way| (peer, way))).collect()
    }

    fn new_journal(&mut self) -> JournalId {
        JournalId(self.rng.u64(1..))
    }

    fn new_row(&mut self, boot: BootId) -> Row {
        self.next_value += 1;
        Row { value: self.next_value, boot }
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_micros(self.rng.u64(least * 1_000..=most * 1_000))
    }

    fn schedule(&mut self, wait: Duration, event: Event) {
        self.schedule_at(self.now + wait, event);
    }

    fn schedule_at(&mut self, at: Instant, event: Event) {
        self.serial += 1;
        self.events.insert((at.max(self.now), self.serial), event);
    }

    /// Runs until `until`, or until `is_done`.
    fn run(&mut self, until: Instant, is_done: impl Fn(&World) -> bool) {
        while self.serial < EVENTS_MAX {
            let due_at = |(at, host): (usize, &Host)| {
                let (due, _) = host.running.as_ref()?.node.machine().poll_timeout()?;
                Some((host.booted_at + Duration::from_micros(u64::try_from(due.as_micros()).ok()?), at))
            };
            let timer = self.hosts.iter().enumerate().filter_map(due_at).min();
            let event = self.events.first_key_value().map(|(key, _)| key.0);
            match (timer, event) {
                (Some((due, host)), event) if event.is_none_or(|event| due < event) => {
                    if due > until {
                        break;
                    }
                    self.now = self.now.max(due);
                    self.timeout(host);
                }
                (_, Some(at)) if at <= until => {
                    self.now = at;
                    let (_, event) = self.events.pop_first().expect("there is one");
                    self.happen(event);
                }
                _ => break,
            }
            if is_done(self) {
                return;
            }
        }
        assert!(self.serial < EVENTS_MAX, "the world does not come to rest");
        self.now = until;
    }

    /// Faults for a while, then none; by the bound, every reading that is still at its source is at every sink.
    pub(super) fn run_to_the_end(&mut self) {
        self.run(Instant::ZERO + self.plan.faults_for, |_| false);
        self.heal();
        trace!(self, "no more faults");
        let count = self.stories.values().map(|story| story.last()).max().unwrap_or(0);
        let bound = self.plan.bound(count);
        let latest = self.now + bound;
        while self.now < latest && self.missing().is_some() {
            self.run(self.now + Duration::from_millis(500), |_| false);
        }
        if let Some(missing) = self.missing() {
            panic!("{missing} {bound:?} after the last fault: {:?}", self.plan);
        }
    }

    /// A reading that is not yet everywhere where it belongs.
    fn missing(&self) -> Option<String> {
        // A standby has what it took in its turns; the one before it has everything.
        for sink in self.hosts.iter().filter(|host| host.before.is_empty()) {
            for &(at, _) in sink.peers.iter().flatten() {
                let source = &self.hosts[at];
                if source.disk.journal == sink.disk.journal {
                    continue;
                }
                let story = &self.stories[&source.disk.journal];
                let held = sink.disk.taken.get(&source.disk.journal);
                let has = |place: &u64| held.is_some_and(|held: &Held| held.rows.contains_key(place));
                if let Some(place) = (story.dropped_through + 1..=story.last()).find(|place| !has(place)) {
                    return Some(format!("reading {place} of {} is not at {}", source.name, sink.name));
                }
            }
        }
        None
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(connection, end) => self.arrive(connection, end),
            Event::Closed(connection, end) => self.closed(connection, end),
            Event::Connect(host, life, peer, attempt, goal) => {
                if self.is_alive(host, life) {
                    self.connect(host, peer, attempt, goal);
                }
            }
            Event::Commit(host, life) if self.is_alive(host, life) => self.commit(host),
            Event::Reply(host, life, input) if self.is_alive(host, life) => self.feed(host, input),
            Event::Command(host, life, command) if self.is_alive(host, life) => match command {
                Command::Take(readings) => self.take(host, &readings),
                Command::Read(link, after, max) => {
                    let piece = self.read(host, after, max);
                    self.reply(host, Input::Piece { asker: Asker::Link(link), piece });
                }
                Command::Role => {
                    // Everything that was given to the disk before is settled first.
                    self.commit(host);
                    let role = self.role(host);
                    self.reply(host, Input::Become(Box::new(role)));
                }
            },
            Event::Commit(..) | Event::Reply(..) | Event::Command(..) => {}
            Event::Sample(host) => self.sample(host),
            Event::Start(host) => self.start(host),
            Event::Fault => self.fault(),
            Event::EndOf(trouble) => self.end_trouble(trouble),
        }
    }

    fn is_alive(&self, host: usize, life: u32) -> bool {
        self.hosts[host].running.is_some() && self.hosts[host].life == life
    }

    /// A node begins with what its card holds.
    fn start(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        if host.running.is_some() {
            return;
        }
        host.life += 1;
        host.booted_at = self.now;
        let role = self.role(at);
        let (host, disk) = (&self.hosts[at], &self.hosts[at].disk);
        let config = NodeConfig {
            name: host.name.clone(),
            journal: disk.journal,
            boot: boot(at, host.life),
            synced: None,
            last: Seq(self.stories.get(&disk.journal).map_or(0, |story| story.last())),
            consumers: disk.consumers.clone(),
            role,
        };
        trace!(self, "{} starts with journal {} through {}", config.name, config.journal, config.last);
        let now = crate::proto::contract::at(Instant::ZERO);
        let node = Watched::new(Node::new(config, now), now.mono);
        let running = Running { node, links: BTreeMap::new(), peers: BTreeMap::new() };
        self.hosts[at].running = Some(running);
    }

    /// The role that a host is to have, made of what its disk holds.
    fn role(&self, at: usize) -> Role {
        let (host, disk) = (&self.hosts[at], &self.hosts[at].disk);
        let Some(peers) = &host.peers else { return Role::Secondary };
        let known = |address: String| (address.clone(), disk.peers.get(&address).cloned());
        let poll = PollConfig {
            peers: peers.iter().map(|&(peer, way)| known(address(peer, way))).collect(),
            cursors: disk.taken.iter().map(|(journal, held)| (*journal, Seq(held.cursor))).collect(),
            poll_interval: self.plan.poll_interval,
            deadline: self.plan.deadline,
            order: self.plan.order,
            last_round: disk.round,
            seed: u64::from(host.life),
        };
        if host.before.is_empty() {
            return Role::Primary(poll);
        }
        let before = host.before.clone().map(|sink| known(address(sink, false))).collect();
        Role::Standby(StandbyPart { poll, before, standby_after: STANDBY_AFTER })
    }

    fn timeout(&mut self, at: usize) {
        self.drive(at, Watched::timeout);
    }

    fn feed(&mut self, at: usize, input: Input) {
        trace!(self, "{} <- {}", self.hosts[at].name, short(&input));
        self.drive(at, |node| node.input(|machine, now| machine.handle_input(now, input)));
    }

    fn drive(&mut self, at: usize, drive: impl FnOnce(&mut Watched<Node>) -> Vec<Output>) {
        let since = self.now.saturating_since(self.hosts[at].booted_at);
        let Some(running) = &mut self.hosts[at].running else { return };
        running.node.advance(Instant::ZERO + since);
        for output in drive(&mut running.node) {
            self.carry_out(at, output);
        }
    }

    fn carry_out(&mut self, at: usize, output: Output) {
        if !matches!(output, Output::Report(_)) {
            trace!(self, "{} -> {}", self.hosts[at].name, short(&output));
        }
        let life = self.hosts[at].life;
        let disk = &mut self.hosts[at].disk;
        match output {
            Output::Connect { peer, address } => self.start_connecting(at, peer, &address),
            Output::Disconnect(peer) => {
                let running = self.hosts[at].running.as_mut().expect("it speaks");
                if let Some(Ok(link)) = running.peers.remove(&peer) {
                    self.hang_up(at, link);
                }
            }
            Output::Close(link, _) => self.hang_up(at, link),
            Output::Send(link, message) | Output::SendStatus(link, message) => {
                self.check_poll(at, &message);
                self.send(at, link, &message);
            }
            Output::Read { asker: Asker::Link(link), after, max } => {
                self.command(at, Command::Read(link, after, max));
            }
            Output::Take(readings) => self.command(at, Command::Take(readings)),
            Output::Append(pack) => {
                let boot = boot(at, life);
                let rows = pack.readings.iter().map(|_| self.new_row(boot)).collect::<Vec<_>>();
                self.hosts[at].disk.append(rows);
                self.begin_commit(at);
            }
            Output::AddRound(round) => {
                disk.add_round(round.number);
                self.begin_commit(at);
            }
            Output::NoteConsumer(name, seq) => {
                self.check_note(at, &name, seq);
                self.hosts[at].disk.note_consumer(name, seq);
                self.begin_commit(at);
            }
            Output::NotePeer(address, node) => {
                disk.note_peer(address, node);
                self.begin_commit(at);
            }
            Output::NoteMark(_) | Output::NoteLink { .. } => {}
            Output::Read { asker: Asker::Ring, .. } => unreachable!("no ring here"),
            Output::ChangeRole { .. } => unreachable!("nobody asks for it"),
            Output::Report(report) => trace!(self, "{}: {report}", self.hosts[at].name),
        }
    }

    /// Nothing is acknowledged that is not durable.
    fn check_poll(&self, at: usize, message: &Message) {
        let Body::Poll(poll) = &message.body else { return };
        let Some(journal) = poll.journal else { return };
        let durable = self.hosts[at].disk.cursor(journal);
        assert!(
            poll.taken.0 <= durable,
            "{} acknowledges {}, and has {durable}",
            self.hosts[at].name,
            poll.taken
        );
    }

    /// What a consumer is noted to have is on its disk, as long as it keeps its card.
    fn check_note(&self, at: usize, name: &NodeName, seq: Seq) {
        let journal = self.hosts[at].disk.journal;
        let consumer = self.hosts.iter().find(|host| host.name == *name).expect("a known consumer");
        let durable = consumer.disk.cursor(journal);
        assert!(seq.0 <= durable || consumer.flashes > 0, "{name} is noted to have {seq}, and has {durable}");
    }

    fn command(&mut self, at: usize, command: Command) {
        let is_refused = self.hosts[at].disk.is_failing && self.rng.u8(0..4) == 0;
        if let (true, Command::Take(readings)) = (is_refused, &command) {
            // The queue is full: the event loop says so, before the store has come to what is queued.
            let refused = Input::Refused { journal: readings.journal };
            return self.schedule(Duration::ZERO, Event::Reply(at, self.hosts[at].life, refused));
        }
        let wait = self.millis(0, self.plan.store_ms_max);
        let host = &mut self.hosts[at];
        host.commands_until = host.commands_until.max(self.now + wait);
        let (arrival, life) = (host.commands_until, host.life);
        self.schedule_at(arrival, Event::Command(at, life, command));
    }

    fn reply(&mut self, at: usize, input: Input) {
        let wait = self.millis(0, self.plan.store_ms_max);
        let host = &mut self.hosts[at];
        host.replies_until = host.replies_until.max(self.now + wait);
        let (arrival, life) = (host.replies_until, host.life);
        self.schedule_at(arrival, Event::Reply(at, life, input));
    }

    fn take(&mut self, at: usize, readings: &Readings) {
        if self.hosts[at].disk.take(readings, &self.stories) {
            self.begin_commit(at);
        } else {
            self.reply(at, Input::Refused { journal: readings.journal });
        }
    }

    fn begin_commit(&mut self, at: usize) {
        if !self.hosts[at].disk.is_commit_due {
            self.hosts[at].disk.is_commit_due = true;
            let longest = if self.slow_disks.contains(&at) { 4_000 } else { self.plan.commit_ms_max };
            let wait = self.millis(0, longest);
            self.schedule(wait, Event::Commit(at, self.hosts[at].life));
        }
    }

    fn commit(&mut self, at: usize) {
        let committed = self.hosts[at].disk.commit(&mut self.stories);
        for journal in committed.refused {
            self.reply(at, Input::Refused { journal });
        }
        if let Some(last) = committed.appended {
            self.reply(at, Input::Appended(last));
        }
        for (journal, cursor) in committed.taken {
            self.reply(at, Input::Taken { journal, cursor });
        }
    }

    /// A piece of the own journal: consecutive, of one boot, and no longer than the disk likes.
    fn read(&mut self, at: usize, after: Seq, max: u32) -> Result<Readings, String> {
        if self.unreadable.contains(&at) {
            return Err("the disk is busy".to_owned());
        }
        let story = &self.stories[&self.hosts[at].disk.journal];
        let first = after.0.max(story.dropped_through);
        let rows = &story.rows[usize::try_from(first).unwrap()..];
        let boot = rows.first().map_or(BootId(1), |row| row.boot);
        let most = usize::try_from(max.min(self.plan.piece_max)).unwrap();
        let channel = Channel {
            node: self.hosts[at].name.clone(),
            chip: "sim".to_owned(),
            quantity: "count".to_owned(),
            unit: String::new(),
        };
        let channel = std::sync::Arc::new(channel);
        let mut pack = Pack::default();
        for row in rows.iter().take(most).take_while(|row| row.boot == boot) {
            pack.push(&channel, WallTime::default(), Instant::ZERO, Ok(f64::from(row.value)));
        }
        Ok(Readings {
            re: String::new(),
            node: self.hosts[at].name.clone(),
            journal: self.hosts[at].disk.journal,
            boot,
            after,
            first: Seq(first + 1),
            last: after,
            clock: None,
            mark: None,
            pack,
        })
    }

    fn sample(&mut self, at: usize) {
        if !self.is_faulty {
            return;
        }
        if self.hosts[at].running.is_some() {
            let boot = boot(at, self.hosts[at].life);
            let count = if self.rng.u8(0..20) == 0 { 40 } else { self.rng.usize(1..4) };
            let rows = (0..count).map(|_| self.new_row(boot)).collect::<Vec<_>>();
            self.hosts[at].disk.append(rows);
            self.begin_commit(at);
        }
        let wait = self.millis(50, 500);
        self.schedule(wait, Event::Sample(at));
    }

    fn start_connecting(&mut self, at: usize, peer: PeerIx, goal: &str) {
        let ways = (0..self.hosts.len()).flat_map(|host| [(host, false), (host, true)]);
        let goal = ways
            .into_iter()
            .find(|&(host, way)| address(host, way) == goal)
            .expect("an address of this world");
        let attempt = self.serial;
        let running = self.hosts[at].running.as_mut().expect("it speaks");
        let before = running.peers.insert(peer, Err(attempt));
        assert_eq!(before, None, "one link a peer: the old one was to be dropped first");
        let wait = self.millis(0, self.plan.delay_ms_max);
        self.schedule(wait, Event::Connect(at, self.hosts[at].life, peer, attempt, goal));
    }

    fn connect(&mut self, at: usize, peer: PeerIx, attempt: u64, (goal, way): (usize, bool)) {
        let is_reachable = (way || !self.is_cut) && !self.is_blocked(at, goal);
        let running = self.hosts[at].running.as_mut().expect("it is alive");
        if running.peers.get(&peer) != Some(&Err(attempt)) {
            return;
        }
        if !is_reachable || self.hosts[goal].running.is_none() {
            // A refusal, or nothing at all.
            if self.rng.bool() {
                self.hosts[at].running.as_mut().expect("it is alive").peers.remove(&peer);
                self.feed(at, Input::LinkFailed { peer, why: "refused".to_owned() });
            }
            return;
        }
        let (near, far) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        self.next_link += 2;
        self.open([End::new(Some(at), near), End::new(Some(goal), far)], way);
        self.hosts[at].running.as_mut().expect("it is alive").peers.insert(peer, Ok(near));
        self.feed(goal, Input::LinkUp { link: far, peer: None, remote: ip(at) });
        self.feed(at, Input::LinkUp { link: near, peer: Some(peer), remote: ip(goal) });
    }

    fn open(&mut self, ends: [End; 2], is_second_way: bool) -> u64 {
        self.serial += 1;
        let id = self.serial;
        for (side, end) in ends.iter().enumerate() {
            if let Some(running) = end.host.and_then(|host| self.hosts[host].running.as_mut()) {
                running.links.insert(end.link, (id, side));
            }
        }
        let micros_per_byte = self.plan.micros_per_byte;
        self.connections.insert(id, Connection { ends, has_vanished: false, is_second_way, micros_per_byte });
        id
    }

    fn is_blocked(&self, one: usize, other: usize) -> bool {
        self.blocked.contains(&(one.min(other), one.max(other)))
    }

    fn send(&mut self, at: usize, link: LinkId, message: &Message) {
        let running = self.hosts[at].running.as_ref().expect("it speaks");
        let Some(&(id, side)) = running.links.get(&link) else { return };
        let mut bytes = Vec::new();
        wire::encode(message, WallTime::default(), &mut bytes);
        for byte in &bytes {
            self.fingerprint = (self.fingerprint ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        self.transmit(id, 1 - side, &bytes);
    }

    /// Bytes are on their way to an end, in up to four pieces.
    fn transmit(&mut self, id: u64, to: usize, bytes: &[u8]) {
        let mut cuts: Vec<usize> =
            (0..self.rng.usize(0..4)).map(|_| self.rng.usize(0..=bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        for cut in cuts.windows(2) {
            let wait = self.millis(0, self.plan.delay_ms_max);
            let connection = self.connections.get_mut(&id).expect("it is open");
            if connection.has_vanished {
                return;
            }
            if !connection.ends[to].is_up {
                // The other end is gone, and its machine says so; unless that is off.
                self.schedule(wait, Event::Closed(id, 1 - to));
                return;
            }
            let length = u32::try_from(cut[1] - cut[0]).unwrap();
            let time = Duration::from_micros(u64::from(length * connection.micros_per_byte));
            let end = &mut connection.ends[to];
            let begins = end.busy_until().max(self.now + wait);
            let at = end.queue(begins + time, bytes[cut[0]..cut[1]].to_vec());
            self.schedule_at(at, Event::Arrive(id, to));
        }
    }

    fn arrive(&mut self, id: u64, side: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let end = &mut connection.ends[side];
        if connection.has_vanished || !end.is_up {
            return;
        }
        let bytes = match end.arrive(self.now) {
            Ok(bytes) => bytes,
            Err(Some(later)) => return self.schedule_at(later, Event::Arrive(id, side)),
            Err(None) => return,
        };
        let Some(host) = end.host else { return };
        let link = end.link;
        let mut decoder = std::mem::take(&mut end.decoder);
        let mut input = bytes.as_slice();
        while let Some(message) = decoder.next(&mut input) {
            let input = match message {
                Ok(message) => Input::Message { link, message },
                Err(error) => Input::Offence { link, error },
            };
            self.feed(host, input);
            if !self.connections.get(&id).is_some_and(|connection| connection.ends[side].is_up) {
                return;
            }
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.ends[side].decoder = decoder;
        }
    }

    /// An end hears that its connection is gone.
    fn closed(&mut self, id: u64, side: usize) {
        let Some(end) = self.connections.get_mut(&id).map(|connection| &mut connection.ends[side]) else {
            return;
        };
        if !end.is_up {
            return;
        }
        end.is_up = false;
        let (host, link) = (end.host, end.link);
        self.forget_if_over(id);
        let Some(host) = host else { return };
        let Some(running) = &mut self.hosts[host].running else { return };
        running.links.remove(&link);
        running.peers.retain(|_, known| *known != Ok(link));
        self.feed(host, Input::LinkDown { link, why: "closed".to_owned() });
    }

    /// A node drops its link: it hears nothing more of it, the other end does.
    fn hang_up(&mut self, at: usize, link: LinkId) {
        let running = self.hosts[at].running.as_mut().expect("it speaks");
        running.peers.retain(|_, known| *known != Ok(link));
        let Some((id, side)) = running.links.remove(&link) else { return };
        self.go_away(id, side);
    }

    /// One end is no more. What it had sent still arrives.
    fn go_away(&mut self, id: u64, side: usize) {
        let wait = self.millis(0, self.plan.delay_ms_max);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.ends[side].is_up = false;
        if !connection.has_vanished {
            let told_at = connection.ends[1 - side].busy_until().max(self.now) + wait;
            self.schedule_at(told_at, Event::Closed(id, 1 - side));
        }
        self.forget_if_over(id);
    }

    fn forget_if_over(&mut self, id: u64) {
        if self.connections.get(&id).is_some_and(|connection| connection.ends.iter().all(|end| !end.is_up)) {
            self.connections.remove(&id);
        }
    }
}

/// A host's boots are told apart.
fn boot(host: usize, life: u32) -> BootId {
    BootId(host as u128 * 1_000_000 + u128::from(life) + 1)
}

fn ip(host: usize) -> IpAddr {
    IpAddr::from([10, 0, 0, u8::try_from(host).unwrap()])
}

/// A line of a trace: readings by their number only.
fn short(thing: &impl std::fmt::Debug) -> String {
    let text = format!("{thing:?}");
    match text.split_once("readings: [") {
        Some((head, tail)) => format!("{head}{} readings", tail.matches("Reading {").count()),
        None => text,
    }
}
