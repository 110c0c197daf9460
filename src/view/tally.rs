//! What the footer of a picture counts: rounds, readings, and ERRs by node, channel and reason.

use std::collections::BTreeMap;

use super::{Doubts, Round, Series};
use crate::model::{ErrReason, Value, WallTime};

/// The counts of one picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rounds of the sink.
    pub rounds: usize,
    /// Readings, good or ERR.
    pub readings: usize,
    /// ERRs by where and why, the most frequent first: `("pi-2 seesaw-36/soil_moisture nack", 12)`.
    pub errors: Vec<(String, u64)>,
    /// What is not known of their times.
    pub doubts: Doubts,
}

impl Tally {
    /// Counts the readings of each series (or those of them that are shown), and the nodes that were down in `rounds`.
    pub fn of<'a>(
        readings_of: impl Iterator<Item = (&'a Series, &'a [(WallTime, Value)])>,
        rounds: &[Round],
    ) -> Self {
        let mut errors: BTreeMap<String, u64> = BTreeMap::new();
        let mut readings = 0;
        let mut doubts = Doubts::default();
        for (series, points) in readings_of {
            readings += points.len();
            doubts.add(series);
            let mut by_reason: BTreeMap<ErrReason, u64> = BTreeMap::new();
            for reason in points.iter().filter_map(|(_, value)| value.err()) {
                *by_reason.entry(reason).or_default() += 1;
            }
            for (reason, count) in by_reason {
                let channel = &series.channel;
                let label = format!("{} {}/{} {reason}", series.node_label(), channel.chip, channel.quantity);
                *errors.entry(label).or_default() += count;
            }
        }
        for node in rounds.iter().flat_map(|round| &round.down) {
            *errors.entry(format!("{node} {}", ErrReason::NodeDown)).or_default() += 1;
        }
        let mut errors: Vec<(String, u64)> = errors.into_iter().collect();
        errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Self { rounds: rounds.len(), readings, errors, doubts }
    }

    /// The footer, in pieces between which a line may end; at most `errors_max` kinds of ERR are named.
    pub fn pieces(&self, errors_max: usize) -> Vec<String> {
        let mut pieces = Vec::new();
        if self.rounds > 0 {
            pieces.push(format!("{} · ", plural(self.rounds, "round")));
        }
        pieces.push(format!("{} · ", plural(self.readings, "reading")));
        pieces.extend(self.doubts.pieces(self.readings));
        if self.errors.is_empty() {
            pieces.push("no ERR".into());
            return pieces;
        }
        let total: u64 = self.errors.iter().map(|(_, count)| count).sum();
        pieces.push(format!("{} ERR: ", grouped(total)));
        let named = self.errors.len().min(errors_max);
        for (label, count) in self.errors.iter().take(named) {
            let unit = match (label.ends_with(ErrReason::NodeDown.as_str()), count) {
                (false, _) => "",
                (true, 1) => " round",
                (true, _) => " rounds",
            };
            pieces.push(format!("{label} {}{unit}, ", grouped(*count)));
        }
        match self.errors.len() - named {
            0 => trim_comma(&mut pieces),
            more => pieces.push(format!("and {more} more")),
        }
        pieces
    }
}

fn trim_comma(pieces: &mut [String]) {
    if let Some(last) = pieces.last_mut() {
        last.truncate(last.trim_end_matches(", ").len());
    }
}

fn plural(count: usize, word: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {word}{s}", grouped(count as u64))
}

/// 1234567 as `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
