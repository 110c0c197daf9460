use proptest::prelude::*;

use super::*;

fn labels(axis: &ValueAxis) -> Vec<&str> {
    axis.ticks().iter().map(|(_, label)| label.as_str()).collect()
}

#[test]
fn ticks_are_ones_twos_and_fives() {
    assert_eq!(labels(&ValueAxis::new(Some((20.3, 24.9)), false, 5)), ["21", "22", "23", "24", "25"]);
    assert_eq!(
        labels(&ValueAxis::new(Some((0.0, 1.0)), false, 5)),
        ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    );
    assert_eq!(labels(&ValueAxis::new(Some((-3.0, 3.0)), false, 4)), ["−2", "0", "2"]);
    assert_eq!(
        labels(&ValueAxis::new(Some((101_310.0, 101_330.0)), false, 4)),
        ["101310", "101315", "101320", "101325", "101330"]
    );
}

#[test]
fn large_and_small_values_have_a_factor() {
    let axis = ValueAxis::new(Some((4.0e9, 4.06e9)), false, 4);
    assert_eq!((axis.factor(), labels(&axis)), ("10⁹", vec!["4.00", "4.02", "4.04", "4.06"]));
    let axis = ValueAxis::new(Some((0.0, 180e-9)), false, 4);
    assert_eq!((axis.factor(), labels(&axis)), ("10⁻⁹", vec!["0", "50", "100", "150"]));
    assert_eq!(ValueAxis::new(Some((0.0, 900_000.0)), false, 4).factor(), "");
}

#[test]
fn zero_is_shown_only_where_something_is_there_or_the_data_is_near() {
    let shows_zero = |data, with_zero| {
        labels(&ValueAxis::new(Some(data), with_zero, 5)).iter().any(|l| l.parse() == Ok(0.0))
    };
    assert!(!shows_zero((20.0, 25.0), false));
    assert!(shows_zero((20.0, 25.0), true));
    assert!(shows_zero((1.0, 25.0), false));
    assert!(shows_zero((-25.0, -1.0), false));
}

#[test]
fn far_from_zero_the_axis_is_squeezed_and_still_increases() {
    let axis = ValueAxis::new(Some((101_310.0, 101_330.0)), true, 4);
    assert_eq!(axis.squeezed(), Some(0.0..SQUEEZED.end));
    assert_eq!(axis.fraction(0.0), SQUEEZED.start);
    let data = axis.fraction(101_330.0) - axis.fraction(101_310.0);
    assert!(data > 0.6, "the data keeps most of the height, not {data}");
    let freezer = ValueAxis::new(Some((-19.0, -17.0)), true, 4);
    assert_eq!(freezer.squeezed(), Some(1.0 - SQUEEZED.end..1.0));
    assert!((freezer.fraction(0.0) - (1.0 - SQUEEZED.start)).abs() < 1e-9);
    let lowest = axis.ticks().iter().map(|(v, _)| axis.fraction(*v)).filter(|f| *f > SQUEEZED.end);
    assert!(lowest.fold(1.0, f64::min) > SQUEEZED.end + 0.02, "no tick stands on the break");
    assert_eq!(ValueAxis::new(Some((12.0, 25.0)), true, 4).squeezed(), None, "near enough for a plain axis");
}

#[test]
fn one_value_gets_a_span_and_no_value_too() {
    let axis = ValueAxis::new(Some((21.5, 21.5)), false, 5);
    assert!((axis.fraction(21.5) - 0.5).abs() < 1e-9);
    assert!(axis.ticks().len() >= 2);
    assert!(ValueAxis::new(None, true, 5).ticks().len() >= 2);
    // A step that doubles can hardly tell apart is rounding, not data.
    let noise = ValueAxis::new(Some((1e9, 1e9 + 1e-6)), false, 5);
    assert!(noise.range().end - noise.range().start > 1e6);
}

#[test]
fn bars_stand_on_the_lower_end() {
    let axis = ValueAxis::standing((0.0, 50.0), 5);
    assert_eq!((axis.fraction(0.0), axis.fraction(50.0)), (0.0, 1.0));
    assert_eq!(ValueAxis::standing((-20.0, -10.0), 5).fraction(0.0), 1.0);
    assert_eq!(ValueAxis::standing((0.0, 0.0), 5).fraction(0.0), 0.0);
}

#[test]
fn numbers_have_a_true_minus_and_no_minus_zero() {
    assert_eq!(number(-1.5, 1), "−1.5");
    assert_eq!(number(-0.001, 1), "0.0");
    assert_eq!(number(2.0, 0), "2");
}

proptest! {
    /// Whatever finite range comes, the axis ends, its ticks are few, in order and finite, and it only increases.
    #[test]
    fn any_finite_data_has_an_axis(
        a in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        b in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        near in any::<bool>(),
        with_zero in any::<bool>(),
        wanted in 0_usize..50,
    ) {
        let b = if near { a * 1.000_001 } else { b };
        let b = if b.is_finite() { b } else { a };
        let axis = ValueAxis::new(Some((a, b)), with_zero, wanted);
        prop_assert!(axis.ticks().len() <= TICKS_MAX + 1);
        for (value, label) in axis.ticks() {
            prop_assert!(value.is_finite() && label.len() < 24, "{} {}", value, label);
        }
        let (low, high) = (a.min(b), a.max(b));
        let fractions = [f64::MIN, low, low / 2.0 + high / 2.0, high, f64::MAX].map(|v| axis.fraction(v));
        prop_assert!(fractions.iter().all(|f| (0.0..=1.0).contains(f)), "{:?}", fractions);
        prop_assert!(fractions.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{:?}", fractions);
    }
}
