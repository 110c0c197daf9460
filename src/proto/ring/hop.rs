//! A hop: the token is handed to the successor and acknowledged, tried again over a fresh link, then through another
//! member, and only then is the successor skipped. The helper's part is in `relay`.

use std::time::Duration;

use super::{Defect, Ring, RingReport, State};
use crate::model::{Body, Instant, Now, Outcome, RingId, Token, TokenAck};
use crate::proto::{LinkId, PeerIx};

/// A token is acknowledged within this time, and what its readings need on a slow link.
const ACK_TIMEOUT: Duration = Duration::from_millis(200);
/// The slowest link that is reckoned with.
const LINK_LEAST_BYTES_PER_S: usize = 500_000;
/// Tries over direct links before others are asked to help.
const TRIES_MAX: u8 = 3;
/// Helpers that are asked at once.
const HELPERS_MAX: usize = 2;
/// They have this long, and what the token's bytes need twice.
pub(super) const HELP_TIMEOUT: Duration = Duration::from_millis(300);
/// A helper that reached the successor is asked first for so long.
const HELPER_KEPT: Duration = Duration::from_secs(10);
/// A successor that has given a promise is asked again so often: longer than a promise lasts.
const PAUSES_MAX: u8 = 5;
/// After so many skips in one turn the others are asked all at once who is there.
const SKIPS_MAX: u8 = 2;
/// A link to the successor that breaks may have taken the token with it: after this time without one it is claimed.
const BROKEN_LINK_CLAIM: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
enum Stage {
    /// Sent on the link to the successor.
    Direct,
    /// Sent to these, to be passed on.
    Helped(Vec<PeerIx>),
    /// The successor has given a promise: it is asked again when the time is over.
    Paused,
}

/// A token on its way to the successor.
#[derive(Clone, Debug)]
pub(super) struct Handing {
    token: Box<Token>,
    to: PeerIx,
    stage: Stage,
    tries: u8,
    pauses: u8,
    skips: u8,
    until: Instant,
}

impl Handing {
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Ring and number of the token.
    pub(super) fn hop(&self) -> (RingId, u64) {
        (self.token.ring, self.token.seq)
    }
}

/// What is remembered from one hop to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Hops {
    /// The token was handed over on this one's link, and no later token was seen yet.
    pub(super) watched: Option<PeerIx>,
    /// Who reached the successor when this member could not: successor, helper, and until when it is asked first.
    helper: Option<(PeerIx, PeerIx, Instant)>,
}

impl Ring {
    /// Gives the token to the successor; `skips` members were skipped in this turn before.
    pub(super) fn hand_on(&mut self, now: Now, mut token: Box<Token>, skips: u8) {
        let next = token.place(self.who.id).and_then(|place| {
            let next = (place + 1) % token.members.len().max(1);
            token.members.get(next).map(|member| (member.who.id, member.address.clone()))
        });
        let Some((id, address)) = next else { return self.wait(now.mono, self.lost_after()) };
        token.seq = token.seq.saturating_add(1);
        token.to = id;
        if id == self.who.id {
            return self.visit(now, token);
        }
        let Some(to) = self.links.find(&address) else {
            self.report(RingReport::NotListed { address });
            return self.skip(now, token, skips, "its address is not in the list of peers");
        };
        let known = self.hops.helper.filter(|&(reached, _, until)| reached == to && until > now.mono);
        let handing =
            Handing { token, to, stage: Stage::Direct, tries: 0, pauses: 0, skips, until: now.mono };
        match known {
            Some((_, helper, _)) => self.ask_helpers(now, handing, vec![helper]),
            None => self.send_token(now, handing),
        }
    }

    fn send_token(&mut self, now: Now, mut handing: Handing) {
        if handing.tries > 0 {
            self.links.drop(handing.to);
        }
        if handing.tries > 0 && self.planted.is(Defect::RetryCountsAsHop) {
            handing.token.seq += 1;
        }
        handing.tries += 1;
        handing.stage = Stage::Direct;
        handing.until = now.mono + ACK_TIMEOUT + time_for(handing.token.bytes());
        let (to, token) = (handing.to, handing.token.clone());
        self.state = State::Handing(handing);
        self.links.tell(now.mono, to, Body::Token(token));
    }

    /// Hands the token to others that are to pass it on.
    fn ask_helpers(&mut self, now: Now, mut handing: Handing, helpers: Vec<PeerIx>) {
        handing.until = now.mono + HELP_TIMEOUT + time_for(2 * handing.token.bytes());
        handing.stage = Stage::Helped(helpers.clone());
        let token = Box::new(Token { pass_on: true, ..(*handing.token).clone() });
        self.state = State::Handing(handing);
        for helper in helpers {
            self.links.tell(now.mono, helper, Body::Token(token.clone()));
        }
    }

    /// The direct way did not work.
    fn try_again(&mut self, now: Now, handing: Handing, why: &str) {
        let tries_max = if self.planted.is(Defect::SkippedAtOnce) { 1 } else { TRIES_MAX };
        if handing.tries < tries_max {
            return self.send_token(now, handing);
        }
        let helpers =
            if self.planted.is(Defect::SkippedAtOnce) { Vec::new() } else { self.helpers(&handing) };
        if helpers.is_empty() {
            return self.skip(now, handing.token, handing.skips, why);
        }
        self.ask_helpers(now, handing, helpers);
    }

    /// The members that come after the successor.
    fn helpers(&self, handing: &Handing) -> Vec<PeerIx> {
        let token = &handing.token;
        let after = token.place(token.to).map_or(0, |place| place + 1);
        let others = token.members.iter().cycle().skip(after).take(token.members.len());
        let others = others.filter(|member| member.who.id != token.to && member.who.id != self.who.id);
        let known = others.filter_map(|member| self.links.find(&member.address));
        known.filter(|&ix| ix != handing.to && Some(ix) != self.own).take(HELPERS_MAX).collect()
    }

    /// Goes on without the successor, as another ring: should it have the token after all, that one is dead.
    fn skip(&mut self, now: Now, mut token: Box<Token>, skips: u8, why: &str) {
        if let Some(member) = token.place(token.to).and_then(|place| token.members.remove(place)) {
            token.cursors.retain(|cursor| cursor.journal != member.who.id.journal);
            self.report(RingReport::Skipped {
                address: member.address,
                node: member.who.node,
                why: why.to_owned(),
            });
        }
        if !self.planted.is(Defect::SkipKeepsName) {
            token.ring = self.new_ring();
        }
        token.busy = token.seq;
        self.highest = self.highest.max(token.ring);
        (self.taken, self.latest, self.latest_at) =
            ((token.ring, token.seq), (token.ring, token.seq), now.mono);
        self.adopt(&token);
        if skips + 1 >= SKIPS_MAX && token.members.len() > 1 {
            return self.begin_claim(now);
        }
        self.hand_on(now, token, skips + 1);
    }

    /// Nothing was heard of the token in time.
    pub(super) fn hop_timeout(&mut self, now: Now) {
        if let State::Handing(handing) = self.take_state(now.mono) {
            match handing.stage {
                Stage::Direct => self.try_again(now, handing, "it does not acknowledge the token"),
                Stage::Paused => self.send_token(now, handing),
                Stage::Helped(helpers) => {
                    let handing = Handing { stage: Stage::Direct, ..handing };
                    helpers.into_iter().for_each(|ix| self.links.drop(ix));
                    self.help_failed(now, handing, "nobody reaches it");
                }
            }
        }
    }

    /// An address that the token on its way depends on cannot be reached.
    pub(super) fn hop_failed(&mut self, now: Now, ix: PeerIx, why: &str) {
        let State::Handing(handing) = &mut self.state else { return };
        let is_direct = matches!(handing.stage, Stage::Direct) && handing.to == ix;
        let is_last_helper = match &mut handing.stage {
            Stage::Helped(helpers) if helpers.contains(&ix) => {
                helpers.retain(|helper| *helper != ix);
                helpers.is_empty()
            }
            _ => false,
        };
        if (is_direct || is_last_helper)
            && let State::Handing(handing) = self.take_state(now.mono)
        {
            if is_direct {
                self.try_again(now, handing, why);
            } else {
                self.help_failed(now, handing, why);
            }
        }
    }

    /// No helper reached the successor: it is skipped, unless the direct way was not tried in this turn.
    fn help_failed(&mut self, now: Now, handing: Handing, why: &str) {
        self.hops.helper = None;
        if handing.tries == 0 {
            self.send_token(now, handing);
        } else {
            self.skip(now, handing.token, handing.skips, why);
        }
    }

    /// An answer to a token came on a link that this node had opened.
    pub(super) fn token_ack(&mut self, now: Now, link: LinkId, ack: TokenAck) {
        let Some(from) = self.links.at(link) else { return };
        let hop = (ack.ring, ack.seq);
        if let Some(asker) = self.relays.answered(from, hop) {
            self.links.answer(asker, Body::TokenAck(ack));
        }
        if !matches!(&self.state, State::Handing(handing) if handing.hop() == hop) {
            return;
        }
        if ack.outcome == Outcome::Unreachable {
            return self.hop_failed(now, from, "nobody reaches it");
        }
        let State::Handing(handing) = self.take_state(now.mono) else { return };
        match ack.outcome {
            Outcome::Taken => self.handed_over(now.mono, &handing, from),
            Outcome::Seen(ring) => {
                self.report(RingReport::Dead { ring: ack.ring, by: ring });
                self.highest = self.highest.max(ring);
                self.heard = self.heard.max(ring);
                self.is_member = false;
                self.wait(now.mono, self.lost_after());
            }
            Outcome::Promised(ring) => self.pause(now, handing, ring),
            Outcome::NotHere | Outcome::Unreachable => {
                self.skip(now, handing.token, handing.skips, "another lives there now");
            }
        }
    }

    /// The token is at a later hop of the same ring: all hops before it have come about, acknowledged or not.
    pub(super) fn gone_on(&mut self, now: Instant, hop: (RingId, u64)) {
        for (asker, ack) in self.relays.overtaken(hop) {
            self.links.answer(asker, Body::TokenAck(ack));
        }
        let is_mine = |handing: &Handing| {
            let (ring, seq) = handing.hop();
            matches!(handing.stage, Stage::Direct) && ring == hop.0 && seq < hop.1
        };
        if matches!(&self.state, State::Handing(handing) if is_mine(handing))
            && let State::Handing(handing) = self.take_state(now)
        {
            self.handed_over(now, &handing, handing.to);
        }
    }

    fn handed_over(&mut self, now: Instant, handing: &Handing, from: PeerIx) {
        (self.latest, self.latest_at) = (handing.hop(), now);
        self.links.keep(from);
        if from == handing.to {
            self.hops.watched = Some(handing.to);
            self.hops.helper = None;
        } else {
            let until = match self.hops.helper {
                Some((_, _, until)) if until > now => until,
                _ => now + HELPER_KEPT,
            };
            self.hops.helper = Some((handing.to, from, until));
        }
    }

    fn pause(&mut self, now: Now, mut handing: Handing, ring: RingId) {
        self.heard = self.heard.max(ring);
        handing.pauses += 1;
        if handing.pauses > PAUSES_MAX {
            return self.skip(now, handing.token, handing.skips, "it has promised itself to another ring");
        }
        handing.until = now.mono + ACK_TIMEOUT;
        handing.stage = Stage::Paused;
        handing.tries = 0;
        self.state = State::Handing(handing);
    }

    /// The link on which the token went away is gone: the token may be, too.
    pub(super) fn watch_ended(&mut self, now: Instant, ix: PeerIx) {
        if self.hops.watched.take_if(|watched| *watched == ix).is_none() {
            return;
        }
        if let State::Waiting { claim_at } = &mut self.state {
            *claim_at = (*claim_at).min(now + BROKEN_LINK_CLAIM);
        }
    }
}

/// What so many bytes need on the slowest link that is reckoned with.
pub(super) fn time_for(bytes: usize) -> Duration {
    let micros = bytes.saturating_mul(1_000_000) / LINK_LEAST_BYTES_PER_S;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}
