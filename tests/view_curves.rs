//! Draws the pictures of curves, in both formats, into the target directory (`target/tmp/view/`), to be opened and
//! looked at; and holds what a program can hold of them.

use fastrand::Rng;
use pisink::view::{
    Along, Curve, CurveName, CurvePanel, CurveScale, CurveStyle, Curves, Format, PlotOptions, Shade,
    curve_chart,
};

fn named(label: &str, is_dashed: bool) -> CurveName {
    CurveName { label: label.into(), is_dashed }
}

/// A run of an hour: thirty nodes in a ring; one is killed, the network is cut in two, the sink dies for good.
fn ring_run() -> Curves {
    let mut rng = Rng::with_seed(3);
    let latency = |k: u32| f64::from(k) * 6.0 / 60.0;
    let median = (0..600).map(|k| (latency(k), 40.0 + 20.0 * rng.f64())).collect();
    let worst = (0..600).map(|k| (latency(k), 90.0 * (1.0 + rng.f64().powi(8) * 30.0))).collect();
    let line = |name, style, points| Curve { name, style, points };
    let living = vec![(0.0, 30.0), (12.0, 29.0), (15.0, 30.0), (45.0, 29.0), (60.0, 29.0)];
    let ring = vec![
        (0.0, 0.0),
        (0.03, 30.0),
        (12.02, 29.0),
        (15.05, 30.0),
        (20.0, 30.0),
        (20.03, 18.0),
        (30.0, 18.0),
        (30.2, 30.0),
        (45.02, 29.0),
        (60.0, 29.0),
    ];
    let panel = |heading: &str, scale, curves| CurvePanel { heading: heading.into(), scale, curves };
    let shade = |from, to, label: &str| Shade { from, to, label: label.into() };
    Curves {
        names: vec![
            named("nodes that live", false),
            named("the largest ring", true),
            named("median", false),
            named("longest", false),
        ],
        along: Along::Number { label: "time since the start (min)".into(), to: 60.0 },
        panels: vec![
            panel(
                "Nodes",
                CurveScale::FromZero,
                vec![line(0, CurveStyle::Stairs, living), line(1, CurveStyle::Stairs, ring)],
            ),
            panel(
                "Time until the average is known (ms)",
                CurveScale::Logarithmic,
                vec![line(2, CurveStyle::Line, median), line(3, CurveStyle::Line, worst)],
            ),
        ],
        columns: 1,
        shades: vec![
            shade(12.0, 15.0, "kill 3"),
            shade(20.0, 30.0, "partition"),
            shade(45.0, 45.0, "kill sink"),
        ],
        notes: vec![
            "108,000 readings taken, none lost; the average is known after 52 ms (median), 1.2 s at most."
                .into(),
        ],
    }
}

/// Three ways over numbers of nodes.
fn three_ways() -> Curves {
    let curve = |name, values: [f64; 5]| Curve {
        name,
        style: CurveStyle::Marked,
        points: (0..5).map(f64::from).zip(values).collect(),
    };
    let panel = |heading: &str, scale, values: [[f64; 5]; 3]| CurvePanel {
        heading: heading.into(),
        scale,
        curves: values.into_iter().enumerate().map(|(name, values)| curve(name, values)).collect(),
    };
    Curves {
        names: vec![
            named("polling, all at once", false),
            named("polling, one after the other", true),
            named("ring", false),
        ],
        along: Along::Places {
            label: "nodes".into(),
            names: ["2", "4", "8", "16", "32"].map(String::from).to_vec(),
        },
        panels: vec![
            panel(
                "Average known after (ms)",
                CurveScale::Logarithmic,
                [[5.0, 6.0, 6.5, 7.0, 8.5], [5.0, 9.0, 18.0, 34.0, 70.0], [30.0, 42.0, 61.0, 80.0, 130.0]],
            ),
            panel(
                "Messages for a reading",
                CurveScale::FromZero,
                [[1.0, 1.5, 1.8, 1.9, 1.9], [1.0, 1.5, 1.8, 1.9, 1.9], [5.0, 4.8, 4.7, 4.6, 4.6]],
            ),
            panel(
                "One dead node: longest wait (ms)",
                CurveScale::Logarithmic,
                [
                    [9.0, 9.0, 10.0, 12.0, 15.0],
                    [250.0, 150.0, 90.0, 60.0, 80.0],
                    [940.0, 950.0, 980.0, 1_000.0, 1_100.0],
                ],
            ),
        ],
        columns: 3,
        shades: vec![],
        notes: vec![
            "With 16 nodes polling at once knows the average after 7 ms, the ring after 80 ms.".into(),
        ],
    }
}

#[test]
fn curves() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("view");
    std::fs::create_dir_all(&directory).unwrap();
    let draw = |name: &str, curves: &Curves, size_px| {
        let options =
            PlotOptions { size_px, title: "Thirty nodes in a ring".into(), ..PlotOptions::default() };
        let drawn = |format: Format| {
            let bytes = curve_chart(curves, &options, format).unwrap();
            std::fs::write(directory.join(name).with_extension(format.extension()), &bytes).unwrap();
            bytes
        };
        assert!(drawn(Format::Png).starts_with(b"\x89PNG\r\n\x1a\n"));
        let svg = String::from_utf8(drawn(Format::Svg)).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
        svg
    };
    let svg = draw("curves-run", &ring_run(), (1000, 640));
    for word in [">partition<", ">kill sink<", ">the largest ring<", "none lost"] {
        assert!(svg.contains(word), "{word}");
    }
    draw("curves-run-small", &ring_run(), (420, 300));
    let svg = draw("curves-ways", &three_ways(), (1200, 420));
    for word in [">Messages for a reading<", ">32<", ">polling, all at once<", "With 16 nodes"] {
        assert!(svg.contains(word), "{word}");
    }
}
