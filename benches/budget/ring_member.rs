//! A member of a ring that this program plays: it takes the token, says that there was something to carry, so that the
//! token rests nowhere, and gives it on. It sees how long each rotation takes, and keeps the token when it is told to.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll};
use pisink::model::{
    Body, JournalId, LifeId, MemberId, Message, NodeName, Outcome, Pong, RingId, RingState, Token, TokenAck,
    WallTime, Who,
};
use pisink::wire::{LineDecoder, encode};

use crate::kit::WAIT_MAX;
use crate::ring_bare::Turn;

const LISTENER: mio::Token = mio::Token(0);
/// The link to the successor.
const NEXT: usize = 1;
const LOOK_EVERY: Duration = Duration::from_millis(20);

struct Link {
    stream: TcpStream,
    decoder: LineDecoder,
}

/// The member.
pub(crate) struct Member {
    who: Who,
    poll: Poll,
    listener: TcpListener,
    links: BTreeMap<usize, Link>,
    next_link: usize,
    /// The token, while it is here.
    held: Option<Box<Token>>,
    /// Ring and number of the last one that came.
    taken: (RingId, u64),
    /// Length of the token's line when it went on for the last time.
    pub(crate) line_bytes: usize,
    scratch: Vec<u8>,
}

impl Member {
    /// Listens at one of the ring's addresses.
    pub(crate) fn start(address: &str) -> Member {
        let address: SocketAddr = address.parse().expect("an address");
        let poll = Poll::new().expect("an event loop");
        let mut listener = TcpListener::bind(address).expect("a free address");
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).expect("it is watched");
        let id = MemberId { journal: JournalId(u64::MAX), life: LifeId(1) };
        let who = Who { node: NodeName::new("bench").expect("a name"), id, sink_rank: None };
        let links = BTreeMap::new();
        let scratch = vec![0; 1 << 16];
        let taken = Default::default();
        Member { who, poll, listener, links, next_link: NEXT + 1, held: None, taken, line_bytes: 0, scratch }
    }

    /// Waits until the token comes with so many members.
    pub(crate) fn wait_for_ring(&mut self, members: usize) {
        let until = Instant::now() + WAIT_MAX;
        while self.held.as_ref().is_none_or(|token| token.members.len() < members) {
            assert!(Instant::now() < until, "a ring of {members}: not within {WAIT_MAX:?}");
            self.give_on();
            self.wait_for_token(until);
        }
    }

    /// Lets the token go round for so long, and keeps it when it comes next.
    pub(crate) fn rotations(&mut self, time: Duration) -> Turn {
        let begin = Instant::now();
        let (members, mut hops) = (self.held.as_ref().map_or(0, |token| token.members.len()), 0);
        while begin.elapsed() < time {
            self.give_on();
            self.wait_for_token(begin + WAIT_MAX);
            hops += members;
        }
        Turn { took: begin.elapsed(), hops }
    }

    fn wait_for_token(&mut self, until: Instant) {
        let mut events = Events::with_capacity(64);
        while self.held.is_none() && Instant::now() < until {
            match self.poll.poll(&mut events, Some(LOOK_EVERY)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => panic!("{error}"),
                _ => {}
            }
            for event in &events {
                if event.token() == LISTENER { self.accept() } else { self.read(event.token().0) }
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let number = self.next_link;
            self.next_link += 1;
            self.add(number, stream);
        }
    }

    fn add(&mut self, number: usize, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        self.poll
            .registry()
            .register(&mut stream, mio::Token(number), Interest::READABLE)
            .expect("it is watched");
        self.links.insert(number, Link { stream, decoder: LineDecoder::default() });
    }

    fn read(&mut self, number: usize) {
        let Some(mut link) = self.links.remove(&number) else { return };
        let is_open = loop {
            match link.stream.read(&mut self.scratch) {
                Ok(0) => break false,
                Ok(count) => {
                    let bytes = self.scratch[..count].to_vec();
                    let mut input = &bytes[..];
                    while let Some(message) = link.decoder.next(&mut input) {
                        self.message(&mut link.stream, message.expect("a node sends what it should").body);
                    }
                    if count < self.scratch.len() {
                        break true;
                    }
                }
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
        };
        if is_open {
            self.links.insert(number, link);
        }
    }

    fn message(&mut self, from: &mut TcpStream, body: Body) {
        match body {
            Body::Token(token) if !token.pass_on => {
                let ack = TokenAck { ring: token.ring, seq: token.seq, outcome: Outcome::Taken };
                self.say(from, Body::TokenAck(ack));
                // One that was slow to be acknowledged comes twice.
                if (token.ring, token.seq) > self.taken {
                    self.taken = (token.ring, token.seq);
                    self.held = Some(token);
                }
            }
            // It is in no ring until the token comes, and nobody asks afterwards.
            Body::RingQuery(asker) => {
                let who = self.who.clone();
                self.say(from, Body::RingAnswer(RingState { who, members: 0, ..asker }));
            }
            Body::Ping => {
                self.say(from, Body::Pong(Pong::default()));
            }
            _ => {}
        }
    }

    /// A short message, which every socket takes at once.
    fn say(&self, stream: &mut TcpStream, body: Body) -> usize {
        let sender = Some(self.who.node.clone());
        let message = Message { id: "1".to_owned(), to: None, sender, timestamp: None, body };
        let mut line = Vec::new();
        encode(&message, WallTime::from_unix_micros(1_768_867_200_000_000), &mut line);
        stream.write_all(&line).expect("the other end reads");
        line.len()
    }

    /// Gives the token to the one after this, if it is here.
    fn give_on(&mut self) {
        let Some(mut token) = self.held.take() else { return };
        let own = token.place(self.who.id).expect("the token is for a member");
        let next = token.members[(own + 1) % token.members.len()].clone();
        token.seq += 1;
        (token.busy, token.to) = (token.seq, next.who.id);
        if !self.links.get_mut(&NEXT).is_some_and(|link| leads_to(&link.stream, &next.address)) {
            let stream = std::net::TcpStream::connect(&next.address).expect("a member listens");
            stream.set_nonblocking(true).expect("a socket");
            self.add(NEXT, TcpStream::from_std(stream));
        }
        let mut link = self.links.remove(&NEXT).expect("it is there now");
        self.line_bytes = self.say(&mut link.stream, Body::Token(token));
        self.links.insert(NEXT, link);
    }
}

fn leads_to(stream: &TcpStream, address: &str) -> bool {
    stream.peer_addr().is_ok_and(|peer| peer.to_string() == address)
}
