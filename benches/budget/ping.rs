//! Request and reply on loopback, beside the least that a TCP server does with messages of the same size.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use crate::kit::{Node, Row, helper, median, pin_world, pin_world_to_measured_core};

const PINGS: usize = 2_000;
/// Turns of each, one after the other.
const TURNS: usize = 15;
const TARGET: f64 = 1.3;
const PING: &[u8] = b"{\"id\":\"12345\",\"sender\":\"bench\",\"key\":\"PING\",\
    \"timestamp\":\"2026-01-31T08:00:00.000000Z\"}\r\n";

pub(crate) fn run() {
    let node = Node::start(&["--role", "secondary", "--name", "sink", "--bus", "none", "--interval", "60s"]);
    let mut ours = node.connect();
    let reply = ping(&mut ours, PING.len());
    let mut bare = Bare::start(reply);
    compare("a core for each end", Some(TARGET), &mut ours, &mut bare.stream, reply);
    // Without the time that it takes to wake the other core: what is left is nearly all processor time.
    pin_world_to_measured_core();
    compare("both ends on one core", None, &mut ours, &mut bare.stream, reply);
    pin_world();
}

fn compare(place: &str, target: Option<f64>, ours: &mut TcpStream, bare: &mut TcpStream, reply: usize) {
    let (mut ours_us, mut bare_us) = (vec![], vec![]);
    for _ in 0..TURNS {
        bare_us.push(turn(bare, reply));
        ours_us.push(turn(ours, reply));
    }
    let (bare_us, _) = median(&bare_us);
    let (ours_us, spread) = median(&ours_us);
    Row {
        what: format!("PING to PONG on loopback, {place}"),
        ours: ours_us,
        unit: "us",
        other: Some(("bare TCP", bare_us)),
        ratio: Some(ours_us / bare_us),
        target: target.map_or_else(String::new, |target| format!("{target} times")),
        is_met: target.map(|target| ours_us <= target * bare_us),
        spread,
        note: format!("{} bytes there, {reply} back, blocking reads and writes in the bare one", PING.len()),
    }
    .print("ping");
}

/// Microseconds for one ping, on the average of a turn.
fn turn(stream: &mut TcpStream, reply: usize) -> f64 {
    let begin = Instant::now();
    for _ in 0..PINGS {
        ping(stream, reply);
    }
    begin.elapsed().as_secs_f64() * 1e6 / PINGS as f64
}

/// One ping; returns the reply's size. `expected` is what it ought to be, at most one buffer.
fn ping(stream: &mut TcpStream, expected: usize) -> usize {
    let mut buffer = [0; 512];
    let mut count = 0;
    stream.write_all(PING).expect("it reads");
    while count == 0 || (count < expected && !buffer[..count].ends_with(b"\n")) {
        let more = stream.read(&mut buffer[count..]).expect("it answers");
        assert!(more > 0, "it closes the link");
        count += more;
    }
    count
}

/// A server in a process of its own that does nothing but this.
struct Bare {
    child: std::process::Child,
    stream: TcpStream,
}

impl Bare {
    fn start(reply: usize) -> Bare {
        let mut child = helper(&["--bare-ping", &reply.to_string()]);
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut port).expect("its port");
        let stream =
            TcpStream::connect(("127.0.0.1", port.trim().parse().expect("a port"))).expect("it listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Bare { child, stream }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bare server: each request of the ping's size is answered by so many bytes.
pub(crate) fn bare_here(reply: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("a port").port());
    let (mut stream, _) = listener.accept().expect("a peer");
    stream.set_nodelay(true).expect("a TCP socket");
    let (mut request, mut answer) = (vec![0; PING.len()], vec![b'.'; reply]);
    if let Some(last) = answer.last_mut() {
        *last = b'\n';
    }
    while stream.read_exact(&mut request).is_ok() && stream.write_all(&answer).is_ok() {}
}
