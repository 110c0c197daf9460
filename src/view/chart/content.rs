//! What a picture is to show, before anything is drawn: the nodes in order, and the panels with their channels.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::palette::{self, Look};
use crate::model::{NodeName, Value, WallTime};
use crate::view::spacing::since;
use crate::view::{PlotData, PlotOptions, Round, Series, Tally};

/// The panels of a picture.
pub(super) struct Content<'a> {
    /// The nodes, by name.
    pub(super) nodes: Vec<Node>,
    /// One for each quantity and unit, by name.
    pub(super) panels: Vec<Panel<'a>>,
    /// The rounds within the time shown.
    pub(super) rounds: &'a [Round],
    /// The first and the last time of what is shown; `None` when there is nothing.
    pub(super) span: Option<(WallTime, WallTime)>,
}

/// One node, or one of several of the same name.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// What it is called.
    pub(super) label: String,
    /// Its place among all nodes, which decides its colour.
    pub(super) place: usize,
}

/// One quantity in one unit.
pub(super) struct Panel<'a> {
    pub(super) quantity: &'a str,
    pub(super) unit: &'a str,
    pub(super) channels: Vec<Channel<'a>>,
    /// The chips, by name, when a node has several channels here and they have to be told apart; else empty.
    pub(super) chips: Vec<&'a str>,
}

/// One channel.
pub(super) struct Channel<'a> {
    pub(super) series: &'a Series,
    /// Its readings within the time shown.
    pub(super) points: &'a [(WallTime, Value)],
    /// Index into [`Content::nodes`].
    pub(super) node: usize,
    pub(super) look: Look,
}

impl<'a> Content<'a> {
    /// Arranges `data`.
    pub(super) fn new(data: &'a PlotData, options: &PlotOptions) -> Self {
        let keys: BTreeSet<(&NodeName, &str)> = data.series.iter().map(node_key).collect();
        let named: BTreeSet<&NodeName> = data.series.iter().map(|series| &series.channel.node).collect();
        let unseen = options.known_nodes.iter().filter(|node| !named.contains(node)).map(|node| (node, ""));
        let all: BTreeSet<(&NodeName, &str)> = keys.iter().copied().chain(unseen).collect();
        let places: BTreeMap<_, usize> = all.into_iter().zip(0..).collect();
        let place = |key: &(&NodeName, &str)| places.get(key).copied().unwrap_or_default();
        let mut nodes: Vec<Node> =
            keys.iter().map(|key| Node { place: place(key), ..Node::default() }).collect();
        let order: BTreeMap<_, usize> = keys.into_iter().zip(0..).collect();
        let mut by_quantity: BTreeMap<(&str, &str), Vec<&Series>> = BTreeMap::new();
        for series in &data.series {
            let channel = &series.channel;
            by_quantity.entry((&channel.quantity, &channel.unit)).or_default().push(series);
            if let Some(node) = order.get(&node_key(series)).and_then(|at| nodes.get_mut(*at)) {
                node.label = series.node_label();
            }
        }
        let panel =
            |((quantity, unit), series)| Panel::new(quantity, unit, series, (&order, &places), options);
        let panels: Vec<Panel<'_>> = by_quantity.into_iter().map(panel).collect();
        let rounds = within(&data.rounds, |round| round.time, options.span);
        let span = options.span.or_else(|| times(&panels, rounds));
        Self { nodes, panels, rounds, span }
    }
}

impl Content<'_> {
    /// What the footer counts, within the time shown.
    pub(super) fn tally(&self) -> Tally {
        let channels = self.panels.iter().flat_map(|panel| &panel.channels);
        let mut tally = Tally::of(channels.map(|c| (c.series, c.points)), self.rounds);
        let shown = self.span.map_or(Duration::ZERO, |(start, end)| since(start, end));
        tally.doubts = tally.doubts.visible_in(shown);
        tally
    }
}

impl<'a> Panel<'a> {
    fn new(
        quantity: &'a str,
        unit: &'a str,
        mut series: Vec<&'a Series>,
        (order, places): (&Places<'_>, &Places<'_>),
        options: &PlotOptions,
    ) -> Self {
        series.sort_by_key(|s| (node_key(s), &s.channel.chip));
        let several = series
            .windows(2)
            .any(|pair| pair.iter().map(|s| node_key(s)).collect::<BTreeSet<_>>().len() == 1);
        let mut chips: Vec<&str> = Vec::new();
        if several {
            let names: BTreeSet<&str> = series.iter().map(|s| s.channel.chip.as_str()).collect();
            chips.extend(names);
        }
        let channel = |series: &'a Series| {
            let node = order.get(&node_key(series)).copied().unwrap_or_default();
            let chip = chips.iter().position(|chip| *chip == series.channel.chip).unwrap_or_default();
            let points = within(&series.points, |(time, _)| *time, options.span);
            let place = places.get(&node_key(series)).copied().unwrap_or_default();
            Channel { series, points, node, look: palette::look(place, chip) }
        };
        let channels = series.into_iter().map(channel).collect();
        Self { quantity, unit, channels, chips }
    }

    /// The smallest and the largest good value; `None` when there is none.
    pub(super) fn extent(&self) -> Option<(f64, f64)> {
        let good = self.channels.iter().flat_map(|c| c.points).filter_map(|(_, value)| value.ok());
        good.fold(None, |extent, v| {
            let (low, high) = extent.unwrap_or((v, v));
            Some((v.min(low), v.max(high)))
        })
    }

    /// Whether a reading here is an ERR, or a node that has a channel here was down in one of `rounds`.
    pub(super) fn has_err(&self, rounds: &[Round]) -> bool {
        let nodes: BTreeSet<&NodeName> = self.channels.iter().map(|c| &c.series.channel.node).collect();
        self.channels.iter().flat_map(|c| c.points).any(|(_, value)| value.is_err())
            || rounds.iter().flat_map(|round| &round.down).any(|node| nodes.contains(node))
    }
}

/// Places of nodes in a list.
type Places<'a> = BTreeMap<(&'a NodeName, &'a str), usize>;

fn node_key(series: &Series) -> (&NodeName, &str) {
    (&series.channel.node, &series.suffix)
}

/// The part of `all`, which is in order of time, that lies within `span`.
fn within<T>(all: &[T], time: impl Fn(&T) -> WallTime, span: Option<(WallTime, WallTime)>) -> &[T] {
    let Some((start, end)) = span else { return all };
    let from = all.partition_point(|item| time(item) < start);
    let to = all.partition_point(|item| time(item) <= end);
    all.get(from..to).unwrap_or_default()
}

fn times(panels: &[Panel<'_>], rounds: &[Round]) -> Option<(WallTime, WallTime)> {
    let points = panels.iter().flat_map(|p| &p.channels).map(|c| c.points);
    let ends =
        points.flat_map(|points| points.first().into_iter().chain(points.last())).map(|(time, _)| *time);
    let all: BTreeSet<WallTime> = ends.chain(rounds.iter().map(|round| round.time)).collect();
    Some((*all.first()?, *all.last()?))
}
