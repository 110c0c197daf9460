//! What anybody on the network may tell the nodes of a ring: lies about tokens, and what is none. The ring is whole
//! again each time, and no reading is lost or there twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at what it did not expect"
)]

mod common;

use common::{Client, RingSite, rng};
use serde_json::{Value as Json, json};

/// Nobody: a journal and a life that no node has.
const NOBODY: &str = "00000000000000ee";
/// An address where nobody listens.
const NOWHERE: &str = "127.0.0.1:1";

fn who() -> Json {
    json!({"node": "evil", "journal": NOBODY, "life": NOBODY, "sink_rank": 0})
}

fn ring(epoch: u64) -> Json {
    json!({"epoch": epoch, "leader": {"journal": NOBODY, "life": NOBODY}})
}

/// What the node at the other end says of itself, and its ring's epoch.
fn ask(client: &mut Client) -> (Json, u64) {
    let state = json!({"who": who(), "ring": ring(0), "top": ring(0), "members": 0});
    let answer = client.ask_for("RING", &state, "RING_ANSWER");
    (answer["value"]["who"].clone(), answer["value"]["ring"]["epoch"].as_u64().unwrap())
}

fn member(who: &Json, address: &str, rank: &str) -> String {
    let text = |key: &str| who[key].as_str().unwrap().to_owned();
    format!("{} {} {} {address} 0 {rank}", text("node"), text("journal"), text("life"))
}

fn outcome(client: &mut Client, token: &Json) -> String {
    let answer = client.ask_for("TOKEN", token, "TOKEN_ACK");
    answer["value"]["outcome"].as_str().unwrap().to_owned()
}

#[test]
fn tokens_that_lie_cost_no_reading() {
    let mut site = RingSite::busy(3, "");
    site.start_all();
    for target in [1, 0] {
        site.wait_for_ring();
        site.wait_for_all(0, 5);
        let mut client = site.node(target).client();
        let (own, epoch) = ask(&mut client);
        let (here, evil) = (member(&own, &site.addresses[target], "-"), member(&who(), NOWHERE, "0"));
        let to = json!({"journal": own["journal"], "life": own["life"]});
        let token = |members: &[&String], epoch: u64, seq: u64| {
            let mut token = json!({"ring": ring(epoch), "seq": seq, "busy": 1, "members": members});
            token["to"] = to.clone();
            token
        };
        assert_eq!(outcome(&mut client, &token(&[&here, &here], epoch + 1, 1)), "not_here", "itself twice");
        assert_eq!(outcome(&mut client, &token(&[], epoch + 1, 1)), "not_here", "nobody at all");
        assert_eq!(outcome(&mut client, &token(&[&here, &evil], 0, 1)), "seen", "a ring that is dead");

        // A larger ring, of which the others know nothing, with cursors and readings of its own.
        let mut larger = token(&[&here, &evil], epoch + (1 << 40), 7);
        larger["sink"] = NOBODY.into();
        larger["cursors"] = json!([
            format!("{} 4000000 4000000 2000", own["journal"].as_str().unwrap()),
            format!("{NOBODY} 0 0 2000")
        ]);
        let pack = json!([{"n": "evil/x/y", "t": 0, "mono": 1, "v": 1.0}]);
        let readings = json!({
            "node": "evil", "journal": NOBODY, "boot": "0".repeat(32), "after": 0, "first": 1, "last": 9, "pack": pack
        });
        let victim = site.ring(0)["members"][2]["journal"].clone();
        let piece = |journal: &Json, after: u64| {
            let mut piece = json!({"journal": journal, "after": after, "through": after + 1});
            piece["readings"] = readings.clone();
            piece
        };
        let taken = site.ring(0)["members"][2]["taken"].as_u64().unwrap();
        larger["pieces"] =
            (0..50).map(|more| piece(&victim, taken + more)).chain([piece(&NOBODY.into(), 0)]).collect();
        assert_eq!(outcome(&mut client, &larger), "taken");
        site.wait_for_ring();
        site.wait_for_all(0, 20);
    }
    site.terminate_all();
    site.assert_all_at(0, &[0, 1, 2], 30);
    let rows = common::rows(&site.data(0));
    assert!(!rows.values().any(|row| row.channel.starts_with("evil")), "nobody asked for those");
}

#[test]
fn what_is_no_message_of_a_ring_is_answered_with_what_would_be() {
    let mut rng = rng();
    let mut site = RingSite::busy(3, "");
    site.start_all();
    site.wait_for_ring();
    for (key, value, words) in [
        ("TOKEN", json!({}), "ring"),
        (
            "TOKEN",
            json!({"ring": ring(1), "seq": 1, "to": {"journal": NOBODY, "life": NOBODY}, "busy": 1,
            "members": ["a b"]}),
            "6 words",
        ),
        ("TOKEN", json!([1]), "TOKEN"),
        ("TOKEN_ACK", json!({"ring": ring(1), "seq": 1, "outcome": "eaten"}), "not_here"),
        ("CLAIM", json!({"ring": ring(u64::MAX), "latest": ring(0), "latest_seq": 0, "who": who()}), "epoch"),
        ("RING", json!({"who": {"node": "a b", "journal": "x", "life": "y"}}), "RING"),
    ] {
        let answer = site.node(1).client().ask(key, &value);
        let text = answer["value"]["text"].as_str().unwrap_or_default();
        assert!(answer["key"] == "ERROR" && text.contains(words), "{key} {value}: {answer}");
    }
    // Tokens and claims with bytes changed at random, over links of their own.
    let (own, epoch) = ask(&mut site.node(1).client());
    let here = member(&own, &site.addresses[1], "-");
    let token = json!({"key": "TOKEN", "id": "1", "value": {"ring": ring(epoch), "seq": 900_000, "busy": 3,
        "to": {"journal": own["journal"], "life": own["life"]}, "members": [here]}});
    let claim = json!({"key": "CLAIM", "id": "2", "value": {"ring": ring(epoch + 1), "latest": ring(epoch),
        "latest_seq": 1, "who": who()}});
    for turn in 0..200 {
        let mut line = if turn % 2 == 0 { token.to_string() } else { claim.to_string() }.into_bytes();
        for _ in 0..rng.usize(1..6) {
            let at = rng.usize(0..line.len());
            line[at] = rng.u8(b' '..=b'~');
        }
        line.push(b'\n');
        site.node(1).client().try_send(&line);
    }
    site.wait_for_ring();
    site.wait_for_all(0, 10);
    site.terminate_all();
    site.assert_all_at(0, &[0, 1, 2], 10);
}
