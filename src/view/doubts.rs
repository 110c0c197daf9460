//! What a picture has to say of its times, when they are not as well known as it seems: else nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Series;
use super::tally::grouped;

/// Nodes that are named; more are counted.
const NAMED_MAX: usize = 3;

/// An error of time is worth a word when it would show: so much of the time that is drawn, five points of a thousand.
const SHOWN_PART: u32 = 200;

/// Readings with doubtful times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubts {
    /// Readings shown that were taken by clocks that were never set.
    pub never_set: u64,
    /// Such readings that are not shown.
    pub left_out: u64,
    /// The nodes of both, by name.
    pub nodes: BTreeSet<String>,
    /// The node whose times may be off the most, and by how much.
    pub off: Option<(Duration, String)>,
}

impl Doubts {
    /// Adds those of a series.
    pub(super) fn add(&mut self, series: &Series) {
        let dates = series.dates;
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
        let mut pieces = Vec::new();
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
        let dates = Dates { never_set, left_out, error_max: error_ms.map(Duration::from_millis) };
        Series { channel, suffix: String::new(), points: vec![(WallTime::default(), Ok(1.0))], dates }
    }

    fn said(all: &[Series], shown_s: u64, readings: usize) -> String {
        let mut doubts = Doubts::default();
        all.iter().for_each(|series| doubts.add(series));
        doubts.visible_in(Duration::from_secs(shown_s)).pieces(readings).concat()
    }

    #[test]
    fn when_all_is_well_nothing_is_said() {
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
