//! The same for a ring: its nodes have real stores and wrong clocks, a token goes round among them, and the sink dates
//! what it brings by clocks that it has met itself.

use super::*;
use crate::node::RingPart;
use crate::store::{Filter, Reader, StoreError};

/// Nodes of the ring; the first is its sink.
const HOSTS: usize = 3;
/// One whose clock is in 1970 at each of its boots, as the sink's is.
const UNSET: usize = 1;
/// One whose clock is right from the beginning.
const RIGHT: usize = 2;
/// What a message takes on its way at most, in microseconds.
const WAY_MAX_US: i64 = 3_000;
/// An error of a time that is larger is none that comes of these clocks, of which one is right after half an hour.
const ERROR_MAX_US: u128 = 1_000_000;

enum Step {
    Sample(usize),
    Commit(usize, u32),
    Connect(usize, u32, PeerIx),
    /// A line comes over a connection, at this end.
    Arrive(u64, usize, Vec<u8>),
    /// The other end of a connection is gone.
    Closed(u64, usize),
}

struct Member {
    name: NodeName,
    dir: TempDir,
    journal: JournalId,
    clocks: Clocks,
    life: u32,
    running: Option<Running>,
    /// The connections that it has opened.
    opened: BTreeMap<PeerIx, u64>,
}

struct RingWorld {
    rng: fastrand::Rng,
    at: i64,
    serial: u64,
    steps: BTreeMap<(i64, u64), Step>,
    hosts: Vec<Member>,
    /// The hosts at the ends of each connection.
    connections: BTreeMap<u64, [usize; 2]>,
    truths: Vec<Truth>,
}

/// The end of a connection as its host knows it.
fn link(connection: u64, end: usize) -> LinkId {
    LinkId(connection * 2 + end as u64)
}

impl RingWorld {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut host = |at: usize| Member {
            name: name(&format!("pi-{at}")),
            dir: dir(),
            journal: JournalId(at as u64 + 1),
            clocks: Clocks::new(
                u32::try_from(at).unwrap() + 1,
                if at == RIGHT { Keeper::Steady } else { Keeper::Nobody },
                &mut rng,
            ),
            life: 0,
            running: None,
            opened: BTreeMap::new(),
        };
        let hosts = (0..HOSTS).map(&mut host).collect();
        let mut world = Self {
            rng,
            at: TRUE_START_US,
            serial: 0,
            steps: BTreeMap::new(),
            hosts,
            connections: BTreeMap::new(),
            truths: Vec::new(),
        };
        for at in 0..HOSTS {
            world.start(at);
            world.schedule(SECOND, Step::Sample(at));
        }
        world
    }

    fn schedule(&mut self, wait_us: i64, step: Step) {
        self.serial += 1;
        self.steps.insert((self.at + wait_us, self.serial), step);
    }

    fn way(&mut self) -> i64 {
        self.rng.i64(200..WAY_MAX_US)
    }

    fn run(&mut self, seconds: i64) {
        let ends_at = self.at + seconds * SECOND;
        while self.serial < EVENTS_MAX {
            let due = |(at, host): (usize, &Member)| {
                let due = host.running.as_ref()?.node.poll_timeout()?.0;
                Some((host.clocks.true_us(due).max(self.at), at))
            };
            let timer = self.hosts.iter().enumerate().filter_map(due).min();
            let step = self.steps.first_key_value().map(|(key, _)| key.0);
            let next = [timer.map(|(at, _)| at), step].into_iter().flatten().min().expect("samples go on");
            if next > ends_at {
                self.at = ends_at;
                return;
            }
            self.at = next;
            match timer {
                Some((at, host)) if step.is_none_or(|step| at < step) => {
                    self.drive(host, |node, now| node.handle_timeout(now));
                }
                _ => {
                    let (_, step) = self.steps.pop_first().expect("there is one");
                    self.happen(step);
                }
            }
        }
        panic!("the world does not come to rest");
    }

    fn happen(&mut self, step: Step) {
        match step {
            Step::Sample(at) => self.sample(at),
            Step::Commit(at, life) if self.hosts[at].life == life => self.commit(at),
            Step::Connect(at, life, peer) if self.hosts[at].life == life => self.connect(at, peer),
            Step::Arrive(id, end, line) => {
                let Some(at) = self.connections.get(&id).map(|ends| ends[end]) else { return };
                let message = LineDecoder::default().next(&mut line.as_slice()).expect("a whole line");
                let message = message.expect("nodes understand one another");
                self.tell(at, Input::Message { link: link(id, end), message });
            }
            Step::Closed(id, end) => {
                let Some(ends) = self.connections.remove(&id) else { return };
                self.hosts[ends[end]].opened.retain(|_, opened| *opened != id);
                self.tell(ends[end], Input::LinkDown { link: link(id, end), why: "gone".to_owned() });
            }
            Step::Commit(..) | Step::Connect(..) => {}
        }
    }

    /// Its machine boots, and its node begins.
    fn start(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        host.life += 1;
        host.clocks.boot(self.at, &mut self.rng);
        let now = host.clocks.now(self.at);
        let boot = host.clocks.boot_id();
        let (name, journal) = (host.name.clone(), host.journal);
        let params =
            OpenParams { node: name.clone(), new_journal: journal, boot, now: now.wall, check: Check::Auto };
        let (store, _) = Store::open(host.dir.path(), &params).unwrap();
        let cursors = store.sources().unwrap().into_iter().map(|source| (source.journal, source.cursor));
        let role = Role::Ring(RingPart {
            peers: (0..HOSTS).map(|peer| (format!("10.0.0.{peer}:7000"), None)).collect(),
            cursors: cursors.collect(),
            sink_rank: (at == SINK).then_some(0),
            makes_token: false,
            token_hold: Duration::from_secs(2),
            round_interval: Duration::from_secs(10),
            standby_after: Duration::from_secs(5),
            last_round: store.last_round(),
            seed: self.rng.u64(..),
        });
        let (last, synced) = (store.own().last, host.clocks.synced);
        let config = NodeConfig { name, journal, boot, synced, last, consumers: BTreeMap::new(), role };
        host.running = Some(Running { node: Node::new(config, now), store, is_commit_due: false });
        self.drain(at);
    }

    /// Its machine is switched off, with all on the disk.
    fn stop(&mut self, at: usize) {
        let running = self.hosts[at].running.take().expect("it runs");
        running.store.close().unwrap();
        self.hosts[at].opened.clear();
        let open: Vec<u64> =
            self.connections.iter().filter(|(_, ends)| ends.contains(&at)).map(|(id, _)| *id).collect();
        open.into_iter().for_each(|id| self.hang_up(id, at));
    }

    /// This host has ended a connection; the other one hears of it.
    fn hang_up(&mut self, id: u64, at: usize) {
        let Some(ends) = self.connections.get(&id) else { return };
        let other = usize::from(ends[0] == at);
        let wait = self.way();
        self.schedule(wait, Step::Closed(id, other));
    }

    fn sample(&mut self, at: usize) {
        let wait = self.rng.i64(5..40) * SECOND;
        self.schedule(wait, Step::Sample(at));
        let host = &mut self.hosts[at];
        let Some(running) = &mut host.running else { return };
        let (now, boot) = (host.clocks.now(self.at), host.clocks.boot_id());
        let (node, chip, quantity) = (host.name.clone(), "sim".to_owned(), "number".to_owned());
        let channel = Arc::new(Channel { node, chip, quantity, unit: String::new() });
        let mut pack = Pack::default();
        pack.push(&channel, now.wall, now.mono, Ok(self.truths.len() as f64));
        self.truths.push(Truth { host: at, boot, mono: now.mono, at: self.at });
        running.store.append(&pack).unwrap();
        self.commit_soon(at);
    }

    fn commit_soon(&mut self, at: usize) {
        let life = self.hosts[at].life;
        let Some(running) = &mut self.hosts[at].running else { return };
        if !std::mem::replace(&mut running.is_commit_due, true) {
            let wait = self.rng.i64(0..SECOND / 5);
            self.schedule(wait, Step::Commit(at, life));
        }
    }

    fn commit(&mut self, at: usize) {
        let Some(running) = &mut self.hosts[at].running else { return };
        running.is_commit_due = false;
        let committed = running.store.commit().unwrap();
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
        let now = host.clocks.now(self.at);
        let store = &mut host.running.as_mut().expect("it speaks").store;
        match output {
            Output::Connect { far: Far::Duty(peer), .. } => {
                let (wait, life) = (self.way(), self.hosts[at].life);
                return self.schedule(wait, Step::Connect(at, life, peer));
            }
            Output::Disconnect(Far::Duty(peer)) => {
                if let Some(id) = host.opened.remove(&peer) {
                    self.hang_up(id, at);
                }
                return;
            }
            Output::Send(LinkId(link), message) => {
                let (id, end) = (link / 2, usize::from(link % 2 == 1));
                let mut line = Vec::new();
                encode(&message, WallTime::default(), &mut line);
                let wait = self.way();
                // Nothing overtakes: what is sent later on a connection comes later.
                let later = self.steps.iter().rev().find_map(|((at, _), step)| match step {
                    Step::Arrive(other, to, _) if (*other, *to) == (id, 1 - end) => Some(*at),
                    _ => None,
                });
                let wait = wait.max(later.map_or(0, |at| at - self.at));
                return self.schedule(wait, Step::Arrive(id, 1 - end, line));
            }
            Output::Read { asker, after, max } => {
                let piece = store.read_own(after, max).map_err(|error| error.to_string());
                return self.tell(at, Input::Piece { asker, piece });
            }
            Output::Take(readings) => assert!(!store.take(&readings, now.wall).unwrap().early),
            Output::AddRound(round) => store.add_round(&round).unwrap(),
            Output::NoteConsumer(name, seq) => store.note_consumer(name.as_str(), seq, now.wall).unwrap(),
            Output::NotePeer(address, node) => store.note_peer(&address, &node).unwrap(),
            Output::NoteMark(mark) => store.note_mark(&mark).unwrap(),
            Output::NoteLink { node, journal, link } => store.note_link(&node, journal, &link).unwrap(),
            Output::Report(_) => return,
            other => panic!("pi-{at}: {other:?}"),
        }
        self.commit_soon(at);
    }

    fn connect(&mut self, at: usize, peer: PeerIx) {
        if self.hosts[peer.0].running.is_none() {
            return self.tell(at, Input::LinkFailed { far: Far::Duty(peer), why: "refused".to_owned() });
        }
        self.serial += 1;
        let (id, remote) = (self.serial, IpAddr::from([10, 0, 0, 9]));
        self.connections.insert(id, [at, peer.0]);
        self.hosts[at].opened.insert(peer, id);
        self.tell(peer.0, Input::LinkUp { link: link(id, 1), far: None, remote });
        self.tell(at, Input::LinkUp { link: link(id, 0), far: Some(Far::Duty(peer)), remote });
    }

    /// Synchronises the clock of a machine. Its node hears of it again and again, as from the event loop: a clock that
    /// was just set is not believed at once.
    fn synchronise(&mut self, at: usize) {
        let clocks = &mut self.hosts[at].clocks;
        clocks.keeper = Keeper::Ntp;
        while clocks.synced.is_none() {
            clocks.stir(self.at, &mut self.rng);
        }
        let synced = clocks.synced;
        for _ in 0..4 {
            self.tell(at, Input::ClockSynced(synced));
            self.run(16);
        }
    }

    /// How many of each host's readings the sink dates by each source. Panics when a time is further off than it says.
    fn sources(&mut self) -> BTreeMap<(usize, TimeSource), usize> {
        self.commit(SINK);
        let reader = Reader::open(self.hosts[SINK].dir.path()).unwrap();
        let mut sources = BTreeMap::new();
        let each = |row: &crate::store::ExportRow<'_>| {
            let truth = self.truths[row.value.unwrap() as usize];
            assert_eq!(row.mono, truth.mono);
            if row.dated.source != TimeSource::Unknown {
                let error = row.dated.error.unwrap_or_else(|| panic!("no error: {truth:?} {:?}", row.dated));
                let error_us = error.as_micros();
                let off_us = u128::from(row.dated.time.as_unix_micros().abs_diff(truth.at));
                assert!(
                    off_us <= error_us + 20 && error_us < ERROR_MAX_US,
                    "{off_us} {truth:?} {:?}",
                    row.dated
                );
            }
            *sources.entry((truth.host, row.dated.source)).or_default() += 1;
            Ok::<(), StoreError>(())
        };
        reader.readings(&Filter::default(), each).unwrap();
        sources
    }
}

#[test]
fn a_ring_whose_sink_and_a_member_booted_in_1970_gives_right_times() {
    for_seeds(6, |seed| {
        let mut world = RingWorld::new(seed);
        world.run(700);
        world.stop(UNSET);
        world.run(60);
        world.start(UNSET);
        world.run(700);
        let sources = world.sources();
        let of: Vec<_> = sources.keys().copied().collect();
        assert_eq!(
            of,
            [(SINK, TimeSource::Unknown), (UNSET, TimeSource::Unknown), (RIGHT, TimeSource::Node)],
            "nothing but one member knows what time it is"
        );
        assert!(sources.values().all(|count| *count > 20), "{sources:?}");

        world.synchronise(SINK);
        let sources = world.sources();
        let of: Vec<_> = sources.keys().copied().collect();
        assert_eq!(
            of,
            [(SINK, TimeSource::Node), (UNSET, TimeSource::Sink), (RIGHT, TimeSource::Sink)],
            "both boots of the one in 1970, too"
        );
    });
}
