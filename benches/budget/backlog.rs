//! Readings as a small node has them: three chips, five channels, values with all the digits that a conversion gives;
//! and the same as the text of SenML records, cut beforehand.

use std::sync::Arc;
use std::time::Duration;

use pisink::model::{Channel, ErrReason, Instant, NodeName, Pack, WallTime};
use pisink::wire::encode_pack;

/// Different readings; a longer journal repeats them.
const DIFFERENT: u64 = 200_000;
const START_US: i64 = 1_768_867_200_000_000;
const CHANNELS: [(&str, &str, &str); 5] = [
    ("sht3x-44", "temperature", "Cel"),
    ("sht3x-44", "humidity", "%RH"),
    ("seesaw-36", "soil_moisture", ""),
    ("seesaw-36", "soil_temperature", "Cel"),
    ("ads1115-48", "wind_speed", "m/s"),
];

/// Readings, and their records as text.
pub(crate) struct Backlog {
    pub(crate) pack: Pack,
    /// `,{...},{...}` without the first one's base time.
    text: Vec<u8>,
    /// Where each record's comma is in `text`, and where the text ends.
    at: Vec<usize>,
    base: String,
}

impl Backlog {
    pub(crate) fn new() -> Arc<Backlog> {
        let pack = readings();
        let mut json = Vec::new();
        encode_pack(&pack, &mut json);
        let json = String::from_utf8(json).expect("JSON");
        let (base, records) = json
            .strip_prefix("[{")
            .and_then(|rest| rest.strip_suffix(']')?.split_once(','))
            .expect("an array whose first record begins with its base time");
        let text = format!(",{{{records}").into_bytes();
        let is_start = |(at, pair): (usize, &[u8])| (pair == b",{").then_some(at);
        let mut at: Vec<usize> = text.windows(2).enumerate().filter_map(is_start).collect();
        assert_eq!(at.len(), pack.len(), "one comma before each record");
        at.push(text.len());
        Arc::new(Backlog { pack, base: base.to_owned(), text, at })
    }

    /// Appends the records of at most `count` readings after place `after`, as a pack. They are of one name, whoever
    /// sends them: a node's journal may hold other nodes' readings.
    pub(crate) fn pack(&self, after: u64, count: u64, out: &mut Vec<u8>) {
        out.push(b'[');
        let mut place = after;
        while place < after + count {
            let from = place % DIFFERENT;
            let run = (DIFFERENT - from).min(after + count - place);
            let [begin, end] = [from, from + run].map(|n| self.at[usize::try_from(n).expect("small")]);
            let records = &self.text[begin..end];
            if place == after {
                out.extend_from_slice(format!("{{{},", self.base).as_bytes());
                out.extend_from_slice(&records[2..]);
            } else {
                out.extend_from_slice(records);
            }
            place += run;
        }
        out.push(b']');
    }

    /// Bytes of one record on the average.
    pub(crate) fn bytes_each(&self) -> f64 {
        self.text.len() as f64 / self.pack.len() as f64
    }
}

fn readings() -> Pack {
    let channel = |(chip, quantity, unit): (&str, &str, &str)| {
        Arc::new(Channel {
            node: NodeName::new("greenhouse-1").expect("a name"),
            chip: chip.to_owned(),
            quantity: quantity.to_owned(),
            unit: unit.to_owned(),
        })
    };
    let channels = CHANNELS.map(channel);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut pack = Pack::default();
    for number in 0..DIFFERENT {
        let at = usize::try_from(number % 5).expect("small");
        let raw = f64::from(rng.u16(20_000..30_000));
        let value = match (at, rng.u32(0..1_000)) {
            (_, 0) => Err(ErrReason::Nack),
            (0, _) => Ok(-45.0 + 175.0 * raw / 65_535.0),
            (1, _) => Ok(100.0 * raw / 65_535.0),
            (2, _) => Ok((raw / 40.0).round()),
            (3, _) => Ok(raw / 65_536.0 * 30.0),
            _ => Ok((raw * 0.000_125 - 0.4) * 32.4 / 1.6),
        };
        let since = Duration::from_millis(number / 5 * 1_000 + number % 5 * 3);
        let mono = Instant::from_micros(81_234_567) + since;
        pack.push(&channels[at], WallTime::from_unix_micros(START_US) + since, mono, value);
    }
    pack
}
