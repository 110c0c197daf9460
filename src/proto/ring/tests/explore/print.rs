//! A state's fingerprint: two states that go on alike have the same. What is of no consequence is left out: times
//! count from now, hops from the last one, connections by who made them, and random numbers not at all.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::site::{Connection, Item, Site};
use super::*;

/// Ages beyond this are one: nothing in a machine looks back further.
const AGE_MAX_US: i64 = 5_000_000;
/// Hops back beyond this are one.
const HOPS_MAX: u64 = 12;
/// A ring that is late to form is another state each second, so that the search sees it be too late.
const LATE_STEP_US: u128 = 1_000_000;

/// What the next number is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Time,
    Hop,
    Link,
    Life,
    Skipped,
    Other,
}

/// Takes what `Debug` writes, piece by piece, and keeps what is of consequence. It knows numbers by the last name
/// before them, and relies on `derive(Debug)` writing names and numbers each as a piece of their own.
struct Normal<'a> {
    text: String,
    now: Instant,
    last_seq: u64,
    links: &'a BTreeMap<u64, u64>,
    next: Number,
}

impl Normal<'_> {
    fn number(&mut self, text: &str) -> fmt::Result {
        let number: i64 = text.parse().unwrap_or_default();
        let count = number.unsigned_abs();
        match std::mem::replace(&mut self.next, Number::Other) {
            Number::Time => write!(self.text, "{}", (number - self.now.as_micros()).max(-AGE_MAX_US)),
            Number::Hop => write!(self.text, "{}", self.last_seq.saturating_sub(count).min(HOPS_MAX)),
            Number::Link => {
                let link = self.links.get(&(count / 2)).map(|place| place * 2 + count % 2);
                write!(self.text, "{link:?}")
            }
            Number::Life => {
                // A second number belongs to a pair (ring, seq).
                self.next = Number::Hop;
                self.text.write_str(text)
            }
            Number::Skipped => Ok(()),
            Number::Other => self.text.write_str(text),
        }
    }
}

impl Write for Normal<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match text.bytes().next() {
            Some(b'0'..=b'9' | b'-') => return self.number(text),
            Some(b'a'..=b'z' | b'A'..=b'Z') => {
                self.next = match text {
                    "Instant" => Number::Time,
                    "seq" | "busy" | "joined" => Number::Hop,
                    "LinkId" => Number::Link,
                    "LifeId" => Number::Life,
                    "next_id" | "Rng" => Number::Skipped,
                    _ => Number::Other,
                };
            }
            _ => {}
        }
        self.text.write_str(text)
    }
}

impl Site {
    pub(super) fn fingerprint(&self) -> u64 {
        let (links, order) = self.links();
        let last_seq =
            self.living().map(|(_, ring)| ring.taken.1.max(ring.latest.1)).max().unwrap_or_default();
        let text = String::with_capacity(1 << 14);
        let mut normal = Normal { text, now: self.now, last_seq, links: &links, next: Number::Other };
        self.write(&mut normal, &order).expect("a string takes everything");
        hash(&normal.text)
    }

    fn write(&self, to: &mut Normal<'_>, order: &[u64]) -> fmt::Result {
        let late = self.now.saturating_since(self.changed_at).as_micros() / LATE_STEP_US;
        let around = (self.calm_visits, self.faults_left, late, &self.blocked);
        write!(to.text, "{around:?}")?;
        for host in &self.hosts {
            write!(to.text, "{:?}", (host.lives, host.has_power, host.is_paused))?;
            let Some(ring) = &host.ring else { continue };
            write!(to.text, "{:?}", ring.lost_after())?;
            let names = (ring.own, ring.highest, ring.heard, ring.is_member);
            let times = (ring.taken, ring.latest, ring.latest_at, ring.visited_at, &ring.promise);
            let rooms = (&ring.state, &ring.links, &ring.hops, &ring.relays, &ring.gap);
            write!(to, "{names:?}{times:?}{rooms:?}")?;
            for member in ring.members.iter() {
                write!(to, "{:?} joined {}", member.who.id, member.joined)?;
            }
            if let State::Handing(handing) = &ring.state {
                write!(to.text, "{}", self.is_taken(handing.hop()))?;
            }
        }
        order.iter().filter_map(|id| self.connections.get(id)).try_for_each(|one| self.write_lanes(to, one))
    }

    fn write_lanes(&self, to: &mut Normal<'_>, connection: &Connection) -> fmt::Result {
        write!(to.text, "{:?}", (connection.hosts, connection.is_up))?;
        for lane in &connection.lanes {
            write!(to.text, "{}", lane.is_held)?;
            for item in &lane.items {
                if let Item::Message(body) = item
                    && let Body::Token(token) = &**body
                {
                    write!(to.text, "{}", self.is_taken((token.ring, token.seq)))?;
                }
                write!(to, "{item:?}")?;
            }
        }
        Ok(())
    }

    /// The place of each connection, and all in an order that does not tell when they were made.
    fn links(&self) -> (BTreeMap<u64, u64>, Vec<u64>) {
        let mut order: Vec<u64> = self.connections.keys().copied().collect();
        order.sort_by_key(|id| (self.connections[id].hosts, *id));
        let mut places = BTreeMap::new();
        let mut nth_of: BTreeMap<[usize; 2], u64> = BTreeMap::new();
        for id in &order {
            let hosts = self.connections[id].hosts;
            let nth = nth_of.entry(hosts).or_default();
            places.insert(*id, (hosts[0] * self.hosts.len() + hosts[1]) as u64 * 1_000 + *nth);
            *nth += 1;
        }
        (places, order)
    }
}

/// 64 bits of a text, quick also without an optimiser.
fn hash(text: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = text.len() as u64;
    for chunk in text.as_bytes().chunks(8) {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(bytes)).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    }
    hash
}
