//! The view of curves: panels beside and under each other, what happened shaded, and sentences below.

use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};

use super::Chart;
use super::curve_axis::CurveAxis;
use super::figure::{Entry, Sample, panel_heading, surround_with};
use super::marks;
use super::palette::{Look, look};
use super::sheet::{Anchor, Drawn, FAINT_INK, Frame, GRID, Pen, SHADE, SMALL_PX, Sheet, fitted};
use super::value_axis::ValueAxis;
use crate::view::canvas::Canvas;
use crate::view::{Along, Curve, CurveName, CurvePanel, CurveStyle, Curves, PlotOptions, Shade};

/// Room under each panel for ticks, and for the name of what runs along it.
const BELOW_PX: f64 = 40.0;
/// Room between panels that stand beside each other.
const BETWEEN_PX: f64 = 26.0;
/// Room that a tick needs on an upright axis, and on a level one.
const TICK_PX: (f64, f64) = (70.0, 34.0);
/// A line of a shade's label.
const LABEL_LINE_PX: f64 = 14.0;
/// Labels of shades have no more lines; those that do not fit are counted.
const LABEL_LINES_MAX: usize = 3;
/// A shade is drawn at least so wide, so that a moment can be seen.
const SHADE_LEAST_PX: f64 = 2.0;
/// Shades are labelled up to this many.
const SHADES_LABELLED_MAX: usize = 60;
/// Places at both ends have so much free room, in places.
const AROUND_PLACES: f64 = 0.3;

type Plane<C> = DrawingArea<C, Cartesian2d<RangedCoordf64, CurveAxis>>;
type Placed<T, C> = Result<T, DrawingAreaErrorKind<<C as plotters_backend::DrawingBackend>::ErrorType>>;

/// The view, ready to be drawn.
pub(super) struct CurveChart<'a> {
    curves: &'a Curves,
    options: &'a PlotOptions,
}

impl<'a> CurveChart<'a> {
    pub(super) fn new(curves: &'a Curves, options: &'a PlotOptions) -> Self {
        Self { curves, options }
    }

    /// The numbers along the lower edge, and what is written below them.
    fn along(&self, width_px: f64) -> (f64, f64, Vec<(f64, String)>, &str) {
        match &self.curves.along {
            Along::Number { label, to } => {
                let ticks = whole(width_px / TICK_PX.0);
                let axis = ValueAxis::standing((0.0, *to), ticks);
                let end = if *to > 0.0 { *to } else { 1.0 };
                (0.0, end, axis.ticks().to_vec(), label)
            }
            Along::Places { label, names } => {
                let ticks = (0_u32..).map(f64::from).zip(names.iter().cloned()).collect();
                let last = names.len().max(1) as f64 - 1.0;
                (-AROUND_PLACES, last + AROUND_PLACES, ticks, label)
            }
        }
    }
}

impl Chart for CurveChart<'_> {
    fn draw<C: Canvas>(&self, sheet: &Sheet<C>) -> Drawn<C> {
        let entry = |(at, name): (usize, &CurveName)| Entry {
            sample: Sample::Node(look(at, usize::from(name.is_dashed))),
            label: name.label.clone(),
        };
        let legend: Vec<Entry> = self.curves.names.iter().enumerate().map(entry).collect();
        let room = surround_with(sheet, &self.options.title, (legend, vec![]), &self.curves.notes)?;
        let columns = self.curves.columns.max(1);
        let rows = self.curves.panels.len().div_ceil(columns).max(1);
        let (row_height, pitch) =
            (part_of(room.height(), rows), part_of(room.width() + sheet.px(BETWEEN_PX), columns));
        let ticks = whole(in_px(sheet, row_height - sheet.px(70.0)) / TICK_PX.1);
        let axes: Vec<CurveAxis> =
            self.curves.panels.iter().map(|panel| CurveAxis::new(panel, ticks)).collect();
        let labels = axes.iter().flat_map(CurveAxis::ticks);
        let widest = labels.map(|(_, label)| sheet.scale().text_width(label, SMALL_PX)).max();
        let gutter = widest.unwrap_or(0) + sheet.px(9.0);
        for (at, panel) in self.curves.panels.iter().zip(&axes).enumerate() {
            let (row, column) = (at / columns, at % columns);
            let left = room.left + times(column, pitch);
            let top = room.top + times(row, row_height);
            let right = left + pitch - sheet.px(BETWEEN_PX);
            let cell = Frame { left, top, right, bottom: top + row_height };
            // What happened is named once, over the uppermost panels.
            self.panel(sheet, cell, panel, (gutter, row == 0))?;
        }
        Ok(())
    }
}

impl CurveChart<'_> {
    fn panel<C: Canvas>(
        &self,
        sheet: &Sheet<C>,
        cell: Frame,
        (panel, axis): (&CurvePanel, &CurveAxis),
        (gutter, is_first): (i32, bool),
    ) -> Drawn<C> {
        let heading = match axis.factor() {
            "" => panel.heading.clone(),
            factor => format!("{} × {factor}", panel.heading),
        };
        let room = panel_heading(sheet, cell, &heading, &[])?;
        let plot = Frame {
            left: room.left + gutter,
            top: room.top + sheet.px(6.0),
            bottom: room.bottom - sheet.px(BELOW_PX),
            ..room
        };
        let (from, to, ticks, label) = self.along(in_px(sheet, plot.width()));
        let top = match is_first {
            true => name_shades(sheet, plot, (from, to), &self.curves.shades)?,
            false => plot.top,
        };
        let plot = Frame { top, ..plot };
        let plane = sheet.with_coordinates(Cartesian2d::<RangedCoordf64, CurveAxis>::new(
            RangedCoordf64::from(from..to),
            axis.clone(),
            (plot.left..plot.right, plot.bottom..plot.top),
        ));
        draw_shades(sheet, plot, (from, to), &self.curves.shades)?;
        draw_axes(sheet, &plane, plot, (axis, from), (&ticks, label))?;
        panel.curves.iter().try_for_each(|curve| {
            let is_dashed = self.curves.names.get(curve.name).is_some_and(|name| name.is_dashed);
            draw_curve(sheet, &plane, (axis, (from, to)), (curve, look(curve.name, usize::from(is_dashed))))
        })
    }
}

/// The part of a plot that a shade takes.
fn shaded<C: Canvas>(
    sheet: &Sheet<C>,
    plot: Frame,
    (from, to): (f64, f64),
    shade: &Shade,
) -> Option<(i32, i32)> {
    let is_seen = shade.from <= to && shade.to >= from && shade.from <= shade.to;
    let part = |x: f64| ((x - from) / (to - from)).clamp(0.0, 1.0);
    let at = |x: f64| plot.left + scaled(plot.width(), part(x));
    let (left, right) = (at(shade.from), at(shade.to));
    is_seen.then(|| {
        (left.min(plot.right - sheet.px(SHADE_LEAST_PX)), right.max(left + sheet.px(SHADE_LEAST_PX)))
    })
}

fn draw_shades<C: Canvas>(sheet: &Sheet<C>, plot: Frame, span: (f64, f64), shades: &[Shade]) -> Drawn<C> {
    for shade in shades {
        if let Some((left, right)) = shaded(sheet, plot, span, shade) {
            let is_moment = shade.from == shade.to;
            let color = if is_moment { FAINT_INK } else { SHADE };
            let right = if is_moment { left + sheet.px(1.0) } else { right };
            sheet.block(Frame { left, right, ..plot }, color)?;
        }
    }
    Ok(())
}

/// Writes over a plot what its shades are, in as many lines as they need; returns the lower edge of these.
fn name_shades<C: Canvas>(
    sheet: &Sheet<C>,
    plot: Frame,
    span: (f64, f64),
    shades: &[Shade],
) -> Placed<i32, C> {
    let mut ends: Vec<i32> = Vec::new();
    let mut placed = Vec::new();
    let mut left_out = 0_usize;
    for shade in shades {
        let Some((left, _)) = shaded(sheet, plot, span, shade) else { continue };
        let label = fitted(sheet.scale(), &shade.label, SMALL_PX, plot.width() / 2);
        let width = sheet.scale().text_width(&label, SMALL_PX);
        let x = left.min(plot.right - width);
        let line = ends.iter().position(|end| *end + sheet.px(8.0) <= x).unwrap_or(ends.len());
        if line >= LABEL_LINES_MAX || placed.len() >= SHADES_LABELLED_MAX {
            left_out += 1;
            continue;
        }
        match ends.get_mut(line) {
            Some(end) => *end = x + width,
            None => ends.push(x + width),
        }
        placed.push((x, line, label));
    }
    let y_of = |line: usize| plot.top + sheet.px(LABEL_LINE_PX * (line as f64 + 0.5));
    for (x, line, label) in &placed {
        sheet.text(label, (*x, y_of(*line)), SMALL_PX, FAINT_INK, Anchor::LEFT)?;
    }
    let mut lines = ends.len();
    if left_out > 0 {
        let text = format!("and {left_out} more");
        sheet.text(&text, (plot.right, y_of(lines)), SMALL_PX, FAINT_INK, Anchor::RIGHT)?;
        lines += 1;
    }
    Ok(plot.top + if lines > 0 { sheet.px(LABEL_LINE_PX * lines as f64 + 4.0) } else { 0 })
}

fn draw_axes<C: Canvas>(
    sheet: &Sheet<C>,
    plane: &Plane<C>,
    plot: Frame,
    (axis, from): (&CurveAxis, f64),
    (ticks, label): (&[(f64, String)], &str),
) -> Drawn<C> {
    let (grid, spine) = (Pen::solid(GRID, 0.8), Pen::solid(FAINT_INK, 0.8));
    let tick = sheet.px(3.5);
    let low = axis.ticks().first().map_or(0.0, |(value, _)| *value);
    for (value, label) in axis.ticks() {
        let y = plane.map_coordinate(&(from, *value)).1;
        sheet.rule((plot.left, y), (plot.right, y), grid)?;
        sheet.rule((plot.left - tick, y), (plot.left, y), spine)?;
        sheet.text(label, (plot.left - sheet.px(6.0), y), SMALL_PX, FAINT_INK, Anchor::RIGHT)?;
    }
    for (x, label) in ticks {
        let x = plane.map_coordinate(&(*x, low)).0;
        sheet.rule((x, plot.bottom), (x, plot.bottom + tick), spine)?;
        sheet.text(label, (x, plot.bottom + sheet.px(7.0)), SMALL_PX, FAINT_INK, Anchor::TOP)?;
    }
    let middle = ((plot.left + plot.right) / 2, plot.bottom + sheet.px(22.0));
    sheet.text(label, middle, SMALL_PX, FAINT_INK, Anchor::TOP)?;
    sheet.rule((plot.left, plot.top), (plot.left, plot.bottom), spine)?;
    sheet.rule((plot.left, plot.bottom), (plot.right, plot.bottom), spine)
}

/// What lies outside of `span` is drawn at its ends.
fn draw_curve<C: Canvas>(
    sheet: &Sheet<C>,
    plane: &Plane<C>,
    (axis, (from, to)): (&CurveAxis, (f64, f64)),
    (curve, look): (&Curve, Look),
) -> Drawn<C> {
    for piece in curve.points.split(|(x, value)| !x.is_finite() || !axis.shows(*value)) {
        let piece: Vec<_> = piece.iter().map(|(x, value)| (x.clamp(from, to), *value)).collect();
        let piece = if curve.style == CurveStyle::Stairs { stairs(&piece) } else { piece };
        if piece.len() > 1 {
            sheet.polyline(plane, &piece, look.pen)?;
        }
        for point in piece.iter().filter(|_| curve.style == CurveStyle::Marked || piece.len() == 1) {
            marks::reading(sheet, plane.map_coordinate(point), look)?;
        }
    }
    Ok(())
}

/// Each value holds until the next x.
fn stairs(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, f64)> = Vec::with_capacity(points.len() * 2);
    for (x, value) in points {
        if let Some((_, before)) = all.last().copied() {
            all.push((*x, before));
        }
        all.push((*x, *value));
    }
    all
}

fn in_px<C: Canvas>(sheet: &Sheet<C>, length: i32) -> f64 {
    f64::from(length) / f64::from(sheet.px(1.0).max(1))
}

fn part_of(length: i32, parts: usize) -> i32 {
    length / i32::try_from(parts).unwrap_or(i32::MAX).max(1)
}

fn times(count: usize, length: i32) -> i32 {
    i32::try_from(count).unwrap_or(0).saturating_mul(length)
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a length that is i32")]
fn scaled(length: i32, part: f64) -> i32 {
    (f64::from(length) * part).round() as i32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what an axis can show"
)]
fn whole(ratio: f64) -> usize {
    ratio.clamp(2.0, 20.0) as usize
}

#[cfg(test)]
#[path = "curves_tests.rs"]
mod tests;
