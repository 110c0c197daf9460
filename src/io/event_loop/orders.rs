//! Changes of role and settings while the node runs: somebody's message, or SIGHUP. A role begins with what the store
//! holds, so the store is asked first; until it has answered, the node does what it did.

use super::EventLoop;
use super::outputs::Beside;
use crate::io::clock;
use crate::io::plan::RoleChange;
use crate::io::roles;
use crate::io::store_thread::{RoleFacts, StoreCommand};
use crate::model::{Now, RoleAnswer, RoleOrder};
use crate::node::Input;
use crate::proto::LinkId;

/// A change of role that waits for the store.
pub(super) struct Pending {
    change: RoleChange,
    /// Who asked, and the message's id; nobody when it follows from the config.
    asker: Option<(LinkId, String)>,
}

impl EventLoop {
    /// Somebody asks for the role, or wants another. Called while the node is being drained.
    pub(super) fn order(
        &mut self,
        now: Now,
        link: LinkId,
        id: String,
        order: RoleOrder,
        beside: &mut Beside<'_>,
    ) {
        let plan = self.parts.crew.plan();
        let answer = match plan.change(order) {
            Err(why) => Err(format!("{why:#}")),
            Ok(None) => Ok(plan.answer()),
            Ok(Some(_)) if self.pending.is_some() => {
                Err("another change of role is under way: ask again in a moment".to_owned())
            }
            Ok(Some(change)) => match self.ask_to_settle(change, Some((link, id.clone()))) {
                Ok(()) => {
                    if let Some(asking) = self.link_or_beside(link, beside) {
                        asking.awaited += 1;
                        let line = format!("{} asks for another role", asking.remote);
                        self.tell_of_strangers(now, log::Level::Info, &line);
                    }
                    return;
                }
                Err(why) => Err(why),
            },
        };
        self.parts.node.handle_input(now, Input::OrderAnswered { link, id, answer });
    }

    /// The commands that the config allows now.
    fn allow_again(&mut self) {
        let allow = self.parts.crew.plan().settings().access.allow;
        self.parts.node.allow_stations(allow);
    }

    /// Whether a change of role is under way.
    pub(super) fn role_is_changing(&self) -> bool {
        self.pending.is_some()
    }

    pub(super) fn ask_to_settle(
        &mut self,
        change: RoleChange,
        asker: Option<(LinkId, String)>,
    ) -> Result<(), String> {
        let command = StoreCommand::Settle { keep: change.keep.clone() };
        if self.parts.store.send(command).is_err() {
            return Err("the store is behind; ask again later".to_owned());
        }
        self.pending = Some(Pending { change, asker });
        Ok(())
    }

    /// The store has settled all that it was given: the role can begin.
    pub(super) fn settled(&mut self, now: Now, facts: Result<RoleFacts, String>) {
        let Some(Pending { change, asker }) = self.pending.take() else { return };
        let answer = facts.map(|facts| self.take_up(now, change, &facts));
        let answer =
            answer.map_err(|why| format!("the role stays as it is, for the store cannot go along: {why}"));
        if let Err(why) = &answer {
            self.tell_of_strangers(now, log::Level::Error, why);
        }
        if let Some((link, id)) = asker {
            if let Some(asking) = self.links.get_mut(&link) {
                asking.awaited = asking.awaited.saturating_sub(1);
            }
            self.parts.node.handle_input(now, Input::OrderAnswered { link, id, answer });
        }
        self.drain(now);
        if std::mem::take(&mut self.reload_waits) {
            self.reload();
        }
    }

    fn take_up(&mut self, now: Now, change: RoleChange, facts: &RoleFacts) -> RoleAnswer {
        let is_another = self.parts.crew.plan().is_another(&change.role);
        if is_another {
            // What came for the former role goes its way before the new one begins.
            self.hand_over(now);
            let role = roles::role(&change.role, facts);
            self.parts.node.handle_input(now, Input::Become(Box::new(role)));
            self.drain(now);
        }
        self.parts.crew.take_up(change);
        let answer = self.parts.crew.plan().answer();
        let stays = if is_another { "is now" } else { "stays" };
        let line =
            format!("the role {stays} {}; after the next start it is {}", answer.role, answer.next_start);
        self.tell_of_strangers(now, log::Level::Info, &line);
        answer
    }

    /// Reads the config again and applies what it can, or nothing when it is wrong.
    pub(super) fn reload(&mut self) {
        if self.pending.is_some() {
            self.reload_waits = true;
            return;
        }
        self.parts.notify.reloading();
        match self.parts.crew.reload() {
            Err(error) => log::error!("the config is not taken, everything stays as it is: {error:#}"),
            Ok(None) => self.allow_again(),
            Ok(Some(change)) => {
                self.allow_again();
                if let Err(why) = self.ask_to_settle(change, None) {
                    log::error!("the role stays as it is: {why}");
                }
            }
        }
        self.parts.notify.watch(self.parts.crew.promises());
        self.tell_ready();
        self.drain(clock::now());
    }
}
