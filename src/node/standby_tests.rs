//! Sinks that die and come back, on a virtual network: who collects, how soon, and what is where in the end.

use std::time::Duration;

use super::*;
use crate::model::{SinkPart, SinkPlace};

const AFTER: Duration = Duration::from_secs(5);
/// Messages take up to 5 ms in each direction, in pieces, and a commit 20 ms: ample.
const SLACK: Duration = Duration::from_millis(200);
/// A dead sink's place is taken within this time.
const TAKEN: Duration = AFTER.saturating_add(SLACK);
/// And given back within this: an attempt to connect that is silent, the longest back-off, the steady time, and one
/// question more.
const GIVEN: Duration = Duration::from_millis(2_000 + 500 + 5_000 + 1_000).saturating_add(SLACK);
const WHILE: Duration = Duration::from_secs(20);

#[test]
fn a_standby_takes_a_dead_sinks_place_and_gives_it_back_and_nothing_is_lost() {
    for_seeds(8, |seed| {
        let mut world = World::of_standbys(2, 3, seed);
        world.run_for(WHILE);
        assert!(!world.acts(1) && world.held(1) == 0, "the sink lives");
        assert_eq!(world.opened(1), 1, "to the sink alone");
        world.kill(0);
        let took = world.until_acts(1, true, TAKEN).expect("it takes the place in time");
        assert!(took > AFTER * 4 / 5 - SLACK, "{took:?}");
        world.run_for(WHILE);
        assert!(world.held(1) > world.held(0), "it collects");
        world.start_again(0);
        let took = world.until_acts(1, false, GIVEN).expect("it gives way in time");
        assert!(took >= AFTER, "{took:?}");
        world.run_for(SLACK);
        assert_eq!(world.opened(1), 1, "all other links are let go");
        world.run_for(WHILE);
        assert!(!world.acts(1));
        world.stop_sampling();
        world.run_for(WHILE);
        assert_eq!(world.held(0), world.told(), "the old sink has what its standby took, too");
        assert!(world.held(1) < world.held(0));
        // Again: it goes on with what it has, and gets the rest.
        world.kill(0);
        world.run_for(WHILE);
        assert_eq!(world.held(1), world.told());
    });
}

#[test]
fn two_standbys_collect_in_their_order_and_give_way_in_it() {
    for_seeds(8, |seed| {
        let mut world = World::of_standbys(3, 2, seed);
        world.run_for(WHILE);
        world.kill(0);
        world.until_acts(1, true, TAKEN).expect("the first takes the place in time");
        world.run_for(WHILE);
        assert!(world.acts(1) && !world.acts(2) && world.held(2) == 0);
        world.kill(1);
        world.until_acts(2, true, TAKEN).expect("the second takes the place in time");
        world.run_for(WHILE);
        world.start_again(1);
        world.until_acts(1, true, TAKEN).expect("the first is back");
        assert!(world.acts(2), "until the first has collected for a while");
        world.until_acts(2, false, GIVEN).expect("the second gives way in time");
        world.start_again(0);
        world.until_acts(1, false, GIVEN).expect("the first gives way in time");
        world.run_for(WHILE);
        assert!(!world.acts(1) && !world.acts(2));
        world.stop_sampling();
        world.run_for(WHILE);
        assert_eq!((world.at_no_sink(), world.held(0)), (0, world.told()));
    });
}

#[test]
fn a_second_standby_that_does_not_reach_the_sink_hears_of_it_from_the_first() {
    let mut world = World::of_standbys(3, 1, 1);
    world.part_two(0, 2);
    world.run_for(3 * WHILE);
    assert!(!world.acts(1) && !world.acts(2));
    world.kill(0);
    world.until_acts(1, true, TAKEN + Duration::from_secs(2)).expect("the first takes the place");
    world.run_for(WHILE);
    assert!(!world.acts(2));
}

#[test]
fn a_standby_apart_from_its_sink_collects_beside_it_and_both_are_exact() {
    for_seeds(8, |seed| {
        let mut world = World::of_standbys(2, 3, seed);
        world.run_for(WHILE);
        world.part_two(0, 1);
        world.until_acts(1, true, TAKEN).expect("it hears nothing of the sink");
        world.run_for(WHILE);
        let apart = world.held(1);
        assert!(apart > 0);
        world.join_all();
        world.until_acts(1, false, GIVEN).expect("it gives way in time");
        world.stop_sampling();
        world.run_for(WHILE);
        assert_eq!(world.held(0), world.told());
        assert!(world.held(1) >= apart);
    });
}

#[test]
fn a_sink_that_comes_and_goes_quickly_moves_nothing_and_slowly_once_each_way() {
    for_seeds(3, |seed| {
        let mut world = World::of_standbys(2, 1, seed);
        world.run_for(WHILE);
        for _ in 0..20 {
            world.kill(0);
            assert_eq!(world.until_acts(1, true, Duration::from_secs(2)), None);
            world.start_again(0);
            assert_eq!(world.until_acts(1, true, Duration::from_secs(4)), None);
        }
        for _ in 0..5 {
            world.kill(0);
            world.until_acts(1, true, TAKEN).expect("it is gone for long");
            assert_eq!(world.until_acts(1, false, WHILE), None);
            world.start_again(0);
            world.until_acts(1, false, GIVEN).expect("it is back for long");
            assert_eq!(world.until_acts(1, true, WHILE), None);
        }
    });
}

#[test]
fn a_ping_is_answered_with_the_place_in_the_order_of_sinks() {
    let place = |node: &mut Watched<Node>| {
        let outputs = hear(node, LINK, "{\"key\":\"PING\",\"id\":\"a7\"}\n");
        match &sent(&outputs)[0].body {
            Body::Pong(_, place) => *place,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(place(&mut node(Role::Secondary)), None);
    assert_eq!(place(&mut primary(1)), Some(SinkPlace { rank: 0, part: SinkPart::Acts }));
    let mut node = standby(1, 2);
    assert_eq!(place(&mut node), Some(SinkPlace { rank: 2, part: SinkPart::Waits }));
    let readings = "{\"key\":\"READINGS\",\"value\":{\"re\":\"9\",\"node\":\"x\",\"journal\":\"00000000000000bb\",\
                    \"boot\":\"00000000000000000000000000000001\",\"after\":0,\"first\":1,\"last\":1,\
                    \"pack\":[{\"n\":\"x/c/q\",\"v\":1}]}}\n";
    assert_eq!(fault(&hear(&mut node, LINK, readings)).0, "9", "it is not its turn, and it asked for none");
    node.run_until(Instant::ZERO + AFTER);
    assert_eq!(place(&mut node), Some(SinkPlace { rank: 2, part: SinkPart::Acts }));
    let status = node.machine().status(at(node.now()));
    assert_eq!((&status["role"], &status["standby"]["acts"]), (&json!("standby"), &json!(true)));
    assert_eq!(status["polling"]["peers"][0]["address"], "10.0.0.0:7000");
}

/// What is sent on a link, with its id.
fn sent_on(outputs: &[Output], link: LinkId) -> Vec<(String, Body)> {
    let on = |output: &Output| match output {
        Output::Send(on, message) if *on == link => Some((message.id.clone(), message.body.clone())),
        _ => None,
    };
    outputs.iter().filter_map(on).collect()
}

fn link_up(node: &mut Watched<Node>, peer: usize, link: LinkId) -> Vec<Output> {
    tell(node, Input::LinkUp { link, peer: Some(PeerIx(peer)), remote: IpAddr::from([10, 0, 0, 1]) })
}

fn heard(link: LinkId, id: &str, body: Body) -> Input {
    let message = Message { id: id.to_owned(), to: None, sender: Some(name("far")), timestamp: None, body };
    Input::Message { link, message }
}

/// The peer is connected, shows journal 9, and is polled for what comes after a place.
fn polled_after(node: &mut Watched<Node>, link: LinkId) -> PollRequest {
    let outputs = link_up(node, 0, link);
    let [(re, Body::Poll(_))] = &sent_on(&outputs, link)[..] else { panic!("{outputs:?}") };
    let journal = JournalId(9);
    let shown = Readings { re: re.clone(), journal, last: Seq(100), ..piece(Seq::ZERO) };
    let outputs = tell(node, heard(link, "1", Body::Readings(shown)));
    match &sent_on(&outputs, link)[..] {
        [(_, Body::Poll(poll))] => poll.clone(),
        _ => panic!("{outputs:?}"),
    }
}

#[test]
fn a_turn_begins_with_what_the_last_one_left_in_the_store() {
    let mut node = standby(1, 1);
    node.run_until(Instant::ZERO + AFTER);
    assert_eq!(polled_after(&mut node, LinkId(50)).after, Seq::ZERO);

    // The sink is back, for as long as it takes.
    let sink = LinkId(60);
    let acts = Body::Pong(None, Some(SinkPlace { rank: 0, part: SinkPart::Acts }));
    let mut outputs = link_up(&mut node, 1, sink);
    let mut seen = Vec::new();
    for _ in 0..8 {
        let pings = sent_on(&outputs, sink);
        seen.append(&mut outputs);
        for (id, _) in pings {
            seen.extend(tell(&mut node, heard(sink, &id, acts.clone())));
        }
        outputs = node.run_until(node.now() + AFTER / 5);
    }
    assert!(seen.contains(&Output::Disconnect(PeerIx(0))), "the polled peer is let go: {seen:?}");
    let status = node.machine().status(at(node.now()));
    assert_eq!((&status["standby"]["acts"], &status["polling"]), (&json!(false), &json!(null)));

    // What was on its way to the disk then is durable now.
    tell(&mut node, Input::Taken { journal: JournalId(9), cursor: Seq(7) });
    tell(&mut node, Input::LinkDown { link: sink, why: "reset".into() });
    node.run_until(node.now() + AFTER);
    let poll = polled_after(&mut node, LinkId(51));
    assert_eq!((poll.journal, poll.after, poll.taken), (Some(JournalId(9)), Seq(7), Seq(7)));
}
