//! What a node of a ring says of the ring, for people.

use serde_json::Value as Json;

use super::{peer_clock, seconds};

/// The ring in a line, then its members in the order of their turns, then who is listed and absent.
pub(super) fn lines(ring: &Json) -> Vec<String> {
    let text = |key: &str| ring.get(key).and_then(Json::as_str);
    let number = |key: &str| ring.get(key).and_then(Json::as_u64).unwrap_or(0);
    let list = |key: &str| ring.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_sink = ring.get("is_sink").and_then(Json::as_bool) == Some(true);
    let (members, listed) = (list("members"), list("list"));
    let mut lines = vec![format!(
        "ring     {} (epoch {}, hop {}), {} of {} here, {}, {}",
        text("state").unwrap_or("?"),
        number("epoch"),
        number("seq"),
        members.len(),
        listed.len(),
        match ring.get("rotation_us").and_then(Json::as_f64) {
            Some(rotation_us) => format!("a rotation takes {}", seconds(rotation_us / 1e6)),
            None => "no rotation yet".to_owned(),
        },
        match text("sink") {
            Some(sink) => format!("the sink is {sink}"),
            None => "NO SINK: readings wait where they are".to_owned(),
        }
    )];
    if is_sink {
        lines.push(format!("round    {}", number("round")));
    }
    lines.extend(members.iter().map(|member| member_line(member, text("sink"), is_sink)));
    let is_here = |address: &&Json| members.iter().any(|member| member.get("address") == Some(address));
    let absent = listed.iter().filter(|address| !is_here(address)).filter_map(Json::as_str);
    lines.extend(absent.map(|address| format!("ABSENT   {address}")));
    lines
}

fn member_line(member: &Json, sink: Option<&str>, asked_is_sink: bool) -> String {
    let text = |key: &str| member.get(key).and_then(Json::as_str).unwrap_or("?");
    let acts = sink == Some(text("node"));
    let part = match member.get("sink_rank").and_then(Json::as_u64) {
        Some(0) => "sink".to_owned(),
        Some(turn) if acts => format!("standby {turn}, acts"),
        Some(turn) => format!("standby {turn}"),
        None => String::new(),
    };
    // Only the sink that acts knows how far it has taken the others.
    let taken = match member.get("taken").and_then(Json::as_u64) {
        Some(taken) if asked_is_sink && !acts => format!("{taken} readings taken"),
        _ => String::new(),
    };
    let clock = if asked_is_sink { peer_clock(member) } else { String::new() };
    let line = format!("member   {:<22} {:<16} {part:<16} {taken}{clock}", text("address"), text("node"));
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(node: &str, sink_rank: Option<u8>, taken: u64) -> Json {
        json!({"node": node, "address": format!("{node}:7001"), "sink_rank": sink_rank, "taken": taken})
    }

    #[test]
    fn the_members_are_told_in_their_order_and_who_is_absent() {
        let members = [member("a", Some(0), 0), member("b", Some(1), 700), member("c", None, 9)];
        let told = lines(&json!({
            "state": "member", "epoch": 3, "seq": 812, "rotation_us": 104_000, "is_sink": true, "round": 17,
            "sink": "a", "list": ["a:7001", "b:7001", "c:7001", "d:7001"], "members": members,
        }));
        assert_eq!(
            told,
            [
                "ring     member (epoch 3, hop 812), 3 of 4 here, a rotation takes 104 ms, the sink is a",
                "round    17",
                "member   a:7001                 a                sink",
                "member   b:7001                 b                standby 1        700 readings taken",
                "member   c:7001                 c                                 9 readings taken",
                "ABSENT   d:7001",
            ]
        );
    }

    #[test]
    fn a_ring_without_a_sink_says_so() {
        let told = lines(&json!({
            "state": "waiting", "epoch": 0, "seq": 0, "rotation_us": null, "is_sink": false, "round": 0,
            "sink": null, "list": ["a:7001"], "members": [],
        }));
        let (ring, absent) = (&told[0], &told[1]);
        assert!(
            ring.starts_with("ring     waiting (epoch 0, hop 0), 0 of 1 here, no rotation yet, "),
            "{ring}"
        );
        assert!(ring.ends_with("NO SINK: readings wait where they are"), "{ring}");
        assert_eq!(absent, "ABSENT   a:7001");
        let acting = lines(&json!({"sink": "b", "members": [member("b", Some(1), 0)], "list": ["b:7001"]}));
        assert!(acting[1].ends_with("standby 1, acts"), "{acting:?}");
        let mut member = member("c", None, 9);
        member["clock"] = json!({"offset_s": -2.0, "error_s": 0.0004, "is_set": true, "time_source": "sink"});
        let dated = lines(&json!({"is_sink": true, "sink": "a", "members": [member], "list": ["c:7001"]}));
        let clock = ", clock 2.0 s behind \u{b1}0.40 ms, times by the sink's clock";
        assert!(dated[2].ends_with(&format!("9 readings taken{clock}")), "{dated:?}");
        assert!(!acting[1].contains("taken"), "another node does not know");
        assert!(
            lines(&json!({}))[0].starts_with("ring     ? (epoch 0"),
            "an answer without fields is no trap"
        );
    }
}
