//! The upright axis of a panel: its range, its ticks, and how zero stays in sight without flattening the data.
//!
//! An ERR is drawn at zero. Where the data lies far from zero (air pressure), a plain axis down to zero would press
//! every line flat, and leaving zero out would hide the ERR. So the axis then has two straight pieces: most of the
//! height for the data, and a narrow, shaded, marked piece from there to zero. It is still one increasing scale: lines
//! (an `avg` that an ERR pulls down) run through both pieces, and nothing is moved to where it does not belong.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged};

/// Values are drawn as no larger than this: the span of two such is still finite.
const VALUE_LIMIT: f64 = 1e300;
/// Values closer to zero than this are drawn as zero: their steps would be too small to divide by.
const VALUE_TINY: f64 = 1e-290;
/// A span below this part of the values is no span but rounding: the values are drawn as one.
const SPAN_LEAST: f64 = 1e-9;
/// Around a single value, this part of it is shown.
const AROUND_ONE: f64 = 0.02;
/// Free room above and below the data, as a part of the span.
const MARGIN: f64 = 0.06;
/// Data that is nearer to zero than this part of its span has zero on its axis.
const ZERO_NEAR: f64 = 0.25;
/// The squeezed piece begins when zero is further away than so many spans of the data.
const SQUEEZE_FROM: f64 = 1.0;
/// Where zero lies, and where the squeezed piece ends, as parts of the axis from the end where zero is.
const SQUEEZED: Range<f64> = 0.08..0.24;
/// No axis is given more ticks than this, however high it is.
const TICKS_WANTED_MAX: usize = 8;
/// No axis has more ticks than this, whatever the steps come to.
const TICKS_MAX: usize = 20;
/// Numbers from here on, or below the other, are written with a power of ten in the heading.
const PLAIN_BELOW: f64 = 1e6;
const PLAIN_FROM: f64 = 1e-3;

/// An upright axis.
#[derive(Clone, Debug)]
pub(super) struct ValueAxis {
    low: f64,
    high: f64,
    squeeze: Option<Squeeze>,
    ticks: Vec<(f64, String)>,
    factor: String,
}

/// The end of an axis that is squeezed: from zero to the data.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Squeeze {
    /// Zero lies below the data, which begins at this value.
    Below(f64),
    /// Zero lies above the data, which ends at this value.
    Above(f64),
}

impl ValueAxis {
    /// For good values between `data`, both included (`None`: there are none). `with_zero`: something is drawn at
    /// zero. `ticks_wanted` is a wish.
    pub(super) fn new(data: Option<(f64, f64)>, with_zero: bool, ticks_wanted: usize) -> Self {
        let (low, high) = range_of(data.unwrap_or((0.0, 0.0)));
        let span = high - low;
        let squeeze = match (with_zero, low > SQUEEZE_FROM * span, -high > SQUEEZE_FROM * span) {
            (true, true, _) => Some(Squeeze::Below(low - MARGIN * span)),
            (true, _, true) => Some(Squeeze::Above(high + MARGIN * span)),
            _ => None,
        };
        let (low, high) = match squeeze {
            Some(Squeeze::Below(_)) => (0.0, high + MARGIN * span),
            Some(Squeeze::Above(_)) => (low - MARGIN * span, 0.0),
            None => with_margins(low, high, with_zero),
        };
        let mut axis = Self { low, high, squeeze, ticks: Vec::new(), factor: String::new() };
        let part = if squeeze.is_some() { 1.0 - SQUEEZED.end } else { 1.0 };
        axis.label(ticks_wanted.clamp(2, TICKS_WANTED_MAX), part);
        axis
    }

    /// For bars, which stand on zero, between `low` and `high` (zero is within): no margin where they stand.
    pub(super) fn standing((low, high): (f64, f64), ticks_wanted: usize) -> Self {
        let (low, high) = range_of((low.min(0.0), high.max(0.0)));
        let mut axis = Self { low, high, squeeze: None, ticks: Vec::new(), factor: String::new() };
        axis.label(ticks_wanted.clamp(2, TICKS_WANTED_MAX), 1.0);
        axis
    }

    /// Values and what is written beside them.
    pub(super) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }

    /// The power of ten that the ticks are to be multiplied by, as in `10⁶`; else empty.
    pub(super) fn factor(&self) -> &str {
        &self.factor
    }

    /// Where the squeezed piece lies, as parts of the height from below.
    pub(super) fn squeezed(&self) -> Option<Range<f64>> {
        Some(match self.squeeze? {
            Squeeze::Below(_) => 0.0..SQUEEZED.end,
            Squeeze::Above(_) => 1.0 - SQUEEZED.end..1.0,
        })
    }

    /// Where `value` lies: 0 is the lower end, 1 the upper.
    pub(super) fn fraction(&self, value: f64) -> f64 {
        let part = |from: f64, to: f64| ((value - from) / (to - from)).clamp(0.0, 1.0);
        let squeezed = SQUEEZED.end - SQUEEZED.start;
        match self.squeeze {
            None => part(self.low, self.high),
            Some(Squeeze::Below(bend)) if value < bend => SQUEEZED.start + squeezed * part(0.0, bend),
            Some(Squeeze::Below(bend)) => SQUEEZED.end + (1.0 - SQUEEZED.end) * part(bend, self.high),
            Some(Squeeze::Above(bend)) if value > bend => 1.0 - SQUEEZED.end + squeezed * part(bend, 0.0),
            Some(Squeeze::Above(bend)) => (1.0 - SQUEEZED.end) * part(self.low, bend),
        }
    }

    /// Sets the ticks: about `wanted` on all of the height, of which they take `part`.
    fn label(&mut self, wanted: usize, part: f64) {
        // In a squeezed axis ticks keep away from the break, where they would run into its mark.
        let (low, high) = match self.squeeze {
            None => (self.low, self.high),
            Some(Squeeze::Below(bend)) => (bend + MARGIN * (self.high - bend), self.high),
            Some(Squeeze::Above(bend)) => (self.low, bend - MARGIN * (bend - self.low)),
        };
        let largest = low.abs().max(high.abs());
        let exponent = if (PLAIN_FROM..PLAIN_BELOW).contains(&largest) { 0 } else { engineering(largest) };
        // In two halves: 10^-300 and 10^300 are numbers, 10^309 is not.
        let unscaled = |value: f64| value / 10f64.powi(exponent / 2) / 10f64.powi(exponent - exponent / 2);
        let step = nice_step((high - low) / (wanted as f64 * part));
        let decimals = decimals(unscaled(step));
        let first = (low / step).ceil();
        let values = (0..TICKS_MAX).map(|count| (first + count as f64) * step);
        let within = values.take_while(|value| *value <= high + step * 1e-6);
        self.ticks = within.map(|value| (value, number(unscaled(value), decimals))).collect();
        if self.ticks.len() < 2 && wanted < TICKS_MAX {
            // One tick gives no measure.
            return self.label(wanted + 2, part);
        }
        if self.squeeze.is_some() {
            self.ticks.push((0.0, "0".into()));
        }
        if exponent != 0 {
            self.factor = format!("10{}", superscript(exponent));
        }
    }
}

/// plotters' view of the axis.
impl Ranged for ValueAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "between two limits that are i32")]
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (from, to) = (f64::from(limit.0), f64::from(limit.1));
        (from + (to - from) * self.fraction(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(value, _)| *value).take(hint.max_num_points()).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// A range that has a span, whatever the data.
fn range_of((low, high): (f64, f64)) -> (f64, f64) {
    let tame = |v: f64| if v.abs() < VALUE_TINY { 0.0 } else { v.clamp(-VALUE_LIMIT, VALUE_LIMIT) };
    let (low, high) = (tame(low.min(high)), tame(high.max(low)));
    let largest = low.abs().max(high.abs());
    if high - low > largest * SPAN_LEAST {
        return (low, high);
    }
    if largest == 0.0 {
        return (0.0, 1.0);
    }
    (low - largest * AROUND_ONE, high + largest * AROUND_ONE)
}

fn with_margins(low: f64, high: f64, with_zero: bool) -> (f64, f64) {
    let near = ZERO_NEAR * (high - low);
    let (low, high) = match with_zero {
        true => (low.min(0.0), high.max(0.0)),
        false if low > 0.0 && low < near => (0.0, high),
        false if high < 0.0 && -high < near => (low, 0.0),
        false => (low, high),
    };
    let margin = MARGIN * (high - low);
    (low - margin, high + margin)
}

/// The nearest of 1, 2, 5 times a power of ten.
fn nice_step(wanted: f64) -> f64 {
    let power = 10f64.powf(wanted.log10().floor());
    match wanted / power {
        part if part < 1.5 => power,
        part if part < 3.5 => 2.0 * power,
        part if part < 7.5 => 5.0 * power,
        _ => 10.0 * power,
    }
}

/// How many digits after the point a step needs.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=15")]
fn decimals(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 15.0) as usize
}

/// The exponent of the power of 1000 at or below `value`.
#[expect(clippy::cast_possible_truncation, reason = "the logarithm of a double is below 400")]
fn engineering(value: f64) -> i32 {
    if value == 0.0 { 0 } else { ((value.log10() + 1e-9) / 3.0).floor() as i32 * 3 }
}

/// With a true minus sign, and never `-0`.
pub(super) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|b| matches!(b, b'0' | b'.')) => rest.to_string(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

fn superscript(exponent: i32) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => digit.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(digit),
    };
    exponent.to_string().chars().map(raised).collect()
}

#[cfg(test)]
#[path = "value_axis_tests.rs"]
mod tests;
