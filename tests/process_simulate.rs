//! `pisink simulate` and `pisink compare` as people start them: words, numbers, pictures, logs, and exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

use std::path::Path;

use serde_json::Value as Json;

mod common;

use common::pisink;

fn is_picture(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.len() > 5_000)
}

#[test]
fn a_site_is_simulated_told_drawn_and_logged_and_one_seed_gives_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    let (plot, one, two) = (file("plot.png"), file("one.log"), file("two.log"));
    let run = |log: &Path| {
        pisink(&format!(
            "simulate --nodes 4 --for 15s --kill node-2@5s..8s --standby 1 --seed 9 --plot {} --log {}",
            plot.display(),
            log.display()
        ))
    };
    let told = run(&one);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    for words in [
        "4 nodes in a ring (1 standing by)",
        "0 lost",
        "kill 2@5s..8s",
        "No acknowledged reading",
        "plot.png",
    ] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    assert!(is_picture(&plot));
    assert_eq!(run(&two).code, Some(0));
    let (one, two) = (std::fs::read(one).unwrap(), std::fs::read(two).unwrap());
    assert!(one == two && one.len() > 10_000);
}

#[test]
fn a_simulation_as_json_has_all_figures() {
    let told = pisink("simulate --nodes 3 --role primary --poll-order in-turn --for 10s --loss 2% --json");
    let json: Json = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((json["nodes"].as_u64(), json["readings"]["lost"].as_u64()), (Some(3), Some(0)));
    assert_eq!(json["readings"]["taken"], json["readings"]["at_sink"]);
    assert!(json["sent"]["POLL"]["messages"].as_u64() > Some(5), "{json}");
    assert_eq!(json["links"].as_array().map(Vec::len), Some(3));
}

#[test]
fn ways_are_compared_in_a_table_and_a_picture() {
    let dir = tempfile::tempdir().unwrap();
    let plot = dir.path().join("ways.png");
    let told = pisink(&format!("compare --nodes 2,3 --for 6s --plot {}", plot.display()));
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    for words in ["polling all at once", "polling one after the other", "the ring", "With 3 nodes"] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    assert!(is_picture(&plot));
}

#[test]
fn real_processes_are_measured_and_none_is_left() {
    let told = pisink("compare --nodes 2 --real --for 4s --interval 500ms --round 90ms --json");
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let json: Json = serde_json::from_str(&told.stdout).unwrap();
    let figures = json["worlds"][1]["figures"].as_array().unwrap();
    assert_eq!((json["worlds"][1]["world"].as_str(), figures.len()), (Some("real"), 3));
    for one in figures {
        assert!(one["averages"].as_u64() > Some(2), "{one}");
        assert!(one["messages_per_reading"].as_f64() > Some(1.0), "{one}");
        assert!(one["longest_wait_with_dead_s"].as_f64() > Some(0.0), "{one}");
    }
    let sockets: Vec<f64> = figures.iter().filter_map(|one| one["sockets"]["sink"].as_f64()).collect();
    assert_eq!(sockets, [1.0, 1.0, 2.0], "one to the other node; in a ring one there and one back");
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    for (args, words) in [
        ("simulate --nodes 3 --kill 7@10s", "hosts are sink and 1 to 2"),
        ("simulate --plot picture.gif", ".png or .svg"),
        ("simulate --for 10s --kill 2@20s", "over by then"),
        ("compare --nodes 1", "2 to 64"),
        ("compare --plot ways", ".png or .svg"),
    ] {
        let told = pisink(args);
        assert_eq!(told.code, Some(2), "{args}: {}", told.stderr);
        assert!(told.stderr.contains(words), "{args}: {}", told.stderr);
    }
}

#[test]
fn help_teaches_with_examples() {
    for (args, words) in [
        ("simulate --help", ["In class", "Before a site is changed", "partition 1,2|3,4@10s..40s"]),
        ("compare --help", ["--real", "its plug is pulled", "bad Wi-Fi"]),
    ] {
        let told = pisink(args);
        assert_eq!(told.code, Some(0));
        assert!(words.iter().all(|words| told.stdout.contains(words)), "{}", told.stdout);
    }
}
