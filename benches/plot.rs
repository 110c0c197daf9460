//! How long a plot takes and how much memory: readings in memory to the bytes of a picture, 1000 x 800 pixels.
//!
//! `cargo bench --bench plot` measures each size in a process of its own, since the peak memory is a process's.
//! `plot_matplotlib.py` beside this file does the same with matplotlib, on the same curves.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use pisink::model::{Channel, ErrReason, NodeName, Value, WallTime};
use pisink::view::{Format, PlotData, PlotOptions, Round, Series, time_series};

/// Readings in all, and nodes: a node has temperature and humidity.
const CASES: [(usize, usize); 5] =
    [(9_000, 3), (90_000, 3), (1_000_000, 5), (1_000_000, 1), (1_000_000, 500)];
/// The time of the best of so many runs counts.
const RUNS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    if let [points, nodes] = arguments[..] {
        return measure(points, nodes);
    }
    println!(
        "{:>9} {:>6} {:>8} {:>9} {:>9} {:>10}",
        "readings", "nodes", "first ms", "best ms", "PNG KiB", "peak MiB"
    );
    let program = std::env::current_exe()?;
    for (points, nodes) in CASES {
        let arguments = [points.to_string(), nodes.to_string()];
        let status = Command::new(&program).args(arguments).status()?;
        assert!(status.success());
    }
    Ok(())
}

fn measure(points: usize, nodes: usize) -> Result<(), Box<dyn Error>> {
    let data = synthetic(points, nodes)?;
    let options =
        PlotOptions { title: format!("{points} readings of {nodes} nodes"), ..PlotOptions::default() };
    let mut times_ms = Vec::new();
    let mut size_bytes = 0;
    for _ in 0..RUNS {
        let start = Instant::now();
        let png = time_series(&data, &options, Format::Png)?;
        times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        size_bytes = png.len();
        if let Some(path) = std::env::var_os("PLOT_OUT") {
            std::fs::write(path, &png)?;
        }
    }
    let best_ms = times_ms.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "{points:>9} {nodes:>6} {:>8.1} {best_ms:>9.1} {:>9} {:>10.1}",
        times_ms[0],
        size_bytes / 1024,
        peak_mib()
    );
    Ok(())
}

/// Two quantities of each node, one reading a second, noise, a spike and an ERR now and then; a round every 10 s.
fn synthetic(points: usize, nodes: usize) -> Result<PlotData, Box<dyn Error>> {
    let start = WallTime::from_unix_micros(1_774_004_400_000_000);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut data = PlotData::default();
    let each = points / (nodes * 2);
    for node in 0..nodes {
        for (quantity, unit, level) in [("humidity", "%RH", 55.0), ("temperature", "Cel", 21.0)] {
            let mut series = Vec::with_capacity(each);
            for second in 0..each {
                let wave = (second as f64 / each as f64 * 12.0 + node as f64).sin() * 3.0;
                let spike = if rng.u32(0..5_000) == 0 { 10.0 } else { 0.0 };
                let value: Value = match rng.u32(0..20_000) {
                    0 => Err(ErrReason::Crc),
                    _ => Ok(level + 2.0 * node as f64 + wave + rng.f64() + spike),
                };
                series.push((start + Duration::from_secs(second as u64), value));
            }
            let channel = Channel {
                node: NodeName::new(&format!("pi-{}", node + 1))?,
                chip: "sht3x-44".into(),
                quantity: quantity.into(),
                unit: unit.into(),
            };
            data.series.push(Series {
                channel,
                suffix: String::new(),
                points: series,
                dates: pisink::view::Dates::default(),
            });
        }
    }
    let round = |number: u64| Round { number, time: start + Duration::from_secs(number * 10), down: vec![] };
    data.rounds = (1..=each as u64 / 10).map(round).collect();
    Ok(data)
}

/// The most memory that the process has held so far.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
