use proptest::prelude::*;

use super::*;
use crate::model::Channel;

fn at(seconds: f64) -> WallTime {
    WallTime::default() + Duration::from_secs_f64(seconds)
}

fn series(node: &str, points: &[(f64, Value)]) -> Series {
    let channel = Channel {
        node: NodeName::new(node).unwrap(),
        chip: "chip".into(),
        quantity: "temperature".into(),
        unit: "Cel".into(),
    };
    let points = points.iter().map(|(seconds, value)| (at(*seconds), *value)).collect();
    Series { channel, suffix: String::new(), points, dates: crate::view::Dates::default() }
}

fn rounds(times: &[(f64, &[&str])]) -> Vec<Round> {
    let round = |(number, (seconds, down)): (u64, &(f64, &[&str]))| Round {
        number,
        time: at(*seconds),
        down: down.iter().map(|node| NodeName::new(node).unwrap()).collect(),
    };
    (1..).zip(times).map(round).collect()
}

fn averages(series: &[Series], rounds: &[Round]) -> Vec<(f64, f64, Option<f64>, u32, u32)> {
    let series: Vec<&Series> = series.iter().collect();
    let flat = |a: Average| (a.time.as_unix_seconds(), a.avg, a.avg_ok, a.n, a.n_ok);
    Averages::new(&series, rounds).map(flat).collect()
}

#[test]
fn an_err_is_zero_in_avg_and_left_out_of_avg_ok() {
    let data = [
        series("a", &[(0.5, Ok(20.0))]),
        series("b", &[(0.6, Ok(22.0))]),
        series("c", &[(0.7, Err(ErrReason::Nack))]),
    ];
    assert_eq!(averages(&data, &rounds(&[(1.0, &[])])), [(1.0, 14.0, Some(21.0), 3, 2)]);
}

#[test]
fn without_a_good_reading_there_is_no_avg_ok() {
    let data = [series("a", &[(0.5, Err(ErrReason::Crc))]), series("b", &[(0.5, Err(ErrReason::Nack))])];
    assert_eq!(averages(&data, &rounds(&[(1.0, &[])])), [(1.0, 0.0, None, 2, 0)]);
}

#[test]
fn a_node_that_is_down_counts_as_err_whatever_arrived_later() {
    let data =
        [series("a", &[(0.5, Ok(10.0)), (1.5, Ok(10.0))]), series("b", &[(0.5, Ok(20.0)), (1.5, Ok(20.0))])];
    let rounds = rounds(&[(1.0, &[]), (2.0, &["b"])]);
    assert_eq!(averages(&data, &rounds), [(1.0, 15.0, Some(15.0), 2, 2), (2.0, 5.0, Some(10.0), 2, 1)]);
}

#[test]
fn a_reading_is_held_for_one_and_a_half_intervals_and_no_longer() {
    // One reading in 10 s, a round every second: it stands for 15 s, open at the far end.
    let slow = series("slow", &[(0.0, Ok(1.0)), (10.0, Ok(2.0)), (20.0, Ok(3.0))]);
    let times: Vec<(f64, &[&str])> = (0..40).map(|second| (f64::from(second), &[][..])).collect();
    let found = averages(&[slow], &rounds(&times));
    assert_eq!(found.len(), 35, "from second 0 up to 34; at 35 it is too old");
    assert_eq!(found[9].1, 1.0);
    assert_eq!(found[10].1, 2.0);
    assert_eq!(found[34], (34.0, 3.0, Some(3.0), 1, 1));
}

#[test]
fn a_reading_is_held_since_the_round_before() {
    // Readings every second, rounds far apart: the window is as long as the round took.
    let data =
        [series("a", &[(0.0, Ok(1.0)), (1.0, Ok(2.0)), (2.0, Ok(3.0))]), series("b", &[(9.5, Ok(5.0))])];
    let found = averages(&data, &rounds(&[(3.0, &[]), (10.0, &[]), (30.0, &[])]));
    assert_eq!(found, [(3.0, 3.0, Some(3.0), 1, 1), (10.0, 5.0, Some(5.0), 1, 1)]);
}

#[test]
fn the_only_round_takes_all_that_came_before_it() {
    let data = [series("a", &[(0.0, Ok(4.0))]), series("b", &[(500.0, Ok(6.0))])];
    assert_eq!(averages(&data, &rounds(&[(501.0, &[])])), [(501.0, 5.0, Some(5.0), 2, 2)]);
}

#[test]
fn two_chips_of_one_node_both_count() {
    let data = [series("a", &[(0.5, Ok(10.0))]), series("a", &[(0.6, Ok(30.0))])];
    assert_eq!(averages(&data, &rounds(&[(1.0, &[])])), [(1.0, 20.0, Some(20.0), 2, 2)]);
    assert_eq!(averages(&data, &rounds(&[(1.0, &["a"])])), [(1.0, 0.0, None, 2, 0)]);
}

#[test]
fn without_rounds_the_fullest_channel_gives_the_times() {
    let data = [
        series("a", &[(0.0, Ok(1.0)), (1.0, Ok(3.0)), (2.0, Ok(5.0))]),
        series("b", &[(0.0, Ok(3.0)), (1.9, Ok(7.0))]),
    ];
    let found = averages(&data, &[]);
    assert_eq!(found.iter().map(|a| (a.0, a.1)).collect::<Vec<_>>(), [(0.0, 2.0), (1.0, 3.0), (2.0, 6.0)]);
    assert_eq!(averages(&data[..1], &[]), [], "one channel alone has no average");
}

#[test]
fn one_round_is_what_the_stream_says_it_is() {
    let data = [series("a", &[(0.5, Ok(1.0)), (1.5, Err(ErrReason::Crc))]), series("b", &[(0.5, Ok(3.0))])];
    let rounds = rounds(&[(1.0, &[]), (2.0, &[])]);
    let series: Vec<&Series> = data.iter().collect();
    let stream: Vec<Average> = Averages::new(&series, &rounds).collect();
    for (round, expected) in rounds.iter().zip(stream) {
        let (contributions, average) = Averages::in_round(&series, &rounds, round);
        assert_eq!(contributions.len(), 2);
        assert_eq!(average, Some(expected));
    }
    assert_eq!(Averages::in_round(&series, &rounds, &rounds[1]).0, [Some(Err(ErrReason::Crc)), None]);
}

#[test]
fn huge_values_have_a_finite_mean() {
    let data = [series("a", &[(0.5, Ok(f64::MAX))]), series("b", &[(0.5, Ok(f64::MAX))])];
    let found = averages(&data, &rounds(&[(1.0, &[])]));
    assert!(found[0].1.is_finite() && found[0].1 > 0.0);
}

proptest! {
    /// The stream agrees with the definition, written down naively.
    #[test]
    fn the_stream_does_what_the_definition_says(
        times in prop::collection::vec(prop::collection::btree_set(0_u32..60, 0..20), 1..4),
        ends in prop::collection::btree_set(1_u32..70, 1..20),
        down in prop::collection::vec(any::<bool>(), 20),
    ) {
        let value = |second: u32| if second.is_multiple_of(5) { Err(ErrReason::Nack) } else { Ok(f64::from(second)) };
        let data: Vec<Series> = times.iter().enumerate().map(|(k, times)| {
            let points: Vec<(f64, Value)> = times.iter().map(|t| (f64::from(*t), value(*t))).collect();
            series(if k == 0 { "first" } else { "other" }, &points)
        }).collect();
        let count = |n: usize| u32::try_from(n).unwrap();
        let ends: Vec<u32> = ends.into_iter().collect();
        let listed: Vec<(f64, &[&str])> = ends.iter().zip(&down)
            .map(|(end, down)| (f64::from(*end), if *down { &["first"][..] } else { &[][..] })).collect();
        let mut all: Vec<u32> = ends.windows(2).map(|w| w[1] - w[0]).collect();
        all.sort();
        let usual = all.get(all.len() / 2).copied();
        let mut expected = Vec::new();
        for (at, end) in ends.iter().enumerate() {
            let since = if at > 0 { f64::from(end - ends[at - 1]) } else { usual.map_or(f64::INFINITY, f64::from) };
            let mut values = Vec::new();
            for (k, times) in times.iter().enumerate() {
                if k == 0 && down[at] { values.push(Err(ErrReason::NodeDown)); continue; }
                let listed: Vec<u32> = times.iter().copied().collect();
                let mut gaps: Vec<u32> = listed.windows(2).map(|w| w[1] - w[0]).collect();
                gaps.sort();
                let hold = since.max(gaps.get(gaps.len() / 2).map_or(0.0, |gap| f64::from(*gap) * 1.5));
                let newest = listed.iter().rev().find(|t| *t <= end && f64::from(end - *t) < hold);
                values.extend(newest.map(|t| value(*t)));
            }
            if values.is_empty() { continue; }
            let good: Vec<f64> = values.iter().filter_map(|v| v.ok()).collect();
            let sum: f64 = good.iter().sum();
            let avg_ok = (!good.is_empty()).then(|| sum / good.len() as f64);
            expected.push((f64::from(*end), sum / values.len() as f64, avg_ok, count(values.len()), count(good.len())));
        }
        prop_assert_eq!(averages(&data, &rounds(&listed)), expected);
    }
}
