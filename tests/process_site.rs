//! Sites of several real processes: what the sink has in the end is what the nodes measured, whatever happened between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{
    Client, Launch, Proxy, assert_collected, cursor_of, free_address, journal_of, own_journal, own_rows,
    pisink, rows, until,
};
use pisink::model::RoundRecord;
use pisink::store::{Filter, Reader};
use rustix::process::Signal;
use serde_json::{Value as Json, json};

/// Chips that measure often.
const BUSY: &str = "--bus sim --chip sht3x@0x44 --chip tmp102@0x48 --interval 20ms --flush-interval 20ms";

fn taken(status: &Json, address: &str) -> u64 {
    common::peer(status, address)["taken"].as_u64().unwrap_or(0)
}

/// What `export --format jsonl` gives.
fn exported(data: &Path) -> Vec<Json> {
    let done = pisink(&format!("export --data {} --format jsonl", data.display()));
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn assert_png(path: &Path) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (1000, 800), "{}", path.display());
    assert!(pixels.iter().collect::<BTreeSet<_>>().len() > 10, "{} is empty", path.display());
}

/// Which file this is: another one after a rename.
fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|meta| meta.ino())
}

#[test]
fn three_nodes_by_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let chips = "--interval 1s --bus sim --chip sht3x@0x44 --chip seesaw@0x36";
    let bench = Launch::bare(&at("bench")).flags(&format!("--role secondary --name bench {chips}")).start();
    let roof = Launch::bare(&at("roof"))
        .flags("--role secondary --name roof --bus sim:7 --chip tmp102@0x48")
        .start();
    let sink = Launch::bare(&at("sink"))
        .flags(&format!(
            "--role primary --name sink --listen 127.0.0.1:0 --peer {} --peer {}",
            bench.address, roof.address
        ))
        .flags(&format!("{chips} --poll-interval 1s --deadline 500ms --plots {}", at("plots").display()))
        .start();
    sink.wait_for_taken(&bench.address, 8);
    sink.wait_for_taken(&roof.address, 2);

    let series = at("plots").join("time-series.png");
    sink.signal(Signal::USR1);
    let first =
        until("plots are drawn", || inode(&series).filter(|_| at("plots").join("round.png").exists()));
    sink.signal(Signal::USR1);
    until("plots are drawn again, and put in place whole", || inode(&series).filter(|now| *now != first));
    let round = sink.status()["polling"]["round"].as_u64().unwrap();
    assert!(round >= 2);

    let seen = pisink(&format!("status {} --json", sink.address));
    let seen: Json = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(
        (&seen["node"], &seen["role"], &seen["store"]["state"]),
        (&json!("sink"), &json!("primary"), &json!("ok"))
    );
    assert_eq!(seen["channels"].as_array().unwrap().len(), 4);
    let text = pisink(&format!("status {}", sink.address)).stdout;
    assert!(text.contains("bench") && text.contains("roof") && text.contains("temperature"), "{text}");

    let before: Vec<u64> = [&bench, &roof, &sink].map(|node| node.status()["last"].as_u64().unwrap()).into();
    sink.terminate();
    bench.stop_by(Signal::INT);
    roof.terminate();
    let after = ["bench", "roof", "sink"].map(|name| own_rows(&at(name)).len() as u64);
    assert!(before.iter().zip(after).all(|(before, after)| after >= *before), "{before:?} {after:?}");
    assert!(assert_collected(&at("sink"), &at("bench")) >= 8);
    assert!(assert_collected(&at("sink"), &at("roof")) >= 2);
    assert_png(&series);
    assert_png(&at("plots").join("round.png"));
    assert_exports(&at("sink"));
}

/// The export has the keys of the contract, and every reading of the store once.
fn assert_exports(sink: &Path) {
    let lines = exported(sink);
    let mut places = BTreeSet::new();
    for line in &lines {
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "boot",
                "chip",
                "err",
                "journal",
                "mono_us",
                "node",
                "node_time",
                "quantity",
                "seq",
                "time",
                "time_error_s",
                "time_source",
                "unit",
                "value"
            ],
            "{line}"
        );
        assert!(line["value"].is_number() != line["err"].is_string(), "{line}");
        let time = line["time"].as_str().unwrap();
        assert!(time.len() == 27 && time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        let (journal, seq) = (line["journal"].as_str().unwrap(), line["seq"].as_u64().unwrap());
        assert!(places.insert((journal.to_owned(), seq)), "{line}");
    }
    let stored: BTreeSet<_> =
        rows(sink).into_keys().map(|(journal, seq)| (journal.to_string(), seq)).collect();
    assert_eq!(places, stored);
    let nodes: BTreeSet<&str> = lines.iter().map(|line| line["node"].as_str().unwrap()).collect();
    assert_eq!(nodes, BTreeSet::from(["bench", "roof", "sink"]));
}

#[test]
fn what_was_not_yet_flushed_is_on_disk_after_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = 0;
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        // Whoever runs the tests may have it ignored.
        let launch = Launch::secondary("a", dir.path()).by(&["env", "--default-signal=HUP"]);
        let node = launch.flags("--flush-interval 1h").start();
        // The first commit of this start is behind it; the next one is an hour away.
        let durable = node.wait_for_own(kept + 1)["last"].as_u64().unwrap();
        let mut client = node.client();
        client.send(b"{\"msg\": 41.5}\r{\"msg\": 42.5}\r");
        let status = client.status();
        assert_eq!(status["last"], durable, "the test needs readings that are not durable");
        node.stop_by(signal);
        let values: Vec<_> = own_rows(dir.path()).into_values().map(|row| row.value).collect();
        kept = values.len() as u64;
        assert_eq!(&values[values.len() - 2..], [Ok(41.5_f64.to_bits()), Ok(42.5_f64.to_bits())]);
    }
}

#[test]
fn a_node_under_nohup_outlives_its_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let node = Launch::secondary("a", dir.path()).by(&["nohup"]).start();
    node.signal(Signal::HUP);
    // The signal of the clean end comes second: had the first one ended it, this one would find nobody.
    node.wait_for_own(1);
    assert_eq!(node.status()["node"], "a");
    node.terminate();
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("pisink.toml");
    let text = "role = \"secondary\"\nname = \"from-file\"\nlisten = \"127.0.0.1:0\"\nbus = \"sim\"\n\
                chips = [\"sht3x@0x44\"]\ninterval = \"100ms\"\n";
    std::fs::write(&config, text).unwrap();
    let launch = Launch::bare(&dir.path().join("data")).arg("--config").arg(&config);
    let channels = |status: &Json| -> Vec<String> {
        let all = status["channels"].as_array().unwrap();
        all.iter().map(|channel| channel["channel"].as_str().unwrap().to_owned()).collect()
    };
    let assert_has = |launch: &Launch, wanted: &[&str]| {
        let node = launch.start();
        let status =
            node.status_when("its channels are measured", |status| channels(status).len() >= wanted.len());
        assert_eq!(channels(&status), wanted);
        node.terminate();
    };
    assert_has(&launch, &["from-file/sht3x-44/humidity", "from-file/sht3x-44/temperature"]);
    let launch = launch.env("PISINK_NAME", "from-env").env("PISINK_CHIP", "tmp102@0x48 mcp9808@0x18");
    assert_has(&launch, &["from-env/mcp9808-18/temperature", "from-env/tmp102-48/temperature"]);
    assert_has(&launch.flags("--name from-flag --chip tmp117@0x49"), &["from-flag/tmp117-49/temperature"]);
}

#[test]
fn a_node_that_is_cut_off_is_down_in_rounds_and_its_readings_come_later() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let far = Launch::secondary("far", &at("far")).flags(BUSY).start();
    let near = Launch::secondary("near", &at("near")).flags(BUSY).start();
    let proxy = Proxy::to(&far.address);
    let sink = Launch::primary("sink", &at("sink"), &[&proxy.address, &near.address]).start();
    sink.wait_for_taken(&proxy.address, 20);
    proxy.cut();
    let cut =
        sink.status_when("far is down", |status| common::peer(status, &proxy.address)["state"] == "down");
    let (place, round) = (taken(&cut, &proxy.address), cut["polling"]["round"].as_u64().unwrap());
    let on_its_own = far.wait_for_own(far.status()["last"].as_u64().unwrap() + 40);
    let whole = |status: &Json| status["polling"]["round"].as_u64() >= Some(round + 4);
    let later = sink.status_when("rounds go on", whole);
    assert!(taken(&later, &near.address) > taken(&cut, &near.address), "the other node is taken meanwhile");
    proxy.mend();
    sink.wait_for_taken(&proxy.address, on_its_own["last"].as_u64().unwrap());
    let end = sink.status()["polling"]["round"].as_u64().unwrap();
    let rounds = || Reader::open(&at("sink")).unwrap().rounds(&Filter::default()).unwrap();
    until("a round without anybody down is recorded", || {
        let is_whole =
            |round: &RoundRecord| round.number > end && round.down.is_empty() && round.answered == 3;
        rounds().iter().any(is_whole).then_some(())
    });
    sink.terminate();
    far.terminate();
    near.terminate();
    assert!(assert_collected(&at("sink"), &at("far")) > place + 40);
    assert_collected(&at("sink"), &at("near"));
    // On a slow machine either of them may miss a round's deadline at any time; here it is about the time of the cut.
    let rounds = rounds();
    let of_cut = (round.saturating_sub(2)..=end).collect::<BTreeSet<_>>();
    let down = |name: &str| -> Vec<u64> {
        let is_down = |r: &&RoundRecord| r.down.iter().any(|node| node.as_str() == name);
        rounds.iter().filter(is_down).map(|r| r.number).filter(|number| of_cut.contains(number)).collect()
    };
    let (down, near_down) = (down("far"), down("near"));
    assert!(down.len() >= 3, "{down:?}");
    assert!(down.iter().any(|number| !near_down.contains(number)), "far {down:?}, near {near_down:?}");
    // Its readings have the times at which they were taken, and not when they came: there is no gap in them.
    let times: Vec<i64> =
        journal_of(&at("sink"), own_journal(&at("far"))).values().map(|row| row.time_us).collect();
    let (from, to) = (rounds[down[0] as usize - 1].time, rounds[down[down.len() - 1] as usize - 1].time);
    let within =
        times.iter().filter(|time| (from.as_unix_micros()..to.as_unix_micros()).contains(time)).count();
    assert!(within >= 10, "{within} readings from the time without a link");
}

#[test]
fn a_node_with_a_new_card_is_taken_from_its_start_and_the_old_readings_stay() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let address = free_address();
    let launch = Launch::secondary("pi", &at("pi")).flags(BUSY).at(&address);
    let first = launch.start();
    let mut sink = Launch::primary("sink", &at("sink"), &[&address]).start();
    sink.wait_for_taken(&address, 30);
    first.terminate();
    let (old, old_rows) = (own_journal(&at("pi")), own_rows(&at("pi")));
    std::fs::remove_dir_all(at("pi")).unwrap();
    let second = launch.start();
    let journal = second.status()["journal"].as_str().unwrap().to_owned();
    assert_ne!(journal, old.to_string());
    sink.wait_for_line(&format!("journal {journal}, taken through 0"));
    sink.wait_for_taken(&address, 10);
    second.terminate();
    sink.terminate();
    assert!(assert_collected(&at("sink"), &at("pi")) >= 10);
    let kept = journal_of(&at("sink"), old);
    assert!(kept.len() as u64 >= 30 && kept.iter().all(|(seq, row)| old_rows.get(seq) == Some(row)));
    let nodes: BTreeSet<String> = exported(&at("sink")).iter().map(|line| line["node"].to_string()).collect();
    assert!(nodes.contains("\"pi\""), "{nodes:?}");
}

#[test]
fn two_nodes_of_one_name_are_told_apart_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let one = Launch::secondary("twin", &at("one")).flags(BUSY).flags("--bus sim:1").start();
    let two = Launch::secondary("twin", &at("two")).flags(BUSY).flags("--bus sim:2").start();
    let sink = Launch::primary("sink", &at("sink"), &[&one.address, &two.address]).start();
    sink.wait_for_taken(&one.address, 30);
    let status = sink.wait_for_taken(&two.address, 30);
    let findings = status["polling"]["findings"].to_string();
    assert!(findings.contains("two nodes bear the name twin") && findings.contains("--name"), "{findings}");
    assert!(sink.has_logged("two nodes bear the name twin"));
    let text = pisink(&format!("status {}", sink.address)).stdout;
    assert!(text.contains("two nodes bear the name twin"), "{text}");
    for node in [sink, one, two] {
        node.terminate();
    }
    assert!(assert_collected(&at("sink"), &at("one")) >= 30);
    assert!(assert_collected(&at("sink"), &at("two")) >= 30);
    // A plot of both is drawn as well.
    let done = pisink(&format!("plot --data {} --out {}", at("sink").display(), at("plots").display()));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

#[test]
fn a_copied_card_is_reported_and_not_mixed_in() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let original = Launch::secondary("pi", &at("one")).flags(BUSY).start();
    original.wait_for_own(20);
    original.terminate();
    std::fs::create_dir(at("two")).unwrap();
    std::fs::copy(at("one").join("pisink.sqlite"), at("two").join("pisink.sqlite")).unwrap();
    let one = Launch::secondary("pi", &at("one")).flags(BUSY).flags("--bus sim:1").start();
    let two = Launch::secondary("pi", &at("two")).flags(BUSY).flags("--bus sim:2").start();
    let sink = Launch::primary("sink", &at("sink"), &[&one.address, &two.address]).start();
    let status = sink.status_when("the copy is reported", |status| {
        status["polling"]["findings"].to_string().contains("have one journal")
    });
    let findings = status["polling"]["findings"].to_string();
    assert!(findings.contains("a copied SD card") && findings.contains(&two.address), "{findings}");
    let is_taken = |status: &Json| [&one, &two].iter().any(|node| taken(status, &node.address) >= 60);
    sink.status_when("one of them is taken", is_taken);
    for node in [sink, one, two] {
        node.terminate();
    }
    let journal = own_journal(&at("one"));
    let (taken, ones, twos) = (journal_of(&at("sink"), journal), own_rows(&at("one")), own_rows(&at("two")));
    assert_eq!(taken.len() as u64, cursor_of(&at("sink"), journal));
    let comes_from = |rows: &std::collections::BTreeMap<u64, common::Row>| {
        taken.iter().all(|(seq, row)| rows.get(seq) == Some(row))
    };
    assert!(comes_from(&ones) != comes_from(&twos), "all from one of them, and none from the other");
}

#[test]
fn a_sink_that_was_stopped_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let node = Launch::secondary("pi", &at("pi")).flags(BUSY).start();
    let launch = Launch::primary("sink", &at("sink"), &[&node.address]);
    let mut rounds_before = 0;
    for run in 1..=3_u64 {
        let mut sink = launch.start();
        if run > 1 {
            let line = sink.wait_for_line("taken through");
            let place: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert_eq!(place, cursor_of(&at("sink"), own_journal(&at("pi"))), "it goes on from what it has");
        }
        let status = sink.wait_for_taken(&node.address, run * 20);
        let round = status["polling"]["round"].as_u64().unwrap();
        assert!(round > rounds_before, "{round} after {rounds_before}");
        sink.terminate();
        let rounds = Reader::open(&at("sink")).unwrap().rounds(&Filter::default()).unwrap();
        assert!(rounds.windows(2).all(|pair| pair[1].number == pair[0].number + 1), "rounds are counted on");
        rounds_before = rounds.last().unwrap().number;
    }
    node.terminate();
    assert!(assert_collected(&at("sink"), &at("pi")) >= 60);
}

#[test]
fn a_sink_that_polls_itself_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let address = free_address();
    let mut sink = Launch::primary("sink", dir.path(), &[&address]).at(&address).start();
    let line = sink.wait_for_line("is this very node");
    assert!(line.contains(&address), "{line}");
    let mut client = Client::to(&address);
    assert_eq!(client.ask("PING", &Json::Null)["key"], "PONG");
    sink.terminate();
}
