//! A standby as a node: its place, and where its turns begin. Sites with standbys are in `sim`.

use serde_json::json;
use std::time::Duration;

use super::*;
use crate::model::{Pong, SinkPart, SinkPlace};

const AFTER: Duration = Duration::from_secs(5);

#[test]
fn a_ping_is_answered_with_the_place_in_the_order_of_sinks() {
    let place = |node: &mut Watched<Node>| {
        let outputs = hear(node, LINK, "{\"key\":\"PING\",\"id\":\"a7\"}\n");
        match &sent(&outputs)[0].body {
            Body::Pong(pong) => pong.sink,
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
    tell(
        node,
        Input::LinkUp { link, far: Some(Far::Duty(PeerIx(peer))), remote: IpAddr::from([10, 0, 0, 1]) },
    )
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
    let acts =
        Body::Pong(Pong { sink: Some(SinkPlace { rank: 0, part: SinkPart::Acts }), ..Pong::default() });
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
    assert!(seen.contains(&Output::Disconnect(Far::Duty(PeerIx(0)))), "the polled peer is let go: {seen:?}");
    let status = node.machine().status(at(node.now()));
    assert_eq!((&status["standby"]["acts"], &status["polling"]), (&json!(false), &json!(null)));

    // What was on its way to the disk then is durable now.
    tell(&mut node, Input::Taken { journal: JournalId(9), cursor: Seq(7) });
    tell(&mut node, Input::LinkDown { link: sink, why: "reset".into() });
    node.run_until(node.now() + AFTER);
    let poll = polled_after(&mut node, LinkId(51));
    assert_eq!((poll.journal, poll.after, poll.taken), (Some(JournalId(9)), Seq(7), Seq(7)));
}
