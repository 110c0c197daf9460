//! Plain values that every layer shares: time, ids, readings, messages. No I/O, no policy.

mod ids;
mod message;
mod reading;
mod time;

pub use ids::{BootId, JournalId, NameError, NodeName, Seq};
pub use message::{Body, Message, PollRequest, Readings};
pub use reading::{Channel, ChannelIx, ErrReason, Pack, Reading, Value};
pub use time::{Instant, WallTime};
