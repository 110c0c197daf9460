//! What one machine must and must not do, whatever it is told. Rings of many are in `sim`.

use super::*;
use crate::model::{NodeName, Outcome, TokenAck};
use crate::proto::contract::Watched;

mod machine;

const MS: Duration = Duration::from_millis(1);

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}
