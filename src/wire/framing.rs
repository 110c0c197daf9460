//! The framing of one link: named for a link that is opened, told by the first bytes for one that is accepted. Above it
//! there are only messages; an answer goes back in the framing of its link.

use std::time::Duration;

use super::jsocket::{self, JsocketDecoder};
use super::ring::Known;
use super::told::{Told, told};
use super::zmtp_link::ZmtpLink;
use super::{LAB_PAUSE, LabDecoder, LineDecoder, WireError, encode_lab, envelope, excerpt, json};
use crate::model::{Access, Body, Command, FramingName, Framings, Message, RoleOrder, WallTime};

/// Names a framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// One JSON text a line.
    Line,
    /// A length before each JSON text, as jsocket has it.
    Jsocket(JsocketDialect),
    /// Frames of ZMTP 3.
    Zmtp,
    /// The lab's text packets.
    Lab,
}

/// The three ways that jsocket has had to say a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsocketDialect {
    /// 1.1 of 2012: a little-endian length, as the machines had that it ran on.
    V2012,
    /// 1.4 to 1.9: a big-endian length.
    V1,
    /// 2.0: a magic word, a big-endian length, and a checksum.
    V2,
}

impl Dialect {
    /// As people are told it.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Line => "line JSON",
            Dialect::Jsocket(JsocketDialect::V2012) => "jsocket of 2012",
            Dialect::Jsocket(JsocketDialect::V1) => "jsocket 1",
            Dialect::Jsocket(JsocketDialect::V2) => "jsocket 2",
            Dialect::Zmtp => "ZMTP",
            Dialect::Lab => "lab text",
        }
    }

    /// Whether one of `open` goes in it. Which of those over ZMTP a peer speaks shows in its first message.
    fn is_open(self, open: Framings) -> bool {
        match self {
            Dialect::Line => open.has(FramingName::Line),
            Dialect::Jsocket(_) => open.has(FramingName::Jsocket),
            Dialect::Zmtp => open.has(FramingName::Zre) || open.has(FramingName::Autopilot),
            Dialect::Lab => open.has(FramingName::Lab),
        }
    }
}

/// What the JSON texts of a link are read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contents {
    /// Envelopes, where they are some; any other JSON is foreign.
    #[default]
    Envelopes,
    /// Any JSON is foreign: for a server that gives it a meaning of its own.
    Plain,
}

impl Contents {
    /// Reads one message.
    pub(super) fn read(self, text: &[u8], known: &mut Known) -> Result<Message, WireError> {
        let read = match self {
            Contents::Envelopes => envelope::decode(text, known),
            Contents::Plain => {
                json::read(text).map(|value| envelope::bare(Body::Foreign(value))).map_err(Err)
            }
        };
        read.map_err(|error| error.unwrap_or_else(|why| WireError::NotJson { why, excerpt: excerpt(text) }))
    }

    /// The same for a text of a framing whose messages may have several lines: parts of some messages are passed on as
    /// the text that came, and there they have to be one line. In JSON a line's end means no more than a blank.
    pub(super) fn read_lines(self, text: &[u8]) -> Result<Message, WireError> {
        // Members of a ring speak line JSON: no token has come before on such a link.
        let known = &mut Known::default();
        if memchr::memchr2(b'\r', b'\n', text).is_none() {
            return self.read(text, known);
        }
        let as_blank = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
        self.read(&text.iter().map(as_blank).collect::<Vec<_>>(), known)
    }
}

/// The framing of one link: its decoder, and how it is answered. Holds only what has come of an unfinished message.
#[derive(Debug)]
pub struct Framing {
    state: State,
    /// What an accepted link may do; a link that this side opened may do anything that its framing can say.
    access: Option<Access>,
    contents: Contents,
}

#[derive(Debug)]
enum State {
    /// What came first, and does not tell yet; and what this end calls itself where a framing has names for its ends.
    Unknown(Vec<u8>, Vec<u8>),
    /// It is told, and `then` reads what had come until then before anything else.
    Told {
        first: Vec<u8>,
        read: usize,
        then: Box<State>,
    },
    Line(LineDecoder),
    Jsocket(JsocketDialect, JsocketDecoder),
    Zmtp(Box<ZmtpLink>),
    Lab(LabDecoder),
    /// Nothing more is taken.
    Refused(Dialect),
}

impl Framing {
    /// For an accepted link: its first bytes tell.
    pub fn unknown(access: Access) -> Self {
        Self {
            state: State::Unknown(Vec::new(), Vec::new()),
            access: Some(access),
            contents: Contents::Envelopes,
        }
    }

    /// The same for a server that gives messages a meaning of its own: any JSON comes as [`Body::Foreign`].
    pub fn unknown_plain(access: Access) -> Self {
        Self { contents: Contents::Plain, ..Self::unknown(access) }
    }

    /// For a link that this side opens.
    pub fn speaking(dialect: Dialect) -> Self {
        Self::opened(dialect, Contents::Envelopes, Vec::new())
    }

    /// The same for a client that takes any JSON for an answer: it comes as [`Body::Foreign`].
    pub fn speaking_plain(dialect: Dialect) -> Self {
        Self::opened(dialect, Contents::Plain, Vec::new())
    }

    fn opened(dialect: Dialect, contents: Contents, identity: Vec<u8>) -> Self {
        let state = State::speaking(dialect, contents, ("DEALER", identity), Framings::ALL);
        Self { state, access: None, contents }
    }

    /// The same with a name for this end. To be given before anything is said or read.
    #[must_use]
    pub fn named(self, identity: Vec<u8>) -> Self {
        match (self.state, self.access) {
            (State::Unknown(first, _), access) => {
                Self { state: State::Unknown(first, identity), access, ..self }
            }
            (state, None) if state.dialect() == Some(Dialect::Zmtp) => {
                Self::opened(Dialect::Zmtp, self.contents, identity)
            }
            (state, access) => Self { state, access, ..self },
        }
    }

    /// Takes up to one message from the front of `input` and moves `input` past it.
    ///
    /// `None` means that all of `input` is taken and the message is not complete. After a fatal error
    /// ([`WireError::is_fatal`]) the link must be closed.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        if let State::Line(decoder) = &mut self.state {
            return decoder.next(input);
        }
        let message = self.next_of_others(input)?;
        if let Err(error) = &message
            && error.is_fatal()
            && let Some(dialect) = self.dialect()
        {
            self.state = State::Refused(dialect);
        }
        if self.dialect() == Some(Dialect::Line) {
            return Some(message);
        }
        Some(message.and_then(|message| self.check_command(message)))
    }

    fn next_of_others(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        if let State::Unknown(first, identity) = &mut self.state {
            let dialect = tell(first, input)?;
            let (first, identity) = (std::mem::take(first), std::mem::take(identity));
            if let Some(access) = self.access
                && !dialect.is_open(access.open)
            {
                self.state = State::Refused(dialect);
                return Some(Err(WireError::NotOpen { framing: dialect.as_str() }));
            }
            let open = self.access.map_or(Framings::ALL, |access| access.open);
            let end = ("ROUTER", identity);
            let then = State::speaking(dialect, self.contents, end, open);
            if let State::Refused(_) = then {
                self.state = then;
                return Some(Err(WireError::NotSpoken { framing: dialect.as_str() }));
            }
            self.state = match first.is_empty() {
                true => then,
                false => State::Told { first, read: 0, then: Box::new(then) },
            };
        }
        if let State::Told { first, read, then } = &mut self.state {
            let mut rest = first.get(*read..).unwrap_or_default();
            let message = then.next(&mut rest);
            *read = first.len() - rest.len();
            if message.is_some() {
                return message;
            }
            self.state = std::mem::replace(&mut **then, State::Unknown(Vec::new(), Vec::new()));
        }
        self.state.next(input)
    }

    /// Refuses a command that is not allowed over other framings than line JSON.
    fn check_command(&self, message: Message) -> Result<Message, WireError> {
        match (self.access, command(&message.body)) {
            (Some(access), Some(command)) if !access.allow.has(command) => {
                Err(WireError::NotAllowed { key: command.as_str(), id: message.id })
            }
            _ => Ok(message),
        }
    }

    /// Appends a message in the link's framing; in line JSON where that is not told yet. `sent` is its time stamp.
    pub fn encode(&mut self, message: &Message, sent: WallTime, out: &mut Vec<u8>) {
        if let Some(link) = self.state.zmtp() {
            return link.encode(message, sent, out);
        }
        match self.dialect() {
            Some(Dialect::Jsocket(dialect)) => jsocket::encode(dialect, message, sent, out),
            Some(Dialect::Lab) => {
                // The lab's programs have no word for anything else, such as an error: to them the link is closed.
                if let Body::Lab(text) = &message.body {
                    encode_lab(text, out);
                }
            }
            Some(Dialect::Line | Dialect::Zmtp) | None => envelope::encode(message, sent, out),
        }
    }

    /// Appends what the framing itself has to say now, unasked or in answer to the framing of the other end. To be
    /// called when the link stands, and after what was received is taken.
    pub fn greeting(&mut self, out: &mut Vec<u8>) {
        if let Some(link) = self.state.zmtp() {
            link.greeting(out);
        }
    }

    /// Whether a message has begun and not ended.
    pub fn is_partial(&self) -> bool {
        match &self.state {
            State::Line(decoder) => decoder.is_partial(),
            State::Jsocket(_, decoder) => decoder.is_partial(),
            State::Zmtp(link) => link.is_partial(),
            State::Lab(decoder) => decoder.is_partial(),
            // White space alone is nobody's message.
            State::Unknown(first, _) => !first.iter().all(u8::is_ascii_whitespace),
            State::Told { .. } => true,
            State::Refused(_) => false,
        }
    }

    /// How long its sender has to pause for a message that has begun to be whole, where that is how messages end.
    pub fn pause(&self) -> Option<Duration> {
        match &self.state {
            State::Lab(decoder) if decoder.is_partial() => Some(LAB_PAUSE),
            _ => None,
        }
    }

    /// The other end has closed, or paused for as long as [`Framing::pause`] says: what this makes of a message that
    /// had begun. `None` where no message ends so.
    pub fn finish(&mut self) -> Option<Result<Message, WireError>> {
        match &mut self.state {
            State::Lab(decoder) => decoder.finish(),
            _ => None,
        }
    }

    /// Bytes of memory that a message that has begun takes.
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Line(decoder) => decoder.held_bytes(),
            State::Jsocket(_, decoder) => decoder.held_bytes(),
            State::Zmtp(link) => link.held_bytes(),
            State::Lab(decoder) => decoder.held_bytes(),
            State::Unknown(first, identity) => first.capacity() + identity.capacity(),
            State::Told { first, .. } => first.capacity(),
            State::Refused(_) => 0,
        }
    }

    /// Which framing it is, if that is told.
    pub fn dialect(&self) -> Option<Dialect> {
        self.state.dialect()
    }
}

impl State {
    /// `end` is what this end is and is called, where the framing has a word for it.
    fn speaking(dialect: Dialect, contents: Contents, end: (&'static str, Vec<u8>), open: Framings) -> Self {
        match dialect {
            Dialect::Line => State::Line(LineDecoder::of(contents)),
            Dialect::Jsocket(jsocket) => State::Jsocket(jsocket, JsocketDecoder::new(jsocket, contents)),
            Dialect::Zmtp => State::Zmtp(Box::new(ZmtpLink::new(end, contents, open))),
            Dialect::Lab => State::Lab(LabDecoder::default()),
        }
    }

    fn next(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        match self {
            State::Line(decoder) => decoder.next(input),
            State::Jsocket(_, decoder) => decoder.next(input),
            State::Zmtp(link) => link.next(input),
            State::Lab(decoder) => decoder.next(input),
            State::Unknown(..) | State::Told { .. } | State::Refused(_) => {
                *input = &[];
                None
            }
        }
    }

    fn zmtp(&mut self) -> Option<&mut ZmtpLink> {
        match self {
            State::Zmtp(link) => Some(link),
            State::Told { then, .. } => then.zmtp(),
            _ => None,
        }
    }

    fn dialect(&self) -> Option<Dialect> {
        match self {
            State::Unknown(..) => None,
            State::Told { then, .. } => then.dialect(),
            State::Line(_) => Some(Dialect::Line),
            State::Jsocket(dialect, _) => Some(Dialect::Jsocket(*dialect)),
            State::Zmtp(_) => Some(Dialect::Zmtp),
            State::Lab(_) => Some(Dialect::Lab),
            State::Refused(dialect) => Some(*dialect),
        }
    }
}

/// What the first bytes tell: those in `first` and in front of `input`. As long as they do not, they are taken over
/// into `first`; when they do, the rest is left in `input`.
fn tell(first: &mut Vec<u8>, input: &mut &[u8]) -> Option<Dialect> {
    if first.is_empty()
        && let Told::Is(dialect) = told(input)
    {
        return Some(dialect);
    }
    loop {
        let wanted = match told(first) {
            Told::Is(dialect) => return Some(dialect),
            Told::More(wanted) => wanted,
        };
        if input.is_empty() {
            return None;
        }
        let count = wanted.saturating_sub(first.len()).clamp(1, input.len());
        let (taken, rest) = input.split_at(count);
        first.extend_from_slice(taken);
        *input = rest;
    }
}

/// The command that this is, if it is one that changes a node.
fn command(body: &Body) -> Option<Command> {
    match body {
        Body::Role(RoleOrder::Become(_) | RoleOrder::Configured) => Some(Command::Role),
        _ => None,
    }
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
