//! Plain values that every layer shares: time, ids, readings, messages. No I/O, no policy.

mod access;
mod clock;
mod ids;
mod lab;
mod message;
mod reading;
mod ring;
mod role;
mod round;
mod sink;
mod station;
mod time;
mod zre;

pub use access::{Access, Command, CommandError, Commands, FramingError, FramingName, Framings};
pub use clock::{CLOCK_IS_SET_FROM, ClockLink, ClockMark, ClockSample, Dated, TimeSource};
pub use ids::{BootId, HexError, JournalId, LifeId, NameError, NodeName, Seq};
pub use lab::{LAB_PAIRS_MAX, LabPair, LabText, LabToken, pairs as lab_pairs};
pub use message::{Body, Message, PollRequest, Pong, Readings};
pub use reading::{Channel, ChannelIx, ErrReason, Pack, Reading, Value};
pub use ring::{
    Claim, ClaimAnswer, Cursor, Cursors, Listed, Member, MemberId, Outcome, Piece, RING_MEMBERS_MAX, RingId,
    RingState, Roster, TOKEN_MAX_BYTES, TOKEN_PIECES_MAX, Token, TokenAck, Who,
};
pub use role::{
    Collects, ROLE_PEERS_MAX, RoleAnswer, RoleName, RoleNameError, RoleOrder, RoleOrigin, RoleRequest,
};
pub use round::RoundRecord;
pub use sink::{SinkPart, SinkPlace};
pub use station::{
    MINPRINT, NOLOG, NOREPEAT, Routed, STATION_PATH_MAX, STATION_TEXT_MAX_BYTES, STATION_TTL, StationMessage,
};
pub use time::{Instant, Now, WallTime};
pub use zre::{Beacon, Hello, ZreBody, ZreId, ZreMessage};
