//! A mixed site in one network name space: a primary with a secondary, and with guests of every kind, each unchanged:
//! a script that sends line JSON, a client of the real jsocket, a node of the real pyre, a Net_Node of the real
//! Autopilot, and one that treats connections as the lab's programs do. All is in one store, once, and in one plot.
//!
//! `PISINK_MIXED_PICTURE=FILE` has the site run for longer, and keeps its plot: `docs/mixed.png` was made so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Lan, Launch, Script, pisink, real_python, rows};

/// Guests that are told what to send: the kind, its name on the site, and the environment that its library is in.
const GUESTS: [(&str, &str, Option<&str>); 4] = [
    ("script", "json-script", None),
    ("jsocket", "jsocket-client", Some("jsocket-2")),
    ("pyre", "pyre-node", Some("zmq")),
    ("autopilot", "net-node", Some("zmq")),
];

/// The lab's program.
const LAB: &str = "lab-bench";

/// How often each guest says something, and how long it waits in between: for a picture there is something to see.
fn rounds() -> (u32, Duration) {
    match picture() {
        Some(_) => (120, Duration::from_millis(250)),
        None => (8, Duration::ZERO),
    }
}

fn picture() -> Option<std::path::PathBuf> {
    std::env::var_os("PISINK_MIXED_PICTURE").map(Into::into)
}

/// A guest's temperature in a round: each has a level and a wave of its own.
fn temperature(guest: usize, round: u32) -> f64 {
    let at = f64::from(round) / 14.0 + guest as f64;
    let value = 18.5 + 1.3 * guest as f64 + 0.45 * at.sin() + 0.15 * (3.1 * at).sin();
    (value * 100.0).round() / 100.0
}

fn guest(lan: &Lan, (kind, name, environment): (&str, &str, Option<&str>)) -> Option<Script> {
    let python = match environment {
        Some(environment) => real_python(environment)?,
        None => "python3".into(),
    };
    let mut script = Script::spawn(lan.command(0, &python), "mixed.py", &[kind, name, "127.0.0.1", "7001"]);
    assert_eq!(script.line(), "ready", "{kind}");
    Some(script)
}

fn lab(lan: &Lan) -> Script {
    let command = lan.command(0, Path::new("python3"));
    let mut script = Script::spawn(command, "lab.py", &["secondary", "127.0.0.1", "1025", "7001"]);
    assert_eq!(script.line(), "ready");
    script
}

#[test]
fn every_kind_of_peer_delivers_into_one_store_and_one_plot() {
    let [data, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let Some(lan) = Lan::of(1) else { return };
    let chip = "--bus sim --interval 250ms --chip tmp102@0x48 --host=false";
    let secondary =
        Launch::secondary("secondary", other.path()).at("127.0.0.1:7002").flags(chip).flags("--bus sim:7");
    let secondary = lan.launch(0, secondary).start();
    let primary = Launch::primary("primary", data.path(), &["127.0.0.1:7002"]).at("0.0.0.0:7001").flags(chip);
    let primary =
        primary.flags("--zre eth0 --lab-peer lab-bench=127.0.0.1:1025 --lab-interval 250ms --terminal-id T");
    let mut bench = lab(&lan);
    let post = |round| format!("post Post Data,rtemp:{:.2},winds:ERR,", temperature(GUESTS.len(), round));
    bench.act(&post(0));
    let primary = lan.launch(0, primary).start();
    let mut guests = Vec::new();
    for kind in GUESTS {
        let Some(script) = guest(&lan, kind) else { return };
        guests.push(script);
    }
    let (rounds, pause) = rounds();
    for round in 0..rounds {
        for (at, guest) in guests.iter_mut().enumerate() {
            guest.act(&temperature(at, round).to_string());
        }
        bench.say(&post(round));
        std::thread::park_timeout(pause);
    }
    let count = u64::from(rounds) * GUESTS.len() as u64;
    primary.status_when("all guests have delivered", |status| {
        let asked = status["lab"]["peers"][0]["answers"].as_u64().unwrap();
        asked > 2 && status["foreign"]["readings"].as_u64().unwrap() >= count + 2 * asked
    });
    guests.into_iter().for_each(Script::end);
    primary.wait_for_taken("127.0.0.1:7002", 2);
    primary.terminate();
    secondary.terminate();

    // Each said each value once, and in its order; `rows` sees to it that no place is there twice.
    let rows: Vec<(String, f64)> = rows(data.path())
        .into_values()
        .filter_map(|row| Some((row.channel, f64::from_bits(row.value.ok()?))))
        .collect();
    let of =
        |channel: &str| rows.iter().filter(|row| row.0 == channel).map(|row| row.1).collect::<Vec<f64>>();
    for (at, ((_, name, _), chip)) in GUESTS.iter().zip(["json", "json", "zre", "autopilot"]).enumerate() {
        let expected: Vec<f64> = (0..rounds).map(|round| temperature(at, round)).collect();
        assert_eq!(of(&format!("{name}/{chip}/temperature")), expected, "{name}");
    }
    assert!(of(&format!("{LAB}/lab/temperature")).len() > 2);
    for node in ["primary", "secondary"] {
        assert!(of(&format!("{node}/tmp102-48/temperature")).len() > 1, "{node}");
    }
    let plots = tempfile::tempdir().unwrap();
    let (from, to) = (data.path().display(), plots.path().display());
    let drawn = pisink(&format!("plot --data {from} --out {to} --quantity temperature --size 1200x700"));
    assert_eq!(drawn.code, Some(0), "{}", drawn.stderr);
    let drawn = plots.path().join("time-series.png");
    assert!(std::fs::metadata(&drawn).unwrap().len() > 10_000);
    if let Some(picture) = picture() {
        std::fs::copy(drawn, picture).unwrap();
    }
}
