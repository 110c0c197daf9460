//! What a station wants of this node: to sense, to stop, to do it otherwise, to end. The station has seen to it already
//! that the command is allowed.

use serde_json::{Value as Json, json};

use super::{Ending, EventLoop};
use crate::model::{Command, Now, RoleName, RoleOrder, RoleRequest};
use crate::node::{Input, StationAnswer};
use crate::proto::{StationAsker, StationOrder};

impl EventLoop {
    /// Does it, or says why not. Called while the node is being drained.
    pub(super) fn station_order(&mut self, now: Now, asker: StationAsker, order: StationOrder) {
        let line = format!("{} wants {}", asker.sender, name(&order));
        self.tell_of_strangers(now, log::Level::Info, &line);
        let answer = self.obey(order);
        if let Err(why) = &answer {
            self.tell_of_strangers(now, log::Level::Warn, &format!("{line}, which cannot be: {why}"));
        }
        self.parts.node.handle_input(now, Input::StationAnswered { asker, answer });
    }

    fn obey(&mut self, order: StationOrder) -> Result<StationAnswer, String> {
        let sampling = self.parts.crew.sampling().clone();
        let sampling = match order {
            StationOrder::Start(value) => sampling.started().changed(&value)?,
            StationOrder::Stop => sampling.stopped(),
            StationOrder::Param(value) => {
                let changed = sampling.changed(&value)?;
                self.take_role(&value)?;
                changed
            }
            StationOrder::Kill => {
                self.parts.notify.stopping();
                self.ending = Some(Ending::Stopped);
                return Ok(StationAnswer { state: Some("STOPPING".to_owned()), message: None });
            }
            StationOrder::File(value) => return self.file(&value),
            StationOrder::Cohere(_) | StationOrder::Latest => {
                return Err("this node has no answer to that".to_owned());
            }
        };
        let state = sampling.state().to_owned();
        self.parts.crew.sense(sampling).map_err(|error| format!("{error:#}"))?;
        self.parts.notify.watch(self.parts.crew.promises());
        Ok(StationAnswer { state: Some(state), message: None })
    }

    /// Another role, if the value names one.
    fn take_role(&mut self, value: &Json) -> Result<(), String> {
        let Some(role) = value.get("role").and_then(Json::as_str) else { return Ok(()) };
        let plan = self.parts.crew.plan();
        if !plan.settings().access.allow.has(Command::Role) {
            return Err("ROLE is not allowed here; start the node with `--allow ROLE` to allow it".to_owned());
        }
        let role: RoleName = role.parse().map_err(|error| format!("role: {error}"))?;
        let change = plan.change(RoleOrder::Become(RoleRequest::plain(role)));
        match change.map_err(|error| format!("role: {error:#}"))? {
            Some(_) if self.role_is_changing() => Err("another change of role is under way".to_owned()),
            Some(change) => self.ask_to_settle(change, None),
            None => Ok(()),
        }
    }

    fn file(&mut self, value: &Json) -> Result<StationAnswer, String> {
        let Some(files) = &mut self.parts.files else {
            return Err("this node has no folder for files: start it with `--files DIR`".to_owned());
        };
        let value = files.answer(value)?;
        Ok(StationAnswer { state: None, message: value.map(|value| ("FILE".to_owned(), value)) })
    }
}

fn name(order: &StationOrder) -> String {
    match order {
        StationOrder::Start(_) => "START".to_owned(),
        StationOrder::Stop => "STOP".to_owned(),
        StationOrder::Param(value) => {
            format!("PARAM {}", value.to_string().chars().take(100).collect::<String>())
        }
        StationOrder::Kill => "KILL".to_owned(),
        StationOrder::Latest => "LATEST".to_owned(),
        StationOrder::File(value) => {
            format!(
                "FILE {}",
                value.get("path").unwrap_or(&json!("")).to_string().chars().take(100).collect::<String>()
            )
        }
        StationOrder::Cohere(_) => "COHERE".to_owned(),
    }
}
