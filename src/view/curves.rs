//! Curves over one number: time in a simulated run, the number of nodes in a comparison. What a picture of them shows,
//! before anything is drawn.

/// A picture of curves: panels that share a legend and the numbers along their lower edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// What the curves are called. A curve has the colour of its name's place here in every panel.
    pub names: Vec<CurveName>,
    /// What runs along the lower edge.
    pub along: Along,
    /// The panels, row by row.
    pub panels: Vec<CurvePanel>,
    /// How many panels stand beside each other.
    pub columns: usize,
    /// Parts of the lower edge that are shaded in every panel, and what they are.
    pub shades: Vec<Shade>,
    /// Sentences below the panels.
    pub notes: Vec<String>,
}

/// What curves are called, and how they look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurveName {
    /// What they are called.
    pub label: String,
    /// They are dashed: seen also where they lie on others.
    pub is_dashed: bool,
}

/// What runs along the lower edge.
#[derive(Clone, Debug, PartialEq)]
pub enum Along {
    /// Numbers from zero to `to`.
    Number {
        /// What they are, with their unit.
        label: String,
        /// The last one.
        to: f64,
    },
    /// One place after the other: x is 0 for the first name, 1 for the second.
    Places {
        /// What they are.
        label: String,
        /// What stands at each.
        names: Vec<String>,
    },
}

/// How values become heights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveScale {
    /// From zero, evenly.
    FromZero,
    /// Ten times as much is the same way up everywhere. Values that are not above zero are left out.
    Logarithmic,
}

/// One panel.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePanel {
    /// What it shows, with its unit.
    pub heading: String,
    /// How values become heights.
    pub scale: CurveScale,
    /// Its curves.
    pub curves: Vec<Curve>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveStyle {
    /// From point to point, with a mark on each.
    Marked,
    /// From point to point.
    Line,
    /// A value holds until the next one.
    Stairs,
}

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name's place in [`Curves::names`].
    pub name: usize,
    /// How it is drawn.
    pub style: CurveStyle,
    /// Where it goes, by growing x. A value that is no number breaks it.
    pub points: Vec<(f64, f64)>,
}

/// A part of the lower edge, or one place of it, to which something happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Shade {
    /// Where it begins.
    pub from: f64,
    /// Where it ends; at a place where `from` is.
    pub to: f64,
    /// What.
    pub label: String,
}
