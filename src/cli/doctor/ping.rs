//! Asks one node for its round trip, its clock and its name, on a link of its own.
//!
//! The clock is estimated as NTP does (RFC 5905, section 8): from the times of the request and of the reply on both
//! sides, of the exchange with the shortest round trip.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::io;
use crate::model::{Body, Message, WallTime};
use crate::wire::{self, LINE_MAX_BYTES};

/// How often the other end is asked; the shortest round trip counts.
const PINGS: usize = 5;
/// So long a connection, and then each answer, may take.
const WAIT: Duration = Duration::from_secs(2);
/// So many lines that are no answer are passed over.
const STRANGE_LINES_MAX: usize = 16;

/// What a node says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// The shortest of some.
    pub(super) round_trip: Duration,
    /// Its clock beside this machine's, where it tells.
    pub(super) clock: Option<ClockOffset>,
    pub(super) node: Option<String>,
    pub(super) version: Option<String>,
    pub(super) journal: Option<String>,
}

/// Another clock beside this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockOffset {
    /// The other's time less this one's, in microseconds.
    pub(super) offset_us: i64,
    /// The offset is wrong by this at most, in microseconds.
    pub(super) error_us: i64,
    /// Whether network time keeps the other.
    pub(super) synced: bool,
}

/// One request and its reply, in microseconds: by this wall clock when sent and when answered, and what the other says.
struct Exchange<'a> {
    sent_us: i64,
    back_us: i64,
    clock: &'a Json,
}

/// Asks the node at `address` (`HOST:PORT`); an error says what is wrong, without the address.
pub(super) fn ask(address: &str) -> Result<Answer, String> {
    let mut found = address.to_socket_addrs().map_err(|error| format!("its name is not found ({error})"))?;
    let resolved = found.next().ok_or("its name has no address")?;
    let stream = TcpStream::connect_timeout(&resolved, WAIT).map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "nobody listens there (connection refused)".to_owned(),
        std::io::ErrorKind::TimedOut => format!("no answer from {resolved} within {} s", WAIT.as_secs()),
        _ => format!("no connection to {resolved} ({error})"),
    })?;
    let set_up = stream
        .set_read_timeout(Some(WAIT))
        .and_then(|()| stream.set_write_timeout(Some(WAIT)))
        .and_then(|()| stream.set_nodelay(true));
    set_up.map_err(|error| error.to_string())?;
    let mut link = Link { lines: BufReader::new(stream) };
    let mut best: Option<Answer> = None;
    for number in 1..=PINGS {
        let (round_trip, clock) = link.ping(number)?;
        if best.as_ref().is_none_or(|best| round_trip < best.round_trip) {
            best = Some(Answer { round_trip, clock, ..Answer::default() });
        }
    }
    let mut answer = best.unwrap_or_default();
    let status = link.ask(&(PINGS + 1).to_string(), Body::StatusRequest, "STATUS")?;
    let text = |key: &str| Some(status.get("value")?.get(key)?.as_str()?.to_owned());
    (answer.node, answer.version, answer.journal) = (text("node"), text("version"), text("journal"));
    Ok(answer)
}

struct Link {
    lines: BufReader<TcpStream>,
}

impl Link {
    fn ping(&mut self, number: usize) -> Result<(Duration, Option<ClockOffset>), String> {
        let (sent, begun) = (io::now().wall, Instant::now());
        let pong = self.ask(&number.to_string(), Body::Ping, "PONG")?;
        let round_trip = begun.elapsed();
        let clock = pong.get("value").and_then(|value| value.get("clock"));
        let sent_us = sent.as_unix_micros();
        // Not the wall clock again: it may be set between the two.
        let back_us = sent_us.saturating_add(i64::try_from(round_trip.as_micros()).unwrap_or(i64::MAX));
        Ok((round_trip, clock.and_then(|clock| offset(&Exchange { sent_us, back_us, clock }))))
    }

    /// Sends a question and waits for the answer that has its id and this key.
    fn ask(&mut self, id: &str, body: Body, key: &str) -> Result<Json, String> {
        let message = Message { id: id.to_owned(), to: None, sender: None, timestamp: None, body };
        let mut bytes = Vec::new();
        wire::encode(&message, WallTime::default(), &mut bytes);
        self.lines.get_mut().write_all(&bytes).map_err(|error| format!("the connection broke ({error})"))?;
        for _ in 0..STRANGE_LINES_MAX {
            let line = self.line()?;
            let Ok(answer) = serde_json::from_slice::<Json>(&line) else {
                return Err("what listens there is no pisink: it does not speak JSON".to_owned());
            };
            let is = |name: &str, text: &str| answer.get(name).and_then(Json::as_str) == Some(text);
            if is("id", id) && is("key", key) {
                return Ok(answer);
            }
        }
        Err("what listens there is no pisink: it says other things than it is asked".to_owned())
    }

    fn line(&mut self) -> Result<Vec<u8>, String> {
        let max = u64::try_from(LINE_MAX_BYTES).unwrap_or(u64::MAX);
        let mut line = Vec::new();
        let count = (&mut self.lines).take(max).read_until(b'\n', &mut line);
        match count {
            Ok(0) => Err("it closed the connection: is that a pisink?".to_owned()),
            Ok(_) => Ok(line),
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                Err(format!("it took the connection, but does not answer within {} s", WAIT.as_secs()))
            }
            Err(error) => Err(format!("the connection broke ({error})")),
        }
    }
}

/// The offset from the four times of one exchange. `None` where the node does not tell them, or they make no sense.
fn offset(exchange: &Exchange<'_>) -> Option<ClockOffset> {
    let number = |key: &str| exchange.clock.get(key)?.as_i64();
    let (received_mono, sent_mono, wall) = (number("received_us")?, number("sent_us")?, number("wall_us")?);
    let held = sent_mono.checked_sub(received_mono).filter(|held| *held >= 0)?;
    let there_received = wall.checked_sub(held)?;
    let out = there_received.checked_sub(exchange.sent_us)?;
    let back = wall.checked_sub(exchange.back_us)?;
    let trip = exchange.back_us.checked_sub(exchange.sent_us)?.checked_sub(held)?.max(0);
    Some(ClockOffset {
        // Halved one by one, for the sum of two clocks may be too large.
        offset_us: out / 2 + back / 2,
        error_us: trip / 2 + 1,
        synced: exchange.clock.get("synced_us").is_some_and(Json::is_number),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_offset_is_that_of_the_four_times() {
        // Sent at 1000, there 1100 + 5000 ahead, held for 50, back at 1250: the trip is 200, and even.
        let clock =
            json!({"boot": "00", "received_us": 70, "sent_us": 120, "wall_us": 6_150, "synced_us": 12});
        let found = offset(&Exchange { sent_us: 1_000, back_us: 1_250, clock: &clock }).unwrap();
        assert_eq!(found, ClockOffset { offset_us: 5_000, error_us: 101, synced: true });
        let clock = json!({"boot": "00", "received_us": 70, "sent_us": 120});
        assert_eq!(offset(&Exchange { sent_us: 1_000, back_us: 1_250, clock: &clock }), None);
    }

    proptest! {
        /// However the trip is shared between the two ways, the true offset is within the error.
        #[test]
        fn the_true_offset_is_within_the_error(
            ahead in -700_000_000_000_000_i64..700_000_000_000_000,
            out in 0_i64..2_000_000,
            back in 0_i64..2_000_000,
            held in 0_i64..1_000_000,
        ) {
            let sent_us = 1_768_867_200_000_000;
            let wall = sent_us + out + held + ahead;
            let clock = json!({"received_us": 5, "sent_us": 5 + held, "wall_us": wall});
            let found = offset(&Exchange { sent_us, back_us: sent_us + out + held + back, clock: &clock }).unwrap();
            prop_assert!((found.offset_us - ahead).abs() <= found.error_us, "{found:?}");
        }

        /// Nothing that a peer sends ends the check.
        #[test]
        fn any_numbers_are_survived(received: i64, sent: i64, wall: i64, back: i64) {
            let clock = json!({"received_us": received, "sent_us": sent, "wall_us": wall});
            let _ = offset(&Exchange { sent_us: 0, back_us: back, clock: &clock });
        }
    }
}
