//! Rings on hosts with disks, joined by a network, in virtual time: what an event loop, a store and a kernel do, as a
//! model. After each step it looks whether a rule is broken.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::store::Disk;
use super::*;
use crate::model::{BootId, ClockLink, ClockMark, ClockSample, Piece, TOKEN_MAX_BYTES, WallTime};

/// Events in one run: more is a world that does not come to rest.
const EVENTS_MAX: u64 = 3_000_000;

/// A host that is paused until then stays dead.
pub(super) const NEVER: Instant = Instant::from_micros(i64::MAX);

/// How a world is, but for its faults.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) hosts: usize,
    /// By host: 0 the sink, then standbys.
    pub(super) ranks: BTreeMap<usize, u8>,
    pub(super) delay: Duration,
    pub(super) commit: Duration,
    pub(super) standby_after: Duration,
    pub(super) backlog: u64,
    pub(super) reading_bytes: usize,
    /// A host takes readings this often on average.
    pub(super) sample_every: Duration,
    /// The host that starts with the token.
    pub(super) makes_token: Option<usize>,
    pub(super) defect: Option<Defect>,
    /// One more defect: a node that starts again bears the name of its former life.
    pub(super) keeps_life: bool,
}

impl Setting {
    /// A wired network of nodes with default settings; host 0 is the sink, host 1 its standby.
    pub(super) fn calm(hosts: usize) -> Self {
        Self {
            hosts,
            ranks: BTreeMap::from([(0, 0), (1, 1)]),
            delay: 2 * MS,
            commit: 20 * MS,
            standby_after: Duration::from_secs(5),
            backlog: 10,
            reading_bytes: 100,
            sample_every: Duration::from_secs(1),
            makes_token: None,
            defect: None,
            keeps_life: false,
        }
    }
}

#[derive(Debug)]
pub(super) enum Reply {
    Appended(Seq),
    Piece(Result<Piece, String>),
    Taken(JournalId, Seq),
    Refused(JournalId),
}

#[derive(Debug)]
pub(super) enum Event {
    /// A message may arrive at this end of this connection.
    Arrive(u64, usize),
    /// This end hears that its connection is gone.
    Closed(u64, usize),
    /// An attempt at a connection reaches its goal: host, life, address, attempt.
    Connect(usize, u32, PeerIx, u64),
    Commit(usize, u32),
    Reply(usize, u32, Reply),
    Sample(usize),
    Start(usize),
    Fault,
    EndOf(super::faults::Trouble),
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) host: usize,
    link: LinkId,
    pub(super) is_up: bool,
    inbound: VecDeque<(Instant, u64, Body)>,
    busy_until: Instant,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) ends: [End; 2],
    /// What is sent is lost, and nobody is told.
    pub(super) has_vanished: bool,
}

impl Connection {
    pub(super) fn hold_up(&mut self, until: Instant) {
        for end in &mut self.ends {
            end.busy_until = end.busy_until.max(until);
            end.inbound.iter_mut().for_each(|(at, ..)| *at = until.max(*at));
        }
    }
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) ring: Watched<Ring>,
    pub(super) links: BTreeMap<LinkId, (u64, usize)>,
    peers: BTreeMap<PeerIx, Result<LinkId, u64>>,
    newest: RingId,
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) disk: Disk,
    pub(super) life: u32,
    pub(super) running: Option<Running>,
    pub(super) paused_until: Instant,
    replies_until: Instant,
}

pub(super) struct World {
    pub(super) setting: Setting,
    pub(super) rng: fastrand::Rng,
    pub(super) now: Instant,
    events: BTreeMap<(Instant, u64), Event>,
    serial: u64,
    pub(super) hosts: Vec<Host>,
    pub(super) connections: BTreeMap<u64, Connection>,
    next_link: u64,
    /// Who took each token.
    tokens: BTreeMap<(RingId, u64), usize>,
    /// Pairs of hosts that cannot reach one another, the smaller first.
    pub(super) blocked: BTreeSet<(usize, usize)>,
    pub(super) slow_disks: BTreeSet<usize>,
    pub(super) unreadable: BTreeSet<usize>,
    pub(super) plan: Option<super::faults::Plan>,
    /// Nobody samples any more, and no fault begins.
    pub(super) is_ending: bool,
    /// All that was reported: when, by whom, what.
    pub(super) reports: Vec<(Instant, usize, RingReport)>,
    /// Where clocks have met: at whom, whose, where.
    pub(super) links: Vec<(usize, JournalId, ClockLink)>,
    pub(super) sent_tokens: u64,
    pub(super) is_traced: bool,
}

macro_rules! trace {
    ($world:expr, $($arg:tt)*) => {
        if $world.is_traced {
            println!("{:>10.3} ms  {}", $world.now.as_micros() as f64 / 1e3, format!($($arg)*));
        }
    };
}
pub(super) use trace;

/// Something that happened, told to a machine.
type Told = Box<dyn FnOnce(&mut Ring, Now)>;

pub(super) fn address(host: usize) -> String {
    format!("10.0.0.{host}:7000")
}

pub(super) fn journal(host: usize) -> JournalId {
    JournalId(host as u64 + 1)
}

/// A host's boot by its journal: hosts do not boot here, processes do.
fn boot_of(journal: JournalId) -> BootId {
    BootId(u128::from(journal.0))
}

/// What a host says of its clocks: its own is ahead by a number of seconds that is its own.
fn clock_of(host: usize, now: Instant) -> ClockSample {
    let mono = now + Duration::from_secs(journal(host).0);
    let mark = ClockMark { mono, wall: WallTime::default(), synced: None };
    ClockSample { boot: boot_of(journal(host)), received: mono, mark }
}

impl World {
    pub(super) fn new(setting: Setting, seed: u64) -> Self {
        let disk = |host| Disk::new(journal(host), setting.backlog, setting.reading_bytes);
        let host = |at| Host {
            disk: disk(at),
            life: 0,
            running: None,
            paused_until: Instant::ZERO,
            replies_until: Instant::ZERO,
        };
        let mut world = Self {
            rng: fastrand::Rng::with_seed(seed),
            now: Instant::ZERO,
            events: BTreeMap::new(),
            serial: 0,
            hosts: (0..setting.hosts).map(host).collect(),
            connections: BTreeMap::new(),
            next_link: 1,
            tokens: BTreeMap::new(),
            blocked: BTreeSet::new(),
            slow_disks: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            plan: None,
            is_ending: false,
            reports: Vec::new(),
            links: Vec::new(),
            sent_tokens: 0,
            is_traced: std::env::var_os("PISINK_SEED").is_some(),
            setting,
        };
        trace!(world, "{:?}", world.setting);
        for host in 0..world.setting.hosts {
            let start = world.up_to(Duration::from_millis(300));
            world.schedule(start, Event::Start(host));
            world.schedule(start, Event::Sample(host));
        }
        world
    }

    /// A time from nothing to `most`.
    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.rng.f64())
    }

    pub(super) fn schedule(&mut self, wait: Duration, event: Event) {
        self.schedule_at(self.now + wait, event);
    }

    fn schedule_at(&mut self, at: Instant, event: Event) {
        self.serial += 1;
        self.events.insert((at.max(self.now), self.serial), event);
    }

    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.serial < EVENTS_MAX {
            let due = |(at, host): (usize, &Host)| {
                let (due, _) = host.running.as_ref()?.ring.machine().poll_timeout()?;
                Some((due.max(host.paused_until), at))
            };
            let timer = self.hosts.iter().enumerate().filter_map(due).min();
            let event = self.events.first_key_value().map(|(key, _)| key.0);
            match (timer, event) {
                (Some((due, host)), event) if event.is_none_or(|event| due < event) => {
                    if due > until {
                        break;
                    }
                    self.now = self.now.max(due);
                    self.input(host, None);
                }
                (_, Some(at)) if at <= until => {
                    self.now = at;
                    let (_, event) = self.events.pop_first().expect("there is one");
                    self.happen(event);
                }
                _ => break,
            }
        }
        assert!(self.serial < EVENTS_MAX, "the world does not come to rest");
        self.now = until;
    }

    /// Runs until `is_done`; how long it took. Fails when it takes longer than `most`.
    pub(super) fn run_until(
        &mut self,
        what: &str,
        most: Duration,
        is_done: impl Fn(&World) -> bool,
    ) -> Duration {
        let began = self.now;
        while !is_done(self) {
            assert!(self.now < began + most, "not within {most:?}: {what}\n{}", self.describe());
            self.run(10 * MS);
        }
        self.now.saturating_since(began)
    }

    fn happen(&mut self, event: Event) {
        let host = match &event {
            Event::Arrive(id, side) | Event::Closed(id, side) => {
                self.connections.get(id).map(|connection| connection.ends[*side].host)
            }
            Event::Connect(host, ..) | Event::Reply(host, ..) => Some(*host),
            _ => None,
        };
        if let Some(until) = host.map(|host| self.hosts[host].paused_until).filter(|until| *until > self.now)
        {
            return self.schedule_at(until, event);
        }
        match event {
            Event::Arrive(id, side) => self.arrive(id, side),
            Event::Closed(id, side) => self.closed(id, side),
            Event::Connect(at, life, ix, attempt) if self.lives(at, life) => self.connect(at, ix, attempt),
            Event::Commit(at, life) if self.hosts[at].life == life => self.commit(at),
            Event::Reply(at, life, reply) if self.lives(at, life) => self.replied(at, reply),
            Event::Sample(at) => self.sample(at),
            Event::Start(at) => self.start(at),
            Event::Fault => self.fault(),
            Event::EndOf(trouble) => self.end_trouble(trouble),
            Event::Connect(..) | Event::Commit(..) | Event::Reply(..) => {}
        }
    }

    fn lives(&self, at: usize, life: u32) -> bool {
        self.hosts[at].life == life && self.hosts[at].running.is_some()
    }

    pub(super) fn start(&mut self, at: usize) {
        if self.hosts[at].running.is_some() || self.hosts[at].paused_until == NEVER {
            return;
        }
        let setting = &self.setting;
        let host = &mut self.hosts[at];
        host.life += 1;
        let config = RingConfig {
            node: name(&format!("pi-{at}")),
            journal: host.disk.journal,
            last: Seq(host.disk.last),
            peers: (0..setting.hosts).map(|host| (address(host), None)).collect(),
            sink_rank: setting.ranks.get(&at).copied(),
            cursors: host.disk.held.iter().map(|(journal, held)| (*journal, Seq(*held))).collect(),
            makes_token: setting.makes_token == Some(at) && host.life == 1,
            token_hold: 100 * MS,
            round_interval: Duration::from_secs(1),
            standby_after: setting.standby_after,
            last_round: host.disk.round,
            seed: self.rng.u64(..),
        };
        let mut ring = Ring::new(config, self.now);
        ring.planted.defect = setting.defect;
        if setting.keeps_life {
            ring.who.id.life = LifeId(1);
        }
        let ring = Watched::new(ring, self.now);
        let (links, peers) = (BTreeMap::new(), BTreeMap::new());
        host.running = Some(Running { ring, links, peers, newest: RingId::default() });
        trace!(self, "pi-{at}: starts, life {}", self.hosts[at].life);
        self.begin_commit(at);
        self.input(at, None);
    }

    /// Tells a host's machine something, or that time has passed, and carries out what it wants.
    fn input(&mut self, at: usize, input: Option<Told>) {
        let Some(running) = &mut self.hosts[at].running else { return };
        running.ring.advance(self.now);
        let outputs = match input {
            Some(input) => running.ring.input(input),
            None => running.ring.timeout(),
        };
        self.check(at);
        for output in outputs {
            self.carry_out(at, output);
        }
    }

    pub(super) fn tell(&mut self, at: usize, input: impl FnOnce(&mut Ring, Now) + 'static) {
        self.input(at, Some(Box::new(input)));
    }

    /// No token is taken twice, and no member goes back to a smaller ring.
    fn check(&mut self, at: usize) {
        let running = self.hosts[at].running.as_mut().expect("it runs");
        let mut visits = Vec::new();
        running.ring.input(|ring, _| std::mem::swap(&mut visits, &mut ring.planted.visits));
        for token in visits {
            assert!(
                token.0 >= running.newest,
                "pi-{at} goes back from {:?} to {:?}",
                running.newest,
                token.0
            );
            running.newest = token.0;
            let before = self.tokens.insert(token, at);
            assert_eq!(before, None, "pi-{at} takes a token that was taken: {token:?}");
        }
    }

    fn carry_out(&mut self, at: usize, output: RingOutput) {
        let life = self.hosts[at].life;
        match output {
            RingOutput::Connect(ix) => {
                let attempt = self.serial;
                let running = self.hosts[at].running.as_mut().expect("it speaks");
                let before = running.peers.insert(ix, Err(attempt));
                assert_eq!(before, None, "one link an address: the old one was to be dropped first");
                let wait = self.up_to(self.setting.delay);
                self.schedule(wait, Event::Connect(at, life, ix, attempt));
            }
            RingOutput::Disconnect(ix, _) => {
                let running = self.hosts[at].running.as_mut().expect("it speaks");
                if let Some(Ok(link)) = running.peers.remove(&ix) {
                    self.hang_up(at, link);
                }
            }
            RingOutput::Send(link, id, body) => self.send(at, link, id, body),
            RingOutput::Read { after, max } => {
                let unreadable = self.unreadable.contains(&at);
                let piece = if unreadable {
                    Err("busy".to_owned())
                } else {
                    Ok(self.hosts[at].disk.read(after, max))
                };
                self.reply(at, Reply::Piece(piece));
            }
            RingOutput::Take(piece) => self.take(at, &piece),
            RingOutput::NoteConsumer(node, taken) => {
                let sink: usize = node.as_str().trim_start_matches("pi-").parse().unwrap();
                let durable = self.hosts[sink].disk.held(journal(at));
                assert!(taken.0 <= durable, "{node} acknowledges {taken} of pi-{at}, and has {durable}");
            }
            RingOutput::AddRound(round) => self.hosts[at].disk.add_round(round.number),
            RingOutput::NoteLink { journal: of, link, .. } => {
                assert_eq!(link.boot, boot_of(of), "the clock of another");
                self.links.push((at, of, link));
            }
            RingOutput::NotePeer(..) => {}
            RingOutput::Report(report) => {
                trace!(self, "pi-{at}: {report}");
                self.reports.push((self.now, at, report));
            }
        }
    }

    fn take(&mut self, at: usize, piece: &Piece) {
        let is_full = self.hosts[at].disk.is_failing && self.rng.u8(0..4) == 0;
        if is_full {
            self.hosts[at].disk.refuse(piece.journal);
        }
        if is_full || !self.hosts[at].disk.take(piece) {
            return self.reply(at, Reply::Refused(piece.journal));
        }
        self.begin_commit(at);
    }

    fn reply(&mut self, at: usize, reply: Reply) {
        let wait = self.up_to(MS);
        let host = &mut self.hosts[at];
        host.replies_until = host.replies_until.max(self.now + wait);
        let (arrival, life) = (host.replies_until, host.life);
        self.schedule_at(arrival, Event::Reply(at, life, reply));
    }

    fn replied(&mut self, at: usize, reply: Reply) {
        self.tell(at, move |ring, now| match reply {
            Reply::Appended(last) => ring.appended(last),
            Reply::Piece(piece) => ring.piece(now, piece),
            Reply::Taken(journal, cursor) => ring.taken(journal, cursor),
            Reply::Refused(journal) => ring.refused(journal),
        });
    }

    pub(super) fn begin_commit(&mut self, at: usize) {
        if !self.hosts[at].disk.is_commit_due && self.hosts[at].disk.has_waiting() {
            self.hosts[at].disk.is_commit_due = true;
            let slow = self.slow_disks.contains(&at);
            let longest = if slow { Duration::from_secs(3) } else { self.setting.commit };
            let wait = self.up_to(longest);
            self.schedule(wait, Event::Commit(at, self.hosts[at].life));
        }
    }

    fn commit(&mut self, at: usize) {
        let committed = self.hosts[at].disk.commit();
        for journal in committed.refused {
            self.reply(at, Reply::Refused(journal));
        }
        for (journal, cursor) in committed.taken {
            self.reply(at, Reply::Taken(journal, cursor));
        }
        if let Some(last) = committed.appended {
            self.reply(at, Reply::Appended(last));
        }
    }

    fn sample(&mut self, at: usize) {
        if self.is_ending {
            return;
        }
        if self.hosts[at].running.is_some() {
            let readings = if self.rng.u8(0..20) == 0 { 60 } else { self.rng.u64(1..4) };
            self.hosts[at].disk.append(readings);
            self.begin_commit(at);
        }
        let wait = self.up_to(2 * self.setting.sample_every);
        self.schedule(wait, Event::Sample(at));
    }

    pub(super) fn is_blocked(&self, one: usize, other: usize) -> bool {
        self.blocked.contains(&(one.min(other), one.max(other)))
    }

    fn connect(&mut self, at: usize, ix: PeerIx, attempt: u64) {
        let running = self.hosts[at].running.as_mut().expect("it lives");
        if running.peers.get(&ix) != Some(&Err(attempt)) {
            return;
        }
        let goal = ix.0;
        if self.is_blocked(at, goal) {
            return;
        }
        if self.hosts[goal].running.is_none() {
            // A process that is gone refuses, a host that is gone says nothing.
            if self.hosts[goal].life % 2 == 1 {
                let running = self.hosts[at].running.as_mut().expect("it lives");
                running.peers.remove(&ix);
                self.tell(at, move |ring, now| ring.link_failed(now, ix, "refused"));
            }
            return;
        }
        let (near, far) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        self.next_link += 2;
        self.serial += 1;
        let id = self.serial;
        let ends = [(at, near), (goal, far)].map(|(host, link)| End {
            host,
            link,
            is_up: true,
            inbound: VecDeque::new(),
            busy_until: self.now,
        });
        for (side, end) in ends.iter().enumerate() {
            let running = self.hosts[end.host].running.as_mut().expect("both live");
            running.links.insert(end.link, (id, side));
        }
        self.connections.insert(id, Connection { ends, has_vanished: false });
        self.hosts[at].running.as_mut().expect("it lives").peers.insert(ix, Ok(near));
        self.tell(at, move |ring, now| ring.link_up(now, ix, near));
    }

    fn send(&mut self, at: usize, link: LinkId, id_of_message: u64, body: Body) {
        if let Body::Token(token) = &body {
            self.sent_tokens += 1;
            assert!(token.bytes() <= TOKEN_MAX_BYTES, "{} bytes in a token", token.bytes());
            let journals: BTreeSet<JournalId> =
                token.members.iter().map(|member| member.who.id.journal).collect();
            assert_eq!(journals.len(), token.members.len(), "a member twice");
        }
        let wait = self.up_to(self.setting.delay);
        let running = self.hosts[at].running.as_ref().expect("it speaks");
        let Some(&(id, side)) = running.links.get(&link) else { return };
        let connection = self.connections.get_mut(&id).expect("it is open");
        if connection.has_vanished {
            return;
        }
        let far = &mut connection.ends[1 - side];
        if !far.is_up {
            return self.schedule(wait, Event::Closed(id, side));
        }
        far.busy_until = far.busy_until.max(self.now + wait);
        far.inbound.push_back((far.busy_until, id_of_message, body));
        let arrival = far.busy_until;
        self.schedule_at(arrival, Event::Arrive(id, 1 - side));
    }

    fn arrive(&mut self, id: u64, side: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let end = &mut connection.ends[side];
        if connection.has_vanished || !end.is_up {
            return;
        }
        match end.inbound.front() {
            Some((at, ..)) if *at > self.now => {
                let at = *at;
                return self.schedule_at(at, Event::Arrive(id, side));
            }
            None => return,
            _ => {}
        }
        let (_, message, body) = end.inbound.pop_front().expect("there is one");
        let (host, link) = (end.host, end.link);
        if self.is_traced {
            trace!(self, "  pi-{host} <- pi-{} {}", self.connections[&id].ends[1 - side].host, short(&body));
        }
        match body {
            // What any node answers, whatever its role.
            Body::Ping => {
                let pong = Body::Pong(Some(clock_of(host, self.now)), None);
                self.send(host, link, message, pong);
            }
            Body::Pong(Some(clock), _) => {
                self.tell(host, move |ring, now| ring.pong(now, link, &message.to_string(), &clock));
            }
            body => {
                self.tell(host, move |ring, now| assert!(ring.message(now, link, body), "a ring's message"))
            }
        }
    }

    fn closed(&mut self, id: u64, side: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let end = &mut connection.ends[side];
        if !std::mem::replace(&mut end.is_up, false) {
            return;
        }
        let (host, link) = (end.host, end.link);
        self.forget_if_over(id);
        let Some(running) = &mut self.hosts[host].running else { return };
        running.links.remove(&link);
        running.peers.retain(|_, known| *known != Ok(link));
        self.tell(host, move |ring, now| {
            ring.link_down(now, link, "closed");
        });
    }

    fn hang_up(&mut self, at: usize, link: LinkId) {
        let running = self.hosts[at].running.as_mut().expect("it speaks");
        if let Some((id, side)) = running.links.remove(&link) {
            self.go_away(id, side);
        }
    }

    /// One end is no more. What it had sent still arrives.
    pub(super) fn go_away(&mut self, id: u64, side: usize) {
        let wait = self.up_to(self.setting.delay);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.ends[side].is_up = false;
        if !connection.has_vanished {
            let told_at = connection.ends[1 - side].busy_until.max(self.now) + wait;
            self.schedule_at(told_at, Event::Closed(id, 1 - side));
        }
        self.forget_if_over(id);
    }

    pub(super) fn forget_if_over(&mut self, id: u64) {
        if self.connections.get(&id).is_some_and(|connection| connection.ends.iter().all(|end| !end.is_up)) {
            self.connections.remove(&id);
        }
    }

    pub(super) fn ring(&self, at: usize) -> Option<&Ring> {
        self.hosts[at].running.as_ref().map(|running| running.ring.machine())
    }

    /// The hosts whose node runs.
    pub(super) fn living(&self) -> Vec<usize> {
        (0..self.hosts.len()).filter(|at| self.hosts[*at].running.is_some()).collect()
    }

    /// Whether these hosts are one ring, and nobody else is in it.
    pub(super) fn is_one_ring(&self, hosts: &[usize]) -> bool {
        let Some(first) = hosts.first().and_then(|at| self.ring(*at)) else { return false };
        hosts.iter().all(|at| {
            let Some(ring) = self.ring(*at) else { return false };
            let mut members: Vec<JournalId> =
                ring.members.iter().map(|member| member.who.id.journal).collect();
            members.sort_unstable();
            let all: Vec<JournalId> = hosts.iter().map(|at| journal(*at)).collect();
            ring.is_member && ring.latest.0 == first.latest.0 && members == all
        })
    }

    /// Whether every reading of these hosts is durable at the sink among them.
    pub(super) fn is_collected(&self, hosts: &[usize]) -> bool {
        let ranked = hosts.iter().filter_map(|at| Some((self.setting.ranks.get(at)?, *at)));
        let Some((_, sink)) = ranked.min() else { return true };
        let acts = self.ring(sink).is_some_and(|ring| ring.collector.acts());
        let is_here = |at: &usize| {
            let disk = &self.hosts[*at].disk;
            *at == sink || (!disk.has_waiting() && self.hosts[sink].disk.held(disk.journal) == disk.last)
        };
        acts && hosts.iter().all(is_here)
    }

    pub(super) fn describe(&self) -> String {
        let line = |at: &usize| {
            let ring = self.ring(*at)?;
            let members: Vec<u64> = ring.members.iter().map(|member| member.who.id.journal.0 - 1).collect();
            let held: Vec<String> = (0..self.hosts.len())
                .map(|of| format!("{}/{}", self.hosts[*at].disk.held(journal(of)), self.hosts[of].disk.last))
                .collect();
            Some(format!(
                "pi-{at}: member {} of {:?} at {:?}, sink {}, held {held:?}, {:?}\n",
                ring.is_member,
                members,
                ring.latest,
                ring.collector.acts(),
                ring.poll_timeout()
            ))
        };
        self.living().iter().filter_map(line).collect()
    }
}

/// A message in a trace.
fn short(body: &Body) -> String {
    match body {
        Body::Token(token) => format!(
            "TOKEN {}.{} of {} pieces {} to {}{}",
            token.ring.epoch,
            token.seq,
            token.members.len(),
            token.pieces.len(),
            token.to.journal.0 - 1,
            if token.pass_on { ", pass on" } else { "" }
        ),
        Body::TokenAck(ack) => format!("ACK {}.{} {:?}", ack.ring.epoch, ack.seq, ack.outcome),
        Body::Claim(claim) => {
            format!("CLAIM {} after {}.{}", claim.ring.epoch, claim.latest.0.epoch, claim.latest.1)
        }
        Body::ClaimAnswer(answer) => format!("CLAIM_ANSWER {} {}", answer.ring.epoch, answer.is_promised),
        other => format!("{other:?}").chars().take(60).collect(),
    }
}
