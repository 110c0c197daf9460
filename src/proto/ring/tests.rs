//! What one machine must and must not do, whatever it is told (`machine`), and three of them in every order of
//! everything (`explore`). Whole sites are in `sim`.

use super::*;
use crate::model::{NodeName, Outcome, TokenAck};
use crate::proto::contract::Watched;

mod explore;
mod machine;

const MS: Duration = Duration::from_millis(1);

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}
