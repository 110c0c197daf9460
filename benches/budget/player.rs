//! Plays any number of secondaries in one thread: each has its own loopback address, journal and delay, and answers
//! POLLs as a node does. Answers are cut from one text that is encoded beforehand, so that playing costs little.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::backlog::Backlog;

const LISTENER: Token = Token(usize::MAX);
/// Most readings in one answer, as a node gives them.
const PIECE_MAX: u64 = 2_000;

/// What the secondaries do.
#[derive(Clone)]
pub(crate) struct Play {
    pub(crate) nodes: usize,
    /// Readings in each journal at the start.
    pub(crate) backlog: u64,
    /// Readings that come to each journal from one poll to the next.
    pub(crate) news: u64,
    /// How long each takes to answer: from nothing up to this, the last node exactly this.
    pub(crate) slowest: Duration,
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Readings of all nodes that the sink has said to be durable.
    pub(crate) taken: AtomicU64,
    pub(crate) polls: AtomicU64,
    stop: AtomicBool,
}

/// A running player; stopped when dropped.
pub(crate) struct Player {
    pub(crate) seen: Arc<Seen>,
    port: u16,
    nodes: usize,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    pub(crate) fn start(play: Play, backlog: &Arc<Backlog>) -> Player {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let listener = TcpListener::bind(any).expect("a free port");
        let port = listener.local_addr().expect("a port").port();
        let seen = Arc::new(Seen::default());
        let nodes = play.nodes;
        let mut stage = Stage {
            play,
            backlog: Arc::clone(backlog),
            seen: Arc::clone(&seen),
            links: BTreeMap::new(),
            due: BinaryHeap::new(),
        };
        let thread = std::thread::spawn(move || stage.run(listener));
        Player { seen, port, nodes, thread: Some(thread) }
    }

    /// `--peer` for each.
    pub(crate) fn peers(&self) -> Vec<String> {
        let peer = |node| ["--peer".to_owned(), format!("{}:{}", address(node), self.port)];
        (0..self.nodes).flat_map(peer).collect()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Node 0 is at 127.1.0.1, each with an address of its own.
fn address(node: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + u32::try_from(node).expect("few nodes"))
}

struct Link {
    stream: TcpStream,
    node: usize,
    last: u64,
    taken: u64,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    /// Its answer waits for its time.
    is_waiting: bool,
}

struct Stage {
    play: Play,
    backlog: Arc<Backlog>,
    seen: Arc<Seen>,
    links: BTreeMap<usize, Link>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Stage {
    fn run(&mut self, mut listener: TcpListener) {
        let mut poll = Poll::new().expect("an event loop");
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).expect("it is watched");
        let mut events = Events::with_capacity(1_024);
        let mut next_link = 0;
        while !self.seen.stop.load(Ordering::Relaxed) {
            let patience =
                self.due.peek().map(|Reverse((at, _))| at.saturating_duration_since(Instant::now()));
            let patience = patience.unwrap_or(Duration::from_millis(50)).min(Duration::from_millis(50));
            match poll.poll(&mut events, Some(patience)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => panic!("{error}"),
                _ => {}
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept(&listener, &poll, &mut next_link);
                } else {
                    self.serve(event.token().0);
                }
            }
            while let Some(Reverse((at, id))) = self.due.peek().copied()
                && at <= Instant::now()
            {
                self.due.pop();
                self.send(id);
            }
        }
    }

    fn accept(&mut self, listener: &TcpListener, poll: &Poll, next_link: &mut usize) {
        while let Ok((mut stream, _)) = listener.accept() {
            let Ok(SocketAddr::V4(local)) = stream.local_addr() else { continue };
            let node = local.ip().to_bits() - Ipv4Addr::new(127, 1, 0, 1).to_bits();
            let node = usize::try_from(node).expect("a 64-bit machine");
            let _ = stream.set_nodelay(true);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(*next_link), interest).expect("it is watched");
            let (input, output) = (Vec::new(), Vec::new());
            self.links.insert(
                *next_link,
                Link {
                    stream,
                    node,
                    last: self.play.backlog,
                    taken: 0,
                    input,
                    output,
                    sent: 0,
                    is_waiting: false,
                },
            );
            *next_link += 1;
        }
    }

    fn serve(&mut self, id: usize) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut bytes = [0; 4096];
        loop {
            match link.stream.read(&mut bytes) {
                Ok(0) => {
                    self.links.remove(&id);
                    return;
                }
                Ok(count) => link.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.links.remove(&id);
                    return;
                }
            }
        }
        while let Some(link) = self.links.get_mut(&id)
            && let Some(end) = link.input.iter().position(|byte| *byte == b'\n')
        {
            let line: Vec<u8> = link.input.drain(..=end).collect();
            self.answer(id, &String::from_utf8_lossy(&line));
        }
        self.flush(id);
    }

    fn answer(&mut self, id: usize, line: &str) {
        let Some(re) = text_after(line, "\"id\":\"") else { return };
        let (Some(after), Some(taken), Some(max)) = (
            number_after(line, "\"after\":"),
            number_after(line, "\"taken\":"),
            number_after(line, "\"max\":"),
        ) else {
            return;
        };
        let Some(link) = self.links.get_mut(&id) else { return };
        self.seen.polls.fetch_add(1, Ordering::Relaxed);
        self.seen.taken.fetch_add(taken.saturating_sub(link.taken), Ordering::Relaxed);
        link.taken = link.taken.max(taken);
        let is_first = !line.contains("\"journal\"");
        if !is_first && after == link.last {
            link.last += self.play.news;
        }
        let count = if is_first { 0 } else { (link.last - after).min(max).min(PIECE_MAX) };
        let node = link.node;
        let mut head = String::new();
        let _ = write!(
            head,
            "{{\"id\":\"1\",\"sender\":\"pi-{node}\",\"key\":\"READINGS\",\"value\":{{\"re\":\"{re}\",\
             \"node\":\"pi-{node}\",\"journal\":\"{:016x}\",\
             \"boot\":\"0123456789abcdef0123456789abcdef\",\"after\":{after},\"first\":{},\
             \"last\":{},\"pack\":",
            node + 1,
            after + 1,
            link.last
        );
        link.output.extend_from_slice(head.as_bytes());
        self.backlog.pack(after, count, &mut link.output);
        link.output.extend_from_slice(b"},\"timestamp\":\"2026-01-31T08:00:00.000000Z\"}\r\n");
        link.is_waiting = true;
        let nodes = u32::try_from(self.play.nodes).expect("few nodes");
        let nth = u32::try_from(node).expect("few nodes") + 1;
        self.due.push(Reverse((Instant::now() + self.play.slowest * nth / nodes, id)));
    }

    fn send(&mut self, id: usize) {
        if let Some(link) = self.links.get_mut(&id) {
            link.is_waiting = false;
        }
        self.flush(id);
    }

    /// Writes what is due.
    fn flush(&mut self, id: usize) {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_waiting) else { return };
        while link.sent < link.output.len() {
            match link.stream.write(&link.output[link.sent..]) {
                Ok(count) => link.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.links.remove(&id);
                    return;
                }
            }
        }
        link.output.clear();
        link.sent = 0;
    }
}

fn number_after(line: &str, label: &str) -> Option<u64> {
    let rest = line.split_once(label)?.1;
    rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}

fn text_after<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    Some(line.split_once(label)?.1.split_once('"')?.0)
}
