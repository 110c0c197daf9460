//! A secondary that the test plays itself: it serves a journal whose every reading follows from its place, and
//! remembers what the sink claims to hold.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use pisink::model::{
    Body, BootId, Channel, ChannelIx, ErrReason, Instant, JournalId, Message, NodeName, Pack, PollRequest,
    Reading, Readings, Seq, Value, WallTime,
};
use pisink::wire::{LineDecoder, encode};

/// The name that it bears.
const NAME: &str = "fake";
/// New readings at each poll, so that the sink always has something to take.
const GROWTH: u64 = 400;
/// Readings at one poll: fewer than are there, so that the sink is always catching up.
const PIECE: u64 = 250;
/// 2026-01-31T00:00:00Z.
const BEGUN_US: i64 = 1_769_817_600_000_000;

/// The value at a place of the fake's journal; every 97th is an ERR.
pub(crate) fn fake_value(seq: u64) -> Value {
    if seq.is_multiple_of(97) { Err(ErrReason::Crc) } else { Ok(seq as f64 / 8.0 - 1_000.0) }
}

/// When the reading at a place was taken, in microseconds since 1970.
pub(crate) fn fake_time_us(seq: u64) -> i64 {
    BEGUN_US + i64::try_from(seq).unwrap() * 1_000
}

/// What the sink has asked for and claimed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// The largest place that the sink claimed to have on stable storage.
    pub(crate) taken: u64,
    pub(crate) polls: u64,
    /// What is wrong with what it said.
    pub(crate) complaints: Vec<String>,
    last: u64,
    /// Connections so far; what is left of an earlier one says nothing about the present sink.
    links: u64,
    /// Connections that have not come to their end.
    pub(crate) open: u64,
    is_over: bool,
}

/// The fake, until it is dropped.
pub(crate) struct FakeSecondary {
    pub(crate) address: String,
    pub(crate) journal: JournalId,
    heard: Arc<Mutex<Heard>>,
}

impl FakeSecondary {
    /// With `last` readings in its journal to begin with.
    pub(crate) fn start(last: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let journal = JournalId(fastrand::u64(1..));
        let heard = Arc::new(Mutex::new(Heard { last, ..Heard::default() }));
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.lock().unwrap().is_over {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    serve(stream, journal, &shared);
                    shared.lock().unwrap().open -= 1;
                });
            }
        });
        Self { address, journal, heard }
    }

    /// What it has heard so far. What is wrong with it ends the test.
    pub(crate) fn heard(&self) -> Heard {
        let heard = self.heard.lock().unwrap().clone();
        assert!(heard.complaints.is_empty(), "{:#?}", heard.complaints);
        heard
    }
}

impl Drop for FakeSecondary {
    fn drop(&mut self) {
        self.heard.lock().unwrap().is_over = true;
        // Wakes the thread, so that it sees that it is over.
        let _ = TcpStream::connect(&self.address);
    }
}

/// Answers one sink, until it goes.
fn serve(mut stream: TcpStream, journal: JournalId, heard: &Mutex<Heard>) {
    stream.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut line = Vec::new();
    let link = {
        let mut heard = heard.lock().unwrap();
        heard.links += 1;
        heard.open += 1;
        heard.links
    };
    while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
        let message = LineDecoder::default().next(&mut line.as_slice());
        line.clear();
        let Some(Ok(Message { id, body: Body::Poll(poll), .. })) = message else { continue };
        let answer = {
            let mut heard = heard.lock().unwrap();
            if heard.links != link {
                return;
            }
            answer(id, &poll, journal, &mut heard)
        };
        let mut bytes = Vec::new();
        encode(&answer, WallTime::default(), &mut bytes);
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn answer(id: String, poll: &PollRequest, journal: JournalId, heard: &mut Heard) -> Message {
    heard.polls += 1;
    let is_ours = poll.journal == Some(journal);
    let (after, taken) = if is_ours { (poll.after.0, poll.taken.0) } else { (0, 0) };
    if is_ours && taken < heard.taken {
        heard.complaints.push(format!("taken went back from {} to {taken}", heard.taken));
    }
    if taken > after || after > heard.last {
        heard.complaints.push(format!("taken {taken}, after {after}, last {}", heard.last));
    }
    heard.taken = heard.taken.max(taken);
    if is_ours {
        heard.last += GROWTH;
    }
    let count = if is_ours { PIECE.min(u64::from(poll.max)).min(heard.last - after) } else { 0 };
    let readings = Readings {
        re: id,
        node: NodeName::new(NAME).unwrap(),
        journal,
        boot: BootId(7),
        after: Seq(after),
        first: Seq(after + 1),
        last: Seq(heard.last),
        clock: None,
        mark: None,
        pack: pack(after + 1, count),
    };
    let sender = Some(NodeName::new(NAME).unwrap());
    Message { id: heard.polls.to_string(), to: None, sender, timestamp: None, body: Body::Readings(readings) }
}

fn pack(first: u64, count: u64) -> Pack {
    let channel = Channel {
        node: NodeName::new(NAME).unwrap(),
        chip: "sht3x-44".to_owned(),
        quantity: "temperature".to_owned(),
        unit: "Cel".to_owned(),
    };
    let reading = |seq| Reading {
        channel: ChannelIx(0),
        time: WallTime::from_unix_micros(fake_time_us(seq)),
        mono: Instant::from_micros(i64::try_from(seq).unwrap() * 1_000),
        value: fake_value(seq),
    };
    Pack { channels: vec![Arc::new(channel)], readings: (first..first + count).map(reading).collect() }
}
