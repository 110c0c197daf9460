//! Ten thousand links at once: how long until all are accepted, what each costs, and what a quiet sink costs.

use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use crate::backlog::Backlog;
use crate::kit::{Node, Row};
use crate::player::{Play, Player};

const LINKS: usize = 10_000;
const TARGET_BYTES: f64 = 2_048.0;
const IDLE: Duration = Duration::from_secs(25);
const TARGET_IDLE_PERCENT: f64 = 0.3;

pub(crate) fn links() {
    let node = Node::start(&["--role", "secondary", "--name", "sink", "--bus", "none", "--interval", "60s"]);
    node.status();
    let before = node.memory("VmRSS");
    let (begin, cpu) = (Instant::now(), node.cpu());
    let mut streams: Vec<_> = (0..LINKS).map(|_| node.connect()).collect();
    let held = LINKS as u64;
    node.wait_for_status(|status| status["links"].as_u64().is_some_and(|links| links >= held));
    let (took, cpu) = (begin.elapsed(), node.cpu() - cpu);
    let silent = (node.memory("VmRSS") - before) / LINKS as f64;
    for stream in &mut streams {
        stream.write_all(b"{\"msg\": \"hello\"}\r").expect("it reads");
    }
    node.wait_for_status(|status| status["foreign"]["messages"].as_u64() == Some(held));
    let each = (node.memory("VmRSS") - before) / LINKS as f64;
    Row {
        what: "memory of a link, 10,000 held".into(),
        ours: each,
        unit: "bytes",
        target: "2,048 bytes".into(),
        is_met: Some(each < TARGET_BYTES),
        note: format!("{silent:.0} before each has said a word; the kernel's own memory is not in it"),
        ..Row::default()
    }
    .print("links");
    Row {
        what: "10,000 links accepted".into(),
        ours: took.as_secs_f64() * 1e3,
        unit: "ms",
        note: format!("{:.0} ms of processor time", cpu.as_secs_f64() * 1e3),
        ..Row::default()
    }
    .print("links");
    // The last one still is served.
    let last = streams.last_mut().expect("ten thousand");
    last.write_all(b"{\"id\":\"1\",\"key\":\"PING\"}\r").expect("it reads");
    BufReader::new(last).read_line(&mut String::new()).expect("it answers");
}

pub(crate) fn idle() {
    let play = Play { nodes: 50, backlog: 0, news: 25, slowest: Duration::from_millis(5) };
    let player = Player::start(play, &Backlog::new());
    let peers = player.peers();
    let mut arguments = vec!["--role", "primary", "--name", "sink", "--bus", "none", "--interval", "5s"];
    arguments.extend(["--poll-interval", "5s", "--deadline", "1s"]);
    arguments.extend(peers.iter().map(String::as_str));
    let node = Node::start(&arguments);
    node.wait_for_log(": 50 of 50 answered");
    let (begin, cpu) = (Instant::now(), node.cpu());
    std::thread::sleep(IDLE);
    let percent = (node.cpu() - cpu).as_secs_f64() / begin.elapsed().as_secs_f64() * 100.0;
    Row {
        what: "a sink with 50 peers at 5 s intervals, of one core".into(),
        ours: percent,
        unit: "%",
        target: "0.3 %".into(),
        is_met: Some(percent < TARGET_IDLE_PERCENT),
        note: format!("over {} s; each peer gives 25 readings in a round", IDLE.as_secs()),
        ..Row::default()
    }
    .print("idle");
}
