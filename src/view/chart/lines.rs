//! From a panel's readings to the lines and marks that a picture of a given width can show.

use std::collections::BTreeMap;

use super::content::{Channel, Panel};
use super::palette::Look;
use crate::view::spacing::{gap_after, median_interval};
use crate::view::{Average, Averages, Columns, Downsampler, ErrAs, ErrMarks, Point, Round, Series};

/// Readings are marked one by one when each has so much room, in columns.
const MARKED_FROM_COLUMNS: usize = 7;

/// The lines of a panel share so many columns: hundreds of nodes are thinned more, so that a picture of them takes
/// no longer. Every line still has its extremes at their times.
const COLUMNS_SHARED: u32 = 32_768;
/// However many lines there are, each has so many columns.
const COLUMNS_LEAST: u32 = 32;

/// What a panel shows, down-sampled.
pub(super) struct PanelLines {
    /// A line for each channel.
    pub(super) channels: Vec<Line>,
    /// The ERRs that are drawn at zero, by node.
    pub(super) errs: BTreeMap<usize, (Look, ErrMarks)>,
    /// `avg` over all rounds, in pieces; empty when one channel is all there is.
    pub(super) avg: Vec<Vec<Point>>,
    /// `avg_ok` where it differs, in pieces.
    pub(super) avg_ok: Vec<Vec<Point>>,
    /// Over all rounds: how many readings and ERRs went into `avg`.
    pub(super) n: u64,
    /// And how many good readings into `avg_ok`.
    pub(super) n_ok: u64,
}

/// One channel's line, in pieces.
pub(super) struct Line {
    pub(super) look: Look,
    pub(super) pieces: Vec<Vec<Point>>,
    /// Whether each of its points is marked.
    pub(super) marked: bool,
}

impl PanelLines {
    /// Thins `panel` down to `columns`.
    pub(super) fn new(panel: &Panel<'_>, rounds: &[Round], columns: Columns, err: ErrAs) -> Self {
        let mut errs = BTreeMap::new();
        let lines = u32::try_from(panel.channels.len()).unwrap_or(u32::MAX).max(1);
        let thinned = columns.at_most((COLUMNS_SHARED / lines).max(COLUMNS_LEAST));
        let channels = panel.channels.iter().map(|c| line(c, (thinned, columns), err, &mut errs)).collect();
        add_node_down(panel, rounds, columns, err, &mut errs);
        let mut lines = Self { channels, errs, avg: Vec::new(), avg_ok: Vec::new(), n: 0, n_ok: 0 };
        if panel.channels.len() > 1 {
            let series: Vec<&Series> = panel.channels.iter().map(|c| c.series).collect();
            lines.add_averages(Averages::new(&series, rounds), columns, err);
        }
        lines
    }

    /// With `ErrAs::Gap` nothing counts as zero: `avg_ok` is then the only average.
    fn add_averages(&mut self, averages: Averages<'_>, columns: Columns, err: ErrAs) {
        let gap = gap_after(averages.usual_interval());
        let mut avg = Downsampler::new(columns, gap);
        let mut avg_ok = AvgOk { line: Downsampler::new(columns, gap), before: None, all: err == ErrAs::Gap };
        for average in averages {
            self.n += u64::from(average.n);
            self.n_ok += u64::from(average.n_ok);
            if err == ErrAs::Zero {
                avg.push(average.time, average.avg);
            }
            avg_ok.push(average);
        }
        self.avg = avg.finish();
        self.avg_ok = avg_ok.line.finish();
    }
}

/// The line of `avg_ok`: the rounds in which it differs, and one neighbour on each side, to join it to `avg`.
struct AvgOk {
    line: Downsampler,
    before: Option<Average>,
    all: bool,
}

impl AvgOk {
    fn push(&mut self, average: Average) {
        let differed = self.before.is_some_and(|before| before.differs());
        if average.differs() && !differed && !self.all {
            self.line.interrupt();
            if let Some(before) = self.before {
                self.point(before);
            }
        }
        if average.differs() || differed || self.all {
            self.point(average);
        }
        self.before = Some(average);
    }

    fn point(&mut self, average: Average) {
        match average.avg_ok {
            Some(value) => self.line.push(average.time, value),
            None => self.line.interrupt(),
        }
    }
}

fn line(
    channel: &Channel<'_>,
    (thinned, columns): (Columns, Columns),
    err: ErrAs,
    errs: &mut BTreeMap<usize, (Look, ErrMarks)>,
) -> Line {
    let points = channel.points;
    let median = median_interval(points.len(), |at| points.get(at).map(|(time, _)| *time));
    let mut line = Downsampler::new(thinned, gap_after(median));
    for (time, value) in points {
        match value {
            Ok(good) => line.push(*time, *good),
            Err(_) => {
                line.interrupt();
                if err.value(*value).is_some() {
                    marks_of(channel, columns, errs).add(*time);
                }
            }
        }
    }
    let marked = points.len().saturating_mul(MARKED_FROM_COLUMNS) <= columns.count() as usize;
    Line { look: channel.look, pieces: line.finish(), marked }
}

/// Rounds that a node missed are ERRs at the rounds' ends. They do not break its line: what it measured meanwhile
/// arrives later, at its own times.
fn add_node_down(
    panel: &Panel<'_>,
    rounds: &[Round],
    columns: Columns,
    err: ErrAs,
    errs: &mut BTreeMap<usize, (Look, ErrMarks)>,
) {
    let mut by_name: BTreeMap<_, Vec<&Channel<'_>>> = BTreeMap::new();
    for channel in &panel.channels {
        by_name.entry(&channel.series.channel.node).or_default().push(channel);
    }
    for (round, node) in rounds.iter().flat_map(|round| round.down.iter().map(move |node| (round, node))) {
        if err.value(Err(crate::model::ErrReason::NodeDown)).is_none() {
            return;
        }
        let mut seen = None;
        for channel in by_name.get(node).into_iter().flatten() {
            if seen.replace(channel.node) != Some(channel.node) {
                marks_of(channel, columns, errs).add(round.time);
            }
        }
    }
}

fn marks_of<'m>(
    channel: &Channel<'_>,
    columns: Columns,
    errs: &'m mut BTreeMap<usize, (Look, ErrMarks)>,
) -> &'m mut ErrMarks {
    &mut errs.entry(channel.node).or_insert_with(|| (channel.look, ErrMarks::new(columns))).1
}
