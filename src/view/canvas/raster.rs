//! Pixels: a plotters back end over tiny-skia, which rasterises filled paths, text above all, with anti-aliasing on
//! the CPU, and has no dependency outside Rust. Lines are rasterised by `stroke`; PNG is written by the `png` crate.

use std::convert::Infallible;

use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle};
use plotters_backend::{DrawingBackend, DrawingErrorKind};
use tiny_skia::{Color, ColorU8, FillRule, Paint, Path, PathBuilder, PathSegment, Pixmap};
use tiny_skia::{Rect, StrokeDash, Transform};

use super::stroke::Mask;
use super::{Canvas, SUBPIXELS, font, place};

/// An outlined circle has so many corners, which no eye sees at the size of a mark.
const CIRCLE_CORNERS: u8 = 64;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Draws on a pixmap that the caller keeps.
pub(in crate::view) struct Raster<'a> {
    pixmap: &'a mut Pixmap,
    mask: Mask,
    dash: Option<StrokeDash>,
}

impl<'a> Raster<'a> {
    /// Over all of `pixmap`, which is made white.
    pub(in crate::view) fn new(pixmap: &'a mut Pixmap) -> Self {
        pixmap.fill(Color::WHITE);
        let mask = Mask::new(pixmap.width(), pixmap.height());
        Self { pixmap, mask, dash: None }
    }

    fn fill(&mut self, path: Option<Path>, color: BackendColor, transform: Transform) {
        if let Some(path) = path {
            self.pixmap.fill_path(&path, &paint(color), FillRule::Winding, transform, None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, color: BackendColor, width: u32) {
        let dashed = match (&path, &self.dash) {
            (Some(path), Some(dash)) => path.dash(dash, 1.0),
            _ => None,
        };
        let Some(path) = dashed.or(path) else { return };
        let half = px(i32::try_from(width).unwrap_or(i32::MAX)) / 2.0;
        let (mut first, mut last) = ((0.0, 0.0), (0.0, 0.0));
        for segment in path.segments() {
            let to = match segment {
                PathSegment::MoveTo(to) => {
                    (first, last) = ((to.x, to.y), (to.x, to.y));
                    continue;
                }
                PathSegment::LineTo(to) => (to.x, to.y),
                // No line here is curved: plotters draws none.
                PathSegment::QuadTo(_, to) | PathSegment::CubicTo(_, _, to) => (to.x, to.y),
                PathSegment::Close => first,
            };
            self.mask.add(last, to, half);
            last = to;
        }
        self.mask.paint(self.pixmap, color_u8(color));
    }
}

impl Canvas for Raster<'_> {
    fn set_dash(&mut self, pattern: &[i32]) {
        self.dash = StrokeDash::new(pattern.iter().copied().map(px).collect(), 0.0);
    }
}

impl DrawingBackend for Raster<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.pixmap.width() * SUBPIXELS.unsigned_abs(), self.pixmap.height() * SUBPIXELS.unsigned_abs())
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Drawn {
        self.draw_rect(at, (at.0 + 1, at.1 + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (left, top) = (px(upper_left.0), px(upper_left.1));
        let rect = Rect::from_ltrb(left, top, px(bottom_right.0).max(left), px(bottom_right.1).max(top));
        match rect {
            Some(rect) if fill => {
                self.pixmap.fill_rect(rect, &paint(style.color()), Transform::identity(), None);
            }
            Some(rect) => {
                self.stroke(Some(PathBuilder::from_rect(rect)), style.color(), style.stroke_width())
            }
            None => {}
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let line = polyline(path);
        self.stroke(line.finish(), style.color(), style.stroke_width());
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let radius = px(i32::try_from(radius).unwrap_or(i32::MAX));
        let (x, y) = (px(center.0), px(center.1));
        if fill {
            self.fill(PathBuilder::from_circle(x, y, radius), style.color(), Transform::identity());
            return Ok(());
        }
        let mut path = PathBuilder::new();
        path.move_to(x + radius, y);
        for corner in 1..=CIRCLE_CORNERS {
            let (sin, cos) = (std::f32::consts::TAU * corner as f32 / CIRCLE_CORNERS as f32).sin_cos();
            path.line_to(x + radius * cos, y + radius * sin);
        }
        self.stroke(path.finish(), style.color(), style.stroke_width());
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        let mut path = polyline(vert);
        path.close();
        self.fill(path.finish(), style.color(), Transform::identity());
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "tiny-skia draws in f32, finer than a subpixel here")]
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let placed = place(text, style, at);
        let mut path = PathBuilder::new();
        font::outline(text, placed.size, &mut path);
        let to_pixels = Transform::from_scale(px(1), px(1))
            .pre_translate(placed.x as f32, placed.baseline as f32)
            .pre_rotate(placed.turned_degrees as f32)
            .pre_translate(-placed.shift as f32, 0.0);
        self.fill(path.finish(), style.color(), to_pixels);
        Ok(())
    }
}

fn polyline(points: impl IntoIterator<Item = BackendCoord>) -> PathBuilder {
    let mut path = PathBuilder::new();
    for (x, y) in points {
        if path.is_empty() {
            path.move_to(px(x), px(y));
        } else {
            path.line_to(px(x), px(y));
        }
    }
    path
}

/// Subpixels to pixels.
fn px(subpixels: i32) -> f32 {
    // Exact: a picture has less than 2^24 subpixels a side.
    subpixels as f32 / SUBPIXELS as f32
}

fn paint(color: BackendColor) -> Paint<'static> {
    let color = color_u8(color);
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(color.red(), color.green(), color.blue(), color.alpha());
    paint
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn color_u8(color: BackendColor) -> ColorU8 {
    let (red, green, blue) = color.rgb;
    ColorU8::from_rgba(red, green, blue, (color.alpha.clamp(0.0, 1.0) * 255.0).round() as u8)
}

/// The picture as a PNG file. It is opaque, so three bytes a pixel are enough.
pub(in crate::view) fn encode_png(pixmap: &Pixmap, dpi: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut rgb = Vec::with_capacity(pixmap.data().len() / 4 * 3);
    for pixel in pixmap.data().chunks_exact(4) {
        rgb.extend(pixel.iter().take(3));
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixmap.width(), pixmap.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Against `Balanced`, 15 ms less in 55 and 170 KiB instead of 105, for a plot of 90,000 readings.
    encoder.set_compression(png::Compression::Fast);
    let dots_per_metre = (dpi * 10_000 + 127) / 254;
    let unit = png::Unit::Meter;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: dots_per_metre, yppu: dots_per_metre, unit }));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(bytes)
}
