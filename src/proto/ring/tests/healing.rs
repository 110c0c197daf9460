//! Seeds full of faults.

use super::*;
use crate::proto::contract::for_seeds;

/// Worlds that one run of the tests looks at.
const WORLDS: u64 = 600;

#[test]
fn one_seed_gives_one_run() {
    let run = |seed| {
        let mut world = World::of_seed(seed, None);
        world.run_to_the_end();
        (world.now, world.sent_tokens, world.reports)
    };
    let runs: Vec<_> = (1..6).map(run).collect();
    assert_eq!(runs, (1..6).map(run).collect::<Vec<_>>());
    assert_ne!(runs[0], runs[1]);
}

#[test]
fn whatever_breaks_one_ring_is_left_and_its_sink_has_everything() {
    for_seeds(WORLDS, |seed| World::of_seed(seed, None).run_to_the_end());
}
