//! How a picture is to look.

use jiff::tz::TimeZone;

use super::{ErrAs, ViewError};
use crate::model::{NodeName, WallTime};

/// Smallest side of a picture: below it not even one panel can be read.
pub(super) const SIDE_MIN_PX: u32 = 200;
/// Largest side of a picture: a square of it takes 256 MiB to draw.
pub(super) const SIDE_MAX_PX: u32 = 8192;
/// Lowest resolution: lettering of 5 pixels.
pub(super) const DPI_MIN: u32 = 50;
/// Highest resolution: print.
pub(super) const DPI_MAX: u32 = 600;

/// The format of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Pixels, anti-aliased.
    #[default]
    Png,
    /// Vectors, with text as text.
    Svg,
}

impl Format {
    /// How the names of its files end, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Svg => "svg",
        }
    }
}

/// How a picture is to look.
#[derive(Clone, Debug)]
pub struct PlotOptions {
    /// Width and height in pixels.
    pub size_px: (u32, u32),
    /// Dots per inch: lettering and lines grow with it, the picture does not.
    pub dpi: u32,
    /// What becomes of an ERR.
    pub err: ErrAs,
    /// The zone of the time axis.
    pub zone: TimeZone,
    /// Stands over the picture; nothing when empty.
    pub title: String,
    /// The time that is shown, both ends included; all that the data has when `None`.
    pub span: Option<(WallTime, WallTime)>,
    /// All nodes that there are, also those that this picture leaves out, so that each has its colour in every picture.
    pub known_nodes: Vec<NodeName>,
}

impl Default for PlotOptions {
    /// 10 x 8 inches at 100 dpi, ERR at zero, in UTC, without a title, all of the data.
    fn default() -> Self {
        Self {
            size_px: (1000, 800),
            dpi: 100,
            err: ErrAs::Zero,
            zone: TimeZone::UTC,
            title: String::new(),
            span: None,
            known_nodes: Vec::new(),
        }
    }
}

impl PlotOptions {
    /// Refuses what cannot be drawn.
    pub(super) fn check(&self) -> Result<(), ViewError> {
        let (width_px, height_px) = self.size_px;
        let sides = SIDE_MIN_PX..=SIDE_MAX_PX;
        if !sides.contains(&width_px) || !sides.contains(&height_px) {
            return Err(ViewError::Size { width_px, height_px });
        }
        if !(DPI_MIN..=DPI_MAX).contains(&self.dpi) {
            return Err(ViewError::Dpi(self.dpi));
        }
        Ok(())
    }
}
