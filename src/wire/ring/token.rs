//! The token as JSON.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{RawId, RawRing, RawWho, count, journal};
use crate::model::{Cursor, Member, Piece, RING_MEMBERS_MAX, Seq, TOKEN_MAX_BYTES, TOKEN_PIECES_MAX, Token};

/// Longest address: a DNS name, a colon and a port.
const ADDRESS_MAX_BYTES: usize = 260;

#[derive(Deserialize, Serialize)]
struct RawMember {
    #[serde(flatten)]
    who: RawWho,
    address: String,
    joined: u64,
}

#[derive(Deserialize, Serialize)]
struct RawCursor {
    journal: String,
    after: u64,
    taken: u64,
    max: u32,
}

#[derive(Deserialize, Serialize)]
struct RawPiece<'a> {
    journal: String,
    after: u64,
    through: u64,
    #[serde(borrow)]
    readings: &'a RawValue,
}

#[derive(Deserialize, Serialize)]
pub(super) struct RawToken<'a> {
    ring: RawRing,
    seq: u64,
    to: RawId,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pass_on: bool,
    busy: u64,
    members: Vec<RawMember>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sink: Option<String>,
    #[serde(default)]
    cursors: Vec<RawCursor>,
    #[serde(borrow, default)]
    pieces: Vec<RawPiece<'a>>,
}

impl<'a> RawToken<'a> {
    pub(super) fn check(self) -> Result<Token, String> {
        let members = bounded("members", self.members, RING_MEMBERS_MAX)?;
        let cursors = bounded("cursors", self.cursors, RING_MEMBERS_MAX)?;
        let pieces = bounded("pieces", self.pieces, TOKEN_PIECES_MAX)?;
        let token = Token {
            ring: self.ring.check()?,
            seq: count("seq", self.seq)?,
            to: self.to.check()?,
            pass_on: self.pass_on,
            busy: count("busy", self.busy)?,
            members: members.into_iter().map(RawMember::check).collect::<Result<_, _>>()?,
            sink: self.sink.as_deref().map(journal).transpose()?,
            cursors: cursors.into_iter().map(RawCursor::check).collect::<Result<_, _>>()?,
            pieces: pieces.into_iter().map(RawPiece::check).collect::<Result<_, _>>()?,
        };
        if token.bytes() > TOKEN_MAX_BYTES {
            return Err(format!("{} bytes of readings are more than {TOKEN_MAX_BYTES}", token.bytes()));
        }
        Ok(token)
    }

    pub(super) fn of(token: &'a Token) -> Result<Self, serde_json::Error> {
        Ok(Self {
            ring: token.ring.into(),
            seq: token.seq,
            to: token.to.into(),
            pass_on: token.pass_on,
            busy: token.busy,
            members: token.members.iter().map(RawMember::from).collect(),
            sink: token.sink.map(|journal| journal.to_string()),
            cursors: token.cursors.iter().map(RawCursor::from).collect(),
            pieces: token.pieces.iter().map(RawPiece::of).collect::<Result<_, _>>()?,
        })
    }
}

impl RawMember {
    fn check(self) -> Result<Member, String> {
        if self.address.len() > ADDRESS_MAX_BYTES || !self.address.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(format!("address: at most {ADDRESS_MAX_BYTES} visible ASCII characters"));
        }
        Ok(Member { who: self.who.check()?, address: self.address, joined: count("joined", self.joined)? })
    }
}

impl From<&Member> for RawMember {
    fn from(member: &Member) -> Self {
        Self { who: (&member.who).into(), address: member.address.clone(), joined: member.joined }
    }
}

impl RawCursor {
    fn check(self) -> Result<Cursor, String> {
        if self.taken > self.after {
            return Err(format!("cursor: taken {} is more than after {}", self.taken, self.after));
        }
        Ok(Cursor {
            journal: journal(&self.journal)?,
            after: Seq(count("after", self.after)?),
            taken: Seq(self.taken),
            max: self.max,
        })
    }
}

impl From<&Cursor> for RawCursor {
    fn from(cursor: &Cursor) -> Self {
        let Cursor { journal, after, taken, max } = cursor;
        Self { journal: journal.to_string(), after: after.0, taken: taken.0, max: *max }
    }
}

impl<'a> RawPiece<'a> {
    fn check(self) -> Result<Piece, String> {
        if self.through <= self.after {
            return Err(format!("piece: it ends at {}, before {}", self.through, self.after));
        }
        Ok(Piece {
            journal: journal(&self.journal)?,
            after: Seq(self.after),
            through: Seq(count("through", self.through)?),
            text: Arc::from(self.readings.get()),
        })
    }

    fn of(piece: &'a Piece) -> Result<Self, serde_json::Error> {
        Ok(Self {
            journal: piece.journal.to_string(),
            after: piece.after.0,
            through: piece.through.0,
            readings: serde_json::from_str(&piece.text)?,
        })
    }
}

fn bounded<T>(name: &str, list: Vec<T>, most: usize) -> Result<Vec<T>, String> {
    let length = list.len();
    if length <= most { Ok(list) } else { Err(format!("{name}: {length} are more than {most}")) }
}
