//! Peers that have no journal: scripts that speak plain JSON, the lab's programs. Each link is a guest of its own,
//! named by what it calls itself or by its address, so that one which comes again goes on under its name. Its readings
//! go into the journal of the node that it talks to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core::net::IpAddr;
use serde_json::{Value as Json, json};

use crate::model::{Channel, NodeName, Now, Pack, Value};
use crate::proto::LinkId;
use crate::proto::foreign::{self, ForeignValue};

/// The chip name of channels that a script fills.
const CHIP: &str = "json";
/// A link is closed at its so-manieth line that is no message.
const OFFENCES_MAX: u32 = 16;
/// So many of a link's messages are told, and so many of its complaints; the others are counted or passed over.
const TOLD_MAX: u64 = 20;
/// Most different names that links may give themselves, together; beyond it they go by their address.
const NAMES_MAX: usize = 1_000;
/// Longest name that a peer's own is cut to, in bytes.
const NAME_MAX_BYTES: usize = 63;
/// Most different channels that guests may fill, together; readings of others are passed over and counted.
const CHANNELS_MAX: usize = if cfg!(test) { 100 } else { 4_096 };

#[derive(Debug, Default)]
pub(super) struct Guests {
    links: BTreeMap<LinkId, Guest>,
    /// Numbers in use for the guests of one host, so that two scripts on one host are told apart.
    slots: BTreeMap<IpAddr, BTreeSet<u32>>,
    names: BTreeSet<NodeName>,
    channels: BTreeSet<Arc<Channel>>,
    messages: u64,
    readings: u64,
    passed_over: u64,
    offences: u64,
}

#[derive(Debug)]
struct Guest {
    remote: IpAddr,
    slot: Option<u32>,
    /// What it is called unless it calls itself something: made of its address when it first speaks.
    by_address: Option<NodeName>,
    messages: u64,
    offences: u32,
    complaints: u64,
}

/// What came of one message.
pub(super) struct Said {
    pub(super) from: NodeName,
    pub(super) readings: usize,
    pub(super) is_to_be_told: bool,
}

impl Guests {
    pub(super) fn link_up(&mut self, link: LinkId, remote: IpAddr) {
        self.links.insert(
            link,
            Guest { remote, slot: None, by_address: None, messages: 0, offences: 0, complaints: 0 },
        );
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        let Some(guest) = self.links.remove(&link) else { return };
        if let (Some(slot), Some(used)) = (guest.slot, self.slots.get_mut(&guest.remote)) {
            used.remove(&slot);
            if used.is_empty() {
                self.slots.remove(&guest.remote);
            }
        }
    }

    /// Counts a line that is no message; whether the link has made too many of them.
    pub(super) fn offend(&mut self, link: LinkId) -> bool {
        self.offences += 1;
        let Some(guest) = self.links.get_mut(&link) else { return false };
        guest.offences += 1;
        guest.offences >= OFFENCES_MAX
    }

    /// Counts a peer's word that something is wrong; whether it is to be told.
    pub(super) fn complain(&mut self, link: LinkId) -> bool {
        let Some(guest) = self.links.get_mut(&link) else { return false };
        guest.complaints += 1;
        guest.complaints <= TOLD_MAX
    }

    /// A name for the other end of a link, for the log.
    pub(super) fn label(&self, link: LinkId) -> NodeName {
        self.links.get(&link).map_or_else(
            || address_name(IpAddr::from([0, 0, 0, 0]), 1),
            |guest| address_name(guest.remote, guest.slot.unwrap_or(1)),
        )
    }

    /// Where the other end of a link is.
    pub(super) fn remote(&self, link: LinkId) -> Option<IpAddr> {
        self.links.get(&link).map(|guest| guest.remote)
    }

    /// What the other end of a link is called that does not call itself something.
    pub(super) fn name(&mut self, link: LinkId) -> Option<NodeName> {
        let guest = self.links.get_mut(&link)?;
        let (remote, slot, slots) = (guest.remote, &mut guest.slot, &mut self.slots);
        let by_address = guest.by_address.get_or_insert_with(|| {
            let slot = slot.get_or_insert_with(|| free_slot(slots.entry(remote).or_default()));
            address_name(remote, *slot)
        });
        Some(by_address.clone())
    }

    /// Takes a foreign message's readings, stamped now, into `pack`.
    pub(super) fn say(&mut self, link: LinkId, json: &Json, now: Now, pack: &mut Pack) -> Option<Said> {
        let own_name = foreign::sender(json).and_then(|name| NodeName::new(name).ok()).filter(|name| {
            self.names.contains(name) || (self.names.len() < NAMES_MAX && self.names.insert(name.clone()))
        });
        let guest = self.links.get_mut(&link)?;
        guest.messages += 1;
        let is_to_be_told = guest.messages <= TOLD_MAX;
        let from = match own_name {
            Some(name) => name,
            None => self.name(link)?,
        };
        let readings = self.take_named((&from, CHIP), foreign::values(json).into_iter(), now, pack);
        Some(Said { from, readings, is_to_be_told })
    }

    /// Takes the values of one message into `pack`, stamped now, under a name that is known to be one; how many there
    /// was room for.
    pub(super) fn take_named(
        &mut self,
        guest: (&NodeName, &str),
        values: impl Iterator<Item = ForeignValue>,
        now: Now,
        pack: &mut Pack,
    ) -> usize {
        self.messages += 1;
        let mut readings = 0;
        for ForeignValue { quantity, unit, value } in values {
            readings += self.push(pack, guest, (quantity, unit), (now, value));
        }
        readings
    }

    /// Takes values that a peer's own protocol has read, stamped now, into `pack`: under the name that it gives itself,
    /// with the characters that no name has replaced.
    pub(super) fn take(
        &mut self,
        (link, name, chip): (LinkId, &str, &str),
        values: impl Iterator<Item = ForeignValue>,
        now: Now,
        pack: &mut Pack,
    ) -> Option<Said> {
        let guest = self.links.get_mut(&link)?;
        guest.messages += 1;
        let (messages, remote) = (guest.messages, guest.remote);
        let from = legal_name(name).filter(|name| {
            self.names.contains(name) || (self.names.len() < NAMES_MAX && self.names.insert(name.clone()))
        });
        let from = from.unwrap_or_else(|| address_name(remote, 1));
        let readings = self.take_named((&from, chip), values, now, pack);
        Some(Said { from, readings, is_to_be_told: messages <= TOLD_MAX })
    }

    /// Adds one reading, unless there are too many channels; how many were added.
    fn push(
        &mut self,
        pack: &mut Pack,
        (from, chip): (&NodeName, &str),
        (quantity, unit): (String, &str),
        (now, value): (Now, Value),
    ) -> usize {
        let channel = channel(pack, (from, chip), quantity, unit);
        let is_known = pack.channels.iter().any(|known| Arc::ptr_eq(known, &channel))
            || self.channels.contains(&channel);
        if !is_known && self.channels.len() >= CHANNELS_MAX {
            self.passed_over += 1;
            return 0;
        }
        if !is_known {
            self.channels.insert(Arc::clone(&channel));
        }
        pack.push(&channel, now.wall, now.mono, value);
        self.readings += 1;
        1
    }

    /// Counts readings that were more than one message may have.
    pub(super) fn pass_over(&mut self, count: usize) {
        self.passed_over += count as u64;
    }

    /// Counts what somebody should not have done.
    pub(super) fn count_offence(&mut self) {
        self.offences += 1;
    }

    #[cfg(test)]
    pub(super) fn links(&self) -> usize {
        self.links.len()
    }

    pub(super) fn status(&self) -> Json {
        json!({
            "messages": self.messages,
            "readings": self.readings,
            "passed_over": self.passed_over,
            "offences": self.offences,
        })
    }
}

/// The channel of a guest's quantity: the pack's own where it has it, for a script says the same again and again.
fn channel(pack: &Pack, (from, chip): (&NodeName, &str), quantity: String, unit: &str) -> Arc<Channel> {
    let is_it = |known: &&Arc<Channel>| {
        known.quantity == quantity && known.node == *from && known.unit == unit && known.chip == chip
    };
    pack.channels.iter().find(is_it).map(Arc::clone).unwrap_or_else(|| {
        let (chip, unit) = (chip.to_owned(), unit.to_owned());
        Arc::new(Channel { node: from.clone(), chip, quantity, unit })
    })
}

/// A peer's own name as one that nodes may have.
fn legal_name(name: &str) -> Option<NodeName> {
    NodeName::new(name).ok().or_else(|| {
        let legal = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
        let text: String =
            name.trim_start_matches(|c: char| !c.is_alphanumeric()).chars().map(legal).collect();
        NodeName::new(text.trim_start_matches('_').get(..NAME_MAX_BYTES).unwrap_or(&text)).ok()
    })
}

fn free_slot(used: &mut BTreeSet<u32>) -> u32 {
    // They are in order: the first that is not its own place's number leaves that number free.
    let free = (1..).zip(used.iter()).find(|(place, slot)| place != *slot).map(|(place, _)| place);
    let free = free.unwrap_or_else(|| used.last().map_or(1, |last| last.saturating_add(1)));
    used.insert(free);
    free
}

/// `192.168.1.17`, and `192.168.1.17_2` for a second one at the same time; an IPv6 address with `-` for `:`.
fn address_name(remote: IpAddr, slot: u32) -> NodeName {
    let mut text = remote.to_canonical().to_string().replace(':', "-");
    if text.starts_with('-') {
        text.insert(0, '0');
    }
    if slot > 1 {
        text = format!("{text}_{slot}");
    }
    // An IP address with those characters replaced is a legal name; should it not be, all such guests share one.
    NodeName::new(&text).unwrap_or_else(|_| fallback_name())
}

#[expect(clippy::expect_used, reason = "a constant that a test holds")]
fn fallback_name() -> NodeName {
    NodeName::new("guest").expect("\"guest\" has only letters")
}

#[cfg(test)]
#[path = "guests_tests.rs"]
mod tests;
