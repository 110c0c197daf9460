//! How a node changes its role while it runs. What the former duty gave to the store is on its way there and is taken;
//! its links go; the new duty begins with what the store holds. Sensing, the own journal, and everybody who polls or
//! talks to this node go on as if nothing had happened.

use super::duty::{Duty, DutyOutput};
use super::events::{Output, Role};
use super::{ID_MAX_CHARS, Node, head};
use crate::model::{Body, Now, RoleAnswer, RoleOrder};
use crate::proto::{LinkId, PrimaryOutput, RingOutput, StandbyOutput};

impl Node {
    /// Lets go of the present duty, and begins with another.
    ///
    /// `role` was made of what the store held a moment ago. What it confirms or refuses meanwhile concerned the former
    /// duty: a cursor that is confirmed is one that is held, whoever asked for it, and what is refused is asked for
    /// again. So the new duty may be told of either.
    pub(super) fn take_up(&mut self, now: Now, role: Role) {
        let role = role.after_round(self.duty.round());
        self.end_duty();
        let (name, own) = (self.name.clone(), (self.journal, self.secondary.last()));
        self.duty = Duty::new(name, own, role, now.mono);
        self.tell_zre_role(now);
    }

    fn end_duty(&mut self) {
        self.duty.leave();
        while let Some(output) = self.duty.poll_output() {
            match output {
                // Nobody is there any more to hear how the attempt ends.
                DutyOutput::Primary(PrimaryOutput::Connect(_))
                | DutyOutput::Standby(StandbyOutput::Connect(_))
                | DutyOutput::Ring(RingOutput::Connect(_)) => {}
                DutyOutput::Standby(output) => {
                    let output = self.standby_output(output);
                    self.outputs.push_back(output);
                }
                DutyOutput::Primary(output) => {
                    let output = self.primary_output(output);
                    self.outputs.push_back(output);
                }
                DutyOutput::Ring(output) => self.ring_output(output),
            }
        }
    }

    /// Somebody asks for the role, or wants another: that is for the driver, who knows settings and store.
    pub(super) fn order(&mut self, link: LinkId, id: String, order: RoleOrder) {
        self.outputs.push_back(Output::ChangeRole { link, id, order });
    }

    /// Tells the one who asked how it is now, or why it is as before.
    pub(super) fn answer_order(&mut self, link: LinkId, id: String, answer: Result<RoleAnswer, String>) {
        let re = head(&id, ID_MAX_CHARS);
        let body = match answer {
            Ok(answer) => Body::RoleAnswer(RoleAnswer { re, ..answer }),
            Err(text) => Body::Error { re, text },
        };
        let output = self.send(link, body);
        self.outputs.push_back(output);
    }
}
