//! Measures the budgets of docs/performance.md: each figure beside a peer, or beside the bare thing, in one run.
//!
//! `scripts/bench` builds this, runs it and makes a table of what it prints (a line of JSON for each row). It measures
//! real `pisink` processes, on a core of their own; what plays the rest of the world runs on the other. Loopback only.
#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot be made stops there")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

mod backlog;
mod ingest;
mod kit;
mod links;
mod peers_autopilot;
mod peers_jsocket;
mod ping;
mod player;
mod ring_bare;
mod ring_heal;
mod ring_hop;
mod ring_idle;
mod ring_load;
mod ring_member;
mod ring_site;
mod rounds;
mod small;
mod small_node;

/// What can be measured, in the order of the table.
const BENCHES: &[(&str, fn())] = &[
    ("ingest", ingest::run),
    ("small", small::run),
    ("rounds", rounds::run),
    ("ping", ping::run),
    ("links", links::links),
    ("idle", links::idle),
    ("node", small_node::run),
    ("ring-hop", ring_hop::run),
    ("ring-load", ring_load::run),
    ("ring-heal", ring_heal::run),
    ("ring-idle", ring_idle::run),
    ("peers-jsocket", peers_jsocket::run),
    ("peers-autopilot", peers_autopilot::run),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--bare-sqlite"] => return ingest::bare_sqlite_here(),
        ["--bare-station", bytes, way] => {
            return ring_bare::station_here(bytes.parse().expect("a size"), way);
        }
        ["--bare-frames", request, reply] => {
            let sizes = (request.parse().expect("a size"), reply.parse().expect("a size"));
            return peers_autopilot::bare_here(sizes.0, sizes.1);
        }
        ["--bare-ping", reply] => return ping::bare_here(reply.parse().expect("a size")),
        _ => {}
    }
    kit::pin_world();
    kit::raise_file_limit();
    // `ring` is all whose names begin with it.
    let is_wanted = |name: &str, wanted: &str| name == wanted || name.split('-').next() == Some(wanted);
    for wanted in &arguments {
        assert!(BENCHES.iter().any(|(name, _)| is_wanted(name, wanted)), "no bench {wanted}");
    }
    for (name, run) in BENCHES {
        if arguments.is_empty() || arguments.iter().any(|wanted| is_wanted(name, wanted)) {
            run();
        }
    }
}
