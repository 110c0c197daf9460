//! Thin lines to pixels. A plot is mostly lines one or two pixels wide that go up and down thousands of times; for
//! those a path filled with supersampling, tiny-skia's way, takes several times as long as what this file does: for
//! each pixel near a segment, its place along and across the segment says how much of it is covered.
//!
//! The segments of a line are added up in a mask, which is painted once. Each ends squarely, so that two that meet
//! share the pixels of the joint between them, and the up and down of a dense line, a pixel apart, fills the plane.

use tiny_skia::{ColorU8, Pixmap};

/// A point of the picture, in pixels.
pub(super) type Spot = (f32, f32);

/// How much of each pixel a line covers; 255 is all of it. Empty between two lines.
pub(super) struct Mask {
    width: usize,
    height: usize,
    cells: Vec<u8>,
    /// The rows and columns, from and to, outside of which all is empty.
    dirty: (Span, Span),
}

/// Rows or columns: the first, and the one after the last.
type Span = (usize, usize);

const NOTHING: Span = (usize::MAX, 0);

/// A segment that rises less than this part of its length counts as level.
const LEVEL: f32 = 1e-4;

impl Mask {
    /// For a picture of this size.
    pub(super) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, height, cells: vec![0; width * height], dirty: (NOTHING, NOTHING) }
    }

    /// Adds a segment of a line that is twice `half` pixels wide; what lies outside of the picture is left out.
    pub(super) fn add(&mut self, a: Spot, b: Spot, half: f32) {
        let reach = half + 0.5;
        let segment = Segment::new(a, b);
        let (left, right) = (a.0.min(b.0) - reach, a.0.max(b.0) + reach);
        let (top, bottom) = (a.1.min(b.1), a.1.max(b.1));
        let rows = span(top - reach, bottom + reach, self.height);
        for row in rows.0..rows.1 {
            let y = row as f32 + 0.5;
            let (middle, extent) = segment.track(y, reach);
            let columns = span((middle - extent).max(left), (middle + extent).min(right), self.width);
            let start = row * self.width;
            let Some(cells) = self.cells.get_mut(start + columns.0..start + columns.1) else { continue };
            let x = columns.0 as f32 + 0.5;
            if y - reach > top && y + reach < bottom {
                // Far from both ends a pixel's place along the segment does not matter.
                let away = (x - middle) * segment.upright;
                cover(cells, |step| across(away + step * segment.upright, half));
            } else {
                cover(cells, |step| segment.covers(x + step, y, half));
            }
        }
        let columns = span(left, right, self.width);
        self.dirty = (union(self.dirty.0, rows), union(self.dirty.1, columns));
    }

    /// Paints what is covered, and is empty again. The picture is opaque.
    pub(super) fn paint(&mut self, pixmap: &mut Pixmap, color: ColorU8) {
        let (rows, columns) = std::mem::replace(&mut self.dirty, (NOTHING, NOTHING));
        let inks = [color.red(), color.green(), color.blue()];
        for row in rows.0..rows.1 {
            let (from, to) = (row * self.width + columns.0, row * self.width + columns.1);
            let cells = self.cells.get_mut(from..to).unwrap_or_default();
            let pixels = pixmap.data_mut().get_mut(from * 4..to * 4).unwrap_or_default();
            for (cell, pixel) in cells.iter_mut().zip(pixels.chunks_exact_mut(4)) {
                let covered = u32::from(std::mem::take(cell)) * u32::from(color.alpha()) / 255;
                if covered > 0 {
                    for (channel, ink) in pixel.iter_mut().zip(inks) {
                        *channel = mixed(*channel, ink, covered);
                    }
                }
            }
        }
    }
}

/// Covers a row of cells by what `part` says for the first, the next one (a step of 1), and so on.
fn cover(cells: &mut [u8], part: impl Fn(f32) -> f32) {
    let mut step = 0.0;
    for cell in cells {
        *cell = cell.saturating_add(coverage(part(step)));
        step += 1.0;
    }
}

/// How much a line covers of a pixel that lies `away` from its middle.
fn across(away: f32, half: f32) -> f32 {
    (half + 0.5 - away.abs()).clamp(0.0, (2.0 * half).min(1.0))
}

/// A segment, prepared for many questions.
struct Segment {
    from: Spot,
    length: f32,
    /// Its direction: one pixel along it.
    unit: Spot,
    /// How far it goes sideways with each row.
    lean: f32,
    /// Its height over its length: 1 when upright, 0 when level.
    upright: f32,
}

impl Segment {
    fn new(a: Spot, b: Spot) -> Self {
        let along = (b.0 - a.0, b.1 - a.1);
        let length = (along.0 * along.0 + along.1 * along.1).sqrt();
        let inverse = if length > 0.0 { length.recip() } else { 0.0 };
        let upright = along.1.abs() * inverse;
        // A level segment comes near everywhere on its rows, between its ends.
        let lean = if upright > LEVEL { along.0 / along.1 } else { 0.0 };
        Self { from: a, length, unit: (along.0 * inverse, along.1 * inverse), lean, upright }
    }

    /// Where the line that it is part of crosses the row `y`, and how far to both sides it is nearer than `reach`.
    fn track(&self, y: f32, reach: f32) -> (f32, f32) {
        let extent = if self.upright > LEVEL { reach / self.upright } else { f32::INFINITY };
        (self.from.0 + (y - self.from.1) * self.lean, extent)
    }

    /// How much of the pixel around (x, y) it covers.
    fn covers(&self, x: f32, y: f32, half: f32) -> f32 {
        let (x, y) = (x - self.from.0, y - self.from.1);
        let along = x * self.unit.0 + y * self.unit.1;
        let away = x * self.unit.1 - y * self.unit.0;
        let between_ends = (along + 0.5).min(self.length) - (along - 0.5).max(0.0);
        across(away, half) * between_ends.max(0.0)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn coverage(part: f32) -> u8 {
    (part.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

/// The pixels that `from..to` touches, of `size`; perhaps one more.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest usize"
)]
fn span(from: f32, to: f32, size: usize) -> Span {
    let first = (from.max(0.0) as usize).min(size);
    let end = if to <= 0.0 { 0 } else { (to as usize).saturating_add(1).min(size) };
    (first, end.max(first))
}

fn union(a: Span, b: Span) -> Span {
    (a.0.min(b.0), a.1.max(b.1))
}

#[expect(clippy::cast_possible_truncation, reason = "between two bytes")]
fn mixed(under: u8, ink: u8, covered: u32) -> u8 {
    ((u32::from(under) * (255 - covered) + u32::from(ink) * covered + 127) / 255) as u8
}

#[cfg(test)]
#[path = "stroke_tests.rs"]
mod tests;
