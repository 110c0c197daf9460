//! Draws from the store into files: once for the command line, again and again for a running sink, on a thread of its
//! own. A picture is written aside and renamed, so that nobody ever sees half of one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use jiff::tz::TimeZone;

use super::clock;
use super::settings::PlotSettings;
use crate::store::{self, ChannelSeries, Filter, Reader};
use crate::view::{Dates, Format, PlotData, PlotOptions, Round, Series, round_chart, time_series};

/// Digits of a journal's id that tell two nodes of one name apart on a plot.
const SUFFIX_DIGITS: usize = 4;

/// Draws the wanted readings of the store in `data`: `time-series` over time, and `round` for the last round (or the
/// one that is asked for) where the node has rounds. Gives the files' paths.
///
/// # Errors
/// The store cannot be read, there is no such round, or a file cannot be written.
pub fn draw(
    data: &Path,
    out: &Path,
    filter: &Filter,
    round: Option<u64>,
    options: &PlotOptions,
    format: Format,
) -> Result<Vec<PathBuf>> {
    let reader = Reader::open(data)?;
    let plot_data = read(&reader, filter)?;
    let options = &PlotOptions { known_nodes: reader.nodes()?, ..options.clone() };
    std::fs::create_dir_all(out).with_context(|| format!("making the folder {}", out.display()))?;
    let path = |name: &str| out.join(name).with_extension(format.extension());
    let mut files = vec![path("time-series")];
    write_aside(&path("time-series"), &time_series(&plot_data, options, format)?)?;
    let last = plot_data.rounds.last().map(|round| round.number);
    if let Some(number) = round.or(last) {
        write_aside(&path("round"), &round_chart(&plot_data, number, options, format)?)?;
        files.push(path("round"));
    }
    Ok(files)
}

/// Writes `bytes` beside `path` and renames: whoever looks sees the old file or the new one.
///
/// # Errors
/// The folder cannot be written.
pub fn write_aside(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".part");
    let aside = PathBuf::from(aside);
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(bytes)?;
        drop(file);
        std::fs::rename(&aside, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

fn read(reader: &Reader, filter: &Filter) -> Result<PlotData> {
    let rounds = reader.rounds(filter)?;
    let rounds = rounds.into_iter().map(|r| Round { number: r.number, time: r.time, down: r.down }).collect();
    Ok(PlotData { series: merge(reader.series(filter)?), rounds })
}

/// One series a channel: the journals of a node that was re-flashed follow each other and go on as one line; those of
/// two nodes of one name overlap in time and are told apart.
fn merge(parts: Vec<ChannelSeries>) -> Vec<Series> {
    let mut merged: Vec<Series> = Vec::new();
    let mut rest = parts.into_iter().peekable();
    while let Some(first) = rest.next() {
        let mut group = vec![first];
        while let Some(next) = rest.next_if(|next| group.first().is_some_and(|g| g.channel == next.channel)) {
            group.push(next);
        }
        group.sort_by_key(|part| part.points.first().map(|(time, _)| *time));
        let overlap = group.windows(2).any(|pair| match pair {
            [a, b] => a.points.last().map(|p| p.0) > b.points.first().map(|p| p.0),
            _ => false,
        });
        if overlap {
            merged.extend(group.into_iter().map(|part| Series {
                suffix: part.journal.to_string().chars().take(SUFFIX_DIGITS).collect(),
                channel: part.channel,
                points: part.points,
                dates: dates(&[part.dates]),
            }));
        } else if let Some(channel) = group.first().map(|part| part.channel.clone()) {
            let of_parts: Vec<store::Dates> = group.iter().map(|part| part.dates).collect();
            let points = group.into_iter().flat_map(|part| part.points).collect();
            merged.push(Series { channel, suffix: String::new(), points, dates: dates(&of_parts) });
        }
    }
    merged
}

/// How well the times of a series of several parts are known.
fn dates(parts: &[store::Dates]) -> Dates {
    let sum = |count: fn(&store::Dates) -> u64| parts.iter().map(count).sum();
    Dates {
        sink: sum(|part| part.sink),
        node: sum(|part| part.node),
        unknown: sum(|part| part.unknown.saturating_sub(part.left_out)),
        never_set: sum(|part| part.never_set.saturating_sub(part.left_out)),
        left_out: sum(|part| part.left_out),
        error_max: parts.iter().filter_map(|part| part.error_max).max(),
    }
}

/// What is drawn while a node runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drawing {
    /// Where and when.
    pub(crate) plots: PlotSettings,
    /// Nothing is drawn before the node has collected.
    pub(crate) waits: bool,
}

/// A running sink's pictures.
pub(crate) struct Plotter {
    /// What is to be drawn at present.
    drawing: Arc<Mutex<Option<Drawing>>>,
    now: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Plotter {
    /// Starts the thread that draws the store in `data`.
    pub(crate) fn start(data: &Path, drawing: Drawing) -> Result<Self> {
        let (now, wish) = sync_channel(1);
        let drawing = Arc::new(Mutex::new(Some(drawing)));
        let (data, planned) = (data.to_owned(), Arc::clone(&drawing));
        let builder = std::thread::Builder::new().name("plotter".to_owned());
        let thread = builder.spawn(move || run(&data, &planned, &wish)).context("starting the plotter")?;
        Ok(Self { drawing, now, thread })
    }

    /// Draws this from now on, or nothing; at once where it is something else than before.
    pub(crate) fn draw(&self, wanted: Option<Drawing>) {
        let Ok(mut drawing) = self.drawing.lock() else { return };
        if *drawing != wanted {
            *drawing = wanted;
            self.draw_now();
        }
    }

    /// Draws now; a wish that waits already is enough.
    pub(crate) fn draw_now(&self) {
        let _ = self.now.try_send(());
    }

    /// Ends the thread; [`draw_last`] draws the end of the story when the store is closed.
    pub(crate) fn stop(self) {
        drop(self.now);
        if self.thread.join().is_err() {
            log::error!("the plotter ended in a panic");
        }
    }
}

fn run(data: &Path, drawing: &Mutex<Option<Drawing>>, wish: &Receiver<()>) {
    let planned = || drawing.lock().ok().and_then(|drawing| drawing.clone());
    loop {
        let woken = match planned() {
            Some(drawing) => wish.recv_timeout(drawing.plots.interval),
            None => wish.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if woken == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        // It may be another plan by now.
        if let Some(drawing) = planned() {
            draw_last(data, &drawing);
        }
    }
}

/// Draws the last stretch of the store in `data`, as long as the settings say. A failure is told, and no more: the
/// next drawing may succeed.
pub(crate) fn draw_last(data: &Path, drawing: &Drawing) {
    let Drawing { plots: settings, waits } = drawing;
    // What cannot be read is told by the drawing.
    let has_collected = || Reader::open(data).and_then(|reader| reader.has_rounds()).unwrap_or(true);
    if *waits && !has_collected() {
        return;
    }
    let now = clock::now();
    let filter = Filter { since: Some(now.wall - settings.last), ..Filter::default() };
    let options = PlotOptions { zone: TimeZone::system(), ..PlotOptions::default() };
    match draw(data, &settings.dir, &filter, None, &options, Format::Png) {
        Ok(files) => {
            let took = clock::now().mono.saturating_since(now.mono);
            log::debug!("{} plots drawn in {:.0} ms", files.len(), took.as_secs_f64() * 1e3);
        }
        Err(error) => log::error!("plots: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, JournalId, NodeName, WallTime};

    fn part(journal: u64, times: std::ops::Range<i64>) -> ChannelSeries {
        let channel = Channel {
            node: NodeName::new("pi").unwrap(),
            chip: "c".into(),
            quantity: "q".into(),
            unit: String::new(),
        };
        let points = times.map(|t| (WallTime::from_unix_micros(t), Ok(1.0))).collect();
        ChannelSeries { channel, journal: JournalId(journal), points, dates: store::Dates::default() }
    }

    #[test]
    fn journals_one_after_the_other_are_one_line() {
        let merged = merge(vec![part(1, 10..20), part(2, 0..5)]);
        assert_eq!((merged.len(), merged[0].points.len(), merged[0].suffix.as_str()), (1, 15, ""));
        assert!(merged[0].points.is_sorted_by_key(|p| p.0));
    }

    #[test]
    fn journals_at_one_time_are_two_lines() {
        let merged = merge(vec![part(0xab << 56, 0..20), part(2, 10..30)]);
        let suffixes: Vec<&str> = merged.iter().map(|series| series.suffix.as_str()).collect();
        assert_eq!(suffixes, ["ab00", "0000"]);
    }

    #[test]
    fn a_picture_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        write_aside(&path, b"one").unwrap();
        write_aside(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(
            write_aside(Path::new("/nowhere/a.png"), b"x")
                .unwrap_err()
                .to_string()
                .contains("/nowhere/a.png")
        );
    }
}
