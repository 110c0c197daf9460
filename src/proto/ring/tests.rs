//! Rings in a virtual network: calm ones that must stay calm, single faults with the time they may cost, and seeds full
//! of faults. The world is in `world`, what goes wrong in `faults`, the planted defects in `defects`.

use super::*;
use crate::model::{NodeName, Outcome, TokenAck};
use crate::proto::contract::{Machine, Watched};

mod calm;
mod dates;
mod defects;
mod faults;
mod healing;
mod machine;
mod store;
mod world;

use world::World;

impl Machine for Ring {
    type Output = RingOutput;
    fn handle_timeout(&mut self, now: Now) {
        Ring::handle_timeout(self, now);
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Ring::poll_timeout(self)
    }
    fn poll_output(&mut self) -> Option<RingOutput> {
        Ring::poll_output(self)
    }
    fn outputs_max(&self) -> usize {
        // A skip and a claim to every listed address, each over a link made anew; a full token's pieces; a few words.
        6 * self.links.len() + crate::model::TOKEN_PIECES_MAX + 32
    }
}

const MS: Duration = Duration::from_millis(1);

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}
