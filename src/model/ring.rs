//! What members of a token ring say to one another: the token, and the messages that keep it going round.

use std::ops::Deref;
use std::sync::Arc;

use super::{JournalId, LifeId, NodeName, Seq};

/// Most members of a ring, and most addresses that one is made of.
pub const RING_MEMBERS_MAX: usize = 64;
/// Most bytes of readings in one token. With members and cursors beside them the message fits a line.
pub const TOKEN_MAX_BYTES: usize = 512 * 1024;
/// Most pieces in one token.
pub const TOKEN_PIECES_MAX: usize = 4 * RING_MEMBERS_MAX;

/// One life of a node: its journal, and the run of its process. A node that starts again is another member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId {
    /// The node's journal.
    pub journal: JournalId,
    /// The run of its process.
    pub life: LifeId,
}

/// Names one token for its whole life. The larger wins wherever two meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingId {
    /// Larger than all that its maker had heard of.
    pub epoch: u64,
    /// Who made the token.
    pub leader: MemberId,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Its name.
    pub node: NodeName,
    /// Its journal and life.
    pub id: MemberId,
    /// Its place among those that collect: 0 is the sink, then come the standbys; `None` never collects.
    pub sink_rank: Option<u8>,
}

/// One member, as the token has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub who: Who,
    /// Where it is reached.
    pub address: String,
    /// The token's `seq` when it came in.
    pub joined: u64,
}

/// A list in a token. Cheap to pass on, for from one hop to the next it hardly ever changes: it keeps the text by which
/// it came, so that it is neither read nor written anew.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    list: Arc<[T]>,
    text: Option<Arc<str>>,
}

/// All members, in the order of their turns.
pub type Roster = Listed<Member>;
/// What the acting sink wants of each member.
pub type Cursors = Listed<Cursor>;

impl<T> Listed<T> {
    /// What was read from `text`.
    pub fn read(list: Vec<T>, text: &str) -> Self {
        Self { list: list.into(), text: Some(text.into()) }
    }

    /// The text by which it came, if the list is still what it says.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

impl<T: Clone> Listed<T> {
    /// Keeps those that `is_kept` likes.
    pub fn retain(&mut self, is_kept: impl Fn(&T) -> bool) {
        if !self.list.iter().all(&is_kept) {
            *self = self.list.iter().filter(|item| is_kept(item)).cloned().collect();
        }
    }
}

impl Roster {
    /// Takes one in at this place, or at the end.
    pub fn insert(&mut self, place: usize, member: Member) {
        let mut members = self.list.to_vec();
        members.insert(place.min(members.len()), member);
        *self = members.into();
    }

    /// Puts right what the one at this place says of itself.
    pub fn correct(&mut self, place: usize, who: &Who) {
        let mut members = self.list.to_vec();
        if let Some(member) = members.get_mut(place) {
            member.who = who.clone();
        }
        *self = members.into();
    }

    /// Takes one out.
    pub fn remove(&mut self, place: usize) -> Option<Member> {
        let removed = self.list.get(place)?.clone();
        let others = self.list.iter().enumerate().filter(|(at, _)| *at != place);
        *self = others.map(|(_, member)| member.clone()).collect();
        Some(removed)
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T> From<Vec<T>> for Listed<T> {
    fn from(list: Vec<T>) -> Self {
        Self { list: list.into(), text: None }
    }
}

impl<T> FromIterator<T> for Listed<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Vec<_>>().into()
    }
}

impl<T> Deref for Listed<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.list
    }
}

/// By what is in the list alone.
impl<T: PartialEq> PartialEq for Listed<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.list, &other.list) || self.list == other.list
    }
}

impl<T: Eq> Eq for Listed<T> {}

/// What the acting sink wants of one member: a poll that the token carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whose readings.
    pub journal: JournalId,
    /// Send what comes after this.
    pub after: Seq,
    /// What the sink has on stable storage, never more than `after`.
    pub taken: Seq,
    /// At most this many readings.
    pub max: u32,
}

/// A piece of a journal on its way to the sink. Those between pass it on unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whose readings.
    pub journal: JournalId,
    /// The cursor that it answers.
    pub after: Seq,
    /// The place of its last reading.
    pub through: Seq,
    /// The value of a READINGS message, as JSON text.
    pub text: Arc<str>,
}

impl Piece {
    /// What it counts for in a token: its text, and room for what stands around it.
    pub fn bytes(&self) -> usize {
        const AROUND_BYTES: usize = 120;
        self.text.len().saturating_add(AROUND_BYTES)
    }
}

/// The message that gives a member the right to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Which token it is.
    pub ring: RingId,
    /// Counts its hops. Who has seen a token has seen all with a smaller (`ring`, `seq`).
    pub seq: u64,
    /// For whom this hop is.
    pub to: MemberId,
    /// Whoever gets it shall pass it on to `to`: the sender cannot reach it.
    pub pass_on: bool,
    /// `seq` when somebody last had much for it, or members changed: a whole rotation later it may rest.
    pub busy: u64,
    /// All members, in the order of their turns.
    pub members: Roster,
    /// The journal of the member that collects.
    pub sink: Option<JournalId>,
    /// What the sink wants of each member.
    pub cursors: Cursors,
    /// Readings on their way to the sink.
    pub pieces: Vec<Piece>,
}

impl Token {
    /// Bytes of the readings that it carries.
    pub fn bytes(&self) -> usize {
        self.pieces.iter().map(Piece::bytes).sum()
    }

    /// The place of a member in the order of turns.
    pub fn place(&self, id: MemberId) -> Option<usize> {
        self.members.iter().position(|member| member.who.id == id)
    }
}

/// The answer to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenAck {
    /// The token's.
    pub ring: RingId,
    /// The token's.
    pub seq: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a token that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken, now or by an earlier copy.
    Taken,
    /// A token of this larger ring was seen: the one handed over is dead.
    Seen(RingId),
    /// This larger ring has a promise, which ends soon one way or the other: try again.
    Promised(RingId),
    /// The member for whom it is lives no more, or never did, at this address.
    NotHere,
    /// Who was to pass it on could not.
    Unreachable,
}

/// "The token is lost; I make a new one unless somebody objects."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The new token's.
    pub ring: RingId,
    /// Ring and `seq` of the last token that the claimer knows of.
    pub latest: (RingId, u64),
    /// Who claims.
    pub who: Who,
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimAnswer {
    /// The claim's.
    pub ring: RingId,
    /// Yes: it is promised that no token and no claim of a smaller ring is taken until the promise ends.
    pub is_promised: bool,
    /// The token is not lost.
    pub is_alive: bool,
    /// The largest ring that the one who answers knows of.
    pub top: RingId,
    /// Who answers.
    pub who: Who,
}

/// How a node stands to a ring: the question to one that is absent, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingState {
    /// Who says so.
    pub who: Who,
    /// The ring of the last token that it knows of.
    pub ring: RingId,
    /// The largest ring that it has heard of.
    pub top: RingId,
    /// Members of its ring; 0 when it has none whose token lives.
    pub members: u32,
}
