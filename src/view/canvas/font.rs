//! The one font that plots are lettered in: DejaVu Sans, cut down to Latin, Greek and the signs of units, within the
//! binary (assets/FONT-LICENSE). So a plot looks the same on every machine and needs no fontconfig.

use std::sync::LazyLock;

use tiny_skia::PathBuilder;
use ttf_parser::{Face, GlyphId, OutlineBuilder};

static FONT: &[u8] = include_bytes!("../../../assets/DejaVuSans-subset.ttf");

/// `None` only when the font within the binary is damaged; a test holds that it is not.
static FACE: LazyLock<Option<Face<'static>>> = LazyLock::new(|| Face::parse(FONT, 0).ok());

/// The width of a text in ems, kerning included.
pub(in crate::view) fn text_width_em(text: &str) -> f64 {
    let Some(face) = FACE.as_ref() else { return 0.0 };
    let mut width = 0.0;
    for_glyphs(face, text, |_, _, after| width = after);
    width / f64::from(face.units_per_em())
}

/// Adds the outlines of a text to `path`: from (0, 0) to the right, the baseline at 0, downwards positive.
pub(super) fn outline(text: &str, size: f64, path: &mut PathBuilder) {
    let Some(face) = FACE.as_ref() else { return };
    let scale = size / f64::from(face.units_per_em());
    for_glyphs(face, text, |glyph, x, _| {
        face.outline_glyph(glyph, &mut Outline { path, x, scale });
    });
}

/// Calls `visit(glyph, x, x after it)` in font units. A character that the font does not have is its empty box.
fn for_glyphs(face: &Face<'_>, text: &str, mut visit: impl FnMut(GlyphId, f64, f64)) {
    let (mut x, mut before) = (0.0, None);
    for glyph in text.chars().map(|c| face.glyph_index(c).unwrap_or_default()) {
        if let Some(before) = before {
            x += f64::from(kerning(face, before, glyph));
        }
        let after = x + f64::from(face.glyph_hor_advance(glyph).unwrap_or_default());
        visit(glyph, x, after);
        (x, before) = (after, Some(glyph));
    }
}

fn kerning(face: &Face<'_>, left: GlyphId, right: GlyphId) -> i16 {
    let Some(kern) = face.tables().kern else { return 0 };
    kern.subtables
        .into_iter()
        .filter(|table| table.horizontal && !table.variable)
        .find_map(|table| table.glyphs_kerning(left, right))
        .unwrap_or_default()
}

/// Moves and scales a glyph's outline into the picture; fonts count upwards, pictures downwards.
struct Outline<'a> {
    path: &'a mut PathBuilder,
    x: f64,
    scale: f64,
}

impl Outline<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "tiny-skia draws in f32, finer than a subpixel here")]
    fn to(&self, x: f32, y: f32) -> (f32, f32) {
        (((self.x + f64::from(x)) * self.scale) as f32, (-f64::from(y) * self.scale) as f32)
    }
}

impl OutlineBuilder for Outline<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.to(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.to(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.to(x1, y1), self.to(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.to(x1, y1), self.to(x2, y2), self.to(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_that_plots_use_has_a_glyph() {
        let face = FACE.as_ref().unwrap();
        for c in ('!'..='~').chain("°µ±×−–—…²³‰Ω→≤≥·•äÄßéñčΔπ⁰⁻⁹₂".chars())
        {
            assert!(face.glyph_index(c).is_some(), "{c:?}");
        }
    }

    #[test]
    fn text_is_kerned() {
        assert!(text_width_em("AV") < text_width_em("A") + text_width_em("V"));
        assert!((text_width_em("0000") - 4.0 * text_width_em("0")).abs() < 1e-9);
        assert_eq!(text_width_em(""), 0.0);
    }

    #[test]
    fn an_outline_is_as_wide_as_its_text() {
        let mut path = PathBuilder::new();
        outline("Hxg", 100.0, &mut path);
        let bounds = path.finish().unwrap().bounds();
        let width = text_width_em("Hxg") * 100.0;
        assert!(f64::from(bounds.right()) <= width && f64::from(bounds.right()) > 0.9 * width);
        assert!((-bounds.top() - 72.9).abs() < 0.1, "an H is as high as a capital is: {bounds:?}");
        assert!(bounds.bottom() > 15.0, "a g hangs below it");
    }
}
