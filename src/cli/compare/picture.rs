//! The picture of a comparison: how soon averages are known, what that costs in messages, and what a dead node costs,
//! over the number of nodes.

use std::time::Duration;

use super::World;
use super::report::conclusion;
use super::ways::{Figures, Plan, Way};
use crate::view::{Along, Curve, CurveName, CurvePanel, CurveScale, CurveStyle, Curves};

/// What is shown.
pub(super) fn curves(plan: &Plan, worlds: &[World]) -> Curves {
    // One that lies on another is seen by its dashes.
    let name = |way: Way| CurveName { label: way.name().to_owned(), is_dashed: way == Way::InTurn };
    Curves {
        names: Way::ALL.map(name).to_vec(),
        along: Along::Places {
            label: "nodes".to_owned(),
            names: plan.nodes.iter().map(ToString::to_string).collect(),
        },
        panels: worlds.iter().flat_map(|world| panels(plan, world, worlds.len() > 1)).collect(),
        columns: 3,
        shades: Vec::new(),
        notes: worlds.iter().map(|world| conclusion(world, worlds.len() > 1)).collect(),
    }
}

fn panels(plan: &Plan, world: &World, is_one_of_two: bool) -> [CurvePanel; 3] {
    let ms = |time: Option<Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    let panel = |heading: &str, scale, value: &dyn Fn(&Figures) -> f64| {
        let heading = if is_one_of_two { format!("{heading}, {}", world.name) } else { heading.to_owned() };
        let curve = |(name, way): (usize, Way)| {
            let of_way = world.figures.iter().filter(|figures| figures.way == way);
            let place =
                |nodes: usize| plan.nodes.iter().position(|other| *other == nodes).unwrap_or(0) as f64;
            let points = of_way.map(|figures| (place(figures.nodes), value(figures))).collect();
            Curve { name, style: CurveStyle::Marked, points }
        };
        CurvePanel { heading, scale, curves: Way::ALL.into_iter().enumerate().map(curve).collect() }
    };
    let dies = if plan.is_killed { "a node killed" } else { "a node silent" };
    [
        panel("Average known after (ms, median)", CurveScale::Logarithmic, &|of| ms(of.known.median)),
        panel("Messages for each reading", CurveScale::FromZero, &|of| of.messages_per_reading),
        panel(&format!("Longest wait of a reading, {dies} (ms)"), CurveScale::Logarithmic, &|of| {
            ms(of.longest_wait_with_dead)
        }),
    ]
}
