//! The least that passing a line round costs: processes that read so many bytes from one socket and write them to the
//! next, and do nothing else. Two of them are a ping-pong; as many as a ring has are what the scheduler and cold caches
//! make of it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::process::Child;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::kit::{cpu_of, helper_on};

/// Blocking reads and writes.
pub(crate) const BLOCKING: &str = "blocking";
/// A wait for readiness before each read, as one has to who serves several links.
pub(crate) const EPOLL: &str = "epoll";

/// So many stations, this program one of them.
pub(crate) struct BareRing {
    stations: Vec<Child>,
    to: TcpStream,
    from: Passage,
    line: Vec<u8>,
}

/// What was seen of a line that went round.
pub(crate) struct Turn {
    pub(crate) took: Duration,
    pub(crate) hops: usize,
}

impl Turn {
    /// The mean time of a hop.
    pub(crate) fn hop_us(&self) -> f64 {
        self.took.as_secs_f64() * 1e6 / self.hops as f64
    }
}

impl BareRing {
    /// The even stations are on the core of what is measured; this program, the last one, on the other.
    pub(crate) fn start(stations: usize, bytes: usize, way: &str) -> BareRing {
        let (size, own) = (bytes.to_string(), listen());
        let mut next = own.local_addr().expect("a port").port().to_string();
        let mut children = Vec::new();
        for at in (0..stations - 1).rev() {
            let mut child = helper_on(at % 2, &["--bare-station", &size, way]);
            let stdin = child.stdin.as_mut().expect("a pipe");
            writeln!(stdin, "{next}").expect("it reads");
            next.clear();
            let stdout = child.stdout.as_mut().expect("a pipe");
            BufReader::new(stdout).read_line(&mut next).expect("its port");
            next.truncate(next.trim_end().len());
            children.push(child);
        }
        let to = connect(&next);
        let from = Passage::new(accept(&own), way == EPOLL);
        BareRing { stations: children, to, from, line: vec![b'.'; bytes] }
    }

    /// Lets the line go round for so long.
    pub(crate) fn rotations(&mut self, time: Duration) -> Turn {
        let (begin, mut hops) = (Instant::now(), 0);
        while begin.elapsed() < time {
            write_all(&mut self.to, &self.line);
            assert!(self.from.fill(&mut self.line), "a station ends");
            hops += self.stations.len() + 1;
        }
        Turn { took: begin.elapsed(), hops }
    }

    /// Processor time of the stations, without this program.
    pub(crate) fn cpu(&self) -> Duration {
        self.stations.iter().map(|station| cpu_of(station.id())).sum()
    }
}

impl Drop for BareRing {
    fn drop(&mut self) {
        for station in &mut self.stations {
            let _ = station.kill();
            let _ = station.wait();
        }
    }
}

/// One station: prints its port, is told that of the next one.
pub(crate) fn station_here(bytes: usize, way: &str) {
    let listener = listen();
    let mut next = String::new();
    std::io::stdin().read_line(&mut next).expect("the next one's port");
    println!("{}", listener.local_addr().expect("a port").port());
    let mut to = connect(next.trim());
    let mut from = Passage::new(accept(&listener), way == EPOLL);
    let mut line = vec![0; bytes];
    while from.fill(&mut line) {
        write_all(&mut to, &line);
    }
}

/// Where the line comes in.
struct Passage {
    stream: TcpStream,
    poll: Option<(Poll, Events)>,
}

impl Passage {
    fn new(mut stream: TcpStream, waits: bool) -> Passage {
        let poll = waits.then(|| {
            let poll = Poll::new().expect("an event loop");
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(0), interest).expect("it is watched");
            (poll, Events::with_capacity(64))
        });
        if poll.is_none() {
            set_blocking(&stream);
        }
        Passage { stream, poll }
    }

    /// Fills the line; false at the end.
    fn fill(&mut self, line: &mut [u8]) -> bool {
        let mut count = 0;
        while count < line.len() {
            if let Some((poll, events)) = &mut self.poll {
                match poll.poll(events, None) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    other => other.expect("it waits"),
                }
            }
            match self.stream.read(&mut line[count..]) {
                Ok(0) => return false,
                Ok(more) => count += more,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn set_blocking(stream: &TcpStream) {
    rustix::io::ioctl_fionbio(stream, false).expect("a socket");
}

fn write_all(stream: &mut TcpStream, line: &[u8]) {
    // A line is shorter than a socket's buffer; who ends while it is written to is no loss.
    let _ = stream.write_all(line);
}

fn listen() -> TcpListener {
    TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("a free port")
}

fn connect(port: &str) -> TcpStream {
    let port: u16 = port.parse().expect("a port");
    let stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream.set_nonblocking(true).expect("a socket");
    TcpStream::from_std(stream)
}

fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nodelay(true).expect("a TCP socket");
                return stream;
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
