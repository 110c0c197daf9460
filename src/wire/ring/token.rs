//! The token as JSON. It is what a ring sends most, so members and cursors are words in a string each, which are soon
//! passed over and soon read; and members that are as they were the last time are not read again.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::envelope::{append_json, append_text};
use super::{RawId, RawRing, count, journal};
use crate::model::{
    Cursor, Member, MemberId, NodeName, Piece, RING_MEMBERS_MAX, Roster, Seq, TOKEN_MAX_BYTES,
    TOKEN_PIECES_MAX, Token, Who,
};

/// Longest address: a DNS name, a colon and a port.
const ADDRESS_MAX_BYTES: usize = 260;
/// Stands for a word that is not there.
const NONE: &str = "-";

#[derive(Deserialize)]
struct RawPiece<'a> {
    journal: Cow<'a, str>,
    after: u64,
    through: u64,
    #[serde(borrow)]
    readings: &'a RawValue,
}

#[derive(Deserialize)]
pub(in crate::wire) struct RawToken<'a> {
    #[serde(borrow)]
    ring: RawRing<'a>,
    seq: u64,
    #[serde(borrow)]
    to: RawId<'a>,
    #[serde(default)]
    pass_on: bool,
    busy: u64,
    #[serde(borrow)]
    members: &'a RawValue,
    #[serde(default, borrow)]
    sink: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    cursors: Vec<Cow<'a, str>>,
    #[serde(default, borrow)]
    pieces: Vec<RawPiece<'a>>,
}

impl RawToken<'_> {
    /// Without anything that came before.
    pub(super) fn check_anew(self) -> Result<Token, String> {
        self.check(&mut Roster::default())
    }

    /// `known` are the members that came last on this link, and then those that came now.
    pub(in crate::wire) fn check(self, known: &mut Roster) -> Result<Token, String> {
        if known.text() != Some(self.members.get()) {
            *known = roster(self.members.get())?;
        }
        let cursors = bounded("cursors", self.cursors, RING_MEMBERS_MAX)?;
        let pieces = bounded("pieces", self.pieces, TOKEN_PIECES_MAX)?;
        let token = Token {
            ring: self.ring.check()?,
            seq: count("seq", self.seq)?,
            to: self.to.check()?,
            pass_on: self.pass_on,
            busy: count("busy", self.busy)?,
            members: known.clone(),
            sink: self.sink.as_deref().map(journal).transpose()?,
            cursors: cursors.iter().map(|words| cursor(words)).collect::<Result<_, _>>()?,
            pieces: pieces.into_iter().map(RawPiece::check).collect::<Result<_, _>>()?,
        };
        if token.bytes() > TOKEN_MAX_BYTES {
            return Err(format!("{} bytes of readings are more than {TOKEN_MAX_BYTES}", token.bytes()));
        }
        Ok(token)
    }
}

/// Appends the value of TOKEN.
pub(super) fn encode(token: &Token, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"ring\":");
    append_json(out, &RawRing::from(token.ring));
    append_text(out, format_args!(",\"seq\":{},\"to\":", token.seq));
    append_json(out, &RawId::from(token.to));
    if token.pass_on {
        out.extend_from_slice(b",\"pass_on\":true");
    }
    append_text(out, format_args!(",\"busy\":{},\"members\":", token.busy));
    match token.members.text() {
        Some(text) => out.extend_from_slice(text.as_bytes()),
        None => append_json(out, &token.members.iter().map(member_words).collect::<Vec<_>>()),
    }
    if let Some(sink) = token.sink {
        append_text(out, format_args!(",\"sink\":\"{sink}\""));
    }
    let mut lead = ",\"cursors\":[";
    for Cursor { journal, after, taken, max } in &token.cursors {
        append_text(out, format_args!("{lead}\"{journal} {after} {taken} {max}\""));
        lead = ",";
    }
    out.extend_from_slice(if token.cursors.is_empty() { b"" } else { b"]" });
    let mut lead = ",\"pieces\":[";
    for Piece { journal, after, through, text } in &token.pieces {
        append_text(
            out,
            format_args!(
                "{lead}{{\"journal\":\"{journal}\",\"after\":{after},\"through\":{through},\"readings\":"
            ),
        );
        // The text of a piece is JSON already; it is as long as all else a hundred times over.
        out.extend_from_slice(text.as_bytes());
        out.push(b'}');
        lead = ",";
    }
    out.extend_from_slice(if token.pieces.is_empty() { b"}" } else { b"]}" });
}

fn roster(text: &str) -> Result<Roster, String> {
    let members: Vec<Cow<'_, str>> =
        serde_json::from_str(text).map_err(|error| format!("members: {error}"))?;
    let members = bounded("members", members, RING_MEMBERS_MAX)?;
    let members = members.iter().map(|words| member(words)).collect::<Result<_, _>>()?;
    Ok(Roster::read(members, text))
}

/// `node journal life address joined sink_rank`
fn member(words: &str) -> Result<Member, String> {
    let wrong = |why: String| format!("member {words:?}: {why}");
    let [node, journal_word, life, address, joined, rank] = split(words).map_err(wrong)?;
    let node = NodeName::new(node).map_err(|error| wrong(format!("node: {error}")))?;
    let life = life.parse().map_err(|error| wrong(format!("life: {error}")))?;
    let id = MemberId { journal: journal(journal_word).map_err(wrong)?, life };
    let is_address = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if address.len() > ADDRESS_MAX_BYTES || !address.bytes().all(is_address) {
        return Err(wrong(format!("address: at most {ADDRESS_MAX_BYTES} characters of a host and a port")));
    }
    let sink_rank = match rank {
        NONE => None,
        rank => Some(rank.parse().map_err(|error| wrong(format!("sink_rank: {error}")))?),
    };
    let address = if address == NONE { String::new() } else { address.to_owned() };
    let joined = number("joined", joined).and_then(|joined| count("joined", joined)).map_err(wrong)?;
    Ok(Member { who: Who { node, id, sink_rank }, address, joined })
}

fn member_words(member: &Member) -> String {
    let Member { who: Who { node, id, sink_rank }, address, joined } = member;
    let address = if address.is_empty() { NONE } else { address };
    let mut words = format!("{node} {} {} {address} {joined} ", id.journal, id.life);
    // Writing to a string cannot fail.
    let written = match sink_rank {
        Some(rank) => write!(words, "{rank}"),
        None => words.write_str(NONE),
    };
    debug_assert!(written.is_ok());
    words
}

/// `journal after taken max`
fn cursor(words: &str) -> Result<Cursor, String> {
    let wrong = |why: String| format!("cursor {words:?}: {why}");
    let [journal_word, after, taken, max] = split(words).map_err(wrong)?;
    let after = number("after", after).and_then(|after| count("after", after)).map_err(wrong)?;
    let taken = number("taken", taken).map_err(wrong)?;
    if taken > after {
        return Err(wrong(format!("taken {taken} is more than after {after}")));
    }
    Ok(Cursor {
        journal: journal(journal_word).map_err(wrong)?,
        after: Seq(after),
        taken: Seq(taken),
        max: max.parse().map_err(|error| wrong(format!("max: {error}")))?,
    })
}

fn split<const COUNT: usize>(words: &str) -> Result<[&str; COUNT], String> {
    let mut found = [""; COUNT];
    let mut rest = words.split(' ');
    for (place, word) in found.iter_mut().zip(&mut rest) {
        *place = word;
    }
    if rest.next().is_some() || found.contains(&"") {
        return Err(format!("it has not {COUNT} words"));
    }
    Ok(found)
}

fn number(name: &str, word: &str) -> Result<u64, String> {
    word.parse().map_err(|error| format!("{name}: {error}"))
}

impl RawPiece<'_> {
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
}

fn bounded<T>(name: &str, list: Vec<T>, most: usize) -> Result<Vec<T>, String> {
    let length = list.len();
    if length <= most { Ok(list) } else { Err(format!("{name}: {length} are more than {most}")) }
}
