//! The time-series view: panels one under the other over one time axis.

use std::time::Duration;

use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::DrawingArea;

use super::Chart;
use super::content::{Content, Node, Panel};
use super::figure::{Entry, Grid, Sample, left_out, panel_heading, surround};
use super::lines::PanelLines;
use super::marks;
use super::names::heading;
use super::palette::{AVG, AVG_OK, Look, chip_dash, look};
use super::sheet::{Anchor, Drawn, FAINT_INK, Frame, GRID, HEADING_PX, Pen, SHADE, SMALL_PX, Sheet};
use super::time_axis::TimeAxis;
use super::value_axis::ValueAxis;
use crate::view::canvas::{Canvas, SUBPIXELS};
use crate::view::spacing::since;
use crate::view::tally::grouped;
use crate::view::{Columns, ErrAs, PlotData, PlotOptions, Point, Tally};

/// A panel narrower or lower than this is not readable; in pixels at 100 dpi.
const PANEL_LEAST_PX: (f64, f64) = (330.0, 95.0);
/// So many panels stand in one column; more are laid out in two.
const ONE_COLUMN_MAX: usize = 4;
/// Room under the lowest panels for ticks and the axis's name.
const TIME_AXIS_PX: f64 = 34.0;
/// Room that a tick with its label needs.
const TIME_TICK_PX: f64 = 92.0;
/// Room that a tick needs on an upright axis.
const VALUE_TICK_PX: f64 = 36.0;
/// Free time at both ends of the axis, as a part of the span: one in so many.
const TIME_MARGIN: u32 = 60;
/// Free time around a single moment.
const MOMENT: Duration = Duration::from_secs(1);
/// Of ×s that would cover each other, those are left out that are nearer to the last one than this.
const ERR_APART_PX: f64 = 6.0;

type Plane<C> = DrawingArea<C, Cartesian2d<TimeAxis, ValueAxis>>;

/// The view, ready to be drawn.
pub(super) struct TimeSeries<'a> {
    content: Content<'a>,
    tally: Tally,
    options: &'a PlotOptions,
}

impl<'a> TimeSeries<'a> {
    /// Of all that `data` has within the options' span.
    pub(super) fn new(data: &'a PlotData, options: &'a PlotOptions) -> Self {
        let content = Content::new(data, options);
        let tally = content.tally();
        Self { content, tally, options }
    }

    fn legend(&self) -> (Vec<Entry>, Vec<Entry>) {
        let node =
            |node: &Node| Entry { sample: Sample::Node(look(node.place, 0)), label: node.label.clone() };
        let nodes = self.content.nodes.iter().map(node).collect();
        let zero = self.options.err == ErrAs::Zero;
        let mut others = Vec::new();
        if self.content.panels.iter().any(|panel| panel.channels.len() > 1) {
            let any_err = !self.tally.errors.is_empty();
            if zero {
                let label = if any_err { "avg (ERR as 0)" } else { "avg" };
                others.push(Entry { sample: Sample::Line(AVG), label: label.into() });
            }
            if any_err || !zero {
                let label = if zero { "avg_ok (good only), where it differs" } else { "avg_ok (good only)" };
                others.push(Entry { sample: Sample::Line(AVG_OK), label: label.into() });
            }
        }
        if zero && !self.tally.errors.is_empty() {
            others.push(Entry { sample: Sample::Err, label: "ERR, drawn at 0".into() });
        }
        (nodes, others)
    }
}

impl Chart for TimeSeries<'_> {
    fn draw<C: Canvas>(&self, sheet: &Sheet<C>) -> Drawn<C> {
        let room = surround(sheet, &self.options.title, self.legend(), &self.tally)?;
        let Some((start, end)) = self.content.span.filter(|_| self.tally.readings > 0) else {
            let middle = ((room.left + room.right) / 2, (room.top + room.bottom) / 2);
            return sheet.text(
                "no readings in this time span",
                middle,
                HEADING_PX,
                FAINT_INK,
                Anchor::MIDDLE,
            );
        };
        let margin = match self.options.span {
            _ if start == end => MOMENT,
            Some(_) => Duration::ZERO,
            None => since(start, end) / TIME_MARGIN,
        };
        let layout = Layout::new(sheet, room, &self.content, self.options.err);
        let ticks = usize::try_from(layout.plot_width / sheet.px(TIME_TICK_PX)).unwrap_or(2);
        let time_axis = TimeAxis::new(start - margin, end + margin, ticks, &self.options.zone);
        for (at, (panel, axis)) in self.content.panels.iter().zip(&layout.axes).enumerate() {
            let lowest = at + layout.grid.columns >= layout.axes.len();
            self.panel(sheet, layout.cell(at), panel, (&time_axis, axis), lowest)?;
        }
        left_out(sheet, room, self.content.panels.len() - layout.axes.len())
    }
}

impl TimeSeries<'_> {
    fn panel<C: Canvas>(
        &self,
        sheet: &Sheet<C>,
        cell: Frame,
        panel: &Panel<'_>,
        (time_axis, value_axis): (&TimeAxis, &ValueAxis),
        lowest: bool,
    ) -> Drawn<C> {
        let width_px = u32::try_from(cell.width() / SUBPIXELS).unwrap_or(1);
        let columns = Columns::new(time_axis.start(), time_axis.end(), width_px);
        let lines = PanelLines::new(panel, self.content.rounds, columns, self.options.err);
        let heading = heading(panel.quantity, panel.unit, value_axis.factor());
        let plot = panel_heading(sheet, cell, &heading, &keys(panel, &lines, value_axis))?;
        let plane = sheet.with_coordinates(Cartesian2d::<TimeAxis, ValueAxis>::new(
            time_axis.clone(),
            value_axis.clone(),
            (plot.left..plot.right, plot.bottom..plot.top),
        ));
        draw_axes(sheet, &plane, plot, (time_axis, value_axis), lowest)?;
        draw_lines(sheet, &plane, &lines)?;
        draw_errs(sheet, &plane, &lines)
    }
}

/// What stands at the right of a panel's heading: its chips, where they have to be told apart, and notes.
fn keys(panel: &Panel<'_>, lines: &PanelLines, axis: &ValueAxis) -> Vec<(Option<Pen>, String)> {
    let chip = |(at, chip): (usize, &&str)| {
        (Some(Pen { color: FAINT_INK, width_px: 1.4, dash_px: chip_dash(at) }), chip.to_string())
    };
    let mut keys: Vec<_> = panel.chips.iter().enumerate().map(chip).collect();
    if lines.n_ok < lines.n {
        keys.push((None, format!("avg_ok: {} of {} good", grouped(lines.n_ok), grouped(lines.n))));
    }
    if axis.squeezed().is_some() {
        keys.push((None, "shaded: axis squeezed to 0".into()));
    }
    keys
}

/// Where the panels lie.
struct Layout {
    grid: Grid,
    room: Frame,
    row_height: i32,
    gutter: i32,
    plot_width: i32,
    /// From one column to the next.
    pitch: i32,
    bottom_margin: i32,
    axes: Vec<ValueAxis>,
}

impl Layout {
    fn new<C: Canvas>(sheet: &Sheet<C>, room: Frame, content: &Content<'_>, err: ErrAs) -> Self {
        let in_px = |length: i32| f64::from(length) / f64::from(sheet.px(1.0).max(1));
        let height = room.height() - sheet.px(TIME_AXIS_PX);
        let columns = if content.panels.len() > ONE_COLUMN_MAX { 2 } else { 1 };
        let size = (in_px(room.width()), in_px(height));
        let grid = Grid::new(content.panels.len(), columns, size, PANEL_LEAST_PX);
        let row_height = height / i32::try_from(grid.rows).unwrap_or(1).max(1);
        let ticks = usize::try_from((row_height - sheet.px(30.0)) / sheet.px(VALUE_TICK_PX)).unwrap_or(2);
        let axis = |panel: &Panel<'_>| {
            let with_zero = err == ErrAs::Zero && panel.has_err(content.rounds);
            ValueAxis::new(panel.extent(), with_zero, ticks)
        };
        let axes: Vec<ValueAxis> = content.panels.iter().take(grid.len()).map(axis).collect();
        let labels = axes.iter().flat_map(ValueAxis::ticks);
        let widest = labels.map(|(_, label)| sheet.scale().text_width(label, SMALL_PX)).max();
        let gutter = widest.unwrap_or(0) + sheet.px(9.0);
        let between = sheet.px(18.0);
        let columns = i32::try_from(grid.columns).unwrap_or(1).max(1);
        let pitch = (room.width() + between) / columns;
        let plot_width = (pitch - between - gutter).max(sheet.px(20.0));
        Self { grid, room, row_height, gutter, plot_width, pitch, bottom_margin: sheet.px(8.0), axes }
    }

    /// The room of a panel's heading and plot, without the labels of its axes.
    fn cell(&self, at: usize) -> Frame {
        let (row, column) = (at / self.grid.columns, at % self.grid.columns);
        let times = |count: usize, length: i32| i32::try_from(count).unwrap_or(0) * length;
        let left = self.room.left + times(column, self.pitch) + self.gutter;
        let top = self.room.top + times(row, self.row_height);
        let bottom = top + self.row_height - self.bottom_margin;
        Frame { left, top, right: left + self.plot_width, bottom }
    }
}

fn draw_axes<C: Canvas>(
    sheet: &Sheet<C>,
    plane: &Plane<C>,
    plot: Frame,
    (time_axis, value_axis): (&TimeAxis, &ValueAxis),
    lowest: bool,
) -> Drawn<C> {
    let (grid, spine) = (Pen::solid(GRID, 0.8), Pen::solid(FAINT_INK, 0.8));
    draw_squeezed(sheet, plot, value_axis)?;
    let tick = sheet.px(3.5);
    for (value, label) in value_axis.ticks() {
        let y = plane.map_coordinate(&(time_axis.start(), *value)).1;
        sheet.rule((plot.left, y), (plot.right, y), grid)?;
        sheet.rule((plot.left - tick, y), (plot.left, y), spine)?;
        sheet.text(label, (plot.left - sheet.px(6.0), y), SMALL_PX, FAINT_INK, Anchor::RIGHT)?;
    }
    for (time, label) in time_axis.ticks() {
        let x = plane.map_coordinate(&(*time, 0.0)).0;
        sheet.rule((x, plot.top), (x, plot.bottom), grid)?;
        sheet.rule((x, plot.bottom), (x, plot.bottom + tick), spine)?;
        if lowest {
            let half = sheet.scale().text_width(label, SMALL_PX) / 2;
            let edge = sheet.frame().right - sheet.px(4.0) - half;
            let at = (x.min(edge), plot.bottom + sheet.px(7.0));
            sheet.text(label, at, SMALL_PX, FAINT_INK, Anchor::TOP)?;
        }
    }
    if lowest {
        let at = ((plot.left + plot.right) / 2, plot.bottom + sheet.px(24.0));
        sheet.text(time_axis.label(), at, SMALL_PX, FAINT_INK, Anchor::TOP)?;
    }
    sheet.rule((plot.left, plot.top), (plot.left, plot.bottom), spine)?;
    sheet.rule((plot.left, plot.bottom), (plot.right, plot.bottom), spine)?;
    draw_break(sheet, plot, value_axis)
}

/// The ground under the squeezed piece of an axis.
fn draw_squeezed<C: Canvas>(sheet: &Sheet<C>, plot: Frame, axis: &ValueAxis) -> Drawn<C> {
    let Some(squeezed) = axis.squeezed() else { return Ok(()) };
    let (top, bottom) = (height_at(plot, squeezed.end), height_at(plot, squeezed.start));
    sheet.block(Frame { top, bottom, ..plot }, SHADE)
}

/// The two strokes across the axis where its measure changes.
fn draw_break<C: Canvas>(sheet: &Sheet<C>, plot: Frame, axis: &ValueAxis) -> Drawn<C> {
    let Some(squeezed) = axis.squeezed() else { return Ok(()) };
    let inner = if squeezed.start > 0.0 { squeezed.start } else { squeezed.end };
    let (y, x, half) = (height_at(plot, inner), plot.left, sheet.px(5.0));
    let gap = sheet.px(3.0);
    let pen = Pen::solid(FAINT_INK, 1.0);
    let stroke = |y: i32| [(x - half, y + half / 2), (x + half, y - half / 2)];
    let [(left, low), (right, high)] = stroke(y);
    let corners = [(left, low), (right, high), (right, high + gap), (left, low + gap)];
    sheet.polygon(&corners, plotters::style::WHITE)?;
    sheet.line(&stroke(y), pen)?;
    sheet.line(&stroke(y + gap), pen)
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a height that is i32")]
fn height_at(plot: Frame, fraction: f64) -> i32 {
    plot.bottom - (f64::from(plot.height()) * fraction).round() as i32
}

fn draw_lines<C: Canvas>(sheet: &Sheet<C>, plane: &Plane<C>, lines: &PanelLines) -> Drawn<C> {
    for line in &lines.channels {
        draw_pieces(sheet, plane, &line.pieces, line.look.pen, line.marked.then_some(line.look))?;
    }
    for (pieces, pen) in [(&lines.avg, AVG), (&lines.avg_ok, AVG_OK)] {
        draw_pieces(sheet, plane, pieces, pen, None)?;
    }
    Ok(())
}

/// A line's pieces. A piece of one point has a mark in any case: a line would not show it.
fn draw_pieces<C: Canvas>(
    sheet: &Sheet<C>,
    plane: &Plane<C>,
    pieces: &[Vec<Point>],
    pen: Pen,
    marked: Option<Look>,
) -> Drawn<C> {
    for piece in pieces {
        if piece.len() > 1 {
            sheet.polyline(plane, piece, pen)?;
        }
        for point in piece.iter().filter(|_| marked.is_some() || piece.len() == 1) {
            let at = plane.map_coordinate(point);
            match marked {
                Some(look) => marks::reading(sheet, at, look)?,
                None => sheet.dot(at, pen.width_px, pen.color)?,
            }
        }
    }
    Ok(())
}

fn draw_errs<C: Canvas>(sheet: &Sheet<C>, plane: &Plane<C>, lines: &PanelLines) -> Drawn<C> {
    for (look, errs) in lines.errs.values() {
        let mut last = i32::MIN;
        for (time, _) in errs.iter() {
            let at = plane.map_coordinate(&(time, 0.0));
            if at.0.saturating_sub(last) >= sheet.px(ERR_APART_PX) {
                marks::err(sheet, at, look.pen.color)?;
                last = at.0;
            }
        }
    }
    Ok(())
}
