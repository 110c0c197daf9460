//! How nodes look: Okabe and Ito's colours, which all kinds of colour vision tell apart (jfly.uni-koeln.de/color,
//! 2008), then dashes and marks.

use plotters::style::RGBColor;

use super::sheet::Pen;

/// Their eight, those that stand out on white first; in the place of their black, which the averages have, grey.
const COLORS: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x99, 0x99, 0x99),
    RGBColor(0xf0, 0xe4, 0x42),
];

/// Solid, long, dotted, dash-dot.
const DASHES_PX: [&[f64]; 4] = [&[], &[7.0, 3.0], &[1.6, 2.0], &[7.0, 2.5, 1.6, 2.5]];

/// The width of a node's line.
const NODE_LINE_PX: f64 = 1.3;

/// The mean with ERR as zero.
pub(super) const AVG: Pen = Pen { color: RGBColor(0x1a, 0x1a, 0x1a), width_px: 1.6, dash_px: &[6.0, 3.0] };
/// The mean of the good readings.
pub(super) const AVG_OK: Pen = Pen { color: RGBColor(0x1a, 0x1a, 0x1a), width_px: 1.6, dash_px: &[1.6, 2.4] };

/// The mark on a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Disc,
    Square,
    Triangle,
    Diamond,
}

const MARKS: [Mark; 4] = [Mark::Disc, Mark::Square, Mark::Triangle, Mark::Diamond];

/// How one channel of a node looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) pen: Pen,
    pub(super) mark: Mark,
}

/// The look of the node that is `node`th by name. Beyond the eighth, dash and mark change; the second chip of one
/// quantity on a node is dashed one step further.
pub(super) fn look(node: usize, chip: usize) -> Look {
    let cycle = node / COLORS.len();
    let color = pick(&COLORS, node);
    let pen = Pen { color, width_px: NODE_LINE_PX, dash_px: pick(&DASHES_PX, cycle + chip) };
    Look { pen, mark: pick(&MARKS, cycle) }
}

/// The dash of a panel's `chip`th chip, by name.
pub(super) fn chip_dash(chip: usize) -> &'static [f64] {
    pick(&DASHES_PX, chip)
}

fn pick<T: Copy, const N: usize>(from: &[T; N], at: usize) -> T {
    from[at % N]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_nodes_look_different() {
        let key = |node| {
            let look = look(node, 0);
            (look.pen.color.0, look.pen.color.1, look.pen.color.2, look.pen.dash_px.len(), look.mark as u8)
        };
        let looks: std::collections::BTreeSet<_> = (0..32).map(key).collect();
        assert_eq!(looks.len(), 32);
        assert_eq!(key(0), key(32));
    }
}
