//! The picture of a run: how many nodes are together, and how long averages take, over time; what went wrong is shaded.

use std::time::Duration;

use super::faults::brief;
use super::watch::{Seen, Steps};
use crate::sim::{Outcome, Scenario, SimRole};
use crate::view::{Along, Curve, CurveName, CurvePanel, CurveScale, CurveStyle, Curves, Shade};

/// Averages are shown in so many spans of time at most and at least: the median and the longest of each.
const SPANS: std::ops::RangeInclusive<usize> = 20..=250;
/// So many averages make a span, if that may be: of one alone there is no median.
const SPAN_AVERAGES: usize = 5;

/// What is shown of a run.
pub(super) fn curves(scenario: &Scenario, outcome: &Outcome, seen: &Seen, sentence: String) -> Curves {
    let (unit, name) = unit(outcome.virtual_time);
    let x = |time: Duration| time.as_secs_f64() / unit.as_secs_f64();
    let end = x(outcome.virtual_time);
    let together = match scenario.role {
        SimRole::Ring => "in the largest ring",
        SimRole::Primary => "answered the sink, with it",
    };
    let nodes = vec![stairs(0, &seen.running, x, end), stairs(1, &seen.together, x, end)];
    let (median, longest) = spans(&outcome.averages, outcome.virtual_time);
    let times = [(2, median), (3, longest)].map(|(name, points)| Curve {
        name,
        style: CurveStyle::Line,
        points: points.into_iter().map(|(at, took)| (x(at), took.as_secs_f64() * 1e3)).collect(),
    });
    let shade = |fault: &crate::sim::PlannedFault| {
        let to = scenario.end_of(fault).unwrap_or(fault.from);
        Shade { from: x(fault.from), to: x(to), label: brief(fault) }
    };
    let named = |label: &str, is_dashed| CurveName { label: label.to_owned(), is_dashed };
    Curves {
        names: vec![
            named("nodes that run", false),
            named(together, true),
            named("average known after: median", false),
            named("longest", false),
        ],
        along: Along::Number { label: format!("time since the start ({name})"), to: end },
        panels: vec![
            CurvePanel { heading: "Nodes".to_owned(), scale: CurveScale::FromZero, curves: nodes },
            CurvePanel {
                heading: "From the last reading of an interval until its average is known (ms)".to_owned(),
                scale: CurveScale::Logarithmic,
                curves: times.to_vec(),
            },
        ],
        columns: 1,
        shades: scenario.faults.iter().map(shade).collect(),
        notes: vec![sentence],
    }
}

/// The unit in which a time is best told.
fn unit(time: Duration) -> (Duration, &'static str) {
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3_600);
    match time {
        time if time <= 5 * MINUTE => (Duration::from_secs(1), "s"),
        time if time <= 5 * HOUR => (MINUTE, "min"),
        time if time <= 96 * HOUR => (HOUR, "h"),
        _ => (24 * HOUR, "days"),
    }
}

fn stairs(name: usize, steps: &Steps, x: impl Fn(Duration) -> f64, end: f64) -> Curve {
    let mut points: Vec<(f64, f64)> = steps.iter().map(|(at, count)| (x(*at), *count as f64)).collect();
    points.extend(points.last().map(|(_, count)| (end, *count)));
    Curve { name, style: CurveStyle::Stairs, points }
}

/// A time, and how long something took.
type Times = Vec<(Duration, Duration)>;

/// Of each span of time the median and the longest.
fn spans(averages: &Times, whole: Duration) -> (Times, Times) {
    let count = (averages.len() / SPAN_AVERAGES).clamp(*SPANS.start(), *SPANS.end());
    let span = (whole / u32::try_from(count).unwrap_or(1)).max(Duration::from_millis(1));
    let number = |at: Duration| at.as_micros() / span.as_micros();
    let (mut median, mut longest) = (Vec::new(), Vec::new());
    for chunk in averages.chunk_by(|one, other| number(one.0) == number(other.0)) {
        let Some((at, _)) = chunk.first() else { continue };
        let mut all: Vec<Duration> = chunk.iter().map(|(_, took)| *took).collect();
        all.sort_unstable();
        median.extend(all.get(all.len() / 2).map(|took| (*at, *took)));
        longest.extend(all.last().map(|took| (*at, *took)));
    }
    (median, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_span_of_time_has_its_median_and_its_longest() {
        let whole = 20_000 * MS;
        let averages = [(100, 5), (300, 50), (900, 7), (1_500, 9)].map(|(at, took)| (at * MS, took * MS));
        let (median, longest) = spans(&averages.to_vec(), whole);
        assert_eq!(median, [(100 * MS, 7 * MS), (1_500 * MS, 9 * MS)]);
        assert_eq!(longest, [(100 * MS, 50 * MS), (1_500 * MS, 9 * MS)]);
        assert_eq!(spans(&vec![], Duration::ZERO), (vec![], vec![]));
    }

    #[test]
    fn times_are_told_in_a_unit_that_suits_them() {
        let names = [60, 3_600, 86_400, 864_000].map(|s| unit(Duration::from_secs(s)).1);
        assert_eq!(names, ["s", "min", "h", "days"]);
    }
}
