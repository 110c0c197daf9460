//! What charts are drawn on: two back ends for plotters, one of pixels (tiny-skia) and one of vectors (SVG), that
//! measure and place text alike. plotters' own are passed over: its bitmap is not anti-aliased, its strokes other than
//! one pixel come out broken, and its text has no kerning.

mod font;
mod raster;
mod stroke;
mod svg;

pub(super) use font::text_width_em;
pub(super) use raster::{Raster, encode_png};
pub(super) use svg::Svg;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendCoord, BackendTextStyle, DrawingBackend, FontTransform};

/// plotters counts in whole numbers. One pixel is so many of them on these canvases, in coordinates, widths of lines
/// and sizes of text: lines then run between pixels, as smooth as in floating point.
pub(super) const SUBPIXELS: i32 = 16;

/// DejaVu Sans: from the baseline to the top of a digit or capital, in ems.
const CAP_HEIGHT_EM: f64 = 0.729;
/// DejaVu Sans: how far letters hang below the baseline, in ems.
const DESCENT_EM: f64 = 0.236;

/// A plotters back end that knows dashes, which plotters does not.
pub(super) trait Canvas: DrawingBackend {
    /// From now on lines have these lengths of ink and gap in turn, in subpixels; an empty pattern is solid.
    fn set_dash(&mut self, pattern: &[i32]);
}

/// Where a text starts, in subpixels, and how it is turned.
struct Placed {
    x: f64,
    baseline: f64,
    /// Clockwise.
    turned_degrees: f64,
    /// How far the text begins before (x, baseline), along its own direction.
    shift: f64,
    size: f64,
}

/// Puts a text's anchor at `at`. Vertical positions go by capitals and digits, of which labels are made.
fn place<S: BackendTextStyle>(text: &str, style: &S, at: BackendCoord) -> Placed {
    let size = style.size();
    let width = text_width_em(text) * size;
    let shift = match style.anchor().h_pos {
        HPos::Left => 0.0,
        HPos::Center => width / 2.0,
        HPos::Right => width,
    };
    let drop = match style.anchor().v_pos {
        VPos::Top => CAP_HEIGHT_EM,
        VPos::Center => CAP_HEIGHT_EM / 2.0,
        VPos::Bottom => -DESCENT_EM,
    } * size;
    let (x, y) = (f64::from(at.0), f64::from(at.1));
    let (x, baseline, turned_degrees) = match style.transform() {
        FontTransform::None => (x, snap(y + drop), 0.0),
        FontTransform::Rotate90 => (snap(x - drop), y, 90.0),
        FontTransform::Rotate180 => (x, snap(y - drop), 180.0),
        FontTransform::Rotate270 => (snap(x + drop), y, 270.0),
    };
    Placed { x, baseline, turned_degrees, shift, size }
}

/// Baselines lie on whole pixels, so that every label is as sharp as the next.
fn snap(subpixels: f64) -> f64 {
    let pixel = f64::from(SUBPIXELS);
    (subpixels / pixel).round() * pixel
}
