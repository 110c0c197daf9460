//! Rings of real processes on loopback: whoever dies, stands still or comes back, the ring goes on, and in the end the
//! sink has every reading once. Nothing here looks at how fast: the times are held by tests in virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at what it did not expect"
)]

mod common;

use common::{AtTerminal, Launch, RingSite, assert_collected, pisink, until};
use rustix::process::Signal;

#[test]
fn five_nodes_by_one_file_bring_every_reading_to_the_sink_once() {
    let mut site = RingSite::busy(5, "");
    let plots = site.dir.path().join("plots");
    site.start_by(0, &format!("--plots {}", plots.display()));
    (1..5).for_each(|at| site.start(at));
    site.wait_for_ring();
    site.wait_for_all(0, 40);

    let text = pisink(&format!("status {}", site.addresses[3])).stdout;
    assert!(
        text.contains("(ring, ") && text.contains("5 of 5 here") && text.contains("the sink is n0"),
        "{text}"
    );
    let members = text.lines().filter(|line| line.starts_with("member "));
    let names: Vec<&str> = members.map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(names, ["n0", "n1", "n2", "n3", "n4"], "{text}");
    assert!(text.contains("standby 1"), "{text}");
    let clock = &site.ring(0)["members"][2]["clock"];
    assert_eq!(clock["time_source"], "sink", "the sink has met its clock: {clock}");

    site.node(0).signal(Signal::USR1);
    until("plots of all and of a round", || {
        (plots.join("time-series.png").exists() && plots.join("round.png").exists()).then_some(())
    });
    site.terminate_all();
    site.assert_all_at(0, &[0, 1, 2, 3, 4], 40);

    // All of them again, in another order.
    [4, 2, 0, 3, 1].into_iter().for_each(|at| site.start(at));
    site.wait_for_ring();
    site.wait_for_all(0, 20);
    site.terminate_all();
    site.assert_all_at(0, &[0, 1, 2, 3, 4], 60);
}

#[test]
fn two_links_a_node_are_enough_while_nothing_happens() {
    let mut site = RingSite::new(5, "chips = [\"sht3x@0x44\"]\ninterval = \"200ms\"", "");
    site.start_all();
    site.wait_for_ring();
    // Claims, questions and looks at clocks have had their links by now; a node that comes back has some more.
    site.kill9(3);
    site.wait_for_ring();
    site.start(3);
    site.wait_for_ring();
    let epoch = site.ring(0)["epoch"].clone();
    until("one link to the next node and one from the last, and the one that asks", || {
        let links: Vec<u64> =
            site.nodes.iter().flatten().map(|node| node.status()["links"].as_u64().unwrap()).collect();
        (links == [3; 5]).then_some(())
    });
    let before = site.ring(2)["seq"].as_u64().unwrap();
    until("some rotations", || (site.ring(2)["seq"].as_u64().unwrap() > before + 50).then_some(()));
    let links: Vec<u64> =
        site.nodes.iter().flatten().map(|node| node.status()["links"].as_u64().unwrap()).collect();
    let is_calm = site.ring(0)["epoch"] == epoch;
    assert!(links == [3; 5] || !is_calm, "{links:?}");
}

#[test]
fn a_killed_member_is_skipped_and_comes_back_with_its_backlog() {
    let mut site = RingSite::busy(5, "");
    site.start_all();
    site.wait_for_ring();
    site.wait_for_all(0, 10);
    site.kill9(3);
    site.wait_for_ring();
    site.wait_for_all(0, 20);
    site.start(3);
    site.wait_for_ring();
    site.wait_for_all(0, 10);
    site.terminate_all();
    site.assert_all_at(0, &[0, 1, 2, 3, 4], 20);
}

#[test]
fn a_standby_takes_the_place_of_a_killed_sink_and_gives_it_back() {
    let mut site = RingSite::busy(4, "standby_after = \"1s\"");
    site.start_all();
    site.wait_for_ring();
    site.wait_for_all(0, 10);
    site.kill9(0);
    site.wait_for_all(1, 20);
    assert!(site.node(1).has_logged("this node is the ring's sink now"));
    site.start(0);
    site.wait_for_ring();
    site.wait_for_all(0, 10);
    site.node(1).wait_for_line("this node is the ring's sink no longer");
    site.terminate_all();
    // The sink was brought what the standby took meanwhile, too.
    site.assert_all_at(0, &[0, 1, 2, 3], 30);
    (2..4).for_each(|at| assert!(assert_collected(&site.data(1), &site.data(at)) >= 20));
}

#[test]
fn the_token_of_a_killed_holder_is_replaced() {
    // The token rests at the sink, nearly all the time.
    let mut site = RingSite::new(4, "interval = \"1h\"\ntoken_hold = \"6s\"", "");
    site.start_all();
    let epoch = site.wait_for_ring();
    until("the sink holds the token", || (site.ring(0)["state"] == "holding").then_some(()));
    site.kill9(0);
    assert!(site.wait_for_ring() > epoch, "a new token has a larger name");
    site.terminate_all();
}

#[test]
fn who_stands_still_is_skipped_and_its_old_token_dies() {
    let mut site = RingSite::busy(4, "");
    site.start_all();
    site.wait_for_ring();
    for at in [2, 0] {
        site.node(at).signal(Signal::STOP);
        let others: Vec<usize> = (0..4).filter(|other| *other != at).collect();
        site.wait_for_ring_of(&others);
        site.node(at).signal(Signal::CONT);
        site.wait_for_ring();
    }
    site.wait_for_all(0, 10);
    site.terminate_all();
    site.assert_all_at(0, &[0, 1, 2, 3], 10);
}

#[test]
fn two_tokens_from_the_start_become_one() {
    let mut site = RingSite::busy(5, "");
    site.start_by(1, "--token");
    site.start_by(4, "--token");
    [0, 2, 3].into_iter().for_each(|at| site.start(at));
    site.wait_for_ring();
    site.wait_for_all(0, 10);
    site.terminate_all();
    site.assert_all_at(0, &[0, 1, 2, 3, 4], 10);
}

#[test]
fn a_node_that_is_not_in_the_list_does_not_start_where_it_might_be_the_sink() {
    let dir = tempfile::tempdir().unwrap();
    let launch =
        Launch::bare(dir.path()).flags("--role ring --listen 127.0.0.1:1 --name roof --peer pi-1:7001");
    let (status, log) = launch.clone().flags("--sink pi-1:7001").fail();
    let log = log.join("\n");
    assert_eq!(status.code(), Some(1), "a service tries again: {log}");
    assert!(log.contains("called roof") && log.contains("--sink=false"), "{log}");
    let mut alone = launch.flags("--sink").at("127.0.0.1:0").start();
    let warning = alone.wait_for_line("only this machine can reach this node there");
    assert!(warning.contains("--listen 0.0.0.0:0"), "{warning}");
    alone.terminate();
}

#[test]
fn who_starts_with_the_token_is_asked_at_a_terminal_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let run = "run --role ring --peer 127.0.0.1:9 --listen 127.0.0.1:0 --data data --sink --bus none";
    for (answer, log) in [("yes\r", "asking the others"), ("perhaps\rno\r", "listens on")] {
        let mut node = AtTerminal::start(run, dir.path());
        node.wait_for("> ");
        node.press(answer);
        node.wait_for("listens on");
        if answer.starts_with('y') {
            node.wait_for(log);
        }
        node.press("\x03");
        let (status, said) = node.end();
        assert_eq!(status.code(), Some(0), "{said}");
    }
    let mut told = AtTerminal::start(&format!("{run} --token=false"), dir.path());
    assert!(!told.wait_for("listens on").contains("start with the token?"));
    told.press("\x03");
    assert_eq!(told.end().0.code(), Some(0));
}
