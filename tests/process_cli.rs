//! The command line as people meet it: exit codes, one clear line with the next step, and output that other programs
//! can read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use common::{Launch, free_address, own_rows, pisink, rows};
use serde_json::Value as Json;

/// What `pisink` says to wrong arguments has one first line with all of `words` in it, and its exit code is `code`.
fn assert_says(args: &str, code: i32, words: &[&str]) {
    let done = pisink(args);
    assert_eq!(done.code, Some(code), "{args}: {}", done.stderr);
    assert_eq!(done.stdout, "", "{args}: complaints go to standard error");
    let (first, rest) = done.stderr.split_once('\n').unwrap();
    // Arguments that are no arguments at all are the parser's to explain: it adds a hint and the usage.
    let is_whole = if first.starts_with("pisink: ") { rest.is_empty() } else { first.starts_with("error: ") };
    assert!(is_whole, "{args}: more than a clear line:\n{}", done.stderr);
    for word in words {
        assert!(done.stderr.contains(word), "{args}: no word of {word:?}:\n{}", done.stderr);
    }
    assert!(!done.stderr.contains("panicked"), "{args}: {}", done.stderr);
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let run = format!("run --data {}/data --role", dir.path().display());
    for (args, words) in [
        ("run".to_owned(), &["no role", "--role primary", "--role secondary"][..]),
        (format!("{run} tertiary"), &["tertiary", "--role", "primary", "secondary"]),
        (format!("{run} secondary --intervall 1s"), &["--intervall", "--interval"]),
        (format!("{run} secondary --interval fast"), &["--interval", "\"fast\"", "500ms"]),
        (format!("{run} secondary --interval 0s"), &["--interval", "\"0s\""]),
        (format!("{run} secondary --keep-size much"), &["--keep-size", "\"much\"", "2G"]),
        (
            format!("{run} primary --deadline 2s --poll-interval 1s"),
            &["--deadline", "--poll-interval", "longer"],
        ),
        (format!("{run} secondary --peer pi-2:7001"), &["--peer pi-2:7001", "secondary", "--role primary"]),
        (format!("{run} primary --peer pi-2"), &["--peer \"pi-2\"", "HOST:PORT"]),
        (format!("{run} primary --peer pi-2:0"), &["--peer \"pi-2:0\"", "HOST:PORT"]),
        (format!("{run} secondary --chip sht33@0x44"), &["sht33", "near", "sht3x"]),
        (format!("{run} secondary --chip sht3x"), &["--chip sht3x", "DRIVER@ADDRESS"]),
        (format!("{run} secondary --chip sht3x@0x99"), &["0x99", "0x08", "0x77"]),
        (format!("{run} secondary --chip sht3x@0x46"), &["0x46", "0x44", "0x45"]),
        (format!("{run} secondary --bus i2c:1"), &["--bus i2c:1", "pi:1", "sim"]),
        (format!("{run} secondary --bus none --chip sht3x@0x44"), &["--chip sht3x@0x44", "no bus", "--bus"]),
        (
            format!("{run} secondary --bus sim --chip sht3x@0x44 --chip sht4x@0x44"),
            &["sht4x@0x44", "address", "sht3x@0x44"],
        ),
        (format!("{run} secondary --bus sim --fault sht3x@0x44=nack"), &["--fault", "--chip"]),
        (format!("{run} secondary --name two/words"), &["--name", "two/words", "'/'"]),
        (format!("{run} secondary --listen nowhere"), &["--listen nowhere", "ADDRESS:PORT"]),
        ("plot --size big".to_owned(), &["--size", "1000x800"]),
        ("export --format xml".to_owned(), &["xml", "csv", "jsonl", "senml"]),
        ("export --since yesterday".to_owned(), &["yesterday", "2026-01-31"]),
        ("status --timeout soon".to_owned(), &["soon", "500ms"]),
        ("sensors read --bus sim --chip sht33@0x44".to_owned(), &["sht33", "sht3x"]),
    ] {
        assert_says(&args, 2, words);
    }
    assert!(!dir.path().join("data").exists(), "nothing was begun");
}

#[test]
fn a_wrong_config_names_file_line_and_the_nearest_key() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("site.toml");
    let args = format!("run --config {}", config.display());
    assert_says(&args, 1, &["site.toml", "No such file"]);
    for (text, line, words) in [
        ("role = \"secondary\"\n\nintervall = \"1s\"\n", 3, &["\"intervall\"", "\"interval\""][..]),
        ("role = \"secondary\"\nzzz = 1\n", 2, &["\"zzz\"", "interval", "peers"]),
        ("role = \"secondary\"\nname = 7\n", 2, &["string"]),
        ("role = \"secondary\nname = \"a\"\n", 1, &[]),
        ("\n\nrole: secondary\n", 3, &[]),
        ("role = \"boss\"\n", 0, &["\"boss\"", "primary", "secondary"]),
        ("role = \"secondary\"\nchips = [\"sht33@0x44\"]\n", 0, &["sht33", "sht3x"]),
        ("role = \"secondary\"\ninterval = \"fast\"\n", 0, &["fast", "500ms"]),
    ] {
        std::fs::write(&config, text).unwrap();
        assert_says(&args, 2, words);
        if line > 0 {
            assert_says(&args, 2, &[&format!("site.toml:{line}: ")]);
        }
    }
}

#[test]
fn what_fails_is_exit_code_1_with_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let (data, none) = (dir.path().join("data"), dir.path().join("none"));
    let (data, none) = (data.display(), none.display());
    let dead = free_address();
    assert_says(&format!("status {dead}"), 1, &[&dead, "is a node running there?"]);
    assert_says("status nowhere.invalid:7001 --timeout 5s", 1, &["nowhere.invalid:7001"]);
    assert_says("status nowhere", 1, &["nowhere", "HOST:PORT"]);
    assert_says(&format!("plot --data {none}"), 1, &["is not a pisink store", "--data"]);
    assert_says(&format!("plot --data {}", dir.path().display()), 1, &["is not a pisink store", "--data"]);
    assert_says(&format!("export --data {none}"), 1, &["is not a pisink store", "--data"]);
    assert_says(
        &format!("run --data {data} --role secondary --bus none --listen 127.0.0.1:99999"),
        2,
        &["--listen"],
    );
    assert_says(
        &format!("run --data {data} --role secondary --bus none --listen 192.0.2.1:7001"),
        1,
        &["192.0.2.1:7001", "0.0.0.0"],
    );
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let args = format!("run --data {}/data --role secondary --bus none --listen 127.0.0.1:0", file.display());
    assert_says(&args, 1, &["file/data", "directory"]);
    assert!(!Path::new(&none.to_string()).exists(), "a look at nothing leaves nothing");
}

#[test]
fn a_port_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let node = Launch::secondary("a", &dir.path().join("a")).start();
    let other = dir.path().join("b").display().to_string();
    let args = format!("run --role secondary --bus none --data {other} --listen {}", node.address);
    assert_says(&args, 1, &[&node.address, "another program has this port"]);
    node.terminate();
}

#[test]
fn every_help_is_there_and_fits_a_terminal() {
    let commands = [
        "",
        "run",
        "init",
        "demo",
        "plot",
        "export",
        "sensors",
        "sensors list",
        "sensors scan",
        "sensors read",
        "status",
        "doctor",
    ];
    for command in commands {
        let done = pisink(&format!("{command} --help"));
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{command}");
        assert!(done.stdout.contains("Usage: pisink"), "{command}: {}", done.stdout);
        for line in done.stdout.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
        // What is wrapped by hand is not wrapped a second time, which leaves lines of one or two words.
        let torn = done.stdout.lines().zip(done.stdout.lines().skip(1)).find(|(long, short)| {
            let is_full = long.len() > 80 && !long.starts_with("  ");
            is_full && !short.is_empty() && short.split_whitespace().count() <= 2 && !short.ends_with('.')
        });
        assert_eq!(torn, None, "{command}");
    }
    assert_eq!(pisink("--version").stdout, format!("pisink {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_bus_that_is_not_there_is_err_absent_and_the_node_runs_on() {
    if Path::new("/dev/i2c-213").exists() {
        eprintln!("passed over: this machine has a /dev/i2c-213");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::bare(dir.path())
        .flags("--role secondary --name a --bus pi:213 --chip sht3x@0x44 --interval 50ms");
    let mut node = launch.flags("--flush-interval 20ms").start();
    let line = node.wait_for_line("/dev/i2c-213");
    assert!(line.contains("raspi-config") && line.contains("absent"), "{line}");
    let status = node.wait_for_own(6);
    let channels = status["channels"].as_array().unwrap();
    assert!(
        channels.len() == 2
            && channels.iter().all(|channel| channel["err"] == "absent" && channel["value"].is_null())
    );
    assert!(pisink(&format!("status {}", node.address)).stdout.contains("ERR absent"));
    assert_eq!(node.log().iter().filter(|line| line.contains("/dev/i2c-213")).count(), 1, "it is said once");
    node.terminate();
    let kept = own_rows(dir.path());
    assert!(kept.len() >= 6 && kept.values().all(|row| row.value == Err("absent")), "{kept:?}");
}

/// A store with a few hundred readings, ERRs among them, that nobody writes any more.
fn some_store(data: &Path) {
    let launch =
        Launch::bare(data).flags("--role secondary --name a --bus sim --chip sht3x@0x44 --chip seesaw@0x36");
    let launch =
        launch.flags("--chip tmp102@0x48 --fault tmp102@0x48=nack --interval 10ms --flush-interval 20ms");
    let node = launch.start();
    node.client().send(b"{\"sender\":\"script\",\"msg\":{\"odd, name\":-1e-7}}\n");
    node.wait_for_own(300);
    node.terminate();
}

#[test]
fn exports_read_back_as_what_the_store_has() {
    let dir = tempfile::tempdir().unwrap();
    some_store(dir.path());
    let export = |format: &str| {
        let done = pisink(&format!("export --data {} --format {format}", dir.path().display()));
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
        done.stdout
    };
    // In the order of the journal, as exports are.
    let kept: Vec<_> = rows(dir.path()).into_values().collect();
    assert!(
        kept.iter().any(|row| row.value == Err("nack"))
            && kept.iter().any(|row| row.channel == "script/json/odd_ name")
    );

    let micros = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let jsonl: Vec<Json> = export("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let csv = export("csv");
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some(
            "node,chip,quantity,unit,time,value,err,time_source,time_error_s,node_time,boot,mono_us,journal,seq"
        )
    );
    let csv: Vec<Vec<String>> = lines.map(csv_fields).collect();
    let senml: Vec<Json> = serde_json::from_str(&export("senml")).unwrap();
    assert_eq!([jsonl.len(), csv.len(), senml.len()], [kept.len(); 3]);
    for (((row, json), fields), record) in kept.iter().zip(&jsonl).zip(&csv).zip(&senml) {
        let value = row.value.ok().map(f64::from_bits);
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(format!("{}/{}/{}", text("node"), text("chip"), text("quantity")), row.channel);
        assert_eq!((micros(&text("node_time")), text("unit")), (row.time_us, row.unit.clone()));
        assert_eq!((json["value"].as_f64(), json["err"].as_str()), (value, row.value.err()));

        let wanted = ["node", "chip", "quantity", "unit", "time"].map(text);
        assert_eq!((&fields[..5], fields.len()), (&wanted[..], 14));
        assert_eq!(
            (fields[5].parse().ok(), fields[6].as_str()),
            (value, row.value.err().unwrap_or_default())
        );
        let wanted = ["time_source", "node_time", "boot", "journal"].map(text);
        assert_eq!([7, 9, 10, 12].map(|at| fields[at].clone()), wanted);
        assert_eq!(
            [11, 13].map(|at| fields[at].clone()),
            ["mono_us", "seq"].map(|key| json[key].to_string())
        );

        // RFC 8428, section 4: a record has a name, a time that is a number, and exactly one value field.
        assert_eq!(record["n"], row.channel.as_str());
        assert_eq!(record["u"].as_str().unwrap_or_default(), row.unit);
        let time = record["t"].as_f64().unwrap();
        assert!(
            time >= f64::from(1 << 28) && (time * 1e6 - micros(&text("time")) as f64).abs() < 1_000.0,
            "absolute: {time}"
        );
        let fields = ["v", "vs", "vb", "vd"].iter().filter(|key| !record[**key].is_null()).count();
        assert_eq!((fields, record["v"].as_f64(), record["err"].as_str()), (1, value, row.value.err()));
    }
}

/// The fields of one line, by RFC 4180.
fn csv_fields(line: &str) -> Vec<String> {
    let (mut fields, mut is_quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

#[test]
fn whoever_reads_the_output_may_stop_early() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    some_store(&data);
    let node = Launch::secondary("b", &dir.path().join("b")).start();
    let (data, plots) = (data.display(), dir.path().join("plots"));
    for args in [
        format!("export --data {data} --format csv"),
        format!("export --data {data} --format jsonl"),
        format!("export --data {data} --format senml"),
        format!("plot --data {data} --out {}", plots.display()),
        format!("status {}", node.address),
        format!("status {} --json", node.address),
        "sensors list".to_owned(),
        "sensors read --bus sim --chip sht3x@0x44".to_owned(),
        "sensors scan --bus sim".to_owned(),
    ] {
        let mut child = common::command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Nobody will read, from the very beginning.
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{args}");
    }
    // `| head -1`: one line is read, the rest is more than a pipe holds.
    let mut child = common::command(&format!("export --data {data} --format jsonl"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(serde_json::from_str::<Json>(&line).is_ok());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    node.terminate();
}

#[test]
fn a_plot_of_a_store_without_readings_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let (data, plots) = (dir.path().join("data"), dir.path().join("plots"));
    some_store(&data);
    let (data, plots) = (data.display(), plots.display());
    let done = pisink(&format!("plot --data {data} --out {plots} --node nobody"));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    for file in done.stdout.lines() {
        assert!(std::fs::metadata(file).unwrap().len() > 1_000, "{file}");
    }
    assert_says(&format!("plot --data {data} --out {plots} --round 7"), 1, &["round 7"]);
    let done = pisink(&format!("export --data {data} --node nobody --format senml"));
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "[]\n"));
}

/// The addresses in the demo's first lines.
fn node_addresses(lines: &mut impl Iterator<Item = String>) -> Vec<String> {
    let address =
        |line: String| line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).map(str::to_owned);
    lines.take(4).filter_map(address).collect()
}

#[test]
fn the_demo_shows_that_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let done = pisink(&format!("demo --duration 4s --dir {}/demo", dir.path().display()));
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{}", done.stdout);
    assert!(done.stdout.contains("none is missing, none is there twice"), "{}", done.stdout);
    for words in
        ["kill -9", "node_down", "nack", "a ring of two after", "taken in", "time-series.png", "round.png"]
    {
        assert!(done.stdout.contains(words), "{words}: {}", done.stdout);
    }
    for plot in
        ["plots/time-series.png", "plots/round.png", "plots-ring/time-series.png", "plots-ring/round.png"]
    {
        assert!(dir.path().join("demo").join(plot).exists(), "{plot}");
    }
}

#[test]
fn a_demo_that_nobody_watches_any_more_leaves_no_node_behind() {
    let dir = tempfile::tempdir().unwrap();
    for ends_by_signal in [false, true] {
        let args = format!("demo --duration 1h --dir {}/demo", dir.path().display());
        let mut child = common::command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let addresses = node_addresses(&mut lines);
        assert_eq!(addresses.len(), 3);
        for address in &addresses {
            common::until("the node listens", || std::net::TcpStream::connect(address).ok());
        }
        if ends_by_signal {
            rustix::process::kill_process(
                rustix::process::Pid::from_child(&child),
                rustix::process::Signal::TERM,
            )
            .unwrap();
        }
        drop(lines);
        let status = common::until("the demo ends", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(i32::from(ends_by_signal)));
        for address in &addresses {
            assert!(std::net::TcpStream::connect(address).is_err(), "{address} is still there");
        }
    }
}
