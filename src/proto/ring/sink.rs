//! Who collects, and how: the acting sink takes the pieces out of the token, gives them to its store, and says what it
//! wants next. A standby takes its place when the sink is gone for long, and leaves it when the sink is back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Ring, RingOutput, RingPart, RingReport};
use crate::model::{Cursor, Cursors, Instant, JournalId, NodeName, Now, RoundRecord, Seq, Token};
use crate::proto::POLL_MAX_READINGS;
use crate::proto::defect::Defect;
use crate::proto::journals::Journals;

/// The store is asked to have room for this before a token may bring more: what a full one brings of small readings.
const ROOM_LEAST: u64 = 1 << 14;
/// Most sinks whose place in the own journal is noted.
const CONSUMERS_MAX: usize = 64;

/// What a node knows as a sink, or of the sink that collects from it.
#[derive(Clone, Debug)]
pub(super) struct Collector {
    journals: Journals,
    /// Journals that were asked for: of no other is anything taken.
    asked: BTreeSet<JournalId>,
    /// It was the acting sink when the token was last here.
    acted: bool,
    /// When a token with another acting sink was last seen.
    other_seen_at: Instant,
    standby_after: Duration,
    round: u64,
    round_interval: Duration,
    next_round_at: Instant,
    consumers: BTreeMap<NodeName, Seq>,
}

impl Collector {
    pub(super) fn new(part: &RingPart, now: Instant) -> Self {
        Self {
            journals: Journals::new(part.cursors.clone()),
            asked: BTreeSet::new(),
            acted: false,
            other_seen_at: now,
            standby_after: part.standby_after,
            round: part.last_round,
            round_interval: part.round_interval,
            next_round_at: now,
            consumers: BTreeMap::new(),
        }
    }

    pub(super) fn confirm(&mut self, journal: JournalId, cursor: Seq) {
        self.journals.confirm(journal, cursor);
    }

    pub(super) fn rewind(&mut self, journal: JournalId) {
        self.journals.rewind(journal);
    }

    pub(super) fn taken(&self, journal: JournalId) -> Seq {
        self.journals.place(journal).taken
    }

    pub(super) fn acts(&self) -> bool {
        self.acted
    }

    pub(super) fn round(&self) -> u64 {
        self.round
    }
}

impl Ring {
    /// Whether this member is the sink at this visit.
    pub(super) fn acts_as_sink(&mut self, now: Instant, token: &Token) -> bool {
        let acts = self.may_act(now, token);
        let acting = token.members.iter().find(|member| Some(member.who.id.journal) == token.sink);
        if acting.is_some_and(|member| member.who.id != self.who.id) && !acts {
            self.collector.other_seen_at = now;
        }
        if acts != std::mem::replace(&mut self.collector.acted, acts) {
            self.report(RingReport::Sink { acts });
        }
        acts
    }

    fn may_act(&self, now: Instant, token: &Token) -> bool {
        let Some(rank) = self.who.sink_rank else { return false };
        let acting = token.members.iter().find(|member| Some(member.who.id.journal) == token.sink);
        match acting {
            Some(acting) if acting.who.id == self.who.id => true,
            Some(acting) => {
                let joined = token.place(self.who.id).and_then(|place| token.members.get(place));
                let turns = token.seq.saturating_sub(joined.map_or(token.seq, |member| member.joined));
                let is_settled = turns >= u64::try_from(token.members.len()).unwrap_or(u64::MAX);
                let stays_away = self.planted.is(Defect::SinkStaysAway);
                acting.who.sink_rank.is_none_or(|other| rank < other) && is_settled && !stays_away
            }
            None => {
                let ranks = token.members.iter().filter(|member| member.who.id != self.who.id);
                let is_first = ranks.filter_map(|member| member.who.sink_rank).all(|other| rank <= other);
                let missed_for = now.saturating_since(self.collector.other_seen_at);
                let is_missed = missed_for >= self.collector.standby_after;
                let at_once = rank == 0 || self.collector.acted || self.planted.is(Defect::StandbyAtOnce);
                is_first && (at_once || is_missed)
            }
        }
    }

    /// Takes the readings out, and says what is wanted next.
    pub(super) fn collect(&mut self, now: Now, token: &mut Token) {
        token.sink = Some(self.who.id.journal);
        let journals = &mut self.collector.journals;
        for piece in std::mem::take(&mut token.pieces) {
            let follows = journals.place(piece.journal).received == piece.after;
            let is_asked = self.collector.asked.contains(&piece.journal) && piece.through > piece.after;
            if is_asked && (follows || self.planted.is(Defect::AnyPieceTaken)) {
                journals.receive(piece.journal, piece.through);
                self.links.outputs.push_back(RingOutput::Take(piece));
            }
        }
        let others = token.members.iter().map(|member| member.who.id.journal);
        let has_room = journals.total_room() >= ROOM_LEAST;
        let cursor = |journal| {
            let place = journals.place(journal);
            let room = if has_room { journals.room(journal) } else { 0 };
            let taken = if self.planted.is(Defect::TakenEarly) { place.received } else { place.taken };
            let max = if room < POLL_MAX_READINGS { 0 } else { room };
            Cursor { journal, after: place.received, taken, max }
        };
        let cursors: Cursors = others.filter(|journal| *journal != self.who.id.journal).map(cursor).collect();
        // Those that stay are passed on as the text that came.
        if cursors != token.cursors {
            token.cursors = cursors;
        }
        self.collector.asked = token.cursors.iter().map(|cursor| cursor.journal).collect();
        self.end_round(now, token);
        self.see_members(now.mono, token);
    }

    /// A visit of the token ends a round, unless the last one was only just now.
    fn end_round(&mut self, now: Now, token: &Token) {
        if now.mono < self.collector.next_round_at {
            return;
        }
        self.collector.next_round_at = now.mono + self.collector.round_interval;
        self.collector.round += 1;
        let is_down = |ix: &crate::proto::PeerIx| {
            let address = self.links.address(*ix);
            !token.members.iter().any(|member| Some(member.address.as_str()) == address)
        };
        let down: Vec<_> = self.links.all().filter(is_down).filter(|ix| Some(*ix) != self.own).collect();
        let nodes = token.members.len() + down.len();
        let count = |nodes: usize| u32::try_from(nodes).unwrap_or(u32::MAX);
        let names: BTreeSet<NodeName> = down.into_iter().filter_map(|ix| self.links.name(ix)).collect();
        let record = RoundRecord {
            number: self.collector.round,
            time: now.wall,
            mono: now.mono,
            nodes: count(nodes),
            answered: count(token.members.len()),
            down: names.into_iter().collect(),
        };
        self.links.outputs.push_back(RingOutput::AddRound(record));
    }

    /// Puts own readings into the token, if a sink asks for them.
    pub(super) fn load(&mut self, token: &mut Token) {
        let (own, place) = (self.who.id.journal, token.place(self.who.id));
        let sink = token.members.iter().position(|member| Some(member.who.id.journal) == token.sink);
        let cursor = token.cursors.iter().find(|cursor| cursor.journal == own).copied();
        let (Some(place), Some(sink), Some(cursor)) = (place, sink, cursor) else { return };
        if place == sink {
            return;
        }
        let name = token.members.get(sink).map(|member| member.who.node.clone());
        if cursor.after > self.cargo.last() {
            let last = self.cargo.last();
            return self.report_once(RingReport::Behind { after: cursor.after, last });
        }
        if let Some(name) = name {
            self.note_consumer(name, cursor.taken);
        }
        self.cargo.load(token, cursor, sink, place, &self.planted);
        self.read_ahead();
    }

    /// Notes each move of a sink's cursor, as a secondary does that is polled.
    fn note_consumer(&mut self, name: NodeName, taken: Seq) {
        let consumers = &mut self.collector.consumers;
        let known = consumers.get(&name).copied();
        if known != Some(taken) && (known.is_some() || consumers.len() < CONSUMERS_MAX) {
            consumers.insert(name.clone(), taken);
            self.links.outputs.push_back(RingOutput::NoteConsumer(name, taken));
        }
    }
}
