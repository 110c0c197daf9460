//! Draws the pictures that people will see, in both formats, into the target directory (`target/tmp/view/`), to be
//! opened and looked at; and holds what a program can hold of them: size, well-formedness, words, and that nothing
//! is drawn outside.

#![expect(clippy::unwrap_used, reason = "a test; the lint knows only functions that are marked as one")]

use std::time::Duration;

use fastrand::Rng;
use jiff::tz::TimeZone;
use pisink::model::{Channel, ErrReason, NodeName, Value, WallTime};
use pisink::view::{ErrAs, Format, PlotData, PlotOptions, Round, Series, round_chart, time_series};

/// 2026-03-20 11:00:00 UTC.
const START: WallTime = WallTime::from_unix_micros(1_774_004_400_000_000);

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn series(node: &str, chip: &str, quantity: &str, unit: &str, points: Vec<(WallTime, Value)>) -> Series {
    let channel =
        Channel { node: name(node), chip: chip.into(), quantity: quantity.into(), unit: unit.into() };
    Series { channel, suffix: String::new(), points, dates: pisink::view::Dates::default() }
}

fn at(seconds: f64) -> WallTime {
    START + Duration::from_secs_f64(seconds)
}

/// A reading every `step` seconds over `length`, `value(seconds, rng)`.
fn every(
    step: f64,
    length: f64,
    seed: u64,
    value: impl Fn(f64, &mut Rng) -> Value,
) -> Vec<(WallTime, Value)> {
    let mut rng = Rng::with_seed(seed);
    let seconds = (0..).map(|k: u32| f64::from(k) * step).take_while(|s| *s < length + step / 2.0);
    seconds.map(|s| (at(s), value(s, &mut rng))).collect()
}

fn rounds(step: f64, count: u32, down: impl Fn(u32) -> Vec<&'static str>) -> Vec<Round> {
    let round = |k| Round {
        number: u64::from(k),
        time: at(f64::from(k) * step),
        down: down(k).into_iter().map(name).collect(),
    };
    (1..=count).map(round).collect()
}

/// Central Europe by its rule, which needs no time zone database on the machine.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

fn options(title: &str) -> PlotOptions {
    PlotOptions { title: title.into(), zone: berlin(), ..PlotOptions::default() }
}

/// Writes a file into the directory for pictures.
fn keep(name: &str, bytes: &[u8]) {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("view");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(name), bytes).unwrap();
}

fn both(name: &str, draw: impl Fn(Format) -> Vec<u8>) -> String {
    let png = draw(Format::Png);
    keep(&format!("{name}.png"), &png);
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let svg = draw(Format::Svg);
    keep(&format!("{name}.svg"), &svg);
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
    svg
}

fn draw_series(name: &str, data: &PlotData, options: &PlotOptions) -> String {
    both(name, |format| time_series(data, options, format).unwrap())
}

/// Ten seconds of three nodes, polled 15 times: a chip is fried on the way, a node is killed and comes back.
fn demo() -> PlotData {
    let mut all = Vec::new();
    for (k, node) in ["barn", "field", "sink"].into_iter().enumerate() {
        let base = k as f64;
        let alive = move |s: f64| node != "field" || !(4.4..6.6).contains(&s);
        let slow = |s: f64, period: f64| (s / period * std::f64::consts::TAU).sin();
        let wave = move |level: f64, swing: f64, noise: f64, seed: u64| {
            let all = every(0.35, 10.0, seed + k as u64, |s, rng| {
                Ok(level + swing * slow(s + base, 14.0) + noise * (rng.f64() - 0.5))
            });
            all.into_iter()
                .filter(|(t, _)| alive(t.as_unix_seconds() - START.as_unix_seconds()))
                .collect::<Vec<_>>()
        };
        all.push(series(node, "sht3x-44", "temperature", "Cel", wave(21.0 + 1.6 * base, 0.8, 0.12, 1)));
        all.push(series(node, "sht3x-44", "humidity", "%RH", wave(55.0 - 4.0 * base, 2.0, 0.6, 2)));
        let mut soil = wave(640.0 - 80.0 * base, 9.0, 6.0, 3);
        if node == "barn" {
            for (time, value) in soil.iter_mut().filter(|(t, _)| *t > at(5.8)) {
                let _ = time;
                *value = Err(ErrReason::Nack);
            }
        }
        all.push(series(node, "seesaw-36", "soil_moisture", "", soil));
    }
    let down = |k: u32| if (7..=9).contains(&k) { vec!["field"] } else { vec![] };
    PlotData { series: all, rounds: rounds(0.66, 15, down) }
}

/// A day of five nodes, one reading in five seconds.
fn day() -> PlotData {
    let hours = 24.0;
    let mut all = Vec::new();
    for k in 0..5_u32 {
        let node = format!("pi-{}", k + 1);
        let base = f64::from(k);
        let curve = move |s: f64| (std::f64::consts::TAU * (s / 86_400.0 - 0.2)).sin();
        let bad = move |rng: &mut Rng| k == 1 && rng.f64() < 0.0008;
        all.push(series(
            &node,
            "sht3x-44",
            "temperature",
            "Cel",
            every(5.0, hours * 3600.0, 10 + u64::from(k), |s, rng| {
                if bad(rng) {
                    Err(ErrReason::Crc)
                } else {
                    Ok(17.0 + base * 1.3 + 5.0 * curve(s) + rng.f64() * 0.4)
                }
            }),
        ));
        all.push(series(
            &node,
            "sht3x-44",
            "humidity",
            "%RH",
            every(5.0, hours * 3600.0, 20 + u64::from(k), |s, rng| {
                Ok(58.0 - base * 3.0 - 12.0 * curve(s) + rng.f64() * 1.5)
            }),
        ));
        all.push(series(
            &node,
            "ads1115-48",
            "wind_speed",
            "m/s",
            every(5.0, hours * 3600.0, 30 + u64::from(k), |s, rng| {
                if k == 4 && (30_000.0..40_000.0).contains(&s) {
                    return Err(ErrReason::Range);
                }
                let gust = if rng.f64() < 0.01 { 7.0 * rng.f64() } else { 0.0 };
                Ok((2.4 + 1.5 * curve(s * 3.0) + rng.f64() * 1.2 - base * 0.2 + gust).max(0.0))
            }),
        ));
    }
    for s in all.iter_mut().filter(|s| s.channel.node.as_str() == "pi-3") {
        s.points.retain(|(t, _)| !(at(50_000.0)..at(57_000.0)).contains(t));
    }
    let down = |k: u32| if (834..=949).contains(&k) { vec!["pi-3"] } else { vec![] };
    PlotData { series: all, rounds: rounds(60.0, 1440, down) }
}

#[test]
fn the_demo() {
    let utc = PlotOptions { zone: TimeZone::UTC, ..options("pisink demo: three nodes on one machine") };
    let svg = draw_series("demo", &demo(), &utc);
    for word in [
        "Temperature (°C)",
        "Relative humidity (%RH)",
        "Soil moisture (raw)",
        "time (UTC) · 2026-03-20",
        ">barn<",
    ] {
        assert!(svg.contains(word), "{word}");
    }
    assert!(svg.contains("field node_down 3 rounds"));
    both("demo-round", |format| round_chart(&demo(), 12, &options("pisink demo"), format).unwrap());
    both("demo-round-down", |format| round_chart(&demo(), 8, &options(""), format).unwrap());
    let gap = PlotOptions { err: ErrAs::Gap, ..options("without ERRs") };
    draw_series("demo-gap", &demo(), &gap);
    both("demo-round-gap", |format| round_chart(&demo(), 12, &gap, format).unwrap());
}

#[test]
fn a_day() {
    draw_series("day", &day(), &options("Greenhouse, five nodes"));
    let small = PlotOptions { size_px: (500, 400), ..options("Small") };
    draw_series("day-small", &day(), &small);
    draw_series("day-dpi200", &day(), &PlotOptions { size_px: (2000, 1600), dpi: 200, ..options("Large") });
    both("day-round", |format| round_chart(&day(), 900, &options("Greenhouse"), format).unwrap());
}

#[test]
fn fifty_nodes() {
    let mut data = PlotData::default();
    for k in 0..50_u32 {
        let node = format!("node-{k:02}");
        let points = every(60.0, 7200.0, u64::from(k), |s, rng| {
            if k == 17 {
                Err(ErrReason::Nack)
            } else {
                Ok(10.0 + f64::from(k) * 0.3 + (s / 900.0).sin() + rng.f64())
            }
        });
        data.series.push(series(&node, "tmp102-48", "temperature", "Cel", points));
    }
    data.rounds = rounds(60.0, 120, |k| if k > 60 { vec!["node-03"] } else { vec![] });
    draw_series("fifty", &data, &options("Fifty nodes"));
    both("fifty-round", |format| round_chart(&data, 100, &options("Fifty nodes"), format).unwrap());
}

#[test]
fn a_million_points_with_spikes() {
    let mut points = every(0.1, 100_000.0, 1, |s, rng| Ok(20.0 + (s / 9000.0).sin() * 3.0 + rng.f64()));
    for (k, height) in [(123_456, 60.0), (500_000, -15.0), (777_777, 45.0)] {
        points[k].1 = Ok(height);
    }
    let data =
        PlotData { series: vec![series("solo", "sht3x-44", "temperature", "Cel", points)], rounds: vec![] };
    draw_series("spikes", &data, &options("A million readings, three spikes"));
}

#[test]
fn pressure_with_one_err_shows_zero_and_the_data() {
    let mut data = PlotData::default();
    for (k, node) in ["hill", "valley"].into_iter().enumerate() {
        let points = every(30.0, 7200.0, 5 + k as u64, |s, rng| {
            if k == 0 && (3000.0..3100.0).contains(&s) {
                return Err(ErrReason::Nack);
            }
            Ok(101_325.0 - 400.0 * k as f64 + 60.0 * (s / 2000.0).sin() + 20.0 * rng.f64())
        });
        data.series.push(series(node, "bme280-76", "pressure", "Pa", points));
        let points = every(30.0, 7200.0, 5 + k as u64, |s, rng| {
            if k == 0 && (3000.0..3100.0).contains(&s) {
                return Err(ErrReason::Nack);
            }
            Ok(-18.0 - k as f64 + 0.6 * (s / 2000.0).sin() + 0.2 * rng.f64())
        });
        data.series.push(series(node, "bme280-76", "temperature", "Cel", points.clone()));
        data.series.push(series(
            node,
            "tmp102-48",
            "temperature",
            "Cel",
            points.into_iter().map(|(t, v)| (t, v.map(|v| v + 0.5))).collect(),
        ));
    }
    data.rounds = rounds(60.0, 120, |_| vec![]);
    draw_series("pressure", &data, &options("Pressure and a freezer"));
    both("pressure-round", |format| round_chart(&data, 51, &options(""), format).unwrap());
}

#[test]
fn odd_data() {
    let one = |points| PlotData {
        series: vec![series("solo", "chip", "temperature", "Cel", points)],
        rounds: vec![],
    };
    let svg = draw_series("empty", &PlotData::default(), &options("Nothing"));
    assert!(svg.contains("no readings in this time span"));
    draw_series("single", &one(vec![(at(0.0), Ok(21.5))]), &options("One reading"));
    draw_series("all-err", &one(every(1.0, 60.0, 1, |_, _| Err(ErrReason::Timeout))), &options("Only ERR"));
    draw_series("constant", &one(every(1.0, 60.0, 1, |_, _| Ok(21.5))), &options("Constant"));
    draw_series("zero", &one(every(1.0, 60.0, 1, |_, _| Ok(0.0))), &options("Zero"));
    let ends = |s: f64, _: &mut Rng| Ok(if s % 2.0 == 0.0 { 1e308 } else { -1e308 });
    draw_series("endless", &one(every(1.0, 60.0, 1, ends)), &options("±1e308"));
    draw_series("tiny", &one(every(1.0, 60.0, 1, |s, _| Ok(s * 5e-324))), &options("Denormal"));
    draw_series("small", &one(every(1.0, 60.0, 1, |s, _| Ok(s * 3e-9))), &options("Nano"));
    draw_series("large", &one(every(1.0, 60.0, 1, |s, _| Ok(4e9 + s * 1e6))), &options("Giga"));
    let times = [i64::MIN, -1, 0, 1, i64::MAX].map(|t| (WallTime::from_unix_micros(t), Ok(1.0)));
    draw_series("all-time", &one(times.to_vec()), &options("Every clock was wrong"));
}

#[test]
fn many_quantities_and_hostile_names() {
    let mut data = PlotData::default();
    for k in 0..9 {
        let quantity = [
            "temperature",
            "humidity",
            "pressure",
            "soc_temperature",
            "load",
            "free_memory",
            "free_disk",
            "ain0",
            "wind_speed",
        ][k];
        for node in ["a", "b"] {
            let points =
                every(10.0, 600.0, k as u64, |s, rng| Ok(k as f64 * 1e3 + (s / 60.0).sin() + rng.f64()));
            data.series.push(series(node, "chip", quantity, "V", points));
        }
    }
    draw_series("nine", &data, &options("Nine quantities"));
    draw_series("nine-tiny", &data, &PlotOptions { size_px: (200, 200), ..options("Nine quantities") });
    for k in 0..40 {
        let points = every(10.0, 600.0, k, |_, rng| Ok(rng.f64()));
        data.series.push(series(
            "c",
            &"<&\u{0}>".repeat(400),
            &format!("q{k}{}", "é\u{202e}".repeat(300)),
            "\"'",
            points,
        ));
    }
    draw_series("hostile", &data, &options(&"long title ".repeat(40)));
}
