//! What both views have around their panels: title, legend and footer, none of which ever lies on data; and the
//! grid that panels are laid out in.

use super::marks;
use super::palette::Look;
use super::sheet::{
    Anchor, Drawn, FAINT_INK, Frame, HEADING_PX, INK, LABEL_PX, Pen, SMALL_PX, Scale, Sheet, TITLE_PX, fitted,
};
use crate::view::Tally;
use crate::view::canvas::Canvas;

/// Free room at the edges of a picture, in pixels.
const EDGE_PX: f64 = 14.0;
/// From one line of the legend or the footer to the next.
const LINE_PX: f64 = 17.0;
/// Room for a legend's sample of a line.
const SAMPLE_PX: f64 = 24.0;
/// The legend has no more lines; nodes that do not fit are counted.
const LEGEND_LINES_MAX: usize = 3;
/// No picture has room for more nodes in its legend.
const LEGEND_NODES_MAX: usize = 200;
/// The footer has no more lines.
const FOOTER_LINES_MAX: usize = 3;
/// A note in a footer has no more words than would fit its lines, and no more lines; all notes together neither.
const NOTE_WORDS_MAX: usize = 400;
const NOTE_LINES_MAX: usize = 4;
const NOTES_LINES_MAX: usize = 8;
/// The footer names so many kinds of ERR; the others are counted.
const FOOTER_ERRORS_MAX: usize = 8;
/// No label in a legend is wider.
const LABEL_WIDTH_MAX_PX: f64 = 250.0;
/// From a panel's upper edge to its plot: the heading.
const HEADING_ROOM_PX: f64 = 24.0;

/// One entry of a legend.
pub(super) struct Entry {
    pub(super) sample: Sample,
    pub(super) label: String,
}

/// What is drawn before a legend's label.
#[derive(Clone, Copy)]
pub(super) enum Sample {
    /// A node's line and mark.
    Node(Look),
    /// An average's line.
    Line(Pen),
    /// The mark of an ERR.
    Err,
    /// Nothing: a remark.
    None,
}

/// Draws title, legend and footer, and returns the room that is left for panels. Of `nodes`, as many as fit are
/// shown; all of `others` are.
pub(super) fn surround<C: Canvas>(
    sheet: &Sheet<C>,
    title: &str,
    (nodes, others): (Vec<Entry>, Vec<Entry>),
    tally: &Tally,
) -> Result<Frame, plotters::drawing::DrawingAreaErrorKind<C::ErrorType>> {
    let room = head(sheet, title, nodes, others)?;
    let width = |text: &str| sheet.scale().text_width(text, SMALL_PX);
    // Fewer kinds of ERR are named until the lines suffice.
    let mut lines = Vec::new();
    for errors in (0..=FOOTER_ERRORS_MAX).rev() {
        lines = wrapped(&tally.pieces(errors), room.width(), width);
        if lines.len() <= FOOTER_LINES_MAX {
            break;
        }
    }
    lines.truncate(FOOTER_LINES_MAX);
    Ok(Frame { bottom: footer(sheet, room, lines)?, ..room })
}

/// As [`surround`], with these sentences in the footer.
pub(super) fn surround_with<C: Canvas>(
    sheet: &Sheet<C>,
    title: &str,
    (names, others): (Vec<Entry>, Vec<Entry>),
    notes: &[String],
) -> Result<Frame, plotters::drawing::DrawingAreaErrorKind<C::ErrorType>> {
    let room = head(sheet, title, names, others)?;
    let lines = notes.iter().flat_map(|note| {
        let words: Vec<String> = note.split_inclusive(' ').take(NOTE_WORDS_MAX).map(str::to_owned).collect();
        let mut lines = wrapped(&words, room.width(), |text| sheet.scale().text_width(text, SMALL_PX));
        lines.truncate(NOTE_LINES_MAX);
        lines
    });
    let lines: Vec<String> = lines.take(NOTES_LINES_MAX).collect();
    Ok(Frame { bottom: footer(sheet, room, lines)?, ..room })
}

/// Draws title and legend, and returns the room below.
fn head<C: Canvas>(
    sheet: &Sheet<C>,
    title: &str,
    nodes: Vec<Entry>,
    others: Vec<Entry>,
) -> Result<Frame, plotters::drawing::DrawingAreaErrorKind<C::ErrorType>> {
    let mut room = sheet.frame();
    let edge = sheet.px(EDGE_PX);
    room = Frame {
        left: room.left + edge,
        top: room.top + sheet.px(10.0),
        right: room.right - edge,
        bottom: room.bottom - sheet.px(8.0),
    };
    if !title.is_empty() {
        let at = (room.left, room.top + sheet.px(TITLE_PX / 2.0));
        let title = fitted(sheet.scale(), title, TITLE_PX, room.width());
        sheet.text(&title, at, TITLE_PX, INK, Anchor::LEFT)?;
        room.top += sheet.px(TITLE_PX + 8.0);
    }
    room.top = legend(sheet, room, nodes, others)?;
    Ok(room)
}

/// Draws the legend along the upper edge of `room`; returns its lower edge.
fn legend<C: Canvas>(
    sheet: &Sheet<C>,
    room: Frame,
    nodes: Vec<Entry>,
    others: Vec<Entry>,
) -> Result<i32, plotters::drawing::DrawingAreaErrorKind<C::ErrorType>> {
    let entries = fit_legend(sheet.scale(), room, nodes, others);
    let y_of = |line: usize| room.top + sheet.px(LINE_PX * (line as f64 + 0.5));
    for (entry, (x, line)) in &entries {
        sample(sheet, (*x, y_of(*line)), entry.sample)?;
        let text_x = x + sheet.px(sample_px(entry.sample));
        sheet.text(&entry.label, (text_x, y_of(*line)), LABEL_PX, INK, Anchor::LEFT)?;
    }
    let lines = entries.last().map_or(0, |(_, (_, line))| line + 1);
    Ok(room.top + sheet.px(LINE_PX * lines as f64 + 4.0))
}

/// Where an entry begins: x, and the number of its line.
type Place = (i32, usize);

/// The entries that fit, and their places.
fn fit_legend(scale: Scale, room: Frame, nodes: Vec<Entry>, others: Vec<Entry>) -> Vec<(Entry, Place)> {
    let sized = |mut entry: Entry| {
        entry.label = fitted(scale, &entry.label, LABEL_PX, scale.px(LABEL_WIDTH_MAX_PX));
        let width = scale.px(sample_px(entry.sample)) + scale.text_width(&entry.label, LABEL_PX);
        (entry, width)
    };
    let total = nodes.len();
    let nodes: Vec<_> = nodes.into_iter().take(LEGEND_NODES_MAX).map(sized).collect();
    let others: Vec<_> = others.into_iter().map(sized).collect();
    let mut kept = nodes.len();
    loop {
        let more = total - kept;
        let rest = (more > 0).then(|| sized(Entry { sample: Sample::None, label: format!("+{more} more") }));
        let widths = nodes.iter().take(kept).chain(&rest).chain(&others).map(|(_, width)| *width);
        let places = places(room, widths, scale.px(18.0));
        if kept == 0 || places.last().is_none_or(|(_, line)| *line < LEGEND_LINES_MAX) {
            let entries = nodes.into_iter().take(kept).chain(rest).chain(others);
            return entries.map(|(entry, _)| entry).zip(places).collect();
        }
        kept -= 1;
    }
}

/// Where entries of these widths begin, one after the other, in lines.
fn places(room: Frame, widths: impl Iterator<Item = i32>, between: i32) -> Vec<Place> {
    let (mut x, mut line) = (room.left, 0);
    let place = |width: i32| {
        if x > room.left && x + width > room.right {
            (x, line) = (room.left, line + 1);
        }
        let place = (x, line);
        x += width + between;
        place
    };
    widths.map(place).collect()
}

/// How much room a sample takes before its label.
fn sample_px(sample: Sample) -> f64 {
    match sample {
        Sample::Node(_) | Sample::Line(_) => SAMPLE_PX + 6.0,
        Sample::Err => 16.0,
        Sample::None => 0.0,
    }
}

fn sample<C: Canvas>(sheet: &Sheet<C>, (x, y): (i32, i32), sample: Sample) -> Drawn<C> {
    let end = x + sheet.px(SAMPLE_PX);
    match sample {
        Sample::Node(look) => {
            sheet.line(&[(x, y), (end, y)], look.pen)?;
            marks::reading(sheet, ((x + end) / 2, y), look)
        }
        Sample::Line(pen) => sheet.line(&[(x, y), (end, y)], pen),
        Sample::Err => marks::err(sheet, (x + sheet.px(6.0), y), FAINT_INK),
        Sample::None => Ok(()),
    }
}

/// Writes the footer along the lower edge of `room`; returns its upper edge.
fn footer<C: Canvas>(
    sheet: &Sheet<C>,
    room: Frame,
    lines: Vec<String>,
) -> Result<i32, plotters::drawing::DrawingAreaErrorKind<C::ErrorType>> {
    let top = room.bottom - sheet.px(LINE_PX * lines.len() as f64);
    for (at, line) in lines.iter().enumerate() {
        let y = top + sheet.px(LINE_PX * (at as f64 + 0.5));
        let line = fitted(sheet.scale(), line, SMALL_PX, room.width());
        sheet.text(&line, (room.left, y), SMALL_PX, FAINT_INK, Anchor::LEFT)?;
    }
    Ok(top - sheet.px(4.0))
}

/// Pieces of text to lines.
fn wrapped(pieces: &[String], width: i32, text_width: impl Fn(&str) -> i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line}{}", piece.trim_end())) <= width => line.push_str(piece),
            _ => lines.push(piece.clone()),
        }
    }
    lines
}

/// Draws a panel's heading, with `keys` at the right; returns the room below.
pub(super) fn panel_heading<C: Canvas>(
    sheet: &Sheet<C>,
    room: Frame,
    heading: &str,
    keys: &[(Option<Pen>, String)],
) -> Result<Frame, plotters::drawing::DrawingAreaErrorKind<C::ErrorType>> {
    let y = room.top + sheet.px(HEADING_ROOM_PX / 2.0 + 1.0);
    let heading = fitted(sheet.scale(), heading, HEADING_PX, room.width());
    sheet.text(&heading, (room.left, y), HEADING_PX, INK, Anchor::LEFT)?;
    let free = room.left + sheet.scale().text_width(&heading, HEADING_PX) + sheet.px(24.0);
    let mut x = room.right;
    // From right to left, as far as there is room: the heading matters more than the keys.
    for (pen, text) in keys.iter().rev() {
        let width = sheet.scale().text_width(text, SMALL_PX);
        let sample = if pen.is_some() { sheet.px(SAMPLE_PX + 5.0) } else { 0 };
        let from = x - width - sample;
        if from < free {
            break;
        }
        sheet.text(text, (x, y), SMALL_PX, FAINT_INK, Anchor::RIGHT)?;
        if let Some(pen) = pen {
            sheet.line(&[(from, y), (from + sheet.px(SAMPLE_PX), y)], *pen)?;
        }
        x = from - sheet.px(18.0);
    }
    Ok(Frame { top: room.top + sheet.px(HEADING_ROOM_PX), ..room })
}

/// Says below the panels in `room` how many there was no room for.
pub(super) fn left_out<C: Canvas>(sheet: &Sheet<C>, room: Frame, panels: usize) -> Drawn<C> {
    if panels == 0 {
        return Ok(());
    }
    let text = format!("+{panels} more: choose quantities, or a larger picture");
    let text = fitted(sheet.scale(), &text, SMALL_PX, room.width());
    sheet.text(&text, (room.right, room.bottom), SMALL_PX, FAINT_INK, Anchor::RIGHT)
}

/// Rows and columns of panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Grid {
    /// For `panels` in a room of this size, in pixels at 100 dpi; with at least `columns` and, when they would
    /// become lower than `height_px`, more columns. Where even that does not suffice, it holds fewer than `panels`.
    pub(super) fn new(panels: usize, columns: usize, (width, height): (f64, f64), least: (f64, f64)) -> Self {
        let rows_max = whole(height / least.1).max(1);
        let columns_max = whole(width / least.0).max(1);
        let mut columns = columns.clamp(1, columns_max);
        while panels.div_ceil(columns) > rows_max && columns < columns_max {
            columns += 1;
        }
        let rows = panels.div_ceil(columns).clamp(1, rows_max);
        Self { rows, columns: columns.min(panels.max(1)) }
    }

    /// How many panels it has room for.
    pub(super) fn len(self) -> usize {
        self.rows * self.columns
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a picture can hold"
)]
fn whole(ratio: f64) -> usize {
    ratio.clamp(0.0, 1000.0) as usize
}

#[cfg(test)]
#[path = "figure_tests.rs"]
mod tests;
