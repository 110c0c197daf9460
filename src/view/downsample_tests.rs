use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;

fn micros(time: i64) -> WallTime {
    WallTime::from_unix_micros(time)
}

/// Thins points of whole seconds; `None` is an ERR.
fn thin(points: &[(i64, Option<f64>)], columns: Columns, gap_seconds: u64) -> Vec<Vec<(i64, f64)>> {
    let mut line = Downsampler::new(columns, Duration::from_secs(gap_seconds));
    for (second, value) in points {
        match value {
            Some(value) => line.push(micros(second * SECOND), *value),
            None => line.interrupt(),
        }
    }
    let seconds =
        |piece: Vec<Point>| piece.into_iter().map(|(t, v)| (t.as_unix_micros() / SECOND, v)).collect();
    line.finish().into_iter().map(seconds).collect()
}

fn columns(seconds: i64, count: u32) -> Columns {
    Columns::new(micros(0), micros(seconds * SECOND), count)
}

#[test]
fn a_short_line_stays_whole() {
    let points: Vec<_> = (0..10).map(|s| (s, Some(s as f64))).collect();
    let whole: Vec<_> = points.iter().map(|(s, v)| (*s, v.unwrap())).collect();
    assert_eq!(thin(&points, columns(10, 100), 3), [whole]);
}

#[test]
fn one_column_keeps_first_low_high_last_in_order() {
    let points =
        [(0, Some(5.0)), (1, Some(9.0)), (2, Some(6.0)), (3, Some(1.0)), (4, Some(2.0)), (5, Some(4.0))];
    assert_eq!(thin(&points, columns(10, 1), 3), [vec![(0, 5.0), (1, 9.0), (3, 1.0), (5, 4.0)]]);
    assert_eq!(thin(&points[..1], columns(10, 1), 3), [vec![(0, 5.0)]]);
    assert_eq!(thin(&points[..2], columns(10, 1), 3), [vec![(0, 5.0), (1, 9.0)]]);
}

#[test]
fn an_err_and_missing_time_break_the_line() {
    let points = [(0, Some(1.0)), (1, Some(2.0)), (2, None), (3, Some(3.0)), (4, Some(4.0)), (9, Some(5.0))];
    let pieces = thin(&points, columns(10, 100), 3);
    assert_eq!(pieces, [vec![(0, 1.0), (1, 2.0)], vec![(3, 3.0), (4, 4.0)], vec![(9, 5.0)]]);
    assert_eq!(thin(&points, columns(10, 100), 5).len(), 2, "five seconds are no gap when five are allowed");
}

#[test]
fn a_break_within_one_column_is_not_drawn_but_loses_nothing() {
    let points = [(0, Some(1.0)), (1, None), (2, Some(8.0)), (3, None), (4, Some(0.0))];
    assert_eq!(thin(&points, columns(1000, 10), 30), [vec![(0, 1.0), (2, 8.0), (4, 0.0)]]);
}

#[test]
fn a_clock_that_goes_back_does_not_draw_backwards() {
    let points = [(5, Some(1.0)), (3, Some(2.0)), (6, Some(3.0))];
    assert_eq!(thin(&points, columns(10, 100), 3), [vec![(5, 1.0), (5, 2.0), (6, 3.0)]]);
}

#[test]
fn columns_cover_the_axis_and_take_what_lies_outside() {
    let columns = columns(10, 10);
    assert_eq!(columns.of(micros(i64::MIN)), 0);
    assert_eq!(columns.of(micros(SECOND - 1)), 0);
    assert_eq!(columns.of(micros(SECOND)), 1);
    assert_eq!(columns.of(micros(i64::MAX)), 9);
    assert_eq!(columns.middle(3), micros(3_500_000));
    let all_time = Columns::new(micros(i64::MIN), micros(i64::MAX), 8192);
    assert_eq!(all_time.of(micros(i64::MAX)), 8191);
    assert_eq!(Columns::new(micros(5), micros(5), 0).of(micros(7)), 0);
}

#[test]
fn errs_are_counted_by_column() {
    let mut marks = ErrMarks::new(columns(10, 10));
    for second in [0, 0, 5, 5, 5, 99] {
        marks.add(micros(second * SECOND));
    }
    let found: Vec<_> = marks.iter().map(|(time, count)| (time.as_unix_micros(), count)).collect();
    assert_eq!(found, [(500_000, 2), (5_500_000, 3), (9_500_000, 1)]);
}

/// A random line: steps of time of at least `step_min`, some too long, and values, some ERR.
fn lines(step_min: i64) -> impl Strategy<Value = Vec<(i64, Option<f64>)>> {
    let step = prop_oneof![8 => step_min..3, 1 => 4_i64..40];
    let value = prop_oneof![9 => (-1e3..1e3).prop_map(Some), 1 => Just(None)];
    prop::collection::vec((step, value), 0..400).prop_map(|steps| {
        let mut time = 0;
        steps
            .into_iter()
            .map(|(step, value)| {
                time += step;
                (time, value)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn every_column_keeps_its_extremes(points in lines(0), count in 1_u32..60) {
        let columns = columns(300, count);
        let thinned = thin(&points, columns, 3);
        let column = |second: i64| columns.of(micros(second * SECOND));
        for c in 0..count {
            let full: Vec<f64> = points.iter().filter(|(t, _)| column(*t) == c).filter_map(|(_, v)| *v).collect();
            let kept: Vec<f64> = thinned.iter().flatten().filter(|(t, _)| column(*t) == c).map(|(_, v)| *v).collect();
            let extremes = |values: &[f64]| values.iter().fold(None, |e: Option<(f64, f64)>, v| {
                let (low, high) = e.unwrap_or((*v, *v));
                Some((low.min(*v), high.max(*v)))
            });
            prop_assert_eq!(extremes(&full), extremes(&kept));
            prop_assert!(kept.len() <= 8, "{} points in one column", kept.len());
        }
    }

    #[test]
    fn what_is_kept_is_of_the_line_in_its_order(points in lines(0), count in 1_u32..60) {
        let thinned: Vec<(i64, f64)> = thin(&points, columns(300, count), 3).into_iter().flatten().collect();
        let mut good = points.iter().filter_map(|(t, v)| v.map(|v| (*t, v)));
        for kept in thinned {
            prop_assert!(good.any(|point| point == kept), "{:?} is not next in the line", kept);
        }
    }

    /// No piece passes over an ERR or a gap, unless both sides lie in the column in which the piece began.
    #[test]
    fn no_piece_bridges_a_visible_break(points in lines(1), count in 1_u32..60) {
        let columns = columns(300, count);
        let column = |second: i64| columns.of(micros(second * SECOND));
        for piece in thin(&points, columns, 3) {
            prop_assert!(!piece.is_empty());
            let (from, to) = (piece[0].0, piece[piece.len() - 1].0);
            let began = column(from);
            let inside: Vec<_> = points.iter().filter(|(t, _)| (from..=to).contains(t)).collect();
            for pair in inside.windows(2).filter(|pair| column(pair[1].0) != began) {
                let broken = pair[0].1.is_none() || pair[1].1.is_some() && pair[1].0 - pair[0].0 > 3;
                prop_assert!(!broken, "{:?} within {:?}", pair, piece);
            }
        }
    }
}
