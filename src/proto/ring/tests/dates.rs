//! Who asks whom for his clock, and when.

use std::collections::BTreeMap;

use super::super::dates::{AGAIN, EVERY};
use super::world::{Setting, journal};
use super::*;

/// The members that each host has met, and how often.
fn met(world: &World, at: usize) -> BTreeMap<JournalId, usize> {
    let mut met = BTreeMap::new();
    for (_, of, _) in world.links.iter().filter(|(host, ..)| *host == at) {
        *met.entry(*of).or_default() += 1;
    }
    met
}

fn each(hosts: impl IntoIterator<Item = usize>, times: usize) -> BTreeMap<JournalId, usize> {
    hosts.into_iter().map(|host| (journal(host), times)).collect()
}

#[test]
fn the_sink_meets_every_clock_at_first_sight_and_every_ten_minutes() {
    let mut world = World::new(Setting { sample_every: Duration::from_secs(3_600), ..Setting::calm(5) }, 1);
    world.run(Duration::from_secs(20));
    assert_eq!(met(&world, 0), each(1..5, 1));
    for (_, of, link) in &world.links {
        let ahead = link.mono.saturating_since(link.here);
        assert!(ahead.abs_diff(Duration::from_secs(of.0)) <= link.error, "{ahead:?} {link:?}");
        assert!(link.error <= 3 * MS, "a way takes 2 ms at most: {:?}", link.error);
    }
    world.run(EVERY);
    assert_eq!(met(&world, 0), each(1..5, 2));
    assert!((1..5).all(|at| met(&world, at).is_empty()), "nobody else has use for it");
    let links = world.hosts.iter().map(|host| host.running.as_ref().map_or(0, |running| running.links.len()));
    assert!(links.clone().all(|count| count == 2), "the links are let go: {:?}", links.collect::<Vec<_>>());
}

#[test]
fn another_life_is_met_anew() {
    let mut world = World::new(Setting::calm(4), 2);
    world.run(Duration::from_secs(20));
    world.crash(2);
    world.run(Duration::from_secs(20));
    world.start(2);
    world.run(Duration::from_secs(10));
    let mut expected = each(1..4, 1);
    expected.insert(journal(2), 2);
    assert_eq!(met(&world, 0), expected);
}

#[test]
fn who_takes_the_sinks_place_meets_them_too() {
    let mut world = World::new(Setting::calm(4), 3);
    world.run(Duration::from_secs(20));
    world.crash(0);
    world.run(Duration::from_secs(20));
    assert_eq!(met(&world, 1), each(2..4, 1));
}

#[test]
fn a_clock_that_cannot_be_asked_is_asked_again() {
    let mut world = World::new(Setting::calm(5), 4);
    world.separate(&[(0, 3)]);
    world.run(Duration::from_secs(60));
    assert_eq!(met(&world, 0), each([1, 2, 4], 1), "only others reach it");
    world.blocked.clear();
    world.run(AGAIN + Duration::from_secs(5));
    assert_eq!(met(&world, 0), each(1..5, 1));
}
