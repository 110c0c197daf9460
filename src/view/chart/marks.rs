//! The marks on readings: one for each node's cycle of colours, and the hollow × of an ERR.

use plotters::style::{RGBColor, WHITE};

use super::palette::{Look, Mark};
use super::sheet::{Drawn, Pen, Sheet};
use crate::view::canvas::Canvas;

/// Half the width of a reading's mark, in pixels.
const READING_PX: f64 = 2.5;
/// From the middle of an ERR's × to its outermost edge, in pixels.
pub(super) const ERR_PX: f64 = 5.0;
/// Half the thickness of its arms.
const ARM_PX: f64 = 1.7;

/// The mark of a good reading, a real zero included.
pub(super) fn reading<C: Canvas>(sheet: &Sheet<C>, (x, y): (i32, i32), look: Look) -> Drawn<C> {
    let (r, color) = (sheet.px(READING_PX), look.pen.color);
    match look.mark {
        Mark::Disc => sheet.dot((x, y), READING_PX, color),
        Mark::Square => {
            sheet.polygon(&[(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)], color)
        }
        Mark::Triangle => {
            let r = sheet.px(READING_PX * 1.3);
            sheet.polygon(&[(x, y - r), (x + r, y + r * 3 / 4), (x - r, y + r * 3 / 4)], color)
        }
        Mark::Diamond => {
            let r = sheet.px(READING_PX * 1.35);
            sheet.polygon(&[(x, y - r), (x + r, y), (x, y + r), (x - r, y)], color)
        }
    }
}

/// The mark of an ERR: an × with a white inside, which no good reading has.
pub(super) fn err<C: Canvas>(sheet: &Sheet<C>, (x, y): (i32, i32), color: RGBColor) -> Drawn<C> {
    let (tip, arm) = (sheet.px(ERR_PX - ARM_PX), sheet.px(ARM_PX));
    // Clockwise from the upper left arm; `tip` is how far an arm reaches, `arm` half of its thickness.
    let outline = [
        (-tip, -tip - arm),
        (0, -arm * 5 / 4),
        (tip, -tip - arm),
        (tip + arm, -tip),
        (arm * 5 / 4, 0),
        (tip + arm, tip),
        (tip, tip + arm),
        (0, arm * 5 / 4),
        (-tip, tip + arm),
        (-tip - arm, tip),
        (-arm * 5 / 4, 0),
        (-tip - arm, -tip),
        (-tip, -tip - arm),
    ]
    .map(|(dx, dy)| (x + dx, y + dy));
    sheet.polygon(&outline, WHITE)?;
    sheet.line(&outline, Pen::solid(color, 1.1))
}
