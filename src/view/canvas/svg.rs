//! Vectors: a plotters back end that writes SVG. Text stays text, in DejaVu Sans or what is nearest to it; it is
//! placed by the embedded font's widths, and Verdana, the first fallback, has the same ones.

use std::convert::Infallible;
use std::fmt::{self, Write};

use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle};
use plotters_backend::{DrawingBackend, DrawingErrorKind, text_anchor::HPos};

use super::{Canvas, SUBPIXELS, place};

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Writes to a text that the caller keeps; [`Svg::END`] is to follow when all is drawn.
pub(in crate::view) struct Svg<'a> {
    text: &'a mut String,
    size_px: (u32, u32),
    dash: String,
}

impl<'a> Svg<'a> {
    /// What closes the picture.
    pub(in crate::view) const END: &'static str = "</svg>\n";

    /// Begins a white picture at the end of `text`; `title` is for readers that cannot see it.
    pub(in crate::view) fn new(text: &'a mut String, size_px: (u32, u32), title: &str) -> Self {
        let (width, height) = size_px;
        let mut svg = Self { text, size_px, dash: String::new() };
        svg.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" \
             font-family=\"'DejaVu Sans',Verdana,Arial,sans-serif\" \
             stroke-linejoin=\"round\">\n<title>{}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
            Escaped(title)
        ));
        svg
    }

    fn put(&mut self, what: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(what);
    }

    /// The attributes of a shape that is filled, or only has an outline.
    fn put_ink<S: BackendStyle>(&mut self, style: &S, fill: bool) {
        let ink = Ink(style.color());
        if fill {
            self.put(format_args!(" fill=\"{ink}\"{}", Opacity("fill", ink.0.alpha)));
        } else {
            let width = Px(f64::from(style.stroke_width()));
            let opacity = Opacity("stroke", ink.0.alpha);
            self.put(format_args!(" fill=\"none\" stroke=\"{ink}\" stroke-width=\"{width}\"{opacity}"));
            if !self.dash.is_empty() {
                let dash = std::mem::take(&mut self.dash);
                self.put(format_args!(" stroke-dasharray=\"{dash}\""));
                self.dash = dash;
            }
        }
        self.put(format_args!("/>\n"));
    }

    fn put_points(&mut self, points: impl IntoIterator<Item = BackendCoord>) {
        self.put(format_args!("<path d=\""));
        for (at, (x, y)) in points.into_iter().enumerate() {
            let command = if at == 0 { "M" } else { "L" };
            self.put(format_args!("{command}{} {}", Px(x.into()), Px(y.into())));
        }
    }
}

impl Canvas for Svg<'_> {
    fn set_dash(&mut self, pattern: &[i32]) {
        let lengths: Vec<String> = pattern.iter().map(|length| Px((*length).into()).to_string()).collect();
        self.dash = lengths.join(" ");
    }
}

impl DrawingBackend for Svg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.size_px.0 * SUBPIXELS.unsigned_abs(), self.size_px.1 * SUBPIXELS.unsigned_abs())
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
        let (x, y) = (Px(upper_left.0.into()), Px(upper_left.1.into()));
        let width = Px((bottom_right.0 - upper_left.0).max(0).into());
        let height = Px((bottom_right.1 - upper_left.1).max(0).into());
        self.put(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""));
        self.put_ink(style, fill);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.put_points(path);
        self.put(format_args!("\""));
        self.put_ink(style, false);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (x, y, radius) = (Px(center.0.into()), Px(center.1.into()), Px(radius.into()));
        self.put(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\""));
        self.put_ink(style, fill);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        self.put_points(vert);
        self.put(format_args!("Z\""));
        self.put_ink(style, true);
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let placed = place(text, style, at);
        let (x, y, size) = (Px(placed.x), Px(placed.baseline), Px(placed.size));
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{}\"",
            Ink(style.color())
        ));
        match style.anchor().h_pos {
            HPos::Left => {}
            HPos::Center => self.put(format_args!(" text-anchor=\"middle\"")),
            HPos::Right => self.put(format_args!(" text-anchor=\"end\"")),
        }
        if placed.turned_degrees != 0.0 {
            self.put(format_args!(" transform=\"rotate({} {x} {y})\"", placed.turned_degrees));
        }
        self.put(format_args!(">{}</text>\n", Escaped(text)));
        Ok(())
    }
}

/// A length: subpixels, written in pixels.
struct Px(f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hundredths are finer than a subpixel.
        let pixels = (self.0 / f64::from(SUBPIXELS) * 100.0).round() / 100.0;
        write!(f, "{pixels}")
    }
}

/// A colour, as `#0072b2`.
struct Ink(BackendColor);

impl fmt::Display for Ink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (red, green, blue) = self.0.rgb;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// ` fill-opacity="0.5"`, or nothing when opaque.
struct Opacity(&'static str, f64);

impl fmt::Display for Opacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 < 1.0 { write!(f, " {}-opacity=\"{}\"", self.0, self.1) } else { Ok(()) }
    }
}

/// Text within XML. Characters that XML 1.0 forbids, and those that turn the direction of text, become `?`: names
/// come from peers.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('?')?,
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => f.write_char('?')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_name_themselves_cannot_break_the_picture() {
        let mut text = String::new();
        Svg::new(&mut text, (300, 200), "a<b & \"c\"\u{0}\u{1b}");
        assert!(text.contains("<title>a&lt;b &amp; &quot;c&quot;??</title>"), "{text}");
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!(Px(24.0).to_string(), "1.5");
        assert_eq!(Px(1.0).to_string(), "0.06");
        assert_eq!(Px(-16.0).to_string(), "-1");
    }
}
