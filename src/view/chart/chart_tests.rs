use std::time::Duration;

use super::*;
use crate::model::{Channel, ErrReason, NodeName, Value, WallTime};
use crate::view::{ErrAs, Round, Series};

fn at(second: u64) -> WallTime {
    WallTime::from_unix_micros(1_774_004_400_000_000) + Duration::from_secs(second)
}

fn series(node: &str, values: &[Value]) -> Series {
    let channel = Channel {
        node: NodeName::new(node).unwrap(),
        chip: "sht3x-44".into(),
        quantity: "temperature".into(),
        unit: "Cel".into(),
    };
    Series {
        channel,
        suffix: String::new(),
        points: (0..).map(at).zip(values.iter().copied()).collect(),
        dates: crate::view::Dates::default(),
    }
}

fn round(number: u64, down: &[&str]) -> Round {
    let down = down.iter().map(|node| NodeName::new(node).unwrap()).collect();
    Round { number, time: at(number), down }
}

fn svg(data: &PlotData, options: &PlotOptions) -> String {
    String::from_utf8(time_series(data, options, Format::Svg).unwrap()).unwrap()
}

/// How many shapes have a white inside: the marks of ERRs, and one in the legend when there are any.
fn crosses(svg: &str) -> usize {
    svg.matches("fill=\"#ffffff\"").count()
}

/// How many lines are drawn in a colour with this dash.
fn strokes(svg: &str, color: &str) -> usize {
    svg.lines()
        .filter(|line| line.starts_with("<path") && line.contains(&format!("stroke=\"{color}\"")))
        .count()
}

const BLUE: &str = "#0072b2";

#[test]
fn an_err_breaks_the_line_and_is_marked_at_zero() {
    let data = PlotData {
        series: vec![series("a", &[Ok(5.0), Ok(1.0), Err(ErrReason::Nack), Ok(5.0), Ok(1.0)])],
        rounds: vec![],
    };
    let zero = svg(&data, &PlotOptions::default());
    assert_eq!(crosses(&zero), 2, "one on the plot and one in the legend");
    assert_eq!(strokes(&zero, BLUE), 4, "two pieces, the edge of the ×, and the legend's sample");
    assert!(zero.contains("a sht3x-44/temperature nack 1"));
    let gap = svg(&data, &PlotOptions { err: ErrAs::Gap, ..PlotOptions::default() });
    assert_eq!(crosses(&gap), 0);
    assert_eq!(strokes(&gap, BLUE), 3, "two pieces and the legend's sample");
    assert!(gap.contains("a sht3x-44/temperature nack 1"), "what is left out is still counted");
}

#[test]
fn a_real_zero_is_a_reading_like_any_other() {
    let data = PlotData { series: vec![series("a", &[Ok(5.0), Ok(0.0), Ok(5.0)])], rounds: vec![] };
    let svg = svg(&data, &PlotOptions::default());
    assert_eq!(crosses(&svg), 0);
    assert_eq!(svg.matches("<circle").count(), 4, "three readings and the legend's sample");
}

#[test]
fn averages_are_drawn_for_several_channels_and_both_where_they_differ() {
    let (good, bad) = (Ok(5.0), Err(ErrReason::Nack));
    let fine = PlotData { series: vec![series("a", &[good; 5]), series("b", &[good; 5])], rounds: vec![] };
    assert!(svg(&fine, &PlotOptions::default()).contains(">avg<"));
    assert!(!svg(&fine, &PlotOptions::default()).contains("avg_ok"));
    let broken = PlotData {
        series: vec![series("a", &[good; 5]), series("b", &[good, good, bad, good, good])],
        rounds: vec![],
    };
    assert!(svg(&broken, &PlotOptions::default()).contains("avg_ok: 9 of 10 good"));
    let alone = PlotData { series: vec![series("a", &[good; 5])], rounds: vec![round(1, &[])] };
    assert!(!svg(&alone, &PlotOptions::default()).contains("avg"));
}

#[test]
fn a_node_that_is_down_is_marked_in_the_round() {
    let data = PlotData {
        series: vec![series("a", &[Ok(5.0); 5]), series("b", &[Ok(1.0); 5])],
        rounds: vec![round(1, &[]), round(2, &["b"]), round(3, &["b"])],
    };
    let svg = svg(&data, &PlotOptions::default());
    assert_eq!(crosses(&svg), 3);
    assert!(svg.contains("b node_down 2 rounds"));
}

#[test]
fn two_nodes_of_one_name_are_told_apart() {
    let mut data =
        PlotData { series: vec![series("sink", &[Ok(5.0)]), series("sink", &[Ok(6.0)])], rounds: vec![] };
    data.series[1].suffix = "3f2a".into();
    let svg = svg(&data, &PlotOptions::default());
    assert!(svg.contains(">sink<") && svg.contains(">sink (3f2a)<"));
}

#[test]
fn a_node_keeps_its_colour_in_whatever_order_the_data_comes() {
    let (a, b) = (series("a", &[Ok(1.0), Ok(2.0)]), series("b", &[Ok(3.0), Ok(4.0)]));
    let one = PlotData { series: vec![a.clone(), b.clone()], rounds: vec![] };
    let other = PlotData { series: vec![b, a], rounds: vec![] };
    assert_eq!(svg(&one, &PlotOptions::default()), svg(&other, &PlotOptions::default()));
}

#[test]
fn a_node_keeps_its_colour_when_others_are_left_out() {
    let data = PlotData { series: vec![series("b", &[Ok(3.0), Ok(4.0)])], rounds: vec![] };
    let known_nodes = ["a", "b", "c"].map(|node| NodeName::new(node).unwrap()).to_vec();
    let alone = svg(&data, &PlotOptions { known_nodes, ..PlotOptions::default() });
    assert_eq!((strokes(&alone, BLUE), strokes(&alone, "#d55e00") > 0), (0, true));
}

#[test]
fn the_span_cuts_the_data_and_stays_when_there_is_none() {
    let data = PlotData { series: vec![series("a", &[Ok(5.0); 100])], rounds: vec![] };
    let span = |from, to| PlotOptions { span: Some((at(from), at(to))), ..PlotOptions::default() };
    assert!(svg(&data, &span(10, 19)).contains("10 readings"));
    assert!(svg(&data, &span(1000, 2000)).contains("no readings in this time span"));
}

#[test]
fn a_round_has_its_bars_reasons_and_averages() {
    let data = PlotData {
        series: vec![series("a", &[Ok(4.0); 3]), series("b", &[Ok(6.0), Err(ErrReason::Crc), Ok(6.0)])],
        rounds: vec![round(1, &[]), round(2, &["a"])],
    };
    let draw = |number| {
        let bytes = round_chart(&data, number, &PlotOptions::default(), Format::Svg).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let first = draw(1);
    for word in
        [">4.00<", ">crc<", ">2.00<", ">avg<", ">avg_ok<", ">1 of 2<", "round 1 · 2026-03-20 11:00:01 (UTC)"]
    {
        assert!(first.contains(word), "{word} in {first}");
    }
    assert!(draw(2).contains(">node_down<"));
    let error = round_chart(&data, 7, &PlotOptions::default(), Format::Svg).unwrap_err();
    assert_eq!(error.to_string(), "there is no round 7 here; there are rounds 1 to 2");
}

#[test]
fn sizes_are_checked() {
    let sized = |size_px, dpi| {
        time_series(
            &PlotData::default(),
            &PlotOptions { size_px, dpi, ..PlotOptions::default() },
            Format::Png,
        )
    };
    assert!(matches!(sized((0, 800), 100), Err(ViewError::Size { .. })));
    assert!(matches!(sized((1000, u32::MAX), 100), Err(ViewError::Size { .. })));
    assert!(matches!(sized((1000, 800), 0), Err(ViewError::Dpi(0))));
    let png = sized((640, 480), 100).unwrap();
    assert_eq!(png[16..24], [0, 0, 2, 128, 0, 0, 1, 224], "width and height in the PNG's header");
}
