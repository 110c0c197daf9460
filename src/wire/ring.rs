//! The messages of a token ring as JSON. Pieces of readings stay text inside a token: only the sink reads them.

mod scan;
mod token;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::envelope::{append_json, append_text, decode_readings_value, encode_readings_value};
use crate::model::{
    Body, Claim, ClaimAnswer, JournalId, LifeId, MemberId, NodeName, Outcome, Piece, Readings, RingId,
    RingState, TokenAck, Who,
};
pub(super) use scan::read_as_written;
pub(super) use token::Known;
use token::RawToken;

/// Keys of the messages in this file.
pub(super) const KEYS: [&str; 6] = ["TOKEN", "TOKEN_ACK", "CLAIM", "CLAIM_ANSWER", "RING", "RING_ANSWER"];

/// No ring comes so far: at a million changes a second it is 142 years. Leaves room for sums.
const COUNT_MAX: u64 = 1 << 52;

/// Makes readings a piece for a token. What goes with them of clocks holds for the moment when it was said, however
/// long the token takes; of an exchange it says nothing.
pub fn seal_piece(readings: &Readings) -> Piece {
    let mut bytes = Vec::new();
    encode_readings_value(&Readings { re: String::new(), ..readings.clone() }, &mut bytes);
    Piece {
        journal: readings.journal,
        after: readings.after,
        through: readings.through(),
        // What the encoder writes is UTF-8; should it ever not be, the sink refuses the piece and asks again.
        text: String::from_utf8(bytes).unwrap_or_else(|_| "null".to_owned()).into(),
    }
}

/// The readings in a piece, if they are what stands on it.
pub fn open_piece(piece: &Piece) -> Result<Readings, String> {
    let readings = decode_readings_value(&piece.text)?;
    if (readings.journal, readings.after, readings.through()) == (piece.journal, piece.after, piece.through) {
        Ok(readings)
    } else {
        Err(format!(
            "readings {} to {} of journal {} in a piece that is labelled {} to {} of {}",
            readings.after.next(),
            readings.through(),
            readings.journal,
            piece.after.next(),
            piece.through,
            piece.journal
        ))
    }
}

/// The body that `key` has, if it is one of [`KEYS`].
pub(super) fn decode(key: &str, text: &str) -> Option<(&'static str, Result<Body, String>)> {
    let key = KEYS.into_iter().find(|known| *known == key)?;
    let body = match key {
        "TOKEN" => read::<RawToken<'_>>(text)
            .and_then(RawToken::check_anew)
            .map(|token| Body::Token(Box::new(token))),
        "TOKEN_ACK" => read::<RawAck<'_>>(text).and_then(RawAck::check).map(Body::TokenAck),
        "CLAIM" => read::<RawClaim<'_>>(text).and_then(RawClaim::check).map(Body::Claim),
        "CLAIM_ANSWER" => read::<RawAnswer<'_>>(text).and_then(RawAnswer::check).map(Body::ClaimAnswer),
        "RING" => read::<RawState<'_>>(text).and_then(RawState::check).map(Body::RingQuery),
        _ => read::<RawState<'_>>(text).and_then(RawState::check).map(Body::RingAnswer),
    };
    Some((key, body))
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// The key of a body that is a ring's.
pub(super) fn key_of(body: &Body) -> Option<&'static str> {
    Some(match body {
        Body::Token(_) => "TOKEN",
        Body::TokenAck(_) => "TOKEN_ACK",
        Body::Claim(_) => "CLAIM",
        Body::ClaimAnswer(_) => "CLAIM_ANSWER",
        Body::RingQuery(_) => "RING",
        Body::RingAnswer(_) => "RING_ANSWER",
        _ => return None,
    })
}

/// Appends the value of a body that is a ring's.
pub(super) fn encode_value(body: &Body, out: &mut Vec<u8>) {
    match body {
        Body::Token(token) => token::encode(token, out),
        Body::TokenAck(ack) => encode_ack(ack, out),
        Body::Claim(claim) => append_json(out, &RawClaim::from(claim)),
        Body::ClaimAnswer(answer) => append_json(out, &RawAnswer::from(answer)),
        Body::RingQuery(state) | Body::RingAnswer(state) => append_json(out, &RawState::from(state)),
        _ => {}
    }
}

fn encode_ack(ack: &TokenAck, out: &mut Vec<u8>) {
    let (outcome, by) = match ack.outcome {
        Outcome::Taken => ("taken", None),
        Outcome::Seen(by) => ("seen", Some(by)),
        Outcome::Promised(by) => ("promised", Some(by)),
        Outcome::NotHere => ("not_here", None),
        Outcome::Unreachable => ("unreachable", None),
    };
    let ring = RingText(ack.ring);
    append_text(out, format_args!("{{\"ring\":{ring},\"seq\":{},\"outcome\":\"{outcome}\"", ack.seq));
    if let Some(by) = by {
        append_text(out, format_args!(",\"by\":{}", RingText(by)));
    }
    out.push(b'}');
}

/// A member's id as JSON.
struct IdText(MemberId);

impl fmt::Display for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"journal\":\"{}\",\"life\":\"{}\"}}", self.0.journal, self.0.life)
    }
}

/// A ring's name as JSON.
struct RingText(RingId);

impl fmt::Display for RingText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"epoch\":{},\"leader\":{}}}", self.0.epoch, IdText(self.0.leader))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(expecting = "an object with a journal and a life")]
pub(super) struct RawId<'a> {
    #[serde(borrow)]
    journal: Cow<'a, str>,
    #[serde(borrow)]
    life: Cow<'a, str>,
}

#[derive(Deserialize, Serialize)]
#[serde(expecting = "an object with an epoch and a leader")]
pub(super) struct RawRing<'a> {
    epoch: u64,
    #[serde(borrow)]
    leader: RawId<'a>,
}

#[derive(Deserialize, Serialize)]
#[serde(expecting = "an object with a node, its journal and its life")]
pub(super) struct RawWho<'a> {
    #[serde(borrow)]
    node: Cow<'a, str>,
    #[serde(borrow)]
    journal: Cow<'a, str>,
    #[serde(borrow)]
    life: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sink_rank: Option<u8>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with an answer to a token")]
struct RawAck<'a> {
    #[serde(borrow)]
    ring: RawRing<'a>,
    seq: u64,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(default, borrow)]
    by: Option<RawRing<'a>>,
}

#[derive(Deserialize, Serialize)]
#[serde(expecting = "an object with a claim of a token")]
struct RawClaim<'a> {
    #[serde(borrow)]
    ring: RawRing<'a>,
    #[serde(borrow)]
    latest: RawRing<'a>,
    latest_seq: u64,
    #[serde(borrow)]
    who: RawWho<'a>,
}

#[derive(Deserialize, Serialize)]
#[serde(expecting = "an object with an answer to a claim")]
struct RawAnswer<'a> {
    #[serde(borrow)]
    ring: RawRing<'a>,
    promised: bool,
    alive: bool,
    #[serde(borrow)]
    top: RawRing<'a>,
    #[serde(borrow)]
    who: RawWho<'a>,
}

#[derive(Deserialize, Serialize)]
#[serde(expecting = "an object with a node and its ring")]
struct RawState<'a> {
    #[serde(borrow)]
    who: RawWho<'a>,
    #[serde(borrow)]
    ring: RawRing<'a>,
    #[serde(borrow)]
    top: RawRing<'a>,
    members: u32,
}

/// A number that counts, below the bound that leaves room for sums.
pub(super) fn count(name: &str, number: u64) -> Result<u64, String> {
    if number <= COUNT_MAX { Ok(number) } else { Err(format!("{name}: {number} is more than {COUNT_MAX}")) }
}

pub(super) fn journal(text: &str) -> Result<JournalId, String> {
    text.parse().map_err(|error| format!("journal: {error}"))
}

impl RawId<'_> {
    pub(super) fn check(self) -> Result<MemberId, String> {
        let life: LifeId = self.life.parse().map_err(|error| format!("life: {error}"))?;
        Ok(MemberId { journal: journal(&self.journal)?, life })
    }
}

impl From<MemberId> for RawId<'_> {
    fn from(id: MemberId) -> Self {
        Self { journal: id.journal.to_string().into(), life: id.life.to_string().into() }
    }
}

impl RawRing<'_> {
    pub(super) fn check(self) -> Result<RingId, String> {
        Ok(RingId { epoch: count("epoch", self.epoch)?, leader: self.leader.check()? })
    }
}

impl From<RingId> for RawRing<'_> {
    fn from(ring: RingId) -> Self {
        Self { epoch: ring.epoch, leader: ring.leader.into() }
    }
}

impl RawWho<'_> {
    pub(super) fn check(self) -> Result<Who, String> {
        let node = NodeName::new(&self.node).map_err(|error| format!("node: {error}"))?;
        let id = RawId { journal: self.journal, life: self.life }.check()?;
        Ok(Who { node, id, sink_rank: self.sink_rank })
    }
}

impl From<&Who> for RawWho<'_> {
    fn from(who: &Who) -> Self {
        let RawId { journal, life } = who.id.into();
        Self { node: who.node.to_string().into(), journal, life, sink_rank: who.sink_rank }
    }
}

impl RawAck<'_> {
    fn check(self) -> Result<TokenAck, String> {
        let by = self.by.map(RawRing::check).transpose()?;
        let outcome = match (&*self.outcome, by) {
            ("taken", _) => Outcome::Taken,
            ("seen", Some(by)) => Outcome::Seen(by),
            ("promised", Some(by)) => Outcome::Promised(by),
            ("not_here", _) => Outcome::NotHere,
            ("unreachable", _) => Outcome::Unreachable,
            _ => {
                return Err("outcome: taken, not_here, unreachable, or seen or promised with `by`".to_owned());
            }
        };
        Ok(TokenAck { ring: self.ring.check()?, seq: count("seq", self.seq)?, outcome })
    }
}

impl RawClaim<'_> {
    fn check(self) -> Result<Claim, String> {
        let latest = (self.latest.check()?, count("latest_seq", self.latest_seq)?);
        Ok(Claim { ring: self.ring.check()?, latest, who: self.who.check()? })
    }
}

impl From<&Claim> for RawClaim<'_> {
    fn from(claim: &Claim) -> Self {
        let (latest, latest_seq) = claim.latest;
        Self { ring: claim.ring.into(), latest: latest.into(), latest_seq, who: (&claim.who).into() }
    }
}

impl RawAnswer<'_> {
    fn check(self) -> Result<ClaimAnswer, String> {
        Ok(ClaimAnswer {
            ring: self.ring.check()?,
            is_promised: self.promised,
            is_alive: self.alive,
            top: self.top.check()?,
            who: self.who.check()?,
        })
    }
}

impl From<&ClaimAnswer> for RawAnswer<'_> {
    fn from(answer: &ClaimAnswer) -> Self {
        let ClaimAnswer { ring, is_promised, is_alive, top, who } = answer;
        Self {
            ring: (*ring).into(),
            promised: *is_promised,
            alive: *is_alive,
            top: (*top).into(),
            who: who.into(),
        }
    }
}

impl RawState<'_> {
    fn check(self) -> Result<RingState, String> {
        Ok(RingState {
            who: self.who.check()?,
            ring: self.ring.check()?,
            top: self.top.check()?,
            members: self.members,
        })
    }
}

impl From<&RingState> for RawState<'_> {
    fn from(state: &RingState) -> Self {
        let RingState { who, ring, top, members } = state;
        Self { who: who.into(), ring: (*ring).into(), top: (*top).into(), members: *members }
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
