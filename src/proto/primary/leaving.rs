//! How a primary leaves: without a link that nobody looks after.

use super::{Primary, PrimaryOutput};
use crate::proto::PeerIx;
use crate::proto::peer::State;

impl Primary {
    /// Lets every link go: somebody else collects from now on. What has come so far is still among the outputs.
    pub fn leave(&mut self) {
        for ix in (0..self.peers.len()).map(PeerIx) {
            let link = match self.peers.get(ix.0).map(|peer| peer.state) {
                None | Some(State::Down { .. }) => continue,
                Some(State::Connecting { .. }) => None,
                Some(State::Up { link, .. }) => Some(link),
            };
            self.unlink(ix);
            self.outputs.push_back(PrimaryOutput::Disconnect(ix, link));
        }
    }

    /// Forgets the peer's link, and that a journal comes from it; whether there was one.
    pub(super) fn unlink(&mut self, ix: PeerIx) -> bool {
        let Some(peer) = self.peers.get(ix.0) else { return false };
        if let Some(journal) = peer.journal {
            self.journals.release(journal, ix);
        }
        peer.link().is_some_and(|link| self.links.remove(&link).is_some())
    }
}
