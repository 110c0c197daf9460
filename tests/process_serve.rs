//! Servers of one's own on the library: its three examples as processes, `pisink request` against them, and the bounds
//! of a server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use common::{Client, JsocketDialect, JsocketPeer, Launch, PATIENCE, command, free_address, pisink, until};
use pisink::serve::{Caller, Limits, Server, Statistics, Stopper};
use pisink::wire::zmtp::{self, ZmtpDecoder, ZmtpEvent};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};

/// An example as a process; it ends with its handle.
struct Example {
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: String,
}

impl Example {
    fn start(name: &str, args: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_pisink")).with_file_name("examples").join(name);
        assert!(program.is_file(), "{}: build it with `cargo build --examples`", program.display());
        let mut child = Command::new(program).args(args).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address =
            line.trim_end().strip_prefix(&format!("{name} listens on ")).expect("it listens").to_owned();
        Self { child, stderr, address }
    }

    /// Has it stop, and waits for its last words.
    fn stop(mut self) -> String {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
        let mut last = String::new();
        self.stderr.read_line(&mut last).unwrap();
        assert!(self.child.wait().unwrap().success());
        last
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn echo_sends_each_object_back_in_the_framing_that_it_came_in() {
    let echo = Example::start("echo", &["127.0.0.1:0"]);
    // Envelopes of nodes mean nothing here, and falsy values are messages like others.
    let messages = [json!({"key": "PING", "id": 1}), json!(0), json!(null), json!({"a": [1.5, "\u{e4}"]})];
    for message in &messages {
        let mut client = Client::to(&echo.address);
        client.send_json(message);
        assert_eq!(client.json(), *message);
        for dialect in JsocketDialect::ALL {
            assert_eq!(JsocketPeer::to(&echo.address, dialect).ask(message), *message);
        }
    }
    // A REQ of ZeroMQ has an answer led by an empty frame, as its question was.
    assert_eq!(
        zmtp_answer(&echo.address, &messages[3]),
        [b"".to_vec(), messages[3].to_string().into_bytes()]
    );
    let mut client = Client::to(&echo.address);
    client.send(b"nonsense\r[NaN]\r");
    assert!(client.json()["error"].as_str().unwrap().contains("no JSON"));
    assert_eq!(client.json(), json!(["NaN"]));
    let last = echo.stop();
    assert!(last.contains("requests: 18, answers: 18, offences: 1"), "{last}");
}

/// What a REQ of ZeroMQ is answered.
fn zmtp_answer(address: &str, message: &Json) -> Vec<Vec<u8>> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut bytes, text) = (Vec::new(), message.to_string());
    zmtp::greeting("REQ", b"", &mut bytes);
    zmtp::encode_frames(&[b"", text.as_bytes()], &mut bytes);
    stream.write_all(&bytes).unwrap();
    let (mut decoder, mut scratch) = (ZmtpDecoder::default(), [0; 4_096]);
    loop {
        let count = stream.read(&mut scratch).unwrap();
        assert!(count > 0, "it closed the link");
        let mut input = &scratch[..count];
        while let Some(event) = decoder.next(&mut input) {
            if let ZmtpEvent::Frames(frames) = event.unwrap() {
                return frames;
            }
        }
    }
}

#[test]
fn request_asks_in_each_framing_and_says_what_is_wrong() {
    let echo = Example::start("echo", &["127.0.0.1:0"]);
    for flag in [&[][..], &["--jsocket"], &["--jsocket=1"], &["--jsocket=2"], &["--jsocket=2012"]] {
        let output = command("request")
            .args(flag)
            .args([&echo.address, "{\"a\": [1, null]}", "--json"])
            .output()
            .unwrap();
        assert_eq!(
            output.stdout,
            b"{\"a\":[1,null]}\n",
            "{flag:?} {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success());
    }
    let nobody = free_address();
    let cases = [
        (format!("request {} {{nonsense", echo.address), 2, "no JSON"),
        ("request nowhere 1".to_owned(), 2, "HOST:PORT"),
        (format!("request {} 1 --jsocket=3", echo.address), 2, "2012"),
        (format!("request {} 1 --tries 0", echo.address), 2, "--tries"),
        (format!("request {nobody} 1 --tries 2 --pause 10ms"), 1, "2 times tried"),
        (format!("request {} {{\"key\":\"ERROR\",\"value\":{{\"text\":\"why\"}}}}", echo.address), 1, "why"),
    ];
    for (args, code, words) in cases {
        let said = pisink(&args);
        assert!(
            said.code == Some(code) && said.stderr.contains(words),
            "{args}: {:?} {}",
            said.code,
            said.stderr
        );
    }
    // It says nothing, so there is no answer.
    let (mute, stopper) = serve(Limits::default(), |_: &Json, _: &Caller| None);
    let said = pisink(&format!("request {mute} 1 --timeout 50ms --jsocket"));
    assert!(said.code == Some(1) && said.stderr.contains("no answer within 50ms"), "{}", said.stderr);
    assert_eq!(pisink(&format!("request {mute} 1 --no-answer")).code, Some(0));
    assert_eq!(stopper.stop().requests, 2);
}

#[test]
fn a_gateway_hands_readings_of_its_devices_to_a_node() {
    let dir = tempfile::tempdir().unwrap();
    let node = Launch::secondary("n", dir.path()).flags("--flush-interval 20ms").start();
    let gateway = Example::start("gateway", &["127.0.0.1:0", &node.address]);
    let mut device = JsocketPeer::to(&gateway.address, JsocketDialect::V1);
    let answer = device.ask(&json!({"probe": "p7", "raw": 511.5}));
    assert_eq!(answer, json!({"ok": true, "temperature": 25.0}));
    assert_eq!(device.ask(&json!({"probe": "p8", "raw": 1023})), json!({"ok": true, "temperature": "ERR"}));
    assert_eq!(device.ask(&json!({"probe": 3}))["ok"], false);
    let mut client = node.client();
    let latest = |client: &mut Client, probe: &str| {
        let answer = client.ask("LATEST", &Json::Null);
        answer["value"].as_array().unwrap().iter().find(|reading| reading["node"] == probe).cloned()
    };
    let reading = until("the reading is there", || latest(&mut client, "p7"));
    assert_eq!(
        (&reading["value"], &reading["quantity"], &reading["unit"]),
        (&json!(25.0), &json!("temperature"), &json!("Cel"))
    );
    assert_eq!(until("the other is there", || latest(&mut client, "p8"))["err"], "parse");
    gateway.stop();
}

#[test]
fn a_dealer_deals_in_turn_and_passes_over_who_is_gone() {
    let workers = [Example::start("echo", &["127.0.0.1:0"]), Example::start("echo", &["127.0.0.1:0"])];
    let [one, two] = &workers.each_ref().map(|worker| worker.address.clone());
    let dealer = Example::start("dealer", &["127.0.0.1:0", one, two]);
    let mut client = Client::to(&dealer.address);
    let mut ask = |number: u32| {
        client.send_json(&json!({ "job": number }));
        let answer = client.json();
        assert_eq!(answer["answer"], json!({ "job": number }), "{answer}");
        answer["worker"].as_str().unwrap().to_owned()
    };
    assert_eq!([1, 2, 3].map(&mut ask), [one.clone(), two.clone(), one.clone()]);
    let [first, second] = workers;
    second.stop();
    assert_eq!([4, 5].map(&mut ask), [one.clone(), one.clone()]);
    first.stop();
    client.send_json(&json!(6));
    assert_eq!(client.json(), json!({"error": "no worker answers"}));
    dealer.stop();
}

/// A server in this process.
struct Serving {
    stopper: Stopper,
    thread: JoinHandle<Statistics>,
}

impl Serving {
    fn stop(self) -> Statistics {
        self.stopper.stop();
        self.thread.join().unwrap()
    }
}

fn serve(
    limits: Limits,
    handler: impl FnMut(&Json, &Caller) -> Option<Json> + Send + 'static,
) -> (String, Serving) {
    let server = Server::bind("127.0.0.1:0").unwrap().with_limits(limits);
    let (address, stopper) = (server.address().to_string(), server.stopper());
    let thread = std::thread::spawn(move || server.run(handler).unwrap());
    (address, Serving { stopper, thread })
}

#[test]
fn a_server_keeps_its_bounds_and_tells_what_it_has_seen() {
    let short = Duration::from_millis(60);
    let limits = Limits { links: 3, unfinished: short, offences: 2, ..Limits::default() };
    let (address, serving) =
        serve(limits, |request, from| Some(json!([request, from.link, from.dialect.as_str()])));
    let mut normal = JsocketPeer::to(&address, JsocketDialect::V2);
    assert_eq!(normal.ask(&json!(1)), json!([1, 16, "jsocket 2"]));
    let mut slow = Client::to(&address);
    slow.send(b"{\"half\":");
    assert!(slow.is_closed_by_the_other_end(), "half a message has its time");
    let mut wrong = Client::to(&address);
    wrong.send(b"1 2\r3\rx\r4\r");
    assert!(wrong.json()["error"].is_string());
    assert_eq!(wrong.json()[0], 3);
    assert!(wrong.json()["error"].is_string());
    assert!(wrong.is_closed_by_the_other_end(), "nobody is forgiven for ever");
    let seen = until("two are gone", || Some(serving.stopper.statistics()).filter(|seen| seen.links == 1));
    assert_eq!((seen.accepted, seen.offences, seen.dropped, seen.requests), (3, 2, 1, 2));
    let _others = [Client::to(&address), Client::to(&address)];
    until("they are in", || (serving.stopper.statistics().links == 3).then_some(()));
    assert!(Client::to(&address).is_closed_by_the_other_end(), "no room");
    assert_eq!(normal.ask(&json!(2))[0], 2);
    assert_eq!(serving.stop().turned_away, 1);
    assert!(Client::try_to(&address).is_none(), "nobody listens any more");
}

#[test]
fn a_link_that_says_nothing_is_closed_where_that_is_wanted() {
    let limits = Limits { idle: Some(Duration::from_millis(60)), ..Limits::default() };
    let (address, serving) = serve(limits, |_, _| None);
    assert!(Client::to(&address).is_closed_by_the_other_end());
    let mut client = Client::to(&address);
    client.send(b"1\r");
    assert!(client.is_closed_by_the_other_end());
    assert_eq!(serving.stop().dropped, 2);
}

#[test]
fn who_does_not_read_is_dropped_and_memory_is_bounded() {
    let text = "x".repeat(1 << 20);
    let (address, serving) = serve(Limits::default(), move |_, _| Some(json!(text)));
    let mut greedy = Client::to(&address);
    // More answers than a link's bound and the sockets' buffers have room for; none is read.
    for _ in 0..2_000 {
        if !greedy.try_send(b"1\r") {
            break;
        }
    }
    until("it is dropped", || (serving.stopper.statistics().dropped == 1).then_some(()));
    assert_eq!(JsocketPeer::to(&address, JsocketDialect::V1).ask(&json!(1)).as_str().unwrap().len(), 1 << 20);
    serving.stop();
}
