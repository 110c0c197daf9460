//! The token as JSON. It is what a ring sends most, so members and cursors are words in a string each, which are soon
//! passed over and soon read; and those that are as they were the last time are not read again.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::envelope::{append_json, append_text};
use super::{IdText, RawId, RawRing, RingText, count, journal};
use crate::model::{
    Cursor, Cursors, JournalId, Listed, Member, MemberId, NodeName, Piece, RING_MEMBERS_MAX, Roster, Seq,
    TOKEN_MAX_BYTES, TOKEN_PIECES_MAX, Token, Who,
};

/// Longest address: a DNS name, a colon and a port.
const ADDRESS_MAX_BYTES: usize = 260;
/// Stands for a word that is not there.
const NONE: &str = "-";

/// What the last token on a link said that hardly ever changes.
#[derive(Debug, Default)]
pub(in crate::wire) struct Known {
    pub(super) members: Roster,
    pub(super) cursors: Cursors,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with a piece of a journal")]
pub(super) struct RawPiece<'a> {
    pub(super) journal: Cow<'a, str>,
    pub(super) after: u64,
    pub(super) through: u64,
    /// JSON text, as all that is text here without being read.
    #[serde(borrow, deserialize_with = "text")]
    pub(super) readings: &'a str,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with a token")]
pub(super) struct RawToken<'a> {
    #[serde(borrow)]
    pub(super) ring: RawRing<'a>,
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) to: RawId<'a>,
    #[serde(default)]
    pub(super) pass_on: bool,
    pub(super) busy: u64,
    /// `None`: as the last time.
    #[serde(borrow, deserialize_with = "some_text")]
    pub(super) members: Option<&'a str>,
    #[serde(default, borrow)]
    pub(super) sink: Option<Cow<'a, str>>,
    /// `None`: as the last time.
    #[serde(default = "no_items", borrow, deserialize_with = "some_text")]
    pub(super) cursors: Option<&'a str>,
    #[serde(default, borrow)]
    pub(super) pieces: Vec<RawPiece<'a>>,
}

/// The text of a JSON value.
fn text<'a, D: Deserializer<'a>>(deserializer: D) -> Result<&'a str, D::Error> {
    <&RawValue>::deserialize(deserializer).map(RawValue::get)
}

fn some_text<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Option<&'a str>, D::Error> {
    text(deserializer).map(Some)
}

/// Where a list may be left out.
pub(super) const NO_ITEMS: &str = "[]";

fn no_items() -> Option<&'static str> {
    Some(NO_ITEMS)
}

impl RawToken<'_> {
    /// Without anything that came before.
    pub(super) fn check_anew(self) -> Result<Token, String> {
        self.check(&mut Known::default())
    }

    /// `known` is what came last on this link, and then what came now.
    pub(super) fn check(self, known: &mut Known) -> Result<Token, String> {
        if let Some(members) = self.members {
            known.members = listed("members", members, member)?;
        }
        if let Some(cursors) = self.cursors.filter(|cursors| known.cursors.text() != Some(*cursors)) {
            known.cursors = listed("cursors", cursors, cursor)?;
        }
        let pieces = bounded("pieces", self.pieces, TOKEN_PIECES_MAX)?;
        let token = Token {
            ring: self.ring.check()?,
            seq: count("seq", self.seq)?,
            to: self.to.check()?,
            pass_on: self.pass_on,
            busy: count("busy", self.busy)?,
            members: known.members.clone(),
            sink: self.sink.as_deref().map(journal).transpose()?,
            cursors: known.cursors.clone(),
            pieces: pieces.into_iter().map(RawPiece::check).collect::<Result<_, _>>()?,
        };
        if token.bytes() > TOKEN_MAX_BYTES {
            return Err(format!("{} bytes of readings are more than {TOKEN_MAX_BYTES}", token.bytes()));
        }
        Ok(token)
    }
}

/// What else a token's line has than its lists, at most.
const REST_BYTES: usize = 512;

/// Appends the value of TOKEN.
pub(super) fn encode(token: &Token, out: &mut Vec<u8>) {
    let text = |list: Option<&str>| list.map_or(0, str::len);
    out.reserve(REST_BYTES + text(token.members.text()) + text(token.cursors.text()) + token.bytes());
    let (ring, to) = (RingText(token.ring), IdText(token.to));
    append_text(out, format_args!("{{\"ring\":{ring},\"seq\":{},\"to\":{to}", token.seq));
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
    match token.cursors.text() {
        _ if token.cursors.is_empty() => {}
        Some(text) => append_text(out, format_args!(",\"cursors\":{text}")),
        None => {
            out.extend_from_slice(b",\"cursors\":");
            append_json(out, &token.cursors.iter().map(cursor_words).collect::<Vec<_>>());
        }
    }
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

/// A list of strings, each read by `item`.
fn listed<T>(name: &str, text: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Listed<T>, String> {
    let items: Vec<Cow<'_, str>> = serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?;
    let items = bounded(name, items, RING_MEMBERS_MAX)?;
    let items = items.iter().map(|words| item(words)).collect::<Result<_, _>>()?;
    Ok(Listed::read(items, text))
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
    let journal = journal(journal_word).map_err(wrong)?;
    let after = number("after", after).map_err(wrong)?;
    let taken = number("taken", taken).map_err(wrong)?;
    let max = max.parse().map_err(|error| wrong(format!("max: {error}")))?;
    check_cursor(journal, after, taken, max).map_err(wrong)
}

pub(super) fn check_cursor(journal: JournalId, after: u64, taken: u64, max: u32) -> Result<Cursor, String> {
    let after = count("after", after)?;
    if taken > after {
        return Err(format!("taken {taken} is more than after {after}"));
    }
    Ok(Cursor { journal, after: Seq(after), taken: Seq(taken), max })
}

fn cursor_words(cursor: &Cursor) -> String {
    let Cursor { journal, after, taken, max } = cursor;
    format!("{journal} {after} {taken} {max}")
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
            text: Arc::from(self.readings),
        })
    }
}

fn bounded<T>(name: &str, list: Vec<T>, most: usize) -> Result<Vec<T>, String> {
    let length = list.len();
    if length <= most { Ok(list) } else { Err(format!("{name}: {length} are more than {most}")) }
}
