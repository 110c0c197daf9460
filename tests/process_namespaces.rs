//! A ring across five hosts of their own at one switch: real TCP over links that break without a word. A cable is
//! pulled, two groups of hosts are kept apart, and all is joined again; each time the ring is what docs/ring.md says,
//! and in the end the sink has every reading once. Passed over where no name spaces can be made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::time::{Duration, Instant};

use common::{Lan, RingSite};

/// All hosts; the first has the sink.
const HOSTS: [usize; 5] = [0, 1, 2, 3, 4];

/// The host of the standby.
const STANDBY: usize = 3;

/// The bounds of docs/ring.md with its default settings: for the token of a member that falls silent,
const REPLACED: Duration = Duration::from_millis(1_550);

/// for a node that is back, with a rotation of 300 ms,
const TAKEN_IN: Duration = Duration::from_millis(2_700);

/// and for one ring of all that reach one another, after any faults.
const HEALED: Duration = Duration::from_millis(10_500);

/// How many times as long a machine that has much else to do may take.
const SLACK: u32 = 4;

/// Waits for what shall have happened within `bound`.
fn within(bound: Duration, what: &str, wait: impl FnOnce()) {
    let begun = Instant::now();
    wait();
    let took = begun.elapsed();
    eprintln!("{what}: after {took:.2?}, bound {bound:?}");
    assert!(took <= bound * SLACK, "{what}: after {took:?}, {SLACK} times the bound is {:?}", bound * SLACK);
}

/// A ring on all hosts, by one file in which each node finds its own address by its host's.
fn ring_on(lan: &Lan) -> RingSite {
    let mut site = RingSite::busy_on(lan, STANDBY, "standby_after = \"1s\"");
    site.start_all();
    site.wait_for_ring();
    site.wait_for_all(0, 10);
    site
}

fn others(at: usize) -> Vec<usize> {
    HOSTS.into_iter().filter(|other| *other != at).collect()
}

#[test]
fn a_host_whose_cable_is_pulled_is_skipped_and_comes_back_with_its_backlog() {
    let Some(lan) = Lan::of(HOSTS.len()) else { return };
    let mut site = ring_on(&lan);
    for (cut, sink) in [(2, 0), (0, STANDBY)] {
        let rest = others(cut);
        lan.unplug(cut);
        within(REPLACED, &format!("a ring without n{cut}"), || {
            site.wait_for_ring_of(&rest);
        });
        within(HEALED, &format!("n{cut} is alone"), || {
            site.wait_for_ring_of(&[cut]);
        });
        let sources: Vec<usize> = rest.into_iter().filter(|at| *at != sink).collect();
        site.wait_for_all_of(&sources, sink, 10);
        lan.plug(cut);
        within(TAKEN_IN, &format!("a ring with n{cut} again"), || {
            site.wait_for_ring();
        });
        site.wait_for_all(0, 10);
    }
    site.node(STANDBY).wait_for_line("this node is the ring's sink no longer");
    site.terminate_all();
    site.assert_all_at(0, &HOSTS, 50);
    // What the sink on the host that was cut off had itself, the standby was not asked to take.
    site.assert_all_at(STANDBY, &[1, 2, 4], 10);
}

#[test]
fn two_groups_that_do_not_reach_one_another_are_two_rings_and_become_one() {
    let Some(lan) = Lan::of(HOSTS.len()) else { return };
    let mut site = ring_on(&lan);
    lan.part(&[0, 1, 2], &[3, 4]);
    within(HEALED, "two rings", || {
        site.wait_for_ring_of(&[0, 1, 2]);
        site.wait_for_ring_of(&[3, 4]);
    });
    site.wait_for_all_of(&[1, 2], 0, 10);
    site.wait_for_all_of(&[4], STANDBY, 10);
    lan.join();
    within(HEALED, "one ring", || {
        site.wait_for_ring();
    });
    site.wait_for_all(0, 10);
    site.node(STANDBY).wait_for_line("this node is the ring's sink no longer");
    site.terminate_all();
    site.assert_all_at(0, &HOSTS, 40);
    site.assert_all_at(STANDBY, &[4], 10);
}
