//! From readings to pictures: averages, down-sampling, charts as PNG or SVG. Pure: it returns bytes and never touches
//! a file, a clock or a socket.
//!
//! [`time_series`] draws every quantity over time, [`round_chart`] one round as bars, [`curve_chart`] what a simulated
//! run or a comparison came to. The record's ERRs become zeros
//! in one place only, [`ErrAs::value`].

mod average;
mod canvas;
mod chart;
mod curves;
mod data;
mod doubts;
mod downsample;
mod err_as;
mod error;
mod options;
mod spacing;
mod tally;

pub use average::{Average, Averages};
pub use chart::{curve_chart, round_chart, time_series};
pub use curves::{Along, Curve, CurveName, CurvePanel, CurveScale, CurveStyle, Curves, Shade};
pub use data::{Dates, PlotData, Round, Series};
pub use doubts::Doubts;
pub use downsample::{Columns, Downsampler, ErrMarks, Point};
pub use err_as::ErrAs;
pub use error::ViewError;
pub use options::{Format, PlotOptions};
pub use tally::{Tally, grouped};
