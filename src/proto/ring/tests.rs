//! Rings in a virtual network: calm ones that must stay calm, single faults with the time they may cost, and seeds full
//! of faults. The world is in `world`, what goes wrong in `faults`, the planted defects in `defects`.

use super::*;
use crate::model::{NodeName, Outcome, TokenAck};
use crate::proto::contract::Watched;

mod calm;
mod dates;
mod defects;
mod explore;
mod faults;
mod healing;
mod machine;
mod store;
mod world;

use world::World;

const MS: Duration = Duration::from_millis(1);

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}
