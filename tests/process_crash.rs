//! Kill -9 of the real binary at random moments, under load: whatever was acknowledged is there afterwards, once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{
    Client, FakeSecondary, Launch, Process, cursor_of, fake_value, free_address, journal_of, own_journal,
    own_rows, rng, until,
};
use pisink::model::{Readings, Value};

/// Kills of each node; two tests, one node each.
const KILLS: usize = 12;

/// Many readings a second, committed as often as it goes.
const LOAD: &str = "--flush-interval 20ms --interval 5ms --bus sim --chip sht3x@0x44 --chip tmp102@0x48 \
                    --chip tmp102@0x49 --chip mcp9808@0x18 --chip lm75@0x4f --chip bh1750@0x23";

/// A moment to be alive, at random.
fn a_while(rng: &mut fastrand::Rng) {
    std::thread::park_timeout(Duration::from_millis(rng.u64(5..500)));
}

/// The last thing that a node says before it is killed: how far its journal is durable. It is asked at such a moment
/// again and again, for a claim that comes too early is true a moment later.
fn last_word(node: &Process) -> u64 {
    let mut client = node.client();
    (0..20).map(|_| client.status()["last"].as_u64().unwrap()).last().unwrap()
}

/// One reading as it was served: channel, time and value.
type Said = (String, i64, Value);

/// A consumer that polls a node again and again, and remembers what it was served.
struct Consumer {
    served: Arc<Mutex<BTreeMap<u64, Said>>>,
    is_over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Consumer {
    fn start(address: &str) -> Self {
        let served: Arc<Mutex<BTreeMap<u64, Said>>> = Arc::default();
        let is_over: Arc<AtomicBool> = Arc::default();
        let (address, all, stop) = (address.to_owned(), Arc::clone(&served), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                match std::net::TcpStream::connect(&address) {
                    Ok(stream) => consume(Client::over(stream), &all, &stop),
                    Err(_) => std::thread::park_timeout(Duration::from_millis(5)),
                }
            }
        });
        Self { served, is_over, thread }
    }

    fn served(&self) -> usize {
        self.served.lock().unwrap().len()
    }

    fn stop(self) -> BTreeMap<u64, Said> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        Arc::into_inner(self.served).unwrap().into_inner().unwrap()
    }
}

/// Polls until the node dies or it is over.
fn consume(mut client: Client, served: &Mutex<BTreeMap<u64, Said>>, stop: &AtomicBool) {
    let mut journal = String::new();
    while !stop.load(Ordering::Relaxed) {
        let after = served.lock().unwrap().keys().next_back().copied().unwrap_or(0);
        let Some(readings) = ask(&mut client, &journal, if journal.is_empty() { 0 } else { after }) else {
            return;
        };
        journal = readings.journal.to_string();
        let mut served = served.lock().unwrap();
        for (place, reading) in (readings.first.0..).zip(&readings.pack.readings) {
            let channel = readings.pack.channel(reading).unwrap().to_string();
            let said = (channel, reading.time.as_unix_micros(), reading.value);
            assert_eq!(served.insert(place, said), None, "place {place} is served twice");
        }
    }
}

/// One poll; `None` when the node dies over it.
fn ask(client: &mut Client, journal: &str, after: u64) -> Option<Readings> {
    let journal = if journal.is_empty() { String::new() } else { format!("\"journal\":\"{journal}\",") };
    let poll = format!(
        "{{\"id\":\"1\",\"key\":\"POLL\",\"value\":{{{journal}\"after\":{after},\"taken\":{after},\"max\":2000}}}}\n"
    );
    if !client.try_send(poll.as_bytes()) {
        return None;
    }
    let line = client.try_line()? + "\n";
    // The last line of a node that is killed may be half a line.
    let message = pisink::wire::LineDecoder::default().next(&mut line.as_bytes())?.ok()?;
    match message.body {
        pisink::model::Body::Readings(readings) => Some(readings),
        other => panic!("what was served is gone: {other:?}"),
    }
}

#[test]
fn a_killed_node_keeps_every_reading_that_it_served() {
    let mut rng = rng();
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::secondary("pi", dir.path()).flags(LOAD).at(&free_address());
    let mut node = launch.start();
    let consumer = Consumer::start(&node.address);
    let journal = node.wait_for_own(1)["journal"].clone();
    for kill in 1..=KILLS {
        let before = consumer.served();
        until("the consumer is served", || (consumer.served() > before).then_some(()));
        a_while(&mut rng);
        let said = last_word(&node);
        node.kill9();
        node = launch.start();
        assert!(!node.has_logged("damaged"), "kill {kill}");
        let status = node.status();
        assert_eq!(status["journal"], journal, "kill {kill}: the journal goes on");
        assert!(
            status["last"].as_u64().unwrap() >= said,
            "kill {kill}: it said {said}, and has {}",
            status["last"]
        );
    }
    node.terminate();
    let (served, kept) = (consumer.stop(), own_rows(dir.path()));
    assert!(kept.keys().copied().eq(1..=kept.len() as u64), "the journal has no hole");
    for (place, (channel, time_us, value)) in &served {
        let row = kept.get(place).unwrap_or_else(|| panic!("place {place} was served and is gone"));
        let value = value.map(f64::to_bits).map_err(|reason| reason.as_str());
        assert_eq!((channel, time_us, value), (&row.channel, &row.time_us, row.value), "place {place}");
    }
    eprintln!("{KILLS} kills, {} readings served, {} kept", served.len(), kept.len());
    assert!(served.len() > KILLS * 10);
}

#[test]
fn a_killed_sink_holds_everything_that_it_claimed_to_hold() {
    let mut rng = rng();
    let dir = tempfile::tempdir().unwrap();
    let fake = FakeSecondary::start(5_000);
    let launch = Launch::primary("sink", dir.path(), &[&fake.address])
        .flags(LOAD)
        .flags("--poll-interval 20ms --deadline 20ms");
    let (mut claimed, mut own) = (0, 0);
    for kill in 1..=KILLS {
        let sink = launch.start();
        assert!(!sink.has_logged("damaged"), "kill {kill}");
        let before = fake.heard().taken;
        until("the sink claims more", || (fake.heard().taken > before).then_some(()));
        a_while(&mut rng);
        let said = last_word(&sink);
        sink.kill9();
        // Nothing comes any more: what was claimed until now has to be there now.
        until("the sink's last words are heard", || (fake.heard().open == 0).then_some(()));
        (claimed, own) = (fake.heard().taken, said.max(own));
        let held = cursor_of(dir.path(), fake.journal);
        assert!(claimed <= held, "kill {kill}: claims {claimed} and holds {held}");
        assert!(own <= cursor_of(dir.path(), own_journal(dir.path())), "kill {kill}");
    }
    let kept = journal_of(dir.path(), fake.journal);
    assert!(
        kept.keys().copied().eq(1..=cursor_of(dir.path(), fake.journal)),
        "each once, and without a hole"
    );
    for (&place, row) in &kept {
        assert_eq!(
            row.value,
            fake_value(place).map(f64::to_bits).map_err(|reason| reason.as_str()),
            "place {place}"
        );
    }
    eprintln!("{KILLS} kills, {claimed} readings claimed, {} kept, {own} of its own", kept.len());
    assert!(claimed > 1_000 && own > 0);
}
