use super::*;
use crate::view::{CurveScale, Format, curve_chart};

fn panel(curves: Vec<Curve>) -> CurvePanel {
    CurvePanel { heading: "latency (ms)".into(), scale: CurveScale::FromZero, curves }
}

fn curves(panels: Vec<CurvePanel>) -> Curves {
    Curves {
        names: ["ring", "polling"].map(|label| CurveName { label: label.into(), is_dashed: false }).to_vec(),
        along: Along::Number { label: "time (s)".into(), to: 60.0 },
        panels,
        columns: 1,
        shades: vec![],
        notes: vec![],
    }
}

fn line(points: &[(f64, f64)]) -> Curve {
    Curve { name: 0, style: CurveStyle::Line, points: points.to_vec() }
}

fn svg(curves: &Curves) -> String {
    String::from_utf8(curve_chart(curves, &PlotOptions::default(), Format::Svg).unwrap()).unwrap()
}

/// Lines in the colour of the first name; one of them is the legend's sample.
fn strokes(svg: &str) -> usize {
    svg.lines().filter(|line| line.starts_with("<path") && line.contains("stroke=\"#0072b2\"")).count()
}

#[test]
fn what_is_no_number_breaks_a_curve() {
    let whole = panel(vec![line(&[(0.0, 1.0), (10.0, 2.0), (20.0, 3.0), (30.0, 4.0)])]);
    assert_eq!(strokes(&svg(&curves(vec![whole]))), 2);
    let broken = panel(vec![line(&[(0.0, 1.0), (10.0, 2.0), (15.0, f64::NAN), (20.0, 3.0), (30.0, 4.0)])]);
    assert_eq!(strokes(&svg(&curves(vec![broken]))), 3);
}

#[test]
fn stairs_hold_their_value() {
    assert_eq!(stairs(&[(0.0, 3.0), (5.0, 2.0)]), [(0.0, 3.0), (5.0, 3.0), (5.0, 2.0)]);
    assert_eq!(stairs(&[]), []);
}

#[test]
fn names_headings_shades_and_notes_are_written() {
    let shade = |from, to, label: &str| Shade { from, to, label: label.into() };
    let drawn = svg(&Curves {
        shades: vec![
            shade(10.0, 20.0, "partition"),
            shade(30.0, 30.0, "kill"),
            shade(90.0, 95.0, "too late"),
        ],
        notes: vec!["What it comes to.".into()],
        ..curves(vec![panel(vec![line(&[(0.0, 1.0), (60.0, 2.0)])]), panel(vec![])])
    });
    for word in [">ring<", ">polling<", ">latency (ms)<", ">time (s)<", ">partition<", ">kill<", "comes to."]
    {
        assert!(drawn.contains(word), "{word}");
    }
    assert_eq!(drawn.matches(">partition<").count(), 1, "over the first panel only");
    assert!(!drawn.contains("too late"));
}

#[test]
fn shades_that_do_not_fit_are_counted() {
    let shade = |_| Shade { from: 30.0, to: 31.0, label: "the very same moment for all".into() };
    let drawn = svg(&Curves { shades: (0..9).map(shade).collect(), ..curves(vec![panel(vec![])]) });
    assert_eq!(drawn.matches("the very same").count(), LABEL_LINES_MAX);
    assert!(drawn.contains("and 6 more"));
}

#[test]
fn whatever_comes_is_drawn() {
    let odd = [(f64::NAN, 1.0), (0.0, f64::INFINITY), (f64::INFINITY, 3.0), (1e300, 1e300), (-5.0, -1e300)];
    for scale in [CurveScale::FromZero, CurveScale::Logarithmic] {
        let panel = CurvePanel { scale, ..panel(vec![line(&odd), line(&[])]) };
        let along = [
            Along::Number { label: String::new(), to: 0.0 },
            Along::Number { label: String::new(), to: 1e9 },
            Along::Places { label: "x".repeat(1_000), names: vec![] },
            Along::Places { label: "x".into(), names: vec!["2".into(), "4".into()] },
        ];
        for along in along {
            let shades = vec![Shade { from: f64::NAN, to: 1.0, label: "never".into() }];
            let drawn = svg(&Curves { along, shades, columns: 0, ..curves(vec![panel.clone(); 3]) });
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
        }
    }
}
