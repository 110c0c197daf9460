//! Tokens and their acknowledgements as this program writes them, read in one pass that compares them with what they are
//! expected to be, word for word. What is written in any other way is no less right: it is left to the JSON parser, which
//! also says what is wrong with what is wrong. Nothing is believed here that would not be believed there.

use serde_json::value::RawValue;

use super::token::{Known, NO_ITEMS, RawPiece, RawToken, check_cursor};
use super::{RawAck, RawId, RawRing};
use crate::model::{Body, Cursor, Cursors, Message, NodeName, RING_MEMBERS_MAX, TOKEN_PIECES_MAX};
use crate::wire::envelope::parse_timestamp;

/// The message in `text`, if it is one of those and stands there as this program writes it. `known` is as for
/// [`RawToken::check`].
pub(in crate::wire) fn read_as_written(text: &str, known: &mut Known) -> Option<Message> {
    let mut scan = Scan { rest: text };
    scan.expect("{\"id\":\"")?;
    let id = scan.plain()?;
    let to = if scan.expect(",\"to\":\"").is_some() { Some(scan.name()?) } else { None };
    let sender = if scan.expect(",\"sender\":\"").is_some() { Some(scan.name()?) } else { None };
    scan.expect(",\"key\":\"TOKEN")?;
    let body = if scan.expect("\",\"value\":{").is_some() {
        Body::Token(Box::new(scan.token(known)?.check(known).ok()?))
    } else {
        scan.expect("_ACK\",\"value\":{")?;
        Body::TokenAck(scan.ack()?.check().ok()?)
    };
    scan.expect(",\"timestamp\":\"")?;
    let timestamp = Some(parse_timestamp(scan.plain()?)?);
    (scan.rest == "}").then(|| Message { id: id.to_owned(), to, sender, timestamp, body })
}

/// What is still to be read. Each step is `None` where something else stands there.
struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    fn expect(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// The rest of a string that stands for itself, and its end.
    fn plain(&mut self) -> Option<&'a str> {
        let end = self.rest.bytes().position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))?;
        let (plain, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.strip_prefix('"')?;
        Some(plain)
    }

    fn name(&mut self) -> Option<NodeName> {
        NodeName::new(self.plain()?).ok()
    }

    fn number(&mut self) -> Option<u64> {
        let end = self.rest.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.rest.split_at_checked(end)?;
        // JSON has no leading zeros.
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        self.rest = rest;
        digits.parse().ok()
    }

    /// `"journal":...,"life":...}`
    fn id(&mut self) -> Option<RawId<'a>> {
        self.expect("\"journal\":\"")?;
        let journal = self.plain()?.into();
        self.expect(",\"life\":\"")?;
        let life = self.plain()?.into();
        self.expect("}")?;
        Some(RawId { journal, life })
    }

    /// `"ring":{...}`
    fn ring(&mut self) -> Option<RawRing<'a>> {
        self.expect("\"ring\":{\"epoch\":")?;
        let epoch = self.number()?;
        self.expect(",\"leader\":{")?;
        let leader = self.id()?;
        self.expect("}")?;
        Some(RawRing { epoch, leader })
    }

    fn ack(&mut self) -> Option<RawAck<'a>> {
        let ring = self.ring()?;
        self.expect(",\"seq\":")?;
        let seq = self.number()?;
        self.expect(",\"outcome\":\"")?;
        let outcome = self.plain()?.into();
        // One that has a `by` goes on, and is rare.
        self.expect("}")?;
        Some(RawAck { ring, seq, outcome, by: None })
    }

    fn token(&mut self, known: &mut Known) -> Option<RawToken<'a>> {
        let ring = self.ring()?;
        self.expect(",\"seq\":")?;
        let seq = self.number()?;
        self.expect(",\"to\":{")?;
        let to = self.id()?;
        let pass_on = self.expect(",\"pass_on\":true").is_some();
        self.expect(",\"busy\":")?;
        let busy = self.number()?;
        self.expect(",\"members\":")?;
        let members = self.list(known.members.text())?;
        let sink = if self.expect(",\"sink\":\"").is_some() { Some(self.plain()?.into()) } else { None };
        let cursors = match self.expect(",\"cursors\":") {
            Some(()) => self.cursors(&mut known.cursors)?,
            None => NO_ITEMS,
        };
        let pieces = if self.expect(",\"pieces\":[").is_some() { self.pieces()? } else { Vec::new() };
        self.expect("}")?;
        Some(RawToken { ring, seq, to, pass_on, busy, members, sink, cursors, pieces })
    }

    fn pieces(&mut self) -> Option<Vec<RawPiece<'a>>> {
        let mut pieces = Vec::new();
        for _ in 0..TOKEN_PIECES_MAX {
            self.expect("{\"journal\":\"")?;
            let journal = self.plain()?.into();
            self.expect(",\"after\":")?;
            let after = self.number()?;
            self.expect(",\"through\":")?;
            let through = self.number()?;
            self.expect(",\"readings\":")?;
            pieces.push(RawPiece { journal, after, through, readings: self.value()? });
            self.expect("}")?;
            if self.expect("]").is_some() {
                return Some(pieces);
            }
            self.expect(",")?;
        }
        None
    }

    /// The text of the cursors, which are read where they are not `known`: wherever readings come, they change.
    fn cursors(&mut self, known: &mut Cursors) -> Option<&'a str> {
        let from = self.rest;
        if let Some(rest) = known.text().and_then(|text| from.strip_prefix(text)) {
            self.rest = rest;
        } else {
            let mut list = Vec::with_capacity(known.len());
            self.expect("[")?;
            for _ in 0..RING_MEMBERS_MAX {
                list.push(self.cursor()?);
                if self.expect(",").is_none() {
                    break;
                }
            }
            self.expect("]")?;
            let text = from.get(..from.len() - self.rest.len())?;
            *known = Cursors::read(list, text);
        }
        from.get(..from.len() - self.rest.len())
    }

    /// `"journal after taken max"`
    fn cursor(&mut self) -> Option<Cursor> {
        self.expect("\"")?;
        let (journal, rest) = self.rest.split_once(' ')?;
        self.rest = rest;
        let after = self.number()?;
        self.expect(" ")?;
        let taken = self.number()?;
        self.expect(" ")?;
        let max = self.number()?;
        self.expect("\"")?;
        check_cursor(journal.parse().ok()?, after, taken, u32::try_from(max).ok()?).ok()
    }

    /// The text of a list, which most often is as long as it was the last time, and the same.
    fn list(&mut self, known: Option<&str>) -> Option<&'a str> {
        let Some(known) = known.filter(|known| self.rest.starts_with(known)) else { return self.value() };
        let (list, rest) = self.rest.split_at_checked(known.len())?;
        self.rest = rest;
        Some(list)
    }

    /// The text of a JSON value, whatever it is.
    fn value(&mut self) -> Option<&'a str> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<&RawValue>();
        let text = values.next()?.ok()?.get();
        self.rest = self.rest.get(values.byte_offset()..)?;
        Some(text)
    }
}
