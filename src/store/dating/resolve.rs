//! By whose clock a boot is dated: the best that is known of it.

use std::collections::BTreeMap;

use super::curve::{Anchor, Beyond, curve};
use super::relation::{Quality, Relation, micros};
use super::{BILLION, DRIFT_MAX_PPB, Piece, saturated};
use crate::model::{ClockLink, ClockMark, TimeSource};

/// What is known of one boot of one machine.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Knowledge {
    /// Whose boot it is.
    pub(in crate::store) whose: Whose,
    /// What its wall clock showed, in order of monotonic time.
    pub(in crate::store) marks: Vec<ClockMark>,
    /// Where its monotonic clock met a sink's, and in which boot of that sink; in any order.
    pub(in crate::store) links: Vec<(SinkBoot, ClockLink)>,
}

/// Whose boot is to be dated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) enum Whose {
    /// The machine's that this store is on.
    ThisMachines,
    /// Another machine's that was a sink: what it collected came here with what it knew of clocks.
    AnotherSinks,
    /// Any other's.
    #[default]
    ANodes,
}

/// The row of a boot that others were linked to: of the machine that this store is on, or of another sink.
pub(in crate::store) type SinkBoot = i64;

/// The pieces of a boot, in order; `here` has the wall clocks of the boots that its links are to.
///
/// A machine's own boot is dated by its own clock. Another's goes by the links to a sink, if that one's clock was
/// synchronised or at least set; else by its own clock, if that was synchronised; else by links to a clock that was
/// never set, which keeps the order between nodes; and at last by its own clock, however wrong. The last two are
/// `unknown`. A boot of another sink goes by its own clock unless a link leads to a better one: so its own readings
/// keep the times that they had in its store. Without marks and links there are no pieces.
pub(in crate::store) fn resolve(known: &Knowledge, here: &BTreeMap<SinkBoot, Relation>) -> Vec<Piece> {
    let relation = Relation::new(&known.marks);
    if known.whose == Whose::ThisMachines {
        return relation.map_or_else(Vec::new, |relation| relation.pieces);
    }
    let links = best(known, here);
    if let (Whose::AnotherSinks, Some(relation)) = (known.whose, &relation) {
        let by_links = links.as_ref().map(|(quality, _)| *quality);
        if relation.quality == Quality::Synced || by_links.is_none_or(|quality| quality < relation.quality) {
            return relation.pieces.clone();
        }
    }
    match (links, relation) {
        (Some((quality, anchors)), _) if quality >= Quality::Set => {
            curve(&anchors, Beyond::AsWithin, TimeSource::Sink)
        }
        (_, Some(relation)) if relation.quality == Quality::Synced => relation.pieces,
        (Some((_, anchors)), _) => unknown(curve(&anchors, Beyond::AsWithin, TimeSource::Unknown)),
        (None, Some(relation)) => unknown(relation.pieces),
        (None, None) => Vec::new(),
    }
}

/// The links to the clock that can be trusted most, as moments with their times. Boots of a clock that was not
/// synchronised do not agree with each other: of those only the one counts that was met last.
fn best(known: &Knowledge, here: &BTreeMap<SinkBoot, Relation>) -> Option<(Quality, Vec<Anchor>)> {
    let to = |(boot, link): &(SinkBoot, ClockLink)| Some((here.get(boot)?.quality, link.mono, *boot));
    let (quality, _, newest) = known.links.iter().filter_map(to).max()?;
    let counts = |boot: SinkBoot, relation: &Relation| {
        relation.quality == quality && (quality == Quality::Synced || boot == newest)
    };
    let mut anchors: BTreeMap<i64, Anchor> = BTreeMap::new();
    for (boot, link) in &known.links {
        let Some(relation) = here.get(boot).filter(|relation| counts(*boot, relation)) else { continue };
        let Some((time_us, error_us)) = relation.at(link.here.as_micros()) else { continue };
        let mono_us = link.mono.as_micros();
        let error_us = saturated(i128::from(micros(link.error)) + i128::from(error_us.unwrap_or(0)));
        anchors.insert(mono_us, Anchor { mono_us, until_us: mono_us, time_us, error_us });
    }
    Some((quality, sharpest(anchors.into_values().collect())))
}

/// Without the links whose moment another one tells better, drift and all: the first exchange with a machine that has
/// just started can take a hundred times as long as the second, and would bend the line between the two.
fn sharpest(mut anchors: Vec<Anchor>) -> Vec<Anchor> {
    // Once from each end. Errors grow alike, so the one that told best is the one to ask until another tells better.
    for _ in 0..2 {
        let mut best: Option<Anchor> = None;
        anchors.retain(|anchor| {
            let told = best.map(|best| {
                let away = i128::from(anchor.mono_us.abs_diff(best.mono_us));
                i128::from(best.error_us) + away * i128::from(DRIFT_MAX_PPB) / BILLION
            });
            let is_sharp = told.is_none_or(|error_us| i128::from(anchor.error_us) <= error_us);
            if is_sharp {
                best = Some(*anchor);
            }
            is_sharp
        });
        anchors.reverse();
    }
    anchors
}

fn unknown(mut pieces: Vec<Piece>) -> Vec<Piece> {
    for piece in &mut pieces {
        (piece.source, piece.error_us) = (TimeSource::Unknown, None);
    }
    pieces
}
