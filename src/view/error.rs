//! Why a picture could not be drawn.

use std::error::Error;

use plotters::drawing::DrawingAreaErrorKind;

use super::options::{DPI_MAX, DPI_MIN, SIDE_MAX_PX, SIDE_MIN_PX};

/// Why a picture could not be drawn. Odd data is never a reason: it is drawn as well as it can be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// The picture asked for is too small to read or too large to hold.
    #[error(
        "a plot has {SIDE_MIN_PX} to {SIDE_MAX_PX} pixels a side, not {width_px} x {height_px}: choose another size"
    )]
    Size {
        /// The width asked for.
        width_px: u32,
        /// The height asked for.
        height_px: u32,
    },
    /// The resolution is out of bounds.
    #[error("a plot has {DPI_MIN} to {DPI_MAX} dots per inch, not {0}: choose another resolution")]
    Dpi(u32),
    /// The round asked for is not in the data.
    #[error("there is no round {asked} here; {have}")]
    NoSuchRound {
        /// The number asked for.
        asked: u64,
        /// What there is instead, in words.
        have: String,
    },
    /// The drawing library gave up.
    #[error("the picture could not be drawn: {0}; please report this with the data that it was made from")]
    Drawing(String),
}

impl<E: Error + Send + Sync> From<DrawingAreaErrorKind<E>> for ViewError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        ViewError::Drawing(error.to_string())
    }
}
