//! Asks one node for its round trip, its clock and its name, on a link of its own.
//!
//! The clock is estimated as NTP does (RFC 5905, section 8): from the times of the request and of the reply on both
//! sides, of the exchange with the shortest round trip.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::io;
use crate::model::{Body, ClockSample, Message, Pong, WallTime};
use crate::wire::{self, LineDecoder};

/// How often the other end is asked; the shortest round trip counts.
const PINGS: usize = 5;
/// So long a connection, and then each answer, may take.
const WAIT: Duration = Duration::from_secs(2);
/// So many messages that are no answer are passed over.
const STRANGE_MAX: usize = 16;
/// So many pieces an answer may come in; a status of 1 MiB comes in some hundreds.
const PIECES_MAX: usize = 10_000;
/// Bytes that are read at once.
const PIECE_BYTES: usize = 16 << 10;

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
    pub(super) role: Option<String>,
    /// The list of peers that it goes by, where it is one of a ring.
    pub(super) list: Vec<String>,
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

/// Why there is no answer, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) why: String,
    pub(super) next: &'static str,
}

/// What to do about a name that nobody knows, a node that does not answer, and something that is no node.
const NAME: &str = "write its IP address in the config, or NAME.local where avahi-daemon runs on both";
pub(super) const SILENT: &str = "is it on and in this network (ping it)? `pisink doctor` there tells more";
const REFUSED: &str = "start pisink there, with listen = \"0.0.0.0:PORT\"; `pisink doctor` there tells more";
const STRANGER: &str =
    "look at the port in the config; `sudo pisink doctor --only port` there names who has it";

impl Trouble {
    pub(super) fn new(why: impl Into<String>, next: &'static str) -> Self {
        Self { why: why.into(), next }
    }
}

/// Asks the node at `address` (`HOST:PORT`).
pub(super) fn ask(address: &str) -> Result<Answer, Trouble> {
    let unknown = |error| Trouble::new(format!("its name is not found ({error})"), NAME);
    let mut found = address.to_socket_addrs().map_err(unknown)?;
    let resolved = found.next().ok_or_else(|| Trouble::new("its name has no address", NAME))?;
    let stream = TcpStream::connect_timeout(&resolved, WAIT).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => Trouble::new("nobody listens there (connection refused)", REFUSED),
        ErrorKind::TimedOut => {
            Trouble::new(format!("no answer from {resolved} within {} s", WAIT.as_secs()), SILENT)
        }
        _ => Trouble::new(format!("no connection to {resolved} ({error})"), SILENT),
    })?;
    let set_up = stream
        .set_read_timeout(Some(WAIT))
        .and_then(|()| stream.set_write_timeout(Some(WAIT)))
        .and_then(|()| stream.set_nodelay(true));
    set_up.map_err(|error| broken(&error))?;
    let mut link = Link { stream, decoder: LineDecoder::default(), input: Vec::new() };
    let mut best: Option<Answer> = None;
    for number in 1..=PINGS {
        let (round_trip, clock) = link.ping(number)?;
        if best.as_ref().is_none_or(|best| round_trip < best.round_trip) {
            best = Some(Answer { round_trip, clock, ..Answer::default() });
        }
    }
    let mut answer = best.unwrap_or_default();
    if let Body::Status(status) = link.ask(PINGS + 1, Body::StatusRequest)? {
        let text = |key: &str| Some(status.get(key).and_then(Json::as_str)?.to_owned());
        (answer.node, answer.version, answer.journal) = (text("node"), text("version"), text("journal"));
        answer.role = text("role");
        let list = status.pointer("/ring/list").and_then(Json::as_array).map(Vec::as_slice);
        answer.list = list.unwrap_or_default().iter().filter_map(Json::as_str).map(str::to_owned).collect();
    }
    Ok(answer)
}

struct Link {
    stream: TcpStream,
    decoder: LineDecoder,
    /// What has come and is not decoded.
    input: Vec<u8>,
}

impl Link {
    fn ping(&mut self, number: usize) -> Result<(Duration, Option<ClockOffset>), Trouble> {
        let (sent, begun) = (io::now().wall, Instant::now());
        let pong = self.ask(number, Body::Ping)?;
        let round_trip = begun.elapsed();
        // Not the wall clock again: it may be set between the two.
        let back = sent + round_trip;
        let clock = if let Body::Pong(Pong { clock: Some(clock), .. }) = &pong {
            Some(offset(sent, back, clock))
        } else {
            None
        };
        Ok((round_trip, clock))
    }

    /// Sends a question and waits for what answers it: a PONG, a STATUS, or an ERROR, which is one.
    fn ask(&mut self, id: usize, body: Body) -> Result<Body, Trouble> {
        let message = Message { id: id.to_string(), to: None, sender: None, timestamp: None, body };
        let mut bytes = Vec::new();
        wire::encode(&message, WallTime::default(), &mut bytes);
        self.stream.write_all(&bytes).map_err(|error| broken(&error))?;
        for _ in 0..STRANGE_MAX {
            let answer = self.message()?;
            match answer.body {
                Body::Pong(..) | Body::Status(_) if answer.id == message.id => return Ok(answer.body),
                Body::Error { re, text } if re == message.id => {
                    return Err(Trouble::new(format!("it refuses: {text}"), STRANGER));
                }
                _ => {}
            }
        }
        Err(Trouble::new("what listens there is no pisink: it says other things than it is asked", STRANGER))
    }

    fn message(&mut self) -> Result<Message, Trouble> {
        let mut piece = [0; PIECE_BYTES];
        for _ in 0..PIECES_MAX {
            let mut rest = self.input.as_slice();
            let found = self.decoder.next(&mut rest);
            self.input = rest.to_vec();
            if let Some(message) = found {
                let stranger = |error| format!("what listens there is no pisink: it says {error}");
                return message.map_err(|error| Trouble::new(stranger(error), STRANGER));
            }
            let count = match self.stream.read(&mut piece) {
                Ok(0) => return Err(Trouble::new("it closed the connection: is that a pisink?", STRANGER)),
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    let why =
                        format!("it took the connection, but does not answer within {} s", WAIT.as_secs());
                    return Err(Trouble::new(why, STRANGER));
                }
                Err(error) => return Err(broken(&error)),
            };
            self.input.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
        Err(Trouble::new("it sends without an end", STRANGER))
    }
}

fn broken(error: &std::io::Error) -> Trouble {
    Trouble::new(format!("the connection broke ({error})"), SILENT)
}

/// The offset from the four times of one exchange: sent and back by this wall clock, and the other's two.
fn offset(sent: WallTime, back: WallTime, clock: &ClockSample) -> ClockOffset {
    let held_us = micros(clock.mark.mono.saturating_since(clock.received));
    let there_us = clock.mark.wall.as_unix_micros();
    let out_us = there_us.saturating_sub(held_us).saturating_sub(sent.as_unix_micros());
    let back_us = there_us.saturating_sub(back.as_unix_micros());
    let trip_us = back.as_unix_micros().saturating_sub(sent.as_unix_micros()).saturating_sub(held_us).max(0);
    ClockOffset {
        // Halved one by one, for the sum may be too large; which loses a microsecond at most.
        offset_us: out_us / 2 + back_us / 2,
        error_us: trip_us / 2 + 2,
        synced: clock.mark.synced.is_some(),
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{BootId, ClockMark, Instant as Mono};

    fn sample(received_us: i64, sent_us: i64, wall_us: i64, synced: Option<Duration>) -> ClockSample {
        let mark =
            ClockMark { mono: Mono::from_micros(sent_us), wall: WallTime::from_unix_micros(wall_us), synced };
        ClockSample { boot: BootId(1), received: Mono::from_micros(received_us), mark }
    }

    #[test]
    fn the_offset_is_that_of_the_four_times() {
        // Sent at 1000, there at 1100 + 5000 ahead, held for 50, back at 1250: the trip is 200, half of it each way.
        let (sent, back) = (WallTime::from_unix_micros(1_000), WallTime::from_unix_micros(1_250));
        let found = offset(sent, back, &sample(70, 120, 6_150, Some(Duration::from_micros(12))));
        assert_eq!(found, ClockOffset { offset_us: 5_000, error_us: 102, synced: true });
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
            let clock = sample(5, 5 + held, sent_us + out + held + ahead, None);
            let sent = WallTime::from_unix_micros(sent_us);
            let found = offset(sent, WallTime::from_unix_micros(sent_us + out + held + back), &clock);
            prop_assert!((found.offset_us - ahead).abs() <= found.error_us, "{found:?}");
        }

        /// Nothing that a peer sends ends the check.
        #[test]
        fn any_numbers_are_survived(received: i64, sent: i64, wall: i64, back: i64) {
            let _ = offset(WallTime::default(), WallTime::from_unix_micros(back), &sample(received, sent, wall, None));
        }
    }
}
