//! The sheet that charts are drawn on: plotters' drawing area over one of our canvases, and lengths in pixels at
//! 100 dpi, which grow with the resolution.

use plotters::coord::{CoordTranslate, Shift};
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Drawable, PointCollection};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle,
};
use plotters_backend::{BackendCoord, DrawingErrorKind};

use crate::view::canvas::{Canvas, SUBPIXELS, text_width_em};

/// What drawing on a canvas returns.
pub(super) type Drawn<C> =
    Result<(), DrawingAreaErrorKind<<C as plotters_backend::DrawingBackend>::ErrorType>>;

/// Titles, names of panels, ticks; in pixels at 100 dpi. At 11 px the letters of DejaVu Sans are 6 and 8 whole
/// pixels high, at 14.6 px 8 and 10.7, so that they come out sharp without hinting.
pub(super) const TITLE_PX: f64 = 16.0;
/// The size of a panel's heading.
pub(super) const HEADING_PX: f64 = 13.0;
/// The size of legends and of values.
pub(super) const LABEL_PX: f64 = 11.0;
/// The size of ticks, notes and the footer.
pub(super) const SMALL_PX: f64 = 11.0;

/// Lettering.
pub(super) const INK: RGBColor = RGBColor(0x26, 0x26, 0x26);
/// Lettering of less weight, and axes.
pub(super) const FAINT_INK: RGBColor = RGBColor(0x59, 0x59, 0x59);
/// Grid.
pub(super) const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
/// The ground under a squeezed part of an axis.
pub(super) const SHADE: RGBColor = RGBColor(0xf3, 0xf3, 0xf3);

/// A rectangle on the sheet, in subpixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Frame {
    /// How wide it is; never negative.
    pub(super) fn width(&self) -> i32 {
        (self.right - self.left).max(0)
    }

    /// How high it is; never negative.
    pub(super) fn height(&self) -> i32 {
        (self.bottom - self.top).max(0)
    }
}

/// A picture being drawn.
pub(super) struct Sheet<C: Canvas> {
    area: DrawingArea<C, Shift>,
    scale: Scale,
}

/// From pixels at 100 dpi to subpixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale(f64);

impl Scale {
    /// For a resolution.
    pub(super) fn new(dpi: u32) -> Self {
        Self(f64::from(SUBPIXELS) * f64::from(dpi) / 100.0)
    }

    /// A length.
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest i32, which saturates")]
    pub(super) fn px(self, pixels: f64) -> i32 {
        (pixels * self.0).round() as i32
    }

    /// The width of a text.
    pub(super) fn text_width(self, text: &str, size_px: f64) -> i32 {
        self.px(text_width_em(text) * size_px)
    }
}

/// How a line looks; lengths in pixels at 100 dpi.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    pub(super) color: RGBColor,
    pub(super) width_px: f64,
    /// Lengths of ink and gap in turn; empty when solid.
    pub(super) dash_px: &'static [f64],
}

impl Pen {
    /// A solid line.
    pub(super) const fn solid(color: RGBColor, width_px: f64) -> Self {
        Self { color, width_px, dash_px: &[] }
    }
}

/// plotters' `PathElement`, with dashes.
struct Stroke<'a, P> {
    points: &'a [P],
    style: ShapeStyle,
    dash: Vec<i32>,
}

impl<'a, P> PointCollection<'a, P> for &'a Stroke<'a, P> {
    type Point = &'a P;
    type IntoIter = &'a [P];

    fn point_iter(self) -> &'a [P] {
        self.points
    }
}

impl<P, C: Canvas> Drawable<C> for Stroke<'_, P> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        points: I,
        canvas: &mut C,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<C::ErrorType>> {
        canvas.set_dash(&self.dash);
        let drawn = canvas.draw_path(points, &self.style);
        canvas.set_dash(&[]);
        drawn
    }
}

/// A filled shape.
struct Polygon<'a>(&'a [BackendCoord], ShapeStyle);

impl<'a> PointCollection<'a, BackendCoord> for &'a Polygon<'a> {
    type Point = &'a BackendCoord;
    type IntoIter = &'a [BackendCoord];

    fn point_iter(self) -> &'a [BackendCoord] {
        self.0
    }
}

impl<C: Canvas> Drawable<C> for Polygon<'_> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        points: I,
        canvas: &mut C,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<C::ErrorType>> {
        canvas.fill_polygon(points, &self.1)
    }
}

impl<C: Canvas> Sheet<C> {
    /// Over a whole canvas.
    pub(super) fn new(canvas: C, dpi: u32) -> Self {
        Self { area: canvas.into_drawing_area(), scale: Scale::new(dpi) }
    }

    /// Its measure.
    pub(super) fn scale(&self) -> Scale {
        self.scale
    }

    /// A length.
    pub(super) fn px(&self, pixels: f64) -> i32 {
        self.scale.px(pixels)
    }

    /// All of it.
    pub(super) fn frame(&self) -> Frame {
        let (x, y) = self.area.get_pixel_range();
        Frame { left: x.start, top: y.start, right: x.end, bottom: y.end }
    }

    /// The sheet under another coordinate system.
    pub(super) fn with_coordinates<T: CoordTranslate>(&self, coordinates: T) -> DrawingArea<C, T> {
        self.area.apply_coord_spec(coordinates)
    }

    /// A line through points of any coordinate system; a single point is no line and draws nothing.
    pub(super) fn polyline<T: CoordTranslate>(
        &self,
        on: &DrawingArea<C, T>,
        points: &[T::From],
        pen: Pen,
    ) -> Drawn<C> {
        let dash = pen.dash_px.iter().map(|length| self.px(*length).max(1)).collect();
        on.draw(&Stroke { points, style: self.shape(pen.color, pen.width_px, false), dash })
    }

    /// A line between points of the sheet.
    pub(super) fn line(&self, points: &[BackendCoord], pen: Pen) -> Drawn<C> {
        self.polyline(&self.area, points, pen)
    }

    /// A straight upright or level line of one pixel or more, moved onto whole pixels so that it comes out sharp.
    pub(super) fn rule(&self, from: BackendCoord, to: BackendCoord, pen: Pen) -> Drawn<C> {
        let sharp = |(x, y): BackendCoord| (sharpened(x), sharpened(y));
        self.line(&[sharp(from), sharp(to)], pen)
    }

    /// A filled rectangle.
    pub(super) fn block(&self, frame: Frame, color: RGBColor) -> Drawn<C> {
        let Frame { left, top, right, bottom } = frame;
        self.polygon(&[(left, top), (right, top), (right, bottom), (left, bottom)], color)
    }

    /// A filled shape.
    pub(super) fn polygon(&self, corners: &[BackendCoord], color: RGBColor) -> Drawn<C> {
        self.area.draw(&Polygon(corners, self.shape(color, 0.0, true)))
    }

    /// A filled circle.
    pub(super) fn dot(&self, center: BackendCoord, radius_px: f64, color: RGBColor) -> Drawn<C> {
        let style = self.shape(color, 0.0, true);
        self.area.draw(&plotters::element::Circle::new(center, self.px(radius_px), style))
    }

    /// A text; `at` is the point of it that `anchor` names.
    pub(super) fn text(
        &self,
        text: &str,
        at: BackendCoord,
        size_px: f64,
        color: RGBColor,
        anchor: Anchor,
    ) -> Drawn<C> {
        let size = f64::from(self.px(size_px));
        let transform = if anchor.upwards { FontTransform::Rotate270 } else { FontTransform::None };
        let font = FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal).transform(transform);
        let style = TextStyle::from(font).color(&color).pos(Pos::new(anchor.h, anchor.v));
        self.area.draw_text(text, &style, at)
    }

    fn shape(&self, color: RGBColor, width_px: f64, filled: bool) -> ShapeStyle {
        ShapeStyle { color: color.to_rgba(), filled, stroke_width: self.px(width_px).unsigned_abs() }
    }
}

/// Which point of a text is placed.
#[derive(Clone, Copy)]
pub(super) struct Anchor {
    h: HPos,
    v: VPos,
    upwards: bool,
}

impl Anchor {
    /// Left end, at the height of the middle of a capital.
    pub(super) const LEFT: Anchor = Anchor { h: HPos::Left, v: VPos::Center, upwards: false };
    /// Right end, at the height of the middle of a capital.
    pub(super) const RIGHT: Anchor = Anchor { h: HPos::Right, v: VPos::Center, upwards: false };
    /// Middle.
    pub(super) const MIDDLE: Anchor = Anchor { h: HPos::Center, v: VPos::Center, upwards: false };
    /// Middle of the upper edge.
    pub(super) const TOP: Anchor = Anchor { h: HPos::Center, v: VPos::Top, upwards: false };
    /// Middle of the lower edge.
    pub(super) const BOTTOM: Anchor = Anchor { h: HPos::Center, v: VPos::Bottom, upwards: false };
    /// The end of a text that is read upwards.
    pub(super) const UPWARDS_END: Anchor = Anchor { h: HPos::Right, v: VPos::Center, upwards: true };
    /// The beginning of a text that is read upwards.
    pub(super) const UPWARDS_START: Anchor = Anchor { h: HPos::Left, v: VPos::Center, upwards: true };
}

/// The middle of the pixel that a subpixel lies in.
fn sharpened(subpixel: i32) -> i32 {
    subpixel.div_euclid(SUBPIXELS) * SUBPIXELS + SUBPIXELS / 2
}

/// Cuts a text so that it is at most `width` wide, with an ellipsis where something is missing.
pub(super) fn fitted(scale: Scale, text: &str, size_px: f64, width: i32) -> String {
    if scale.text_width(text, size_px) <= width {
        return text.to_string();
    }
    let mut kept: String = text.chars().take(LABEL_CHARS_MAX).collect();
    while !kept.is_empty() && scale.text_width(&kept, size_px) + scale.text_width("…", size_px) > width {
        kept.pop();
    }
    kept.push('…');
    kept
}

/// No label is longer than this before it is cut: names come from peers.
const LABEL_CHARS_MAX: usize = 200;
