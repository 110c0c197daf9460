//! The view of one round: a panel for each quantity, a bar for each node's reading, and the averages.

use super::bars::{Bar, Height, draw_bars};
use super::content::{Content, Panel};
use super::figure::{Entry, Grid, Sample, left_out, panel_heading, surround};
use super::names::heading;
use super::sheet::{Anchor, Drawn, FAINT_INK, Frame, HEADING_PX, Sheet};
use super::{Chart, bars};
use crate::model::{Value, WallTime};
use crate::view::canvas::Canvas;
use crate::view::{Average, Averages, Doubts, ErrAs, PlotData, PlotOptions, Round, Series, Tally, ViewError};

/// A panel narrower or lower than this is not readable; in pixels at 100 dpi.
const PANEL_LEAST_PX: (f64, f64) = (300.0, 120.0);

/// The view, ready to be drawn.
pub(super) struct RoundChart<'a> {
    content: Content<'a>,
    panels: Vec<Vec<Bar>>,
    tally: Tally,
    title: String,
    err: ErrAs,
}

impl<'a> RoundChart<'a> {
    /// Of the round `number`; the last of that number where several sinks have one.
    pub(super) fn new(data: &'a PlotData, number: u64, options: &'a PlotOptions) -> Result<Self, ViewError> {
        let round = data.rounds.iter().rfind(|round| round.number == number);
        let round = round.ok_or_else(|| no_such_round(data, number))?;
        let content = Content::new(data, &PlotOptions { span: None, ..options.clone() });
        let mut shown = Shown { readings: Vec::new(), err: options.err };
        let panels = content.panels.iter().map(|panel| shown.bars(panel, data, round)).collect();
        let mut tally =
            Tally::of(shown.readings.iter().map(|(s, p)| (*s, p.as_slice())), std::slice::from_ref(round));
        // A round has no time axis: what is not known of times, the other picture says.
        tally.doubts = Doubts::default();
        let ended = bars::ended(round.time, &options.zone);
        let before = if options.title.is_empty() { String::new() } else { format!("{} · ", options.title) };
        let title = format!("{before}round {number} · {ended}");
        Ok(Self { content, panels, tally, title, err: options.err })
    }
}

fn no_such_round(data: &PlotData, asked: u64) -> ViewError {
    let numbers = || data.rounds.iter().map(|round| round.number);
    let have = match (numbers().min(), numbers().max()) {
        (Some(first), Some(last)) => format!("there are rounds {first} to {last}"),
        _ => "only a node that collects from others has rounds".into(),
    };
    ViewError::NoSuchRound { asked, have }
}

/// The readings that a picture of one round shows.
struct Shown<'a> {
    err: ErrAs,
    readings: Vec<(&'a Series, Vec<(WallTime, Value)>)>,
}

impl<'a> Shown<'a> {
    /// The bars of a panel: its channels, then the averages.
    fn bars(&mut self, panel: &Panel<'a>, data: &PlotData, round: &Round) -> Vec<Bar> {
        let series: Vec<&Series> = panel.channels.iter().map(|c| c.series).collect();
        let (contributions, average) = Averages::in_round(&series, &data.rounds, round);
        let mut bars = Vec::with_capacity(series.len() + 2);
        for (channel, value) in panel.channels.iter().zip(contributions) {
            // `node_down` belongs to the round, which the tally counts by itself.
            let counted = value.filter(|_| !round.down.contains(&channel.series.channel.node));
            self.readings
                .push((channel.series, counted.map(|value| (round.time, value)).into_iter().collect()));
            let chip = if panel.chips.is_empty() { "" } else { channel.series.channel.chip.as_str() };
            bars.push(Bar {
                label: channel.series.node_label(),
                detail: chip.to_string(),
                color: channel.look.pen.color,
                height: value.map_or(Height::None, |value| value.map_or_else(Height::Err, Height::Value)),
            });
        }
        bars.extend(average.map(|average| average_bars(average, self.err)).into_iter().flatten());
        bars
    }
}

/// `avg`, and `avg_ok` where it differs. With `ErrAs::Gap` nothing counts as zero: `avg_ok` is then the only average.
fn average_bars(average: Average, err: ErrAs) -> Vec<Bar> {
    let bar = |label: &str, detail: String, color, value: Option<f64>| Bar {
        label: label.into(),
        detail,
        color,
        height: value.map_or(Height::None, Height::Value),
    };
    let mut bars = Vec::new();
    if err == ErrAs::Zero {
        bars.push(bar("avg", String::new(), bars::AVG, Some(average.avg)));
    }
    if err == ErrAs::Gap || average.n_ok < average.n {
        let detail = format!("{} of {}", average.n_ok, average.n);
        bars.push(bar("avg_ok", detail, bars::AVG_OK, average.avg_ok));
    }
    bars
}

impl Chart for RoundChart<'_> {
    fn draw<C: Canvas>(&self, sheet: &Sheet<C>) -> Drawn<C> {
        let err = (!self.tally.errors.is_empty() && self.err == ErrAs::Zero)
            .then(|| Entry { sample: Sample::Err, label: "ERR, drawn at 0 (0 in avg)".into() });
        let room = surround(sheet, &self.title, (Vec::new(), err.into_iter().collect()), &self.tally)?;
        if self.panels.is_empty() {
            let middle = ((room.left + room.right) / 2, (room.top + room.bottom) / 2);
            return sheet.text("no readings in this round", middle, HEADING_PX, FAINT_INK, Anchor::MIDDLE);
        }
        let in_px = |length: i32| f64::from(length) / f64::from(sheet.px(1.0).max(1));
        let columns = if self.panels.len() > 1 { 2 } else { 1 };
        let grid = Grid::new(
            self.panels.len(),
            columns,
            (in_px(room.width()), in_px(room.height())),
            PANEL_LEAST_PX,
        );
        let shown = self.content.panels.iter().zip(&self.panels).take(grid.len());
        for (at, (panel, bars)) in shown.enumerate() {
            self.panel(sheet, cell(sheet, room, grid, at), panel, bars)?;
        }
        left_out(sheet, room, self.panels.len().saturating_sub(grid.len()))
    }
}

impl RoundChart<'_> {
    fn panel<C: Canvas>(&self, sheet: &Sheet<C>, cell: Frame, panel: &Panel<'_>, bars: &[Bar]) -> Drawn<C> {
        let axis = bars::axis(sheet, cell, bars);
        let gutter = bars::gutter(sheet, &axis);
        let cell = Frame { left: cell.left + gutter, ..cell };
        let plot = panel_heading(sheet, cell, &heading(panel.quantity, panel.unit, axis.factor()), &[])?;
        draw_bars(sheet, plot, &axis, bars, self.err)
    }
}

fn cell<C: Canvas>(sheet: &Sheet<C>, room: Frame, grid: Grid, at: usize) -> Frame {
    let count = |count: usize| i32::try_from(count).unwrap_or(1).max(1);
    let place = |at: usize| i32::try_from(at).unwrap_or(0);
    let between = sheet.px(22.0);
    let width = (room.width() + between) / count(grid.columns);
    let height = room.height() / count(grid.rows);
    let left = room.left + width * place(at % grid.columns);
    let top = room.top + height * place(at / grid.columns);
    Frame { left, top, right: left + width - between, bottom: top + height - sheet.px(6.0) }
}
