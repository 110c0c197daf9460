//! `pisink init` as people and programs meet it: on a terminal with questions, without one, and what is left when it is
//! broken off.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use common::{AtTerminal, Finished, Launch, pisink};
use serde_json::Value as Json;

fn names(dir: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn answers_at_a_terminal_become_a_config_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let mut init = AtTerminal::start("init --bus sim --name bench-1 --data data", dir.path());
    let found = init.wait_for("[secondary] > ");
    assert!(found.contains("sht3x (by status CRC)") && found.contains("0x48  probably"), "{found}");
    init.press("boss\r");
    assert!(init.wait_for("[secondary] > ").contains("no role"));
    init.press("primary\r");
    init.wait_for("[none] > ");
    init.press("pi-2\r");
    assert!(init.wait_for("[none] > ").contains("HOST:PORT"));
    init.press("\r");
    init.wait_for("[127.0.0.1:7001] > ");
    init.press("127.0.0.1:0\r");
    assert!(init.wait_for("[none] > ").contains("lm75"));
    init.press("lm75\r");
    let (status, said) = init.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("pisink run --config pisink.toml") && said.contains("pisink doctor"), "{said}");
    assert_eq!(names(dir.path()), ["pisink.toml"]);

    let config = dir.path().join("pisink.toml");
    let launch =
        Launch::bare(&dir.path().join("data")).flags("--interval 50ms --flush-interval 20ms --config");
    let plots = dir.path().join("plots/time-series.png");
    // The plots of a sink go into a folder that is relative to where it is started.
    let node = launch.arg(&config).by(&["env", "--chdir", dir.path().to_str().unwrap()]).start();
    let status = common::until("a reading of each chip", || {
        let status = pisink(&format!("status {} --json", node.address)).stdout;
        ["seesaw-36", "sht3x-44", "lm75-48"].iter().all(|chip| status.contains(chip)).then_some(status)
    });
    let status: Json = serde_json::from_str(&status).unwrap();
    assert_eq!((&status["node"], &status["role"]), (&Json::from("bench-1"), &Json::from("primary")));
    node.terminate();
    assert!(plots.exists(), "no {}", plots.display());
}

#[test]
fn what_is_broken_off_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut init = AtTerminal::start("init --bus sim", dir.path());
    init.wait_for("[secondary] > ");
    init.press("\r");
    init.wait_for("] > ");
    init.press("\x03");
    let (status, said) = init.end();
    assert_eq!(status.signal(), Some(2), "{said}");

    let mut init = AtTerminal::start("init --bus sim", dir.path());
    init.wait_for("[secondary] > ");
    init.press("\x04");
    let (status, said) = init.end();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("--role") && said.contains("nothing was written"), "{said}");

    let mut init = AtTerminal::start("init --bus sim", dir.path());
    for _ in 0..5 {
        init.wait_for("[secondary] > ");
        init.press("boss\r");
    }
    let (status, said) = init.end();
    assert_eq!((status.code(), said.contains("--role")), (Some(2), true), "{said}");
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn at_a_terminal_yes_asks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let init = AtTerminal::start("init --bus sim --role secondary --yes", dir.path());
    let (status, said) = init.end();
    assert_eq!((status.code(), said.contains("] > ")), (Some(0), false), "{said}");
    assert_eq!(names(dir.path()), ["pisink.toml"]);
}

/// `pisink init` in `dir` with an input that never says anything and never ends.
fn init(args: &str, dir: &Path) -> Finished {
    let mut command = common::command(&format!("init {args}"));
    command.current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let silence = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(silence);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
    Finished { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

#[test]
fn without_a_terminal_flags_are_taken_and_nothing_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let none = init("--bus sim", dir.path());
    assert_eq!((none.code, names(dir.path()).len()), (Some(2), 0));
    assert!(none.stderr.contains("--role primary"), "{}", none.stderr);

    let flags = "--bus sim --role primary --peer pi-2:7001 --peer pi-3:7001 --listen 0.0.0.0:7002 --name sink --data d";
    let done = init(flags, dir.path());
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""), "{}", done.stderr);
    assert!(done.stderr.contains("0x48 of sim is left out"), "{}", done.stderr);
    let config = std::fs::read_to_string(dir.path().join("pisink.toml")).unwrap();
    for line in [
        "role = \"primary\"",
        "plots = \"plots\"",
        "name = \"sink\"",
        "listen = \"0.0.0.0:7002\"",
        "data = \"d\"",
        "peers = [\"pi-2:7001\", \"pi-3:7001\"]",
        "bus = \"sim\"",
        "    \"sht3x@0x44\",  # sht3x (by status CRC)",
        "    #\"lm75@0x48\",",
        "#interval = \"1s\"",
    ] {
        assert!(config.lines().any(|other| other == line), "no line {line}:\n{config}");
    }
}

#[test]
fn a_file_that_is_there_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("pisink.toml");
    std::fs::write(&config, "# by hand\n").unwrap();
    let refused = init("--bus sim --role secondary", dir.path());
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(1), 1), "{}", refused.stderr);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "# by hand\n");
    let done = init("--bus sim --role secondary --force", dir.path());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(names(dir.path()), ["pisink.toml", "pisink.toml.old"]);
    assert_eq!(std::fs::read_to_string(dir.path().join("pisink.toml.old")).unwrap(), "# by hand\n");

    let nowhere = init("--bus none --role secondary --out none/pisink.toml", dir.path());
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("mkdir"), "{}", nowhere.stderr);
}

#[test]
fn programs_get_json_or_the_config_itself() {
    let dir = tempfile::tempdir().unwrap();
    let done = init("--bus sim --role secondary --json --out site.toml", dir.path());
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    let json: Json = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(json["out"], "site.toml");
    assert_eq!(json["config"]["chips"].as_array().unwrap().len(), 2);
    assert_eq!(json["buses"][0]["found"].as_array().unwrap().len(), 3);
    let written = std::fs::read_to_string(dir.path().join("site.toml")).unwrap();
    assert_eq!(json["text"], written.as_str());

    // The config that a package begins with: the same on every machine.
    let plain = pisink("init --bus none --role secondary --yes --out -");
    assert_eq!(plain.code, Some(0), "{}", plain.stderr);
    let on: Vec<&str> =
        plain.stdout.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(on, ["role = \"secondary\""]);
    let again = init("--bus none --role secondary --yes --json --out -", dir.path());
    let json: Json = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&json["text"], &json["out"]), (&Json::from(plain.stdout), &Json::Null));
    assert_eq!(names(dir.path()), ["site.toml"]);
}

#[test]
fn a_bus_that_is_named_and_not_there_is_an_error() {
    if Path::new("/dev/i2c-213").exists() {
        eprintln!("passed over: this machine has a /dev/i2c-213");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let done = init("--bus pi:213 --role secondary", dir.path());
    assert_eq!((done.code, names(dir.path()).len()), (Some(1), 0));
    assert!(done.stderr.contains("raspi-config"), "{}", done.stderr);
    if !Path::new("/dev/i2c-1").exists() && !Path::new("/dev/i2c-0").exists() {
        let done = init("--role secondary", dir.path());
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert_eq!(names(dir.path()), ["pisink.toml"]);
        assert!(done.stderr.contains("raspi-config"), "{}", done.stderr);
    }
}
