//! Charts: what goes where on a picture. Three views, each in PNG and SVG.

mod bars;
mod content;
mod curve_axis;
mod curves;
mod figure;
mod lines;
mod marks;
mod names;
mod palette;
mod round;
mod series;
mod sheet;
mod time_axis;
mod value_axis;

use tiny_skia::Pixmap;

use self::sheet::{Drawn, Sheet};
use super::canvas::{Canvas, Raster, Svg, encode_png};
use super::{Curves, Format, PlotData, PlotOptions, ViewError};

/// Draws all quantities over time: one panel for each, a line for each node, and the averages.
///
/// Returns the bytes of the picture's file. Whatever is in `data`, it comes out; the errors are about `options`.
pub fn time_series(data: &PlotData, options: &PlotOptions, format: Format) -> Result<Vec<u8>, ViewError> {
    render(&series::TimeSeries::new(data, options), options, format)
}

/// Draws the round with this number: one panel for each quantity, a bar for each node, and the averages.
///
/// Returns the bytes of the picture's file; [`ViewError::NoSuchRound`] when `data` does not have the round.
pub fn round_chart(
    data: &PlotData,
    number: u64,
    options: &PlotOptions,
    format: Format,
) -> Result<Vec<u8>, ViewError> {
    render(&round::RoundChart::new(data, number, options)?, options, format)
}

/// Draws curves: what a simulated run did over time, or how ways to collect compare.
///
/// Returns the bytes of the picture's file. Whatever is in `curves`, it comes out; the errors are about `options`.
pub fn curve_chart(curves: &Curves, options: &PlotOptions, format: Format) -> Result<Vec<u8>, ViewError> {
    render(&curves::CurveChart::new(curves, options), options, format)
}

/// A picture that any canvas can take.
trait Chart {
    fn draw<C: Canvas>(&self, sheet: &Sheet<C>) -> Drawn<C>;
}

fn render(chart: &impl Chart, options: &PlotOptions, format: Format) -> Result<Vec<u8>, ViewError> {
    options.check()?;
    let (width_px, height_px) = options.size_px;
    match format {
        Format::Png => {
            let mut pixmap =
                Pixmap::new(width_px, height_px).ok_or(ViewError::Size { width_px, height_px })?;
            chart.draw(&Sheet::new(Raster::new(&mut pixmap), options.dpi))?;
            encode_png(&pixmap, options.dpi).map_err(|error| ViewError::Drawing(error.to_string()))
        }
        Format::Svg => {
            let mut text = String::new();
            chart.draw(&Sheet::new(Svg::new(&mut text, options.size_px, &options.title), options.dpi))?;
            text.push_str(Svg::END);
            Ok(text.into_bytes())
        }
    }
}

#[cfg(test)]
#[path = "chart_tests.rs"]
mod tests;
