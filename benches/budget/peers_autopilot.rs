//! A node as a station of Autopilot's network: DATA to its receipt, beside the bare socket and beside Autopilot's own
//! terminal; what a stream brings; and a stream that has nothing to say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pisink::wire::zmtp::{ZmtpDecoder, ZmtpEvent, encode_frames, greeting};
use serde_json::json;

use crate::kit::{Node, Row, helper, median, on_measured_core};
use crate::peers_jsocket::python;

const TRIPS: usize = 2_000;
/// With Autopilot each takes nearly a millisecond.
const TRIPS_SLOW: usize = 200;
const TURNS: usize = 9;
const TARGET: f64 = 1.5;
const TARGET_ITEMS: f64 = 200_000.0;
const STREAMS: usize = 4_000;
const ITEMS: usize = 100;
const IDLE: Duration = Duration::from_secs(5);
const SECONDARY: [&str; 7] = ["--role", "secondary", "--name", "sink", "--bus", "none", "--host=false"];

pub(crate) fn run() {
    receipts();
    streams();
    idle();
}

fn receipts() {
    let node = Node::start(&SECONDARY);
    let mut ours = Dealer::to(node.connect());
    let (request, reply) = ours.sizes();
    let mut bare = Bare::start(request, reply);
    let autopilot = python("zmq").map(|python| Terminal::start(&python));
    let mut theirs = autopilot
        .as_ref()
        .map(|terminal| Dealer::to(TcpStream::connect(("127.0.0.1", terminal.port)).expect("it listens")));
    let (mut ours_us, mut bare_us, mut theirs_us) = (vec![], vec![], vec![]);
    for _ in 0..TURNS {
        bare_us.push(bare.turn(request, reply));
        ours_us.push(ours.turn(TRIPS));
        theirs_us.extend(theirs.as_mut().map(|theirs| theirs.turn(TRIPS_SLOW)));
    }
    let (bare_us, _) = median(&bare_us);
    let (ours_us, spread) = median(&ours_us);
    Row {
        what: "Autopilot's DATA to its receipt".to_owned(),
        ours: ours_us,
        unit: "us",
        other: Some(("bare TCP", bare_us)),
        ratio: Some(ours_us / bare_us),
        target: format!("{TARGET} times"),
        is_met: Some(ours_us <= TARGET * bare_us),
        spread,
        note: format!("{request} bytes there, {reply} back; each is a reading that goes to the disk"),
    }
    .print("peers");
    if !theirs_us.is_empty() {
        let (theirs_us, _) = median(&theirs_us);
        Row {
            what: "the same, beside Autopilot's terminal".to_owned(),
            ours: ours_us,
            unit: "us",
            other: Some(("Terminal_Station of 0.5.1", theirs_us)),
            ratio: Some(ours_us / theirs_us),
            ..Row::default()
        }
        .print("peers");
    }
}

fn streams() {
    let (mut rates, mut cores) = (vec![], vec![]);
    for _ in 0..3 {
        let node = Node::start(&SECONDARY);
        let mut dealer = Dealer::to(node.connect());
        let items: Vec<_> = (0..ITEMS).map(|n| json!({ "n": n })).collect();
        let value = json!({ "inner_key": "CONTINUOUS",
            "headers": { "pilot": "p1", "subject": "s", "continuous": true },
            "payload": items });
        let message = json!({ "id": "video_0", "to": "T", "sender": "cam_video", "key": "STREAM", "value": value,
            "timestamp": "2026-11-20T20:00:00.000000", "changed": false,
            "flags": { "NOREPEAT": true, "MINPRINT": true }, "blosc": true, "ttl": 2 });
        let mut bytes = Vec::new();
        for _ in 0..40 {
            encode_frames(&[b"T", b"T", message.to_string().as_bytes()], &mut bytes);
        }
        let (begin, cpu) = (Instant::now(), node.cpu());
        for _ in 0..STREAMS / 40 {
            dealer.stream.write_all(&bytes).expect("it reads");
        }
        let all = (STREAMS * ITEMS) as u64;
        node.wait_for_status(|status| {
            assert_eq!(status["store"]["dropped_readings"], 0, "a reading is dropped");
            status["last"].as_u64().is_some_and(|last| last >= all)
        });
        rates.push(all as f64 / begin.elapsed().as_secs_f64());
        cores.push(all as f64 / (node.cpu() - cpu).as_secs_f64());
    }
    let (wall, _) = median(&rates);
    let (per_s, spread) = median(&cores);
    Row {
        what: "items of Autopilot's streams in, durable, per second of one core".to_owned(),
        ours: per_s,
        unit: "/s",
        target: "200,000/s".to_owned(),
        is_met: Some(per_s >= TARGET_ITEMS),
        spread,
        note: format!("{wall:.0}/s by the wall clock; {ITEMS} items a message"),
        ..Row::default()
    }
    .print("peers");
}

/// A pilot whose stream has nothing to say.
fn idle() {
    let terminal = Node::start(&SECONDARY);
    let at = terminal.address.to_string();
    let pilot = Node::start(&[
        "--role",
        "secondary",
        "--name",
        "pi",
        "--bus",
        "none",
        "--host=false",
        "--terminal",
        &at,
        "--stream",
    ]);
    pilot.wait_for_log("is reached");
    let before = pilot.cpu();
    std::thread::sleep(IDLE);
    let used = (pilot.cpu() - before).as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    Row {
        what: "a pilot with an idle stream, of one core".to_owned(),
        ours: used,
        unit: "%",
        target: "0.1 %".to_owned(),
        is_met: Some(used <= 0.1),
        note: "Autopilot's own takes a whole core".to_owned(),
        ..Row::default()
    }
    .print("peers");
}

/// A DEALER that sends DATA and waits for the receipt.
struct Dealer {
    stream: TcpStream,
    decoder: ZmtpDecoder,
    next: usize,
}

impl Dealer {
    fn to(stream: TcpStream) -> Dealer {
        stream.set_nodelay(true).expect("a TCP socket");
        let mut dealer = Dealer { stream, decoder: ZmtpDecoder::default(), next: 1_000_000 };
        let mut bytes = Vec::new();
        greeting("DEALER", b"cam", &mut bytes);
        dealer.stream.write_all(&bytes).expect("it reads");
        while !matches!(dealer.event().0, ZmtpEvent::Ready { .. }) {}
        dealer
    }

    fn event(&mut self) -> (ZmtpEvent, usize) {
        let (mut buffer, mut size) = ([0; 4_096], 0);
        loop {
            let count = self.stream.read(&mut buffer).expect("it answers");
            assert!(count > 0, "it closes the link");
            size += count;
            let mut input = &buffer[..count];
            if let Some(event) = self.decoder.next(&mut input) {
                assert!(input.is_empty(), "one answer at a time");
                return (event.expect("it speaks ZMTP"), size);
            }
        }
    }

    fn request(&mut self) -> Vec<u8> {
        self.next += 1;
        let json = format!(
            "{{\"id\": \"cam_{}\", \"to\": \"T\", \"sender\": \"cam\", \"key\": \"DATA\", \
             \"value\": {{\"pilot\": \"p1\", \"temperature\": 21.5}}, \
             \"timestamp\": \"2026-11-20T20:00:00.000000\", \"changed\": false, \"flags\": {{}}, \"blosc\": false, \"ttl\": 2}}",
            self.next
        );
        let mut bytes = Vec::new();
        encode_frames(&[b"T", b"T", json.as_bytes()], &mut bytes);
        bytes
    }

    /// One trip; the bytes that came.
    fn trip(&mut self) -> usize {
        let request = self.request();
        self.stream.write_all(&request).expect("it reads");
        self.event().1
    }

    fn sizes(&mut self) -> (usize, usize) {
        (self.request().len(), self.trip())
    }

    fn turn(&mut self, trips: usize) -> f64 {
        let begin = Instant::now();
        for _ in 0..trips {
            self.trip();
        }
        begin.elapsed().as_secs_f64() * 1e6 / trips as f64
    }
}

/// A server in a process of its own that answers so many bytes by so many.
struct Bare {
    child: Child,
    stream: TcpStream,
}

impl Bare {
    fn start(request: usize, reply: usize) -> Bare {
        let mut child = helper(&["--bare-frames", &request.to_string(), &reply.to_string()]);
        let stream = TcpStream::connect(("127.0.0.1", port_of(&mut child))).expect("it listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Bare { child, stream }
    }

    fn turn(&mut self, request: usize, reply: usize) -> f64 {
        let (request, mut answer) = (vec![b'.'; request], vec![0; reply]);
        let begin = Instant::now();
        for _ in 0..TRIPS {
            self.stream.write_all(&request).expect("it reads");
            self.stream.read_exact(&mut answer).expect("it answers");
        }
        begin.elapsed().as_secs_f64() * 1e6 / TRIPS as f64
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// That server.
pub(crate) fn bare_here(request: usize, reply: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("a port").port());
    let (mut stream, _) = listener.accept().expect("a peer");
    stream.set_nodelay(true).expect("a TCP socket");
    let (mut request, answer) = (vec![0; request], vec![b'.'; reply]);
    while stream.read_exact(&mut request).is_ok() && stream.write_all(&answer).is_ok() {}
}

/// Autopilot's own terminal, on the core of what is measured.
struct Terminal {
    child: Child,
    port: u16,
    _home: tempfile::TempDir,
}

impl Terminal {
    fn start(python: &Path) -> Terminal {
        let home = crate::kit::folder();
        let mut command: Command = on_measured_core(&python.display().to_string());
        let mut child = command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer_autopilot.py"))
            .env("HOME", home.path())
            .env("AUTOPILOT_NO_PREFS_MANAGER", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let port = port_of(&mut child);
        Terminal { child, port, _home: home }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port that a child prints.
fn port_of(child: &mut Child) -> u16 {
    let mut port = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut port).expect("its port");
    port.trim().parse().expect("a port")
}
