//! Pixels: a plotters back end over tiny-skia, which rasterises paths with anti-aliasing on the CPU and has no
//! dependency outside Rust. PNG is written by the `png` crate.

use std::convert::Infallible;

use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle};
use plotters_backend::{DrawingBackend, DrawingErrorKind};
use tiny_skia::{Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap};
use tiny_skia::{Rect, Stroke, StrokeDash, Transform};

use super::{Canvas, SUBPIXELS, font, place};

/// A stroke is rasterised in runs of at most so many points: the cost of a path grows faster than its length.
const STROKE_RUN_POINTS: usize = 128;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Draws on a pixmap that the caller keeps.
pub(in crate::view) struct Raster<'a> {
    pixmap: &'a mut Pixmap,
    dash: Option<StrokeDash>,
}

impl<'a> Raster<'a> {
    /// Over all of `pixmap`, which is made white.
    pub(in crate::view) fn new(pixmap: &'a mut Pixmap) -> Self {
        pixmap.fill(Color::WHITE);
        Self { pixmap, dash: None }
    }

    fn fill(&mut self, path: Option<Path>, color: BackendColor, transform: Transform) {
        if let Some(path) = path {
            self.pixmap.fill_path(&path, &paint(color), FillRule::Winding, transform, None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, color: BackendColor, width: u32) {
        let Some(path) = path else { return };
        let stroke = Stroke {
            width: px(i32::try_from(width).unwrap_or(i32::MAX)),
            line_cap: if self.dash.is_some() { LineCap::Butt } else { LineCap::Round },
            // At such widths no eye tells a bevel from a round joint, which takes half as long again.
            line_join: LineJoin::Bevel,
            dash: self.dash.clone(),
            ..Stroke::default()
        };
        self.pixmap.stroke_path(&path, &paint(color), &stroke, Transform::identity(), None);
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
        let run_points = if self.dash.is_some() { usize::MAX } else { STROKE_RUN_POINTS };
        let mut run = PathBuilder::new();
        for (x, y) in path {
            let (x, y) = (px(x), px(y));
            if run.is_empty() {
                run.move_to(x, y);
            } else {
                run.line_to(x, y);
            }
            if run.len() >= run_points {
                self.stroke(run.finish(), style.color(), style.stroke_width());
                run = PathBuilder::new();
                run.move_to(x, y);
            }
        }
        self.stroke(run.finish(), style.color(), style.stroke_width());
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
        let path = PathBuilder::from_circle(px(center.0), px(center.1), radius);
        if fill {
            self.fill(path, style.color(), Transform::identity());
        } else {
            self.stroke(path, style.color(), style.stroke_width());
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        let mut path = PathBuilder::new();
        for (x, y) in vert {
            if path.is_empty() {
                path.move_to(px(x), px(y));
            } else {
                path.line_to(px(x), px(y));
            }
        }
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

/// Subpixels to pixels.
fn px(subpixels: i32) -> f32 {
    // Exact: a picture has less than 2^24 subpixels a side.
    subpixels as f32 / SUBPIXELS as f32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn paint(color: BackendColor) -> Paint<'static> {
    let (red, green, blue) = color.rgb;
    let alpha = (color.alpha.clamp(0.0, 1.0) * 255.0).round() as u8;
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, alpha);
    paint
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
