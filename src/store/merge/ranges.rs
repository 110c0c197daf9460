//! Places of a journal as ranges: what is held of it, however much, is few of them.

use std::collections::BTreeMap;

/// Places, as ranges that neither overlap nor touch: first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(BTreeMap<i64, i64>);

/// Places that are all in a set of ranges, or all not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) is_in: bool,
}

impl Ranges {
    /// Adds the places from `first` to `last`.
    pub(super) fn add(&mut self, first: i64, last: i64) {
        if first > last {
            return;
        }
        let (mut from, mut to) = (first, last);
        while let Some((&begin, &end)) = self.0.range(..=to.saturating_add(1)).next_back() {
            if end < from.saturating_sub(1) {
                break;
            }
            self.0.remove(&begin);
            (from, to) = (from.min(begin), to.max(end));
        }
        self.0.insert(from, to);
    }

    /// The places from `first` to `last` in order, cut where they come to be in here or not.
    pub(super) fn split(&self, first: i64, last: i64) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = first;
        let before = self.0.range(..=first).next_back().map_or(first, |(begin, _)| *begin);
        for (&begin, &end) in self.0.range(before..).take_while(|(begin, _)| **begin <= last) {
            if end < at {
                continue;
            }
            if begin > at {
                parts.push(Part { first: at, last: begin - 1, is_in: false });
            }
            let part = Part { first: at.max(begin), last: end.min(last), is_in: true };
            parts.push(part);
            if part.last == last {
                return parts;
            }
            at = part.last + 1;
        }
        if at <= last {
            parts.push(Part { first: at, last, is_in: false });
        }
        parts
    }

    /// The last place of the range that `place` is in.
    pub(super) fn run_from(&self, place: i64) -> Option<i64> {
        self.0.range(..=place).next_back().map(|(_, end)| *end).filter(|end| *end >= place)
    }

    /// How many places after `place` are in here.
    pub(super) fn count_after(&self, place: i64) -> u64 {
        let after = |(begin, end): (&i64, &i64)| (end - (*begin).max(place.saturating_add(1)) + 1).max(0);
        self.0.iter().map(after).sum::<i64>().unsigned_abs()
    }

    /// The last place.
    pub(super) fn end(&self) -> Option<i64> {
        self.0.last_key_value().map(|(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_the_set_of_their_places(
            added in proptest::collection::vec((0i64..60, -1i64..12), 0..12),
            (first, len) in (0i64..60, 0i64..30),
        ) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (first, len) in added {
                ranges.add(first, first + len);
                set.extend(first..=first + len);
            }
            let list: Vec<_> = ranges.0.iter().collect();
            prop_assert!(list.windows(2).all(|pair| *pair[0].1 + 1 < *pair[1].0), "{:?}", list);
            let parts = ranges.split(first, first + len);
            let places = parts.iter().flat_map(|part| (part.first..=part.last).map(|at| (at, part.is_in)));
            let places: Vec<_> = places.collect();
            let want: Vec<_> = (first..=first + len).map(|at| (at, set.contains(&at))).collect();
            prop_assert_eq!(places, want);
            prop_assert!(parts.windows(2).all(|pair| pair[0].is_in != pair[1].is_in));
            let run = (first..).take_while(|at| set.contains(at)).last();
            prop_assert_eq!(ranges.run_from(first), run);
            prop_assert_eq!(ranges.count_after(first), set.range(first + 1..).count() as u64);
            prop_assert_eq!(ranges.end(), set.last().copied());
        }
    }
}
