//! A line of any length, down to what a picture can show: per pixel column the first, lowest, highest and last point
//! (M4: Jugel et al., "M4: a visualization-oriented time series data aggregation", VLDB 2014). The drawn line
//! covers the same pixels as the full one, and no spike is lost.

use std::time::Duration;

use super::spacing::since;
use crate::model::WallTime;

/// A point of a line.
pub type Point = (WallTime, f64);

/// The pixel columns of a time axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    start: WallTime,
    span_micros: u64,
    count: u32,
}

impl Columns {
    /// `count` columns (at least one) from `start` to `end`.
    pub fn new(start: WallTime, end: WallTime, count: u32) -> Self {
        let span_micros = micros_between(start, end).max(1);
        Self { start, span_micros, count: count.max(1) }
    }

    /// The same time in no more than `count` columns.
    pub fn at_most(self, count: u32) -> Self {
        Self { count: self.count.min(count.max(1)), ..self }
    }

    /// How many columns there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The column of `time`; times outside belong to the first or the last one.
    pub fn of(&self, time: WallTime) -> u32 {
        let offset = u128::from(micros_between(self.start, time));
        let column = offset * u128::from(self.count) / u128::from(self.span_micros);
        u32::try_from(column).unwrap_or(u32::MAX).min(self.count - 1)
    }

    /// The middle of a column.
    pub fn middle(&self, column: u32) -> WallTime {
        let halves = u128::from(column) * 2 + 1;
        let offset = u128::from(self.span_micros) * halves / (u128::from(self.count) * 2);
        self.start + Duration::from_micros(u64::try_from(offset).unwrap_or(u64::MAX))
    }

    /// The first time that lies after `column`.
    fn end_of(&self, column: u32) -> WallTime {
        if column + 1 >= self.count {
            return WallTime::from_unix_micros(i64::MAX);
        }
        let offset =
            (u128::from(self.span_micros) * (u128::from(column) + 1)).div_ceil(u128::from(self.count));
        self.start + Duration::from_micros(u64::try_from(offset).unwrap_or(u64::MAX))
    }
}

fn micros_between(start: WallTime, end: WallTime) -> u64 {
    u64::try_from(since(start, end).as_micros()).unwrap_or(u64::MAX)
}

/// Thins one line, point by point in order of time.
///
/// A line is broken by [`Downsampler::interrupt`] (an ERR) and where time is missing for longer than the gap. What
/// begins and breaks within one and the same column stays one piece, for no eye could see the break: so a column holds
/// the points of two pieces at most, eight in all, and the output is bounded whatever the input.
pub struct Downsampler {
    columns: Columns,
    gap: Duration,
    pieces: Vec<Vec<Point>>,
    piece_began_in: u32,
    bucket: Option<Bucket>,
    interrupted: bool,
}

/// The points of one column that matter; with each its place in the column, for order.
struct Bucket {
    column: u32,
    end: WallTime,
    len: u32,
    first: Point,
    low: (u32, Point),
    high: (u32, Point),
    last: Point,
}

impl Downsampler {
    /// For a picture of these columns; `gap` is the longest time that a line goes on without a point.
    pub fn new(columns: Columns, gap: Duration) -> Self {
        Self { columns, gap, pieces: Vec::new(), piece_began_in: 0, bucket: None, interrupted: true }
    }

    /// Breaks the line: the next point begins a new piece.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// The next point. A time before the last point's counts as that point's time.
    pub fn push(&mut self, time: WallTime, value: f64) {
        let (time, same_column) = match &self.bucket {
            Some(bucket) => {
                let time = time.max(bucket.last.0);
                self.interrupted |= since(bucket.last.0, time) > self.gap;
                (time, time < bucket.end)
            }
            None => (time, false),
        };
        let column = match &self.bucket {
            Some(bucket) if same_column => bucket.column,
            _ => self.columns.of(time),
        };
        let invisible = same_column && self.piece_began_in == column;
        let new_piece = self.interrupted && !invisible;
        if new_piece || !same_column {
            self.flush();
        }
        if new_piece {
            self.pieces.push(Vec::new());
            self.piece_began_in = column;
        }
        self.interrupted = false;
        match &mut self.bucket {
            Some(bucket) => bucket.push((time, value)),
            None => self.bucket = Some(Bucket::new(column, self.columns.end_of(column), (time, value))),
        }
    }

    /// The pieces of the line, each unbroken.
    pub fn finish(mut self) -> Vec<Vec<Point>> {
        self.flush();
        self.pieces
    }

    fn flush(&mut self) {
        if let (Some(bucket), Some(piece)) = (self.bucket.take(), self.pieces.last_mut()) {
            bucket.write(piece);
        }
    }
}

impl Bucket {
    fn new(column: u32, end: WallTime, point: Point) -> Self {
        Self { column, end, len: 1, first: point, low: (0, point), high: (0, point), last: point }
    }

    fn push(&mut self, point: Point) {
        if point.1 < self.low.1.1 {
            self.low = (self.len, point);
        }
        if point.1 > self.high.1.1 {
            self.high = (self.len, point);
        }
        self.last = point;
        self.len = self.len.saturating_add(1);
    }

    fn write(&self, piece: &mut Vec<Point>) {
        let end = (self.len - 1, self.last);
        let (a, b) = if self.low.0 <= self.high.0 { (self.low, self.high) } else { (self.high, self.low) };
        let mut written = None;
        for (place, point) in [(0, self.first), a, b, end] {
            if written != Some(place) {
                piece.push(point);
                written = Some(place);
            }
        }
    }
}

/// The ERRs of one node along a time axis: how many there are in each pixel column.
#[derive(Clone, Debug)]
pub struct ErrMarks {
    columns: Columns,
    counts: Vec<u32>,
}

impl ErrMarks {
    /// None yet.
    pub fn new(columns: Columns) -> Self {
        Self { columns, counts: vec![0; columns.count as usize] }
    }

    /// Counts one ERR.
    pub fn add(&mut self, time: WallTime) {
        if let Some(count) = self.counts.get_mut(self.columns.of(time) as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// The columns that have an ERR: the middle of each, and how many.
    pub fn iter(&self) -> impl Iterator<Item = (WallTime, u32)> {
        (0..).zip(&self.counts).filter(|(_, n)| **n > 0).map(|(column, n)| (self.columns.middle(column), *n))
    }
}

#[cfg(test)]
#[path = "downsample_tests.rs"]
mod tests;
