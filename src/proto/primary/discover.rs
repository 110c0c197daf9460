//! Peers that nobody has listed: a primary that is told of a node polls it from then on, also when it is gone for a
//! while, for its readings are still wanted.

use super::Primary;
use crate::model::{NodeName, Now};
use crate::proto::peer::{Peer, State};
use crate::proto::{Backoff, PeerIx};

/// Most peers that were found, beside those that are listed.
const FOUND_MAX: usize = 512;

impl Primary {
    /// A node of this name is at this address now; to be told again and again while it is there.
    ///
    /// One that is known by its name, listed or found, is no second peer: if it cannot be reached where it was, it is
    /// looked for here.
    pub fn discover(&mut self, now: Now, node: &NodeName, address: &str) {
        if *node == self.own.0 || self.peers.iter().any(|peer| peer.address == address) {
            return;
        }
        let is_gone = |peer: &Peer| matches!(peer.state, State::Down { .. }) && peer.backoff.failures() > 0;
        if let Some(known) = self.peers.iter_mut().find(|peer| peer.node.as_ref() == Some(node)) {
            if is_gone(known) {
                address.clone_into(&mut known.address);
            }
            return;
        }
        // A listed peer that was never seen may be this one: it is tried first.
        let is_untried = |peer: &Peer| peer.node.is_none() && peer.backoff.failures() == 0;
        if self.peers.iter().any(is_untried) || self.peers.len() >= self.listed + FOUND_MAX {
            return;
        }
        let ix = PeerIx(self.peers.len());
        let seed = self.own.1.0.wrapping_add(ix.0 as u64);
        let backoff = Backoff::new(seed, self.poll_interval, ix.0 + 1);
        self.peers.push(Peer::new(address.to_owned(), Some(node.clone()), now.mono, backoff));
        self.peer_timeout(now, ix);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::model::{Instant, JournalId};
    use crate::proto::contract::at;
    use crate::proto::{PollOrder, PrimaryConfig, PrimaryOutput};

    fn name(text: &str) -> NodeName {
        NodeName::new(text).unwrap()
    }

    fn primary(peers: &[(&str, Option<&str>)]) -> Primary {
        let config = PrimaryConfig {
            own: (name("sink"), JournalId(1)),
            peers: peers.iter().map(|(address, node)| ((*address).to_owned(), node.map(name))).collect(),
            cursors: BTreeMap::new(),
            poll_interval: Duration::from_secs(1),
            deadline: Duration::from_millis(500),
            order: PollOrder::AtOnce,
            last_round: 0,
            seed: 1,
        };
        Primary::new(config, Instant::from_micros(0))
    }

    /// The addresses that it connects to now.
    fn connects(primary: &mut Primary) -> Vec<String> {
        let outputs: Vec<PrimaryOutput> = std::iter::from_fn(|| primary.poll_output()).collect();
        let of = |output: &PrimaryOutput| match output {
            PrimaryOutput::Connect(ix) => Some(primary.address(*ix)),
            _ => None,
        };
        outputs.iter().filter_map(of).collect()
    }

    fn now(seconds: i64) -> Now {
        at(Instant::from_micros(seconds * 1_000_000))
    }

    #[test]
    fn who_is_found_is_polled_once_and_nothing_is_due_at_once() {
        let mut primary = primary(&[]);
        primary.handle_timeout(now(0));
        connects(&mut primary);
        for _ in 0..3 {
            primary.discover(now(0), &name("pi-2"), "10.0.0.2:7001");
        }
        primary.discover(now(0), &name("sink"), "10.0.0.1:7001");
        assert_eq!(connects(&mut primary), ["10.0.0.2:7001"]);
        assert!(primary.poll_timeout().unwrap().0 > Instant::from_micros(0));
        for number in 0..2_000 {
            primary.discover(now(0), &name(&format!("x{number}")), &format!("10.0.1.1:{number}"));
        }
        assert_eq!(primary.peers.len(), FOUND_MAX);
    }

    #[test]
    fn one_that_is_listed_is_not_polled_twice_and_is_looked_for_where_it_is() {
        let mut primary = primary(&[("pi-2:7001", Some("pi-2")), ("pi-3:7001", None)]);
        primary.handle_timeout(now(0));
        assert_eq!(connects(&mut primary), ["pi-2:7001", "pi-3:7001"]);
        primary.discover(now(0), &name("pi-2"), "10.0.0.2:7001");
        // The other one that is listed may be it: that is seen first.
        primary.discover(now(0), &name("pi-4"), "10.0.0.4:7001");
        assert_eq!(connects(&mut primary), [""; 0]);
        primary.link_failed(now(1), PeerIx(0), "no such host");
        primary.link_failed(now(1), PeerIx(1), "no such host");
        primary.discover(now(1), &name("pi-2"), "10.0.0.2:7001");
        primary.discover(now(1), &name("pi-4"), "10.0.0.4:7001");
        primary.handle_timeout(now(9));
        assert_eq!(connects(&mut primary), ["10.0.0.4:7001", "10.0.0.2:7001", "pi-3:7001"]);
        assert_eq!(primary.peers.len(), 3);
    }
}
