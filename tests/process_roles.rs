//! Nodes that change their role, or read their config again, while they run: real processes on loopback. What the sinks
//! have in the end is what the nodes measured, and no sensor's thread was ever another.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use common::{
    Client, Launch, PATIENCE, Process, assert_collected, free_address, journal_of, own_journal, own_rows,
    pisink, until,
};
use rustix::process::Signal;
use serde_json::{Value as Json, json};

/// Chips that measure often.
const BUSY: &str = "--bus sim --chip sht3x@0x44 --interval 20ms --flush-interval 20ms";

/// Runs `pisink role ADDRESS WORDS`, which has to succeed.
fn role(node: &Process, words: &str) -> Json {
    let done = pisink(&format!("role {} {words} --json", node.address));
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{}", done.stdout);
    serde_json::from_str(&done.stdout).unwrap()
}

fn role_of(node: &Process) -> (String, String, String) {
    let status = node.status();
    let text = |key: &str| status[key].as_str().unwrap().to_owned();
    (text("role"), text("role_origin"), text("role_at_next_start"))
}

fn own_last(node: &Process) -> u64 {
    node.status()["last"].as_u64().unwrap()
}

/// Waits until the consumer `sink` has taken at least through `place` of the node's own journal.
fn wait_until_taken(node: &Process, sink: &str, place: u64) {
    let what = format!("{sink} has taken through {place}");
    node.status_when(&what, |status| status["consumers"][sink].as_u64() >= Some(place));
}

/// The threads of a node that bear this name.
fn threads(node: &Process, name: &str) -> BTreeSet<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
    let tasks = tasks.map(|task| task.unwrap().path());
    let is_named = |task: &std::path::PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    tasks.filter(is_named).map(|task| task.display().to_string()).collect()
}

/// A node of a site of `names`, each at its address, with the role that `flags` say.
fn start(dir: &Path, name: &str, address: &str, flags: &str) -> Process {
    Launch::bare(&dir.join(name)).flags(&format!("--name {name} {BUSY} {flags}")).at(address).start()
}

#[test]
fn the_sink_moves_to_another_node_while_all_of_them_measure() {
    let dir = tempfile::tempdir().unwrap();
    let [at_a, at_b, at_c] = [(); 3].map(|()| free_address());
    let rounds = "--poll-interval 200ms --deadline 150ms";
    let b = start(dir.path(), "b", &at_b, "--role secondary");
    let c = start(dir.path(), "c", &at_c, "--role secondary");
    let a = start(dir.path(), "a", &at_a, &format!("--role primary {rounds} --peer {at_b} --peer {at_c}"));
    let before = [&a, &b, &c].map(|node| threads(node, "sim"));
    assert!(before.iter().all(|threads| threads.len() == 1), "{before:?}");
    for node in [&b, &c] {
        wait_until_taken(node, "a", 20);
    }

    let answer = role(&b, &format!("primary --peer {at_a} --peer {at_c} {rounds}"));
    assert_eq!(
        (&answer["role"], &answer["origin"], &answer["next_start"]),
        (&json!("primary"), &json!("command"), &json!("secondary"))
    );
    assert_eq!(answer["peers"], json!([at_a, at_c]));
    let answer = role(&a, "secondary");
    assert_eq!((&answer["role"], &answer["next_start"]), (&json!("secondary"), &json!("primary")));
    assert_eq!(role_of(&a), ("secondary".into(), "command".into(), "primary".into()));
    assert!(a.status()["polling"].is_null() && !b.status()["polling"].is_null());
    for node in [&a, &c] {
        wait_until_taken(node, "b", own_last(node) + 20);
    }
    // And back, with the list that its flags have.
    role(&a, "primary");
    role(&b, "secondary");
    let marks = [&b, &c].map(|node| own_last(node) + 20);
    for (node, mark) in [&b, &c].into_iter().zip(marks) {
        wait_until_taken(node, "a", mark);
    }
    assert_eq!([&a, &b, &c].map(|node| threads(node, "sim")), before, "no sensor was started anew");

    for node in [a, b, c] {
        node.terminate();
    }
    let at = |name: &str| dir.path().join(name);
    for (name, mark) in ["b", "c"].into_iter().zip(marks) {
        assert!(
            assert_collected(&at("a"), &at(name)) >= mark,
            "all of {name}, also what it measured meanwhile"
        );
    }
    assert!(assert_collected(&at("b"), &at("a")) > 20 && assert_collected(&at("b"), &at("c")) > 20);
}

#[test]
fn a_polled_site_becomes_a_ring_and_a_polled_site_again() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = [(); 3].map(|()| free_address());
    let [at_a, at_b, at_c] = &addresses;
    let peers = addresses.join(",");
    let b = start(dir.path(), "b", at_b, "--role secondary");
    let c = start(dir.path(), "c", at_c, "--role secondary");
    let a = start(
        dir.path(),
        "a",
        at_a,
        &format!("--role primary --poll-interval 200ms --peer {at_b} --peer {at_c}"),
    );
    for node in [&b, &c] {
        wait_until_taken(node, "a", 20);
    }
    let before = [&a, &b, &c].map(|node| threads(node, "sim"));

    for node in [&c, &b] {
        role(node, &format!("ring --peer {peers}"));
    }
    role(&a, &format!("ring --peer {peers} --sink --token"));
    a.status_when("all are in the ring", |status| {
        status["ring"]["members"].as_array().is_some_and(|members| members.len() == 3)
    });
    for node in [&b, &c] {
        wait_until_taken(node, "a", own_last(node) + 20);
    }

    for node in [&b, &c] {
        role(node, "secondary");
    }
    role(&a, "configured");
    assert_eq!(role_of(&a), ("primary".into(), "settings".into(), "primary".into()));
    let marks = [&b, &c].map(|node| own_last(node) + 20);
    for (node, mark) in [&b, &c].into_iter().zip(marks) {
        wait_until_taken(node, "a", mark);
    }
    assert_eq!([&a, &b, &c].map(|node| threads(node, "sim")), before, "no sensor was started anew");
    for node in [a, b, c] {
        node.terminate();
    }
    let at = |name: &str| dir.path().join(name);
    for (name, mark) in ["b", "c"].into_iter().zip(marks) {
        assert!(assert_collected(&at("a"), &at(name)) >= mark);
    }
}

/// A node with this config, as a service has it: no terminal.
fn with_config(dir: &Path, config: &str) -> Launch {
    let file = dir.join("pisink.toml");
    std::fs::write(&file, config).unwrap();
    Launch::bare(&dir.join("data")).by(&["setsid"]).flags("--config").arg(&file)
}

#[test]
fn a_kept_role_survives_a_restart_and_goes_when_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let other = Launch::secondary("other", &dir.path().join("other")).start();
    let address = free_address();
    let config = format!(
        "role = \"secondary\"\nname = \"a\"\nlisten = \"{address}\"\nbus = \"none\"\ninterval = \"1h\"\n\
         peers = [\"{}\"]\npoll_interval = \"200ms\"\n",
        other.address
    );
    let launch = with_config(dir.path(), &config);
    let node = launch.start();
    assert_eq!(role_of(&node), ("secondary".into(), "settings".into(), "secondary".into()));
    let answer = role(&node, "primary --keep");
    assert_eq!((&answer["origin"], &answer["peers"]), (&json!("kept"), &json!([other.address])));
    other.status_when("it is polled", |status| !status["consumers"]["a"].is_null());

    let mut node = node.kill9().start();
    assert_eq!(role_of(&node), ("primary".into(), "kept".into(), "primary".into()));
    assert!(node.has_logged("which was kept here, not secondary as the settings say"));
    node.status_when("it polls", |status| status["polling"]["round"].as_u64() > Some(2));
    let text = pisink(&format!("role {}", node.address)).stdout;
    assert!(text.contains("is primary (kept over its next start); 1 peers"), "{text}");
    let text = pisink(&format!("status {}", node.address)).stdout;
    assert!(text.contains("primary, kept"), "{text}");

    // A flag of today goes before what was kept long ago.
    node.terminate();
    node = launch.clone().flags("--role secondary").start();
    assert_eq!(role_of(&node), ("secondary".into(), "settings".into(), "secondary".into()));
    assert!(node.has_logged("gives way to secondary"));
    node.terminate();
    node = launch.start();
    assert_eq!(role(&node, "configured")["role"], json!("secondary"));
    let node = node.kill9().start();
    assert_eq!(role_of(&node), ("secondary".into(), "settings".into(), "secondary".into()));
}

#[test]
fn a_role_that_cannot_be_kept_is_not_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let node = Launch::secondary("a", dir.path()).start();
    std::fs::create_dir(dir.path().join("role.json")).unwrap();
    let done = pisink(&format!("role {} primary --keep", node.address));
    assert_eq!(done.code, Some(1), "{}", done.stdout);
    assert!(
        done.stderr.contains("the role stays as it is") && done.stderr.contains("role.json"),
        "{}",
        done.stderr
    );
    assert_eq!(role_of(&node), ("secondary".into(), "settings".into(), "secondary".into()));
    assert_eq!(role(&node, "primary")["role"], json!("primary"), "without --keep it can be");
}

#[test]
fn hostile_orders_change_nothing_and_are_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let node = Launch::secondary("a", dir.path()).start();
    let peers: Vec<String> = (0..10_000).map(|at| format!("10.0.0.1:{}", at + 1)).collect();
    for (value, why) in [
        (json!({"role": "emperor"}), "primary, secondary and ring"),
        (json!({"role": "primary", "peers": peers}), "10000 are too many"),
        (json!({"role": "ring", "peers": peers[..65]}), "65 are too many"),
        (json!({"role": "primary", "peers": ["/etc/passwd"]}), "HOST:PORT"),
        (json!({"role": "primary", "peers": ["a\r\nb:1"]}), "HOST:PORT"),
        (json!({"role": "primary", "keep": "/etc"}), "invalid type"),
        (json!({"role": "primary", "poll_interval_ms": 0}), "poll_interval_ms"),
        (json!({"role": "primary", "poll_interval_ms": -1}), "invalid value"),
        (json!({"role": "primary", "poll_interval_ms": 100, "deadline_ms": 200}), "longer than"),
        (json!({"role": "secondary", "peers": ["b:1"]}), "polls nobody"),
        (json!({"role": "ring"}), "list of its nodes"),
        (json!(["primary"]), "as an object"),
    ] {
        let answer = node.client().ask("ROLE", &value);
        assert_eq!(answer["key"], "ERROR", "{answer}");
        let text = answer["value"]["text"].as_str().unwrap();
        assert!(text.contains(why) && text.len() < 500, "{text}");
    }
    let answer = node.client().ask("ROLE", &Json::Null);
    assert_eq!((&answer["key"], &answer["value"]["role"]), (&json!("ROLE_ANSWER"), &json!("secondary")));
    assert!(!dir.path().join("role.json").exists());
}

#[test]
fn a_flood_of_orders_is_answered_one_by_one_also_to_who_says_nothing_more() {
    const ORDERS: usize = 300;
    let dir = tempfile::tempdir().unwrap();
    let node = Launch::secondary("a", dir.path()).start();
    let mut client: Client = node.client();
    for at in 0..ORDERS {
        let role = ["primary", "secondary"][at % 2];
        client.send_json(&json!({"id": at.to_string(), "key": "ROLE", "value": {"role": role}}));
    }
    client.shut_down_writing();
    let mut answered = BTreeSet::new();
    for _ in 0..ORDERS {
        let answer = client.json();
        let is_busy = answer["value"]["text"].as_str().is_some_and(|text| text.contains("under way"));
        assert!(answer["key"] == "ROLE_ANSWER" || is_busy, "{answer}");
        answered.insert(answer["value"]["re"].as_str().unwrap().to_owned());
    }
    assert_eq!(answered.len(), ORDERS);
    assert!(client.is_closed_by_the_other_end());
    assert_eq!(role(&node, "secondary")["role"], json!("secondary"));
}

/// Two simulated buses, so that one can change alone.
fn two_buses(address: &str, second: &str, more: &str) -> String {
    format!(
        "role = \"secondary\"\nname = \"a\"\nlisten = \"{address}\"\nbus = \"sim\"\ninterval = \"20ms\"\n\
         flush_interval = \"20ms\"\nhost = false\nchips = [\"sht3x@0x44\", \"sim:2/{second}\"]\n{more}"
    )
}

fn channels(status: &Json) -> String {
    status["channels"].as_array().unwrap().iter().map(|channel| format!("{} ", channel["channel"])).collect()
}

#[test]
fn sighup_applies_what_it_can_and_says_what_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let other = Launch::secondary("other", &dir.path().join("other")).start();
    let address = free_address();
    let file = dir.path().join("pisink.toml");
    let mut node = with_config(dir.path(), &two_buses(&address, "tmp102@0x48", "")).start();
    node.wait_for_own(20);
    let before = (threads(&node, "sim"), threads(&node, "sim:2"));
    assert_eq!((before.0.len(), before.1.len()), (1, 1));

    let plots = dir.path().join("plots");
    let more = format!(
        "plots = \"{}\"\nplot_interval = \"100ms\"\nkeep_for = \"30d\"\npeers = [\"{}\"]\n",
        plots.display(),
        other.address
    );
    let changed = two_buses(&address, "tmp117@0x49", &more)
        .replace("role = \"secondary\"", "role = \"primary\"")
        .replace("name = \"a\"", "name = \"b\"");
    std::fs::write(&file, &changed).unwrap();
    node.signal(Signal::HUP);
    let line = node.wait_for_line("the config is read again");
    assert!(
        line.contains("the chips")
            && line.contains("the plots")
            && line.contains("the role, which is primary"),
        "{line}"
    );
    node.wait_for_line("name stays a until the node is started again, then it is b");
    node.wait_for_line("the role is now primary");
    let status = node.status_when("the new chip is read", |status| channels(status).contains("tmp117-49"));
    assert_eq!(
        (&status["node"], &status["role"], &status["role_origin"]),
        (&json!("a"), &json!("primary"), &json!("settings"))
    );
    node.status_when("the former chip is forgotten", |status| !channels(status).contains("tmp102"));
    assert_eq!(threads(&node, "sim"), before.0, "its settings are as they were");
    let after = threads(&node, "sim:2");
    assert!(after.len() == 1 && after != before.1, "{after:?}");
    other.status_when("it is polled", |status| !status["consumers"]["a"].is_null());
    until("it draws", || plots.join("time-series.png").exists().then_some(()));

    // The same again changes nothing; then a file that is wrong.
    node.signal(Signal::HUP);
    node.wait_for_line("nothing in it has changed that applies at once");
    std::fs::write(&file, changed.replace("20ms", "20 parsecs")).unwrap();
    node.signal(Signal::HUP);
    let line = node.wait_for_line("the config is not taken, everything stays as it is");
    assert!(line.contains("20 parsecs"), "{line}");
    std::fs::write(&file, "intervall = \"1s\"\n").unwrap();
    node.signal(Signal::HUP);
    let line = node.wait_for_line("the config is not taken, everything stays as it is");
    assert!(line.contains("pisink.toml:1") && line.contains("did you mean \"interval\""), "{line}");
    std::fs::remove_file(&file).unwrap();
    node.signal(Signal::HUP);
    node.wait_for_line("the config is not taken, everything stays as it is");
    assert_eq!((threads(&node, "sim"), threads(&node, "sim:2")), (before.0, after));
    assert_eq!(node.status()["role"], json!("primary"));

    let last = own_last(&node);
    node.wait_for_own(last + 20);
    node.terminate();
    own_rows_have_no_hole(&dir.path().join("data"));
}

fn own_rows_have_no_hole(data: &Path) {
    let rows = own_rows(data);
    assert!(rows.keys().copied().eq(1..=rows.len() as u64));
    assert_eq!(rows.len(), journal_of(data, own_journal(data)).len());
}

#[test]
fn a_role_by_command_outlasts_sighup_and_follows_the_list_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let others = ["x", "y"].map(|name| Launch::secondary(name, &dir.path().join(name)).start());
    let config = |peer: &Process| {
        let address = &peer.address;
        format!(
            "role = \"secondary\"\nname = \"a\"\nlisten = \"127.0.0.1:0\"\nbus = \"none\"\ninterval = \"1h\"\n\
             peers = [\"{address}\"]\n"
        )
    };
    let mut node = with_config(dir.path(), &config(&others[0])).start();
    role(&node, "primary");
    others[0].status_when("it is polled", |status| !status["consumers"]["a"].is_null());
    std::fs::write(dir.path().join("pisink.toml"), config(&others[1])).unwrap();
    node.signal(Signal::HUP);
    node.wait_for_line("role stays primary, as the node was told to be");
    node.wait_for_line("the role is now primary");
    others[1].status_when("it is polled", |status| !status["consumers"]["a"].is_null());
    assert_eq!(role(&node, "")["peers"], json!([others[1].address]));
}

#[test]
fn a_service_manager_hears_when_a_node_reads_its_config_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let next = || {
        let mut buffer = [0; 4_096];
        let count = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    };
    let config =
        "role = \"secondary\"\nname = \"a\"\nlisten = \"127.0.0.1:0\"\nbus = \"none\"\ninterval = \"1h\"\n";
    let launch = with_config(dir.path(), config).env("NOTIFY_SOCKET", path.to_str().unwrap());
    let node = launch.start();
    assert!(next().contains("READY=1\n"));
    for config in [config.replace("1h", "2h"), "rubbish".to_owned()] {
        std::fs::write(dir.path().join("pisink.toml"), config).unwrap();
        node.signal(Signal::HUP);
        let words = next();
        assert!(words.contains("RELOADING=1\n") && words.contains("MONOTONIC_USEC="), "{words}");
        let words = next();
        assert!(words.contains("READY=1\n") && words.contains("STATUS=secondary"), "{words}");
    }
    node.terminate();
}
