//! The upright axis of a panel of curves: from zero evenly, or by powers of ten.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged};

use super::value_axis::{ValueAxis, number};
use crate::view::{CurvePanel, CurveScale};

/// Free room above the highest value, as a part of it.
const ABOVE: f64 = 1.08;
/// So many ticks an axis has in any case, where there are so many round numbers.
const TICKS_LEAST: usize = 3;
/// Values beyond these are drawn at them.
const EXPONENTS: Range<i32> = -12..13;

/// An axis.
#[derive(Clone, Debug)]
pub(super) enum CurveAxis {
    /// From zero.
    Even(ValueAxis),
    /// By powers of ten.
    Log(LogAxis),
}

/// An axis from one round number to another, both above zero.
#[derive(Clone, Debug)]
pub(super) struct LogAxis {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl CurveAxis {
    /// For all that `panel` shows.
    pub(super) fn new(panel: &CurvePanel, ticks_wanted: usize) -> Self {
        let values = panel.curves.iter().flat_map(|curve| &curve.points).map(|(_, value)| *value);
        match panel.scale {
            CurveScale::FromZero => {
                let high = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
                CurveAxis::Even(ValueAxis::standing((0.0, high * ABOVE), ticks_wanted))
            }
            CurveScale::Logarithmic => CurveAxis::Log(LogAxis::new(values, ticks_wanted * 3 / 2)),
        }
    }

    /// Values and what is written beside them.
    pub(super) fn ticks(&self) -> &[(f64, String)] {
        match self {
            CurveAxis::Even(axis) => axis.ticks(),
            CurveAxis::Log(axis) => &axis.ticks,
        }
    }

    /// The power of ten that the ticks are to be multiplied by; else empty.
    pub(super) fn factor(&self) -> &str {
        match self {
            CurveAxis::Even(axis) => axis.factor(),
            CurveAxis::Log(_) => "",
        }
    }

    /// Whether a value has a place on it.
    pub(super) fn shows(&self, value: f64) -> bool {
        match self {
            CurveAxis::Even(_) => value.is_finite(),
            CurveAxis::Log(_) => value.is_finite() && value > 0.0,
        }
    }
}

impl LogAxis {
    fn new(values: impl Iterator<Item = f64>, ticks_wanted: usize) -> Self {
        let good = values.filter(|value| value.is_finite() && *value > 0.0);
        let (low, high) = good.fold((f64::MAX, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        if high <= 0.0 {
            return Self { low: 1.0, high: 10.0, ticks: vec![(1.0, "1".into()), (10.0, "10".into())] };
        }
        let (first, last) = (exponent(low), exponent(high) + 1);
        let all = (first..=last).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| (digit, power)));
        let rounds: Vec<(f64, i32, f64)> =
            all.map(|(digit, power)| (digit * 10f64.powi(power), power, digit)).collect();
        let below = rounds.iter().rev().find(|(value, ..)| *value <= low).map_or(low, |(value, ..)| *value);
        let above = rounds.iter().find(|(value, ..)| *value >= high).map_or(high, |(value, ..)| *value);
        // A single round value still needs a span.
        let above = if above > below { above } else { above * 10.0 };
        let within = |value: f64| (below..=above).contains(&value);
        let all = rounds.iter().filter(|(value, ..)| within(*value)).count();
        // Between two powers of ten there is room for 2 and 5, or not.
        let is_crowded = all > ticks_wanted.max(TICKS_LEAST);
        let powers = rounds.iter().filter(|(value, _, digit)| within(*value) && *digit == 1.0).count();
        let every = i32::try_from(powers.div_ceil(ticks_wanted.max(TICKS_LEAST)).max(1)).unwrap_or(1);
        let shown = rounds.into_iter().filter(|(value, power, digit)| {
            within(*value) && (!is_crowded || powers < 2 || (*digit == 1.0 && power % every == 0))
        });
        let ticks = shown.map(|(value, power, _)| (value, number(value, decimals(power)))).collect();
        Self { low: below, high: above, ticks }
    }

    fn fraction(&self, value: f64) -> f64 {
        ((value.max(self.low) / self.low).log10() / (self.high / self.low).log10()).clamp(0.0, 1.0)
    }
}

/// The power of ten at or below a value above zero.
#[expect(clippy::cast_possible_truncation, reason = "the logarithm of a double is below 400")]
fn exponent(value: f64) -> i32 {
    ((value.log10() + 1e-9).floor() as i32).clamp(EXPONENTS.start, EXPONENTS.end)
}

/// Digits after the point that a number of this power of ten needs.
fn decimals(power: i32) -> usize {
    usize::try_from(-power).unwrap_or(0)
}

/// plotters' view of the axis.
impl Ranged for CurveAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "between two limits that are i32")]
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (from, to) = (f64::from(limit.0), f64::from(limit.1));
        let fraction = match self {
            CurveAxis::Even(axis) => axis.fraction(*value),
            CurveAxis::Log(axis) => axis.fraction(*value),
        };
        (from + (to - from) * fraction).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.ticks().iter().map(|(value, _)| *value).take(hint.max_num_points()).collect()
    }

    fn range(&self) -> Range<f64> {
        match self {
            CurveAxis::Even(axis) => axis.range(),
            CurveAxis::Log(axis) => axis.low..axis.high,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Curve, CurveStyle};

    fn axis(scale: CurveScale, values: &[f64]) -> CurveAxis {
        let points = values.iter().map(|value| (0.0, *value)).collect();
        let curves = vec![Curve { name: 0, style: CurveStyle::Line, points }];
        CurveAxis::new(&CurvePanel { heading: String::new(), scale, curves }, 4)
    }

    fn labels(axis: &CurveAxis) -> Vec<&str> {
        axis.ticks().iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn a_log_axis_has_round_ends_and_ticks_between() {
        let some = axis(CurveScale::Logarithmic, &[7.0, 130.0, 41.0]);
        assert_eq!((some.range(), labels(&some)), (5.0..200.0, vec!["5", "10", "20", "50", "100", "200"]));
        let wide = axis(CurveScale::Logarithmic, &[0.03, 4_000.0]);
        assert_eq!(labels(&wide), ["0.1", "1", "10", "100", "1000"]);
        assert_eq!((some.map(&5.0, (0, 1_000)), some.map(&200.0, (0, 1_000))), (0, 1_000));
        assert_eq!(some.map(&(5.0 * 200.0_f64).sqrt(), (0, 1_000)), 500);
    }

    #[test]
    fn whatever_comes_has_an_axis() {
        let odd = [f64::NAN, f64::INFINITY, 0.0, -3.0, 1e300, 1e-300];
        for scale in [CurveScale::Logarithmic, CurveScale::FromZero] {
            for values in [&[] as &[f64], &[0.0], &[1.0], &odd] {
                let axis = axis(scale, values);
                assert!(!axis.ticks().is_empty(), "{scale:?} {values:?}");
                for value in values.iter().filter(|value| axis.shows(**value)) {
                    assert!((0..=100).contains(&axis.map(value, (0, 100))), "{scale:?} {value}");
                }
            }
        }
    }
}
