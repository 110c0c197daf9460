//! From a role's settings and what the store holds to the role that a node takes up, at its start or while it runs.

use super::clock;
use super::settings::{RoleSettings, StandbySettings};
use super::store_thread::RoleFacts;
use crate::model::NodeName;
use crate::node::{PollConfig, RingPart, Role, StandbyPart};

/// The role. Each call draws another seed: two lives of a node have never the same.
pub(crate) fn role(settings: &RoleSettings, facts: &RoleFacts) -> Role {
    let with_names = |peers: &[String]| -> Vec<(String, Option<NodeName>)> {
        peers.iter().map(|address| (address.clone(), facts.peers.get(address).cloned())).collect()
    };
    match settings {
        RoleSettings::Secondary => Role::Secondary,
        RoleSettings::Primary { peers, poll_interval, deadline, order, standby } => {
            let poll = PollConfig {
                peers: with_names(peers),
                cursors: facts.cursors.clone(),
                poll_interval: *poll_interval,
                deadline: *deadline,
                order: *order,
                last_round: facts.last_round,
                seed: clock::random_u64(),
            };
            match standby {
                None => Role::Primary(poll),
                Some(StandbySettings { before, after }) => {
                    Role::Standby(StandbyPart { poll, before: with_names(before), standby_after: *after })
                }
            }
        }
        RoleSettings::Ring { peers, sink_rank, makes_token, token_hold, round_interval, standby_after } => {
            Role::Ring(RingPart {
                peers: with_names(peers),
                cursors: facts.cursors.clone(),
                sink_rank: *sink_rank,
                makes_token: *makes_token,
                token_hold: *token_hold,
                round_interval: *round_interval,
                standby_after: *standby_after,
                last_round: facts.last_round,
                seed: clock::random_u64(),
            })
        }
    }
}
