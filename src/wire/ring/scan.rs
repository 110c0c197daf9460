//! Tokens and their acknowledgements as this program writes them, read in one pass that compares them with what they
//! are expected to be, word for word. What is written in any other way is no less right: it is left to the JSON parser,
//! which also says what is wrong with what is wrong. Nothing is believed here that would not be believed there.

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

/// A journal's id is so long.
const JOURNAL_DIGITS: usize = 16;

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
        let (mut number, mut digits) = (0u64, 0);
        for byte in self.rest.bytes().take_while(u8::is_ascii_digit) {
            number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            digits += 1;
        }
        // JSON has no leading zeros.
        if digits == 0 || (digits > 1 && self.rest.starts_with('0')) {
            return None;
        }
        self.rest = self.rest.get(digits..)?;
        Some(number)
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
        let members = match self.expect_list(known.members.text()) {
            Some(()) => None,
            None => Some(self.value()?),
        };
        let sink = if self.expect(",\"sink\":\"").is_some() { Some(self.plain()?.into()) } else { None };
        let cursors = match self.expect(",\"cursors\":") {
            None => Some(NO_ITEMS),
            Some(()) => {
                if self.expect_list(known.cursors.text()).is_none() {
                    known.cursors = self.cursors(&known.cursors)?;
                }
                None
            }
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

    /// Passes over a list that is as it was the last time.
    fn expect_list(&mut self, known: Option<&str>) -> Option<()> {
        self.expect(known?)
    }

    /// Reads the cursors where they are not known as a whole: some of them change wherever readings come. One that
    /// stands where it stood before is known.
    fn cursors(&mut self, known: &Cursors) -> Option<Cursors> {
        let from = self.rest;
        let mut list = Vec::with_capacity(RING_MEMBERS_MAX);
        // No cursor as this program writes it has a comma or a bracket in it.
        let texts = known.text().unwrap_or_default().trim_matches(['[', ']']).split(',');
        let mut before = texts.zip(known.iter());
        self.expect("[")?;
        for _ in 0..RING_MEMBERS_MAX {
            let cursor = match before.next() {
                Some((text, cursor)) if self.expect(text).is_some() => *cursor,
                _ => self.cursor()?,
            };
            list.push(cursor);
            if self.expect(",").is_none() {
                break;
            }
        }
        self.expect("]")?;
        Some(Cursors::read(list, from.get(..from.len() - self.rest.len())?))
    }

    /// `"journal after taken max"`
    fn cursor(&mut self) -> Option<Cursor> {
        self.expect("\"")?;
        let (journal, rest) = self.rest.split_at_checked(JOURNAL_DIGITS)?;
        self.rest = rest.strip_prefix(' ')?;
        let after = self.number()?;
        self.expect(" ")?;
        let taken = self.number()?;
        self.expect(" ")?;
        let max = self.number()?;
        self.expect("\"")?;
        check_cursor(journal.parse().ok()?, after, taken, u32::try_from(max).ok()?).ok()
    }

    /// The text of a JSON value, whatever it is.
    fn value(&mut self) -> Option<&'a str> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<&RawValue>();
        let text = values.next()?.ok()?.get();
        self.rest = self.rest.get(values.byte_offset()..)?;
        Some(text)
    }
}
