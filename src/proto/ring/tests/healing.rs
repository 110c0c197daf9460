//! Seeds full of faults.

use super::*;
use crate::proto::contract::for_seeds;

/// Worlds that one run of the tests looks at.
const WORLDS: u64 = 600;

#[test]
fn whatever_breaks_one_ring_is_left_and_its_sink_has_everything() {
    for_seeds(WORLDS, |seed| World::of_seed(seed, None).run_to_the_end());
}
