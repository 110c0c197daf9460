//! What a picture has to say of its times: by whose clock they are, and where they are not as well known as it seems.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Series;
use super::tally::grouped;

/// Nodes that are named; more are counted.
const NAMED_MAX: usize = 3;

/// An error of time is worth a node's name when it would show: so much of the time that is drawn, five points of a
/// thousand.
const SHOWN_PART: u32 = 200;

/// By whose clocks readings are dated, and what is doubtful about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubts {
    /// Readings shown that the sink's clock dates.
    pub by_sink: u64,
    /// Those that the clock of their node dates.
    pub by_node: u64,
    /// Those that no clock dates which can be trusted.
    pub unknown: u64,
    /// How far off a time is at most, where that is known.
    pub within: Option<Duration>,
    /// Readings shown that were taken by clocks that were never set.
    pub never_set: u64,
    /// Such readings that are not shown.
    pub left_out: u64,
    /// The nodes of both, by name.
    pub nodes: BTreeSet<String>,
    /// The node whose times may be off the most, and by how much, if that would show.
    pub off: Option<(Duration, String)>,
}

impl Doubts {
    /// Adds those of a series.
    pub(super) fn add(&mut self, series: &Series) {
        let dates = series.dates;
        self.by_sink += dates.sink;
        self.by_node += dates.node;
        self.unknown += dates.unknown;
        self.within = self.within.max(dates.error_max);
        self.never_set += dates.never_set;
        self.left_out += dates.left_out;
        if dates.never_set + dates.left_out > 0 {
            self.nodes.insert(series.node_label());
        }
        let off = dates.error_max.map(|error| (error, series.node_label()));
        if off.as_ref().map(|(error, _)| error) > self.off.as_ref().map(|(error, _)| error) {
            self.off = off;
        }
    }

    /// Without what would not show in a picture of so much time.
    pub(super) fn visible_in(mut self, shown: Duration) -> Self {
        self.off = self.off.filter(|(error, _)| *error > shown / SHOWN_PART);
        self
    }

    /// In words, in pieces between which a line may end; of `readings` that are shown.
    pub(super) fn pieces(&self, readings: usize) -> Vec<String> {
        let mut pieces: Vec<String> = self.sources().into_iter().collect();
        if self.never_set > 0 && self.never_set == readings as u64 {
            pieces.push("times unknown, order right: no clock was ever set · ".into());
        } else if self.never_set > 0 {
            pieces.push(self.unknown(self.never_set, ""));
        }
        if self.left_out > 0 {
            pieces.push(self.unknown(self.left_out, ", not drawn"));
        }
        if let Some((error, node)) = &self.off {
            pieces.push(format!("times of {node} off by up to {} · ", about(*error)));
        }
        pieces
    }

    /// By whose clocks the readings are dated that some clock dates; counts only where it is more than one's.
    fn sources(&self) -> Option<String> {
        let unchecked = self.unknown.saturating_sub(self.never_set);
        let all = [
            (self.by_sink, "by the sink's clock"),
            (self.by_node, "by the node's own clock"),
            (unchecked, "by clocks that nobody checked"),
        ];
        let some: Vec<_> = all.into_iter().filter(|(count, _)| *count > 0).collect();
        let told = match some.as_slice() {
            [] => return None,
            [(_, whose)] => (*whose).to_owned(),
            several => {
                let each = several.iter().map(|(count, whose)| format!("{} {whose}", grouped(*count)));
                each.collect::<Vec<_>>().join(", ")
            }
        };
        let within = self.within.map(|error| format!(", within {}", about(error))).unwrap_or_default();
        Some(format!("times {told}{within} · "))
    }

    fn unknown(&self, count: u64, not_drawn: &str) -> String {
        let mut of: Vec<&str> = self.nodes.iter().take(NAMED_MAX).map(String::as_str).collect();
        let more = format!("{} more", self.nodes.len().saturating_sub(NAMED_MAX));
        if self.nodes.len() > NAMED_MAX {
            of.push(&more);
        }
        format!("{} of {} at an unknown time (clock never set){not_drawn} · ", grouped(count), of.join(", "))
    }
}

/// A duration to one digit or two, as people say it.
fn about(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", (s * 1e3).ceil()),
        s if s < 120.0 => format!("{:.0} s", s.ceil()),
        s if s < 7200.0 => format!("{:.0} min", (s / 60.0).ceil()),
        s => format!("{:.0} h", (s / 3600.0).ceil()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, NodeName, WallTime};
    use crate::view::Dates;

    fn series(node: &str, never_set: u64, left_out: u64, error_ms: Option<u64>) -> Series {
        let channel = Channel {
            node: NodeName::new(node).unwrap(),
            chip: "c".into(),
            quantity: "q".into(),
            unit: String::new(),
        };
        let error_max = error_ms.map(Duration::from_millis);
        let dates = Dates { never_set, left_out, error_max, unknown: never_set, ..Dates::default() };
        Series { channel, suffix: String::new(), points: vec![(WallTime::default(), Ok(1.0))], dates }
    }

    fn said(all: &[Series], shown_s: u64, readings: usize) -> String {
        let mut doubts = Doubts::default();
        all.iter().for_each(|series| doubts.add(series));
        doubts.visible_in(Duration::from_secs(shown_s)).pieces(readings).concat()
    }

    #[test]
    fn it_is_told_by_whose_clocks_times_are() {
        let dated = |node: &str, sink, own, unknown| {
            let mut series = series(node, 0, 0, (sink > 0).then_some(3));
            series.dates = Dates { sink, node: own, unknown, ..series.dates };
            series
        };
        let (sink, bench) = (dated("sink", 0, 1200, 0), dated("bench", 900, 0, 0));
        assert_eq!(
            said(std::slice::from_ref(&bench), 3600, 900),
            "times by the sink's clock, within 3 ms · "
        );
        assert_eq!(said(std::slice::from_ref(&sink), 3600, 1200), "times by the node's own clock · ");
        assert_eq!(
            said(&[bench, sink, dated("roof", 0, 0, 7)], 3600, 2107),
            "times 900 by the sink's clock, 1,200 by the node's own clock, 7 by clocks that nobody checked, \
             within 3 ms · "
        );
    }

    #[test]
    fn where_nothing_is_known_of_clocks_nothing_is_said() {
        assert_eq!(said(&[series("a", 0, 0, Some(3)), series("b", 0, 0, None)], 3600, 100), "");
        assert_eq!(said(&[], 0, 0), "");
    }

    #[test]
    fn clocks_that_were_never_set_are_told_of() {
        let bench = series("bench", 0, 1300, None);
        assert_eq!(
            said(&[bench.clone(), series("sink", 0, 0, None)], 60, 9),
            "1,300 of bench at an unknown time (clock never set), not drawn · "
        );
        let all: Vec<Series> = ["a", "b", "c", "d", "e"].map(|node| series(node, 2, 0, None)).into();
        assert_eq!(said(&all, 60, 10), "times unknown, order right: no clock was ever set · ");
        assert_eq!(said(&all, 60, 11), "10 of a, b, c, 2 more at an unknown time (clock never set) · ");
    }

    #[test]
    fn an_error_is_told_where_it_shows() {
        let roof = [series("bench", 0, 0, Some(5)), series("roof", 0, 0, Some(18_001))];
        assert_eq!(said(&roof, 3600, 9), "times of roof off by up to 19 s · ");
        assert_eq!(said(&roof, 3601, 9), "");
        assert_eq!(about(Duration::from_millis(3)), "3 ms");
        assert_eq!(about(Duration::from_secs(300)), "5 min");
        assert_eq!(about(Duration::from_secs(7201)), "3 h");
    }
}
