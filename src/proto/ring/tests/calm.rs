//! Networks in which nothing is wrong, or one thing: what must not happen, and how long the rest may take.

use std::collections::BTreeSet;

use super::world::{Setting, World};
use super::*;
use crate::proto::contract::for_seeds;

/// A ring of default settings is there this long after the start of its last node.
const FORMED: Duration = Duration::from_millis(2_500);
/// What heals in a ring of five with default settings heals within this time.
const HEALED: Duration = Duration::from_secs(2);

fn formed(setting: Setting, seed: u64) -> World {
    let mut world = World::new(setting, seed);
    world.run(Duration::from_millis(300));
    let all = world.living();
    world.run_until("a first ring", FORMED, |world| world.is_one_ring(&all));
    world.run(Duration::from_secs(2));
    world.reports.clear();
    world
}

fn ring_of(world: &World) -> RingId {
    world.ring(0).expect("it runs").latest.0
}

fn skips(world: &World) -> usize {
    world.reports.iter().filter(|(_, _, report)| matches!(report, RingReport::Skipped { .. })).count()
}

/// Links that break and members that lose patience cost nobody his place, and the token its name.
pub(super) fn stays_calm(seed: u64, defect: Option<Defect>) {
    let mut world = formed(Setting { defect, ..Setting::calm(5) }, seed);
    let ring = ring_of(&world);
    for turn in 0..6 {
        world.run(Duration::from_millis(700));
        let open: Vec<u64> = world.connections.keys().copied().collect();
        let id = *world.rng.choice(&open).expect("the ring's links");
        if turn % 2 == 0 {
            world.connections.get_mut(&id).expect("it is open").has_vanished = true;
        } else {
            world.reset(id);
        }
        let hasty = turn % 5;
        world.run(Duration::from_millis(500));
        world.tell(hasty, |ring, now| {
            if matches!(ring.state, State::Waiting { .. }) {
                ring.begin_claim(now);
            }
        });
    }
    world.run(Duration::from_secs(2));
    assert_eq!((skips(&world), ring_of(&world)), (0, ring), "{:?}", world.reports);
    world.is_ending = true;
    world.run(Duration::from_secs(2));
    assert!(world.is_collected(&world.living()), "{}", world.describe());
}

/// The sink dies, its standby waits and takes its place, and leaves it once when the sink is back.
pub(super) fn standby_waits_and_gives_way(seed: u64, defect: Option<Defect>) {
    let mut world = formed(Setting { defect, ..Setting::calm(5) }, seed);
    let wait = world.setting.standby_after;
    world.crash(0);
    let killed_at = world.now;
    world.run_until("the standby acts", wait + HEALED, |world| world.ring(1).unwrap().collector.acts());
    assert!(world.now.saturating_since(killed_at) >= wait - 150 * MS, "too early");
    world.run(Duration::from_secs(3));
    world.start(0);
    world.run_until("the sink acts", 3 * HEALED, |world| world.ring(0).unwrap().collector.acts());
    world.run(Duration::from_secs(5));
    let changes = world.reports.iter().filter_map(|(_, at, report)| match report {
        RingReport::Sink { acts } => Some((*at, *acts)),
        _ => None,
    });
    assert_eq!(changes.collect::<Vec<_>>(), [(1, true), (0, true), (1, false)]);
    world.is_ending = true;
    world.run(Duration::from_secs(2));
    let held = |sink: usize, of: usize| world.hosts[sink].disk.held(super::world::journal(of));
    for of in 2..5 {
        assert_eq!(held(0, of), world.hosts[of].disk.last, "the sink's own cursors bring what it missed");
    }
}

#[test]
fn links_that_break_cost_nobody_his_place() {
    for_seeds(20, |seed| stays_calm(seed, None));
}

#[test]
fn a_standby_waits_for_the_sink_and_gives_way_to_it() {
    for_seeds(20, |seed| standby_waits_and_gives_way(seed, None));
}

#[test]
fn a_killed_member_is_skipped_or_its_token_replaced_in_two_seconds() {
    let slowest = [std::cell::Cell::new(Duration::ZERO), std::cell::Cell::new(Duration::ZERO)];
    for_seeds(60, |seed| {
        let mut world = formed(Setting::calm(5), seed);
        let wait = world.up_to(Duration::from_millis(200));
        world.run(wait);
        let victim = world.rng.usize(1..5);
        // An even life ends without a word, an odd one with a kernel that tells.
        world.hosts[victim].life += u32::from(seed % 2 == 0);
        world.crash(victim);
        let living = world.living();
        let took = world.run_until("a ring without the dead", HEALED, |world| world.is_one_ring(&living));
        let slowest = &slowest[usize::from(seed % 2 == 0)];
        slowest.set(slowest.get().max(took));
    });
    let [refusing, silent] = slowest.map(std::cell::Cell::into_inner);
    println!("at most {refusing:?} when the kernel tells, {silent:?} when nobody does");
    assert!(refusing < Duration::from_secs(1) && silent > Duration::from_millis(500));
}

#[test]
fn a_member_that_comes_back_is_taken_in_and_brings_its_backlog() {
    for_seeds(20, |seed| {
        let mut world = formed(Setting::calm(5), seed);
        world.crash(3);
        world.run(Duration::from_secs(10));
        world.hosts[3].disk.append(5_000);
        world.start(3);
        world.run_until("all are there", Duration::from_secs(4), |world| world.is_one_ring(&world.living()));
        world.is_ending = true;
        world.run_until("all is there", HEALED, |world| world.is_collected(&world.living()));
    });
}

#[test]
fn two_parts_run_on_their_own_and_become_one() {
    for_seeds(40, |seed| {
        let mut world = formed(Setting::calm(6), seed);
        let cut = world.rng.usize(1..6);
        let (one, other): (Vec<usize>, Vec<usize>) = ((0..cut).collect(), (cut..6).collect());
        let pairs: Vec<_> =
            one.iter().flat_map(|one| other.iter().map(move |other| (*one, *other))).collect();
        world.separate(&pairs);
        let halves = |world: &World| world.is_one_ring(&one) && world.is_one_ring(&other);
        world.run_until("two rings", Duration::from_secs(6), halves);
        world.run(Duration::from_secs(5));
        world.blocked.clear();
        world.run_until("one ring", Duration::from_secs(8), |world| world.is_one_ring(&world.living()));
        world.is_ending = true;
        world.run_until("all is there", 2 * HEALED, |world| world.is_collected(&world.living()));
    });
}

#[test]
fn a_member_that_only_others_reach_stays() {
    let mut world = formed(Setting::calm(5), 1);
    world.separate(&[(1, 2)]);
    world.run(Duration::from_secs(5));
    assert_eq!(skips(&world), 0, "{:?}", world.reports);
    assert!(world.is_one_ring(&world.living()));
}

#[test]
fn who_starts_with_the_token_makes_the_ring() {
    let world = formed(Setting { makes_token: Some(3), ..Setting::calm(4) }, 7);
    assert_eq!(ring_of(&world).leader.journal, super::world::journal(3));
}

#[test]
fn without_a_sink_readings_wait_in_their_journals() {
    let mut world = formed(Setting { ranks: Default::default(), ..Setting::calm(3) }, 3);
    world.run(Duration::from_secs(5));
    assert!(world.hosts.iter().all(|host| host.disk.held.is_empty()));
}

#[test]
fn an_idle_token_rests_and_a_loaded_one_does_not() {
    let quiet = Setting { sample_every: Duration::from_secs(3_600), backlog: 0, ..Setting::calm(5) };
    let mut world = formed(quiet, 5);
    world.sent_tokens = 0;
    world.run(Duration::from_secs(10));
    // 100 ms a rotation and the hops' own time.
    assert!((350..=510).contains(&world.sent_tokens), "{} hops in 10 s", world.sent_tokens);
    world.hosts.iter_mut().for_each(|host| host.disk.append(20_000));
    (0..5).for_each(|at| world.begin_commit(at));
    world.is_ending = true;
    let took = world.run_until("all is there", HEALED, |world| world.is_collected(&world.living()));
    assert!(took > 100 * MS, "it was more than one token may carry: {took:?}");
}

#[test]
fn a_disk_that_gives_nothing_does_not_make_the_token_spin() {
    let mut world = formed(Setting::calm(5), 4);
    world.unreadable.extend(0..5);
    world.run(Duration::from_secs(3));
    world.sent_tokens = 0;
    world.run(Duration::from_secs(10));
    assert!(world.sent_tokens <= 510, "{} hops in 10 s", world.sent_tokens);
    world.unreadable.clear();
    world.is_ending = true;
    world.run_until("all is there", 2 * HEALED, |world| world.is_collected(&world.living()));
}

#[test]
fn a_member_fills_no_token_so_that_the_next_starves() {
    for_seeds(8, |seed| {
        // The first after the sink has more than a token may carry, all the time; so has the last before it.
        let setting = Setting { sample_every: Duration::from_secs(3_600), ..Setting::calm(6) };
        let mut world = formed(setting, seed);
        for host in [1, 5] {
            world.hosts[host].disk.append(60_000);
            world.begin_commit(host);
        }
        let held = |world: &World, of: usize| world.hosts[0].disk.held(super::world::journal(of));
        world.run_until("half of it", HEALED, |world| held(world, 1).max(held(world, 5)) > 30_000);
        let (first, last) = (held(&world, 1), held(&world, 5));
        println!("{first} and {last}");
        assert!(first.max(last) < 60_000, "{first} and {last}: both are still loaded");
        // The first has a fifth of the token for sure, the last what the first leaves; and a token comes now and then
        // before what one of them reads for it.
        assert!(first.max(last) < 10 * first.min(last), "{first} and {last}");
    });
}

#[test]
fn two_links_a_node_are_enough_in_the_steady_state() {
    let mut world = formed(Setting::calm(8), 2);
    world.run(Duration::from_secs(3));
    let links: BTreeSet<usize> = world
        .hosts
        .iter()
        .map(|host| host.running.as_ref().map_or(0, |running| running.links.len()))
        .collect();
    assert_eq!(links, BTreeSet::from([2]));
}

#[test]
fn a_ring_of_sixty_four_goes_round() {
    let mut world = World::new(Setting { sample_every: Duration::from_secs(20), ..Setting::calm(64) }, 1);
    world.run(Duration::from_millis(300));
    let all = world.living();
    world.run_until("a ring of all", Duration::from_secs(10), |world| world.is_one_ring(&all));
    world.is_ending = true;
    world.run_until("all is there", Duration::from_secs(5), |world| world.is_collected(&all));
}
