//! The bars of one panel of the round view, with their values and names.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::style::RGBColor;

use super::marks;
use super::sheet::{Anchor, Drawn, FAINT_INK, Frame, GRID, INK, Pen, SMALL_PX, Sheet, fitted};
use super::time_axis::zone_name;
use super::value_axis::{ValueAxis, number};
use crate::model::{ErrReason, WallTime};
use crate::view::ErrAs;
use crate::view::canvas::Canvas;

/// The bar of the mean with ERR as zero.
pub(super) const AVG: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// The bar of the mean of the good readings.
pub(super) const AVG_OK: RGBColor = RGBColor(0x8a, 0x8a, 0x8a);

/// A bar takes this part of its place, but is no wider than so many pixels.
const BAR_PART: f64 = 0.62;
const BAR_MAX_PX: f64 = 54.0;
/// The reason of an ERR may be wider than its place, by the room between bars.
const REASON_PART: f64 = 1.3;
/// A line of lettering; a place narrower than this has no label of its own.
const LINE_PX: f64 = 14.0;
/// Names that are written upwards are cut at this length.
const UPWARDS_MAX_PX: f64 = 110.0;
/// From the lower end of a panel to its names: the half of an × that stands there, and some air.
const NAMES_BELOW_PX: f64 = 10.0;
/// Above bars that hang from zero, this part of their length is free.
const HANGING: f64 = 0.03;
/// Room that a tick needs.
const TICK_PX: f64 = 44.0;

/// One bar.
pub(super) struct Bar {
    /// The node, or which average.
    pub(super) label: String,
    /// The chip, or how many readings; may be empty.
    pub(super) detail: String,
    pub(super) color: RGBColor,
    pub(super) height: Height,
}

/// How high a bar is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Height {
    Value(f64),
    Err(ErrReason),
    /// There was no reading in the round.
    None,
}

/// When a round ended, in words.
pub(super) fn ended(time: WallTime, zone: &TimeZone) -> String {
    let timestamp = Timestamp::from_microsecond(time.as_unix_micros()).unwrap_or_default();
    let at = timestamp.to_zoned(zone.clone());
    format!("{} ({})", at.strftime("%Y-%m-%d %H:%M:%S"), zone_name(zone, &at))
}

/// The axis that the bars stand on. Bars begin at zero, so it always has zero; above them is room for their values.
pub(super) fn axis<C: Canvas>(sheet: &Sheet<C>, cell: Frame, bars: &[Bar]) -> ValueAxis {
    let values = bars.iter().filter_map(|bar| match bar.height {
        Height::Value(value) => Some(value),
        Height::Err(_) | Height::None => None,
    });
    let (low, high) = values.fold((0.0, 0.0), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
    let ticks = usize::try_from((cell.height() - sheet.px(60.0)) / sheet.px(TICK_PX)).unwrap_or(2);
    let labels = sheet.px(if upwards(sheet, cell, bars) { 48.0 } else { 20.0 });
    let plot = (cell.height() - sheet.px(80.0)).max(sheet.px(50.0));
    let room = 1.0 + f64::from(labels) / f64::from(plot);
    // Bars that hang from zero leave room for an × there, below the heading.
    ValueAxis::standing((low * room, (high * room).max(-low * HANGING)), ticks)
}

/// The room that the axis's labels take.
pub(super) fn gutter<C: Canvas>(sheet: &Sheet<C>, axis: &ValueAxis) -> i32 {
    let widths = axis.ticks().iter().map(|(_, label)| sheet.scale().text_width(label, SMALL_PX));
    widths.max().unwrap_or(0) + sheet.px(9.0)
}

/// Draws the bars of one panel; their names go along the lower edge of `room`.
pub(super) fn draw_bars<C: Canvas>(
    sheet: &Sheet<C>,
    room: Frame,
    axis: &ValueAxis,
    bars: &[Bar],
    err: ErrAs,
) -> Drawn<C> {
    let upwards = upwards(sheet, room, bars);
    let plot = Frame { bottom: room.bottom - names_room(sheet, room, bars, upwards), ..room };
    let decimals = decimals(bars);
    let count = bars.len() as f64;
    let plane = sheet.with_coordinates(Cartesian2d::<RangedCoordf64, ValueAxis>::new(
        RangedCoordf64::from(0.0..count.max(1.0)),
        axis.clone(),
        (plot.left..plot.right, plot.bottom..plot.top),
    ));
    let spine = Pen::solid(FAINT_INK, 0.8);
    for (value, label) in axis.ticks() {
        let y = plane.map_coordinate(&(0.0, *value)).1;
        sheet.rule((plot.left, y), (plot.right, y), Pen::solid(GRID, 0.8))?;
        sheet.text(label, (plot.left - sheet.px(6.0), y), SMALL_PX, FAINT_INK, Anchor::RIGHT)?;
    }
    sheet.rule((plot.left, plot.top), (plot.left, plot.bottom), spine)?;
    let width = plot.width() / i32::try_from(bars.len()).unwrap_or(1).max(1);
    let place = Place { width, upwards, upright: axis.fraction(0.0) < 0.9 };
    let labels_every = (sheet.px(LINE_PX) / place.width.max(1) + 1).unsigned_abs() as usize;
    for (at, bar) in bars.iter().enumerate() {
        let middle = at as f64 + 0.5;
        let zero = plane.map_coordinate(&(middle, 0.0));
        let tip = match bar.height {
            Height::Value(value) => plane.map_coordinate(&(middle, value)),
            Height::Err(_) | Height::None => zero,
        };
        draw_bar(sheet, (zero, tip), &place, bar, (err, decimals))?;
        if at.is_multiple_of(labels_every) {
            draw_name(sheet, (zero.0, plot.bottom), &place, bar)?;
        }
    }
    let zero = plane.map_coordinate(&(0.0, 0.0)).1;
    sheet.rule((plot.left, zero), (plot.right, zero), spine)?;
    draw_marks(sheet, bars, err, |at| plane.map_coordinate(&(at, 0.0)))
}

/// The place of a bar.
struct Place {
    width: i32,
    /// Whether names and values are written upwards, for want of width.
    upwards: bool,
    /// Whether there is more room above zero than below: what has no bar is then written above.
    upright: bool,
}

/// Whether a name or a value is wider than a bar's place.
fn upwards<C: Canvas>(sheet: &Sheet<C>, room: Frame, bars: &[Bar]) -> bool {
    let width = room.width() / i32::try_from(bars.len()).unwrap_or(1).max(1);
    let decimals = decimals(bars);
    bars.iter().any(|bar| {
        let value = match bar.height {
            Height::Value(value) => sheet.scale().text_width(&brief(value, decimals), SMALL_PX),
            Height::Err(_) | Height::None => sheet.px(46.0),
        };
        // A long name is rather cut than turned, as long as enough of it can be read.
        let name = sheet.scale().text_width(&bar.label, SMALL_PX).min(sheet.px(70.0));
        value.max(name) + sheet.px(2.0) > width
    })
}

/// The height that names take below the plot.
fn names_room<C: Canvas>(sheet: &Sheet<C>, room: Frame, bars: &[Bar], upwards: bool) -> i32 {
    let width = |bar: &Bar| sheet.scale().text_width(&full_name(bar), SMALL_PX);
    let names = match upwards {
        true => bars.iter().map(width).max().unwrap_or(0).min(sheet.px(UPWARDS_MAX_PX)),
        false if bars.iter().all(|bar| bar.detail.is_empty()) => sheet.px(LINE_PX),
        false => sheet.px(2.0 * LINE_PX),
    };
    (names + sheet.px(NAMES_BELOW_PX + 4.0)).min(room.height() / 2)
}

fn full_name(bar: &Bar) -> String {
    format!("{} {}", bar.label, bar.detail).trim_end().to_string()
}

fn draw_bar<C: Canvas>(
    sheet: &Sheet<C>,
    (zero, tip): ((i32, i32), (i32, i32)),
    place: &Place,
    bar: &Bar,
    (err, decimals): (ErrAs, Option<usize>),
) -> Drawn<C> {
    let half = bar_half(sheet, place.width);
    let (text, color, above) = match bar.height {
        Height::Value(value) => {
            let (top, bottom) = (tip.1.min(zero.1), tip.1.max(zero.1));
            sheet.block(Frame { left: tip.0 - half, right: tip.0 + half, top, bottom }, bar.color)?;
            (brief(value, decimals), INK, tip.1 <= zero.1)
        }
        Height::Err(reason) => (reason.to_string(), FAINT_INK, place.upright),
        Height::None => ("no reading".into(), FAINT_INK, place.upright),
    };
    if place.width < sheet.px(LINE_PX) - 1 {
        return Ok(());
    }
    let marked = matches!(bar.height, Height::Err(_)) && err == ErrAs::Zero;
    let away = sheet.px(if marked { marks::ERR_PX + 4.0 } else { 4.0 });
    match (above, place.upwards) {
        (true, true) => sheet.text(&text, (tip.0, tip.1 - away), SMALL_PX, color, Anchor::UPWARDS_START),
        (false, true) => sheet.text(&text, (tip.0, tip.1 + away), SMALL_PX, color, Anchor::UPWARDS_END),
        (above, false) => {
            let text = fitted(sheet.scale(), &text, SMALL_PX, part(place.width, REASON_PART));
            let low = (tip.1 - away + sheet.px(3.0), Anchor::BOTTOM);
            let (at, anchor) = if above { low } else { (tip.1 + away, Anchor::TOP) };
            sheet.text(&text, (tip.0, at), SMALL_PX, color, anchor)
        }
    }
}

fn draw_name<C: Canvas>(sheet: &Sheet<C>, (x, bottom): (i32, i32), place: &Place, bar: &Bar) -> Drawn<C> {
    let y = bottom + sheet.px(NAMES_BELOW_PX);
    if place.upwards {
        let name = fitted(sheet.scale(), &full_name(bar), SMALL_PX, sheet.px(UPWARDS_MAX_PX));
        return sheet.text(&name, (x, y), SMALL_PX, INK, Anchor::UPWARDS_END);
    }
    let width = place.width - sheet.px(4.0);
    let name = fitted(sheet.scale(), &bar.label, SMALL_PX, width);
    sheet.text(&name, (x, y), SMALL_PX, INK, Anchor::TOP)?;
    let detail = fitted(sheet.scale(), &bar.detail, SMALL_PX, width);
    sheet.text(&detail, (x, y + sheet.px(LINE_PX)), SMALL_PX, FAINT_INK, Anchor::TOP)
}

/// The ×s, over the line of zero.
fn draw_marks<C: Canvas>(
    sheet: &Sheet<C>,
    bars: &[Bar],
    err: ErrAs,
    zero_at: impl Fn(f64) -> (i32, i32),
) -> Drawn<C> {
    for (at, bar) in bars.iter().enumerate() {
        if let Height::Err(reason) = bar.height
            && err.value(Err(reason)).is_some()
        {
            marks::err(sheet, zero_at(at as f64 + 0.5), bar.color)?;
        }
    }
    Ok(())
}

fn bar_half<C: Canvas>(sheet: &Sheet<C>, width: i32) -> i32 {
    part(width, BAR_PART / 2.0).min(sheet.px(BAR_MAX_PX / 2.0)).max(1)
}

#[expect(clippy::cast_possible_truncation, reason = "about as long as a length that is i32")]
fn part(length: i32, part: f64) -> i32 {
    (f64::from(length) * part) as i32
}

/// How many digits after the point the values of a panel have, so that the largest has about four in all; `None`
/// where they are written with a power of ten.
fn decimals(bars: &[Bar]) -> Option<usize> {
    let sizes = bars.iter().filter_map(|bar| match bar.height {
        Height::Value(value) => Some(value.abs()),
        Height::Err(_) | Height::None => None,
    });
    match sizes.fold(0.0, f64::max) {
        0.0 => Some(0),
        size if !(1e-3..1e6).contains(&size) => None,
        size if size >= 1000.0 => Some(0),
        size if size >= 100.0 => Some(1),
        size if size >= 1.0 => Some(2),
        _ => Some(4),
    }
}

fn brief(value: f64, decimals: Option<usize>) -> String {
    match decimals {
        Some(decimals) => number(value, decimals),
        None => format!("{value:.2e}").replace('-', "−"),
    }
}
