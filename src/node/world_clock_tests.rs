//! A world for clocks: nodes with real stores and wrong clocks, polled by a sink whose own may be wrong too, over ways
//! that are slow, uneven, or cut for hours. What is true is known here, and compared with how the sink's store dates.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use core::net::IpAddr;
use tempfile::TempDir;

use super::{Asker, Input, Node, NodeConfig, Output, PollConfig, Role, for_seeds, name};
use crate::model::{
    BootId, Channel, ClockMark, Instant, JournalId, Message, NodeName, Pack, TimeSource, WallTime,
};
use crate::proto::{Far, LinkId, PeerIx, PollOrder};
use crate::store::{Check, OpenParams, Store};
use crate::wire::{LineDecoder, encode};

#[path = "world_clock_check_tests.rs"]
mod check;
#[path = "world_clock_machine_tests.rs"]
mod machine;
#[path = "world_clock_ring_tests.rs"]
mod ring;

use check::Fact;
use machine::{Clocks, Keeper, SECOND};

/// When the world begins: 2026-01-01T00:00:00Z.
const TRUE_START_US: i64 = 1_767_225_600 * SECOND;
const SINK: usize = 0;
/// Events of one world: more is one that does not come to rest.
const EVENTS_MAX: u64 = 1_000_000;

/// What a reading was in truth; its value is its number.
#[derive(Clone, Copy, Debug)]
struct Truth {
    host: usize,
    boot: BootId,
    mono: Instant,
    at: i64,
}

#[derive(Debug)]
enum Event {
    Start(usize),
    Stop(usize),
    Sample(usize),
    /// Something happens to a wall clock.
    Stir(usize),
    /// The event loop's look at what synchronises the clock, in this life of the host.
    Look(usize, u32),
    Commit(usize, u32),
    /// An attempt of this life of the sink at this peer comes to its end.
    Connect(PeerIx, u32),
    /// A line arrives over a connection, at the sink or at the node.
    Arrive(u64, bool, Vec<u8>),
    Cut(usize),
    Mend(usize),
}

struct Running {
    node: Node,
    store: Store,
    is_commit_due: bool,
}

struct Host {
    name: NodeName,
    dir: TempDir,
    journal: JournalId,
    clocks: Clocks,
    life: u32,
    running: Option<Running>,
    is_cut: bool,
    /// How long a line is on its way to the sink and from it, at least.
    ways_us: (i64, i64),
    /// What its node has told its store: durably, and since the last commit.
    facts: Vec<Fact>,
    new_facts: Vec<Fact>,
}

/// A connection of the sink with a node: one number for both of its links.
struct Connection {
    host: usize,
    /// Nothing overtakes: to the sink, to the node.
    busy_until: [i64; 2],
}

struct World {
    rng: fastrand::Rng,
    at: i64,
    ends_at: i64,
    serial: u64,
    events: BTreeMap<(i64, u64), Event>,
    hosts: Vec<Host>,
    connections: BTreeMap<u64, Connection>,
    truths: Vec<Truth>,
    poll_interval: Duration,
    sink_reboots: bool,
}

/// A folder in memory, where there is such a place: a world commits a thousand times.
fn dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let sink = [Keeper::Ntp, Keeper::Ntp, Keeper::Steady, Keeper::Hand, Keeper::Madness, Keeper::Nobody];
        let node = [Keeper::Ntp, Keeper::Hand, Keeper::Madness, Keeper::Madness, Keeper::Nobody];
        let count = 1 + rng.usize(1..4);
        let hours = rng.i64(1..8);
        let sink_keeper = sink[rng.usize(0..sink.len())];
        let mut world = Self {
            at: TRUE_START_US,
            ends_at: TRUE_START_US + hours * 3_600 * SECOND,
            serial: 0,
            events: BTreeMap::new(),
            hosts: Vec::new(),
            connections: BTreeMap::new(),
            truths: Vec::new(),
            poll_interval: Duration::from_secs(rng.u64(5..100)),
            // Two boots of a sink that nothing synchronises agree on nothing.
            sink_reboots: matches!(sink_keeper, Keeper::Ntp | Keeper::Steady) && rng.bool(),
            rng,
        };
        for at in 0..count {
            let keeper = if at == SINK { sink_keeper } else { node[world.rng.usize(0..node.len())] };
            world.add_host(at, keeper);
        }
        world
    }

    fn add_host(&mut self, at: usize, keeper: Keeper) {
        let name = name(&if at == SINK { "sink".to_owned() } else { format!("pi-{at}") });
        let clocks = Clocks::new(u32::try_from(at).unwrap() + 1, keeper, &mut self.rng);
        let slow = [1, 20, 400][self.rng.usize(0..3)] * 1_000;
        let ways_us = (self.rng.i64(50..100 + slow), self.rng.i64(50..100 + slow));
        let journal = JournalId(self.rng.u64(1..));
        self.hosts.push(Host {
            name,
            dir: dir(),
            journal,
            clocks,
            life: 0,
            running: None,
            is_cut: false,
            ways_us,
            facts: Vec::new(),
            new_facts: Vec::new(),
        });
        // A node may have sampled for an hour before there is a sink.
        let late = if self.rng.bool() { 5 * SECOND } else { 3_600 * SECOND };
        let start = self.rng.i64(0..late);
        self.schedule(start, Event::Start(at));
        self.schedule(start, Event::Sample(at));
        let (stop, stir, cut) = (self.hours(), self.hours() / 4, self.hours());
        self.schedule(start + stop, Event::Stop(at));
        self.schedule(start + stir, Event::Stir(at));
        self.schedule(start + cut, Event::Cut(at));
    }

    /// Some time, from a minute to hours.
    fn hours(&mut self) -> i64 {
        self.rng.i64(60..3 * 3_600) * SECOND
    }

    fn schedule(&mut self, wait_us: i64, event: Event) {
        self.serial += 1;
        self.events.insert((self.at + wait_us, self.serial), event);
    }

    fn run(&mut self) {
        while self.serial < EVENTS_MAX {
            let due = |(at, host): (usize, &Host)| {
                let due = host.running.as_ref()?.node.poll_timeout()?.0;
                Some((host.clocks.true_us(due).max(self.at), at))
            };
            let timer = self.hosts.iter().enumerate().filter_map(due).min();
            let event = self.events.first_key_value().map(|(key, _)| key.0);
            let next = [timer.map(|(at, _)| at), event].into_iter().flatten().min().expect("samples go on");
            if next > self.ends_at {
                return;
            }
            self.at = next;
            match timer {
                Some((at, host)) if event.is_none_or(|event| at < event) => {
                    self.drive(host, |node, now| node.handle_timeout(now));
                }
                _ => {
                    let (_, event) = self.events.pop_first().expect("there is one");
                    self.happen(event);
                }
            }
        }
        panic!("the world does not come to rest");
    }

    /// Everything runs and reaches everything, until all that is on the cards is at the sink.
    fn come_to_the_end(&mut self) {
        self.events.retain(|_, event| {
            !matches!(event, Event::Stop(_) | Event::Cut(_) | Event::Sample(_) | Event::Stir(_))
        });
        self.schedule(0, Event::Sample(SINK));
        for at in 0..self.hosts.len() {
            self.hosts[at].is_cut = false;
            if self.hosts[at].running.is_none() {
                self.schedule(0, Event::Start(at));
            }
        }
        self.ends_at = self.at + 1_200 * SECOND;
        self.run();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(at) => self.start(at),
            Event::Stop(at) => self.stop(at),
            Event::Sample(at) => self.sample(at),
            Event::Stir(at) => {
                self.hosts[at].clocks.stir(self.at, &mut self.rng);
                let wait = self.hours() / 4;
                self.schedule(wait, Event::Stir(at));
            }
            Event::Look(at, life) if self.is_alive(at, life) => {
                let synced = self.hosts[at].clocks.synced;
                self.tell(at, Input::ClockSynced(synced));
                self.schedule(16 * SECOND, Event::Look(at, life));
            }
            Event::Commit(at, life) if self.is_alive(at, life) => self.commit(at),
            Event::Look(..) | Event::Commit(..) => {}
            Event::Connect(peer, life) => self.connect(peer, life),
            Event::Arrive(id, is_to_sink, line) => self.arrive(id, is_to_sink, &line),
            Event::Cut(at) => {
                self.hosts[at].is_cut = true;
                let wait = self.hours();
                self.schedule(wait, Event::Mend(at));
            }
            Event::Mend(at) => {
                self.hosts[at].is_cut = false;
                let wait = self.hours();
                self.schedule(wait, Event::Cut(at));
            }
        }
    }

    fn is_alive(&self, at: usize, life: u32) -> bool {
        self.hosts[at].running.is_some() && self.hosts[at].life == life
    }

    fn start(&mut self, at: usize) {
        if self.hosts[at].running.is_some() {
            return;
        }
        let peers = (1..self.hosts.len()).map(|peer| (format!("10.0.0.{peer}:7000"), None)).collect();
        let host = &mut self.hosts[at];
        host.life += 1;
        host.clocks.boot(self.at, &mut self.rng);
        let now = host.clocks.now(self.at);
        let (boot, journal) = (host.clocks.boot_id(), host.journal);
        let params = OpenParams {
            node: host.name.clone(),
            new_journal: journal,
            boot,
            now: now.wall,
            check: Check::Auto,
        };
        let (store, _) = Store::open(host.dir.path(), &params).unwrap();
        let role = if at == SINK {
            let cursors = store.sources().unwrap().into_iter().map(|source| (source.journal, source.cursor));
            Role::Primary(PollConfig {
                peers,
                cursors: cursors.collect(),
                poll_interval: self.poll_interval,
                deadline: self.poll_interval / 2,
                order: PollOrder::AtOnce,
                last_round: store.last_round(),
                seed: 7,
            })
        } else {
            Role::Secondary
        };
        let (last, consumers, synced) = (store.own().last, BTreeMap::new(), host.clocks.synced);
        let config = NodeConfig { name: host.name.clone(), journal, boot, synced, last, consumers, role };
        let node = Node::new(config, now);
        host.running = Some(Running { node, store, is_commit_due: false });
        let life = host.life;
        self.drain(at);
        self.schedule(16 * SECOND, Event::Look(at, life));
    }

    /// It is shut down, or loses its power and what was not committed.
    fn stop(&mut self, at: usize) {
        let wait = self.hours();
        self.schedule(wait, Event::Stop(at));
        if at == SINK && !self.sink_reboots {
            return;
        }
        let is_clean = self.rng.bool();
        let host = &mut self.hosts[at];
        let Some(running) = host.running.take() else { return };
        let facts = std::mem::take(&mut host.new_facts);
        if is_clean {
            running.store.close().unwrap();
            host.facts.extend(facts);
        }
        let gone: Vec<u64> =
            self.connections.iter().filter(|(_, c)| at == SINK || c.host == at).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.hang_up(id));
        let wait = self.hours() / 8;
        self.schedule(wait, Event::Start(at));
    }

    fn sample(&mut self, at: usize) {
        let wait = self.rng.i64(20..90) * SECOND;
        self.schedule(wait, Event::Sample(at));
        let host = &mut self.hosts[at];
        let Some(running) = &mut host.running else { return };
        let (now, boot) = (host.clocks.now(self.at), host.clocks.boot_id());
        let channel = Arc::new(Channel {
            node: host.name.clone(),
            chip: "sim".to_owned(),
            quantity: "number".to_owned(),
            unit: String::new(),
        });
        let mut pack = Pack::default();
        for _ in 0..2 {
            pack.push(&channel, now.wall, now.mono, Ok(self.truths.len() as f64));
            self.truths.push(Truth { host: at, boot, mono: now.mono, at: self.at });
        }
        running.store.append(&pack).unwrap();
        self.commit_soon(at);
    }

    fn commit_soon(&mut self, at: usize) {
        let life = self.hosts[at].life;
        let Some(running) = &mut self.hosts[at].running else { return };
        if !std::mem::replace(&mut running.is_commit_due, true) {
            let wait = self.rng.i64(0..60 * SECOND);
            self.schedule(wait, Event::Commit(at, life));
        }
    }

    fn commit(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        let Some(running) = &mut host.running else { return };
        running.is_commit_due = false;
        let committed = running.store.commit().unwrap();
        host.facts.append(&mut host.new_facts);
        self.tell(at, Input::Appended(committed.own));
        for cursor in committed.cursors {
            self.tell(at, Input::Taken { journal: cursor.journal, cursor: cursor.seq });
        }
    }

    fn tell(&mut self, at: usize, input: Input) {
        self.drive(at, |node, now| node.handle_input(now, input));
    }

    fn drive(&mut self, at: usize, drive: impl FnOnce(&mut Node, crate::model::Now)) {
        let host = &mut self.hosts[at];
        let Some(running) = &mut host.running else { return };
        drive(&mut running.node, host.clocks.now(self.at));
        self.drain(at);
    }

    fn drain(&mut self, at: usize) {
        while let Some(running) = &mut self.hosts[at].running
            && let Some(output) = running.node.poll_output()
        {
            self.carry_out(at, output);
        }
    }

    fn carry_out(&mut self, at: usize, output: Output) {
        let host = &mut self.hosts[at];
        let (boot, now) = (host.clocks.boot_id(), host.clocks.now(self.at));
        let store = &mut host.running.as_mut().expect("it speaks").store;
        match output {
            Output::Connect { far: Far::Duty(peer), .. } => {
                let (wait, life) = (self.rng.i64(1_000..SECOND), host.life);
                return self.schedule(wait, Event::Connect(peer, life));
            }
            Output::Disconnect(Far::Duty(peer)) => {
                let host = peer.0 + 1;
                let open = self.connections.iter().find(|(_, connection)| connection.host == host);
                if let Some(id) = open.map(|(id, _)| *id) {
                    self.hang_up(id);
                }
                return;
            }
            Output::Close(link, why) => panic!("{link:?} is closed: {why}"),
            Output::Send(link, message) | Output::SendStatus(link, message) => {
                return self.send(at, link, &message);
            }
            Output::Read { asker: Asker::Link(link), after, max } => {
                let piece = store.read_own(after, max).map_err(|error| error.to_string());
                return self.tell(at, Input::Piece { asker: Asker::Link(link), piece });
            }
            Output::Take(readings) => assert!(!store.take(&readings, now.wall).unwrap().early),
            Output::AddRound(round) => store.add_round(&round).unwrap(),
            Output::NoteConsumer(name, seq) => store.note_consumer(name.as_str(), seq, now.wall).unwrap(),
            Output::NotePeer(address, node) => store.note_peer(&address, &node).unwrap(),
            Output::NoteMark(mark) => {
                store.note_mark(&mark).unwrap();
                host.new_facts.push(Fact::Mark(boot, mark));
            }
            Output::NoteLink { node, journal, link } => {
                store.note_link(&node, journal, &link).unwrap();
                host.new_facts.push(Fact::Link(boot, journal, link));
            }
            Output::Connect { .. }
            | Output::Disconnect(_)
            | Output::Append(_)
            | Output::Report(_)
            | Output::ChangeRole { .. }
            | Output::Beacon(_)
            | Output::ReadLatest { .. }
            | Output::StationOrder(..)
            | Output::Read { asker: Asker::Ring | Asker::Lab(_) | Asker::Zre(_) | Asker::Station, .. } => {
                return;
            }
        }
        self.commit_soon(at);
    }

    fn connect(&mut self, peer: PeerIx, life: u32) {
        let at = peer.0 + 1;
        if !self.is_alive(SINK, life) {
            return;
        }
        let is_there = self.hosts[at].running.is_some() && !self.hosts[at].is_cut && !self.hosts[SINK].is_cut;
        if !is_there {
            return self.tell(SINK, Input::LinkFailed { far: Far::Duty(peer), why: "refused".to_owned() });
        }
        self.serial += 1;
        let (id, remote) = (self.serial, IpAddr::from([10, 0, 0, 9]));
        self.connections.insert(id, Connection { host: at, busy_until: [self.at; 2] });
        self.tell(at, Input::LinkUp { link: LinkId(id), far: None, remote });
        self.tell(SINK, Input::LinkUp { link: LinkId(id), far: Some(Far::Duty(peer)), remote });
    }

    /// A line is on its way: longer now and then, never before the one before it, and lost while the way is cut.
    fn send(&mut self, from: usize, LinkId(id): LinkId, message: &Message) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let is_to_sink = from != SINK;
        let node = &self.hosts[connection.host];
        if node.is_cut || self.hosts[SINK].is_cut {
            return;
        }
        let least = if is_to_sink { node.ways_us.0 } else { node.ways_us.1 };
        let more = if self.rng.u8(0..10) == 0 { 3 * SECOND } else { least / 4 + 2 };
        let wait = least + self.rng.i64(0..more);
        let busy = &mut connection.busy_until[usize::from(is_to_sink)];
        *busy = (*busy).max(self.at + wait);
        let wait = *busy - self.at;
        let mut line = Vec::new();
        encode(message, WallTime::default(), &mut line);
        self.schedule(wait, Event::Arrive(id, is_to_sink, line));
    }

    fn arrive(&mut self, id: u64, is_to_sink: bool, line: &[u8]) {
        let Some(connection) = self.connections.get(&id) else { return };
        let at = if is_to_sink { SINK } else { connection.host };
        let (mut decoder, mut line) = (LineDecoder::default(), line);
        while let Some(message) = decoder.next(&mut line) {
            let message = message.expect("nodes understand one another");
            self.tell(at, Input::Message { link: LinkId(id), message });
        }
    }

    /// A connection is gone, and whoever is still there hears of it.
    fn hang_up(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        for at in [SINK, connection.host] {
            self.tell(at, Input::LinkDown { link: LinkId(id), why: "gone".to_owned() });
        }
    }
}

/// Worlds that one run of the tests looks at.
const WORLDS: u64 = 40;

#[test]
fn readings_come_out_at_their_right_times_whatever_the_clocks_showed() {
    let counts: RefCell<BTreeMap<TimeSource, u64>> = RefCell::default();
    for_seeds(WORLDS, |seed| {
        let mut world = World::new(seed);
        world.run();
        world.come_to_the_end();
        for (source, count) in world.check() {
            *counts.borrow_mut().entry(source).or_default() += count;
        }
    });
    println!("readings dated by {:?}", counts.borrow());
}
