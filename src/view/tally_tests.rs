use super::*;
use crate::model::{Channel, NodeName};

fn series(node: &str, suffix: &str, values: &[Value]) -> Series {
    let channel = Channel {
        node: NodeName::new(node).unwrap(),
        chip: "seesaw-36".into(),
        quantity: "soil_moisture".into(),
        unit: String::new(),
    };
    let points = values.iter().map(|value| (WallTime::default(), *value)).collect();
    Series { channel, suffix: suffix.into(), points, dates: crate::view::Dates::default() }
}

fn tally(all: &[Series], rounds: &[Round]) -> Tally {
    Tally::of(all.iter().map(|s| (s, s.points.as_slice())), rounds)
}

fn down(nodes: &[&str]) -> Round {
    Round {
        number: 1,
        time: WallTime::default(),
        down: nodes.iter().map(|n| NodeName::new(n).unwrap()).collect(),
    }
}

#[test]
fn errs_are_counted_by_node_channel_and_reason() {
    let (nack, crc) = (Err(ErrReason::Nack), Err(ErrReason::Crc));
    let all = [series("pi-1", "", &[Ok(1.0), nack, nack, crc]), series("pi-1", "3f2a", &[nack])];
    let tally = tally(&all, &[down(&["pi-2"]), down(&["pi-2"]), down(&[])]);
    assert_eq!(
        tally.pieces(9).concat(),
        "3 rounds · 5 readings · 6 ERR: pi-1 seesaw-36/soil_moisture nack 2, pi-2 node_down 2 rounds, \
         pi-1 (3f2a) seesaw-36/soil_moisture nack 1, pi-1 seesaw-36/soil_moisture crc 1"
    );
}

#[test]
fn the_footer_is_bounded_and_counts_the_rest() {
    let names: Vec<String> = (0..50).map(|k| format!("n{k:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let pieces = tally(&[], &[down(&names)]).pieces(3);
    assert_eq!(
        pieces.concat(),
        concat!(
            "1 round · 0 readings · 50 ERR: n00 node_down 1 round, n01 node_down 1 round, ",
            "n02 node_down 1 round, and 47 more"
        )
    );
    assert_eq!(tally(&[], &[down(&names)]).pieces(0).concat(), "1 round · 0 readings · 50 ERR: and 50 more");
}

#[test]
fn without_err_it_says_so() {
    assert_eq!(tally(&[series("a", "", &[Ok(0.0)])], &[]).pieces(5).concat(), "1 reading · no ERR");
}

#[test]
fn large_counts_are_grouped() {
    assert_eq!(grouped(0), "0");
    assert_eq!(grouped(999), "999");
    assert_eq!(grouped(1_000), "1,000");
    assert_eq!(grouped(1_234_567), "1,234,567");
}
