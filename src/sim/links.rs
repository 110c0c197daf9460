//! Links: how they come about, how bytes travel on them, and how they end.

use core::net::IpAddr;
use std::time::Duration;

use super::check::Broken;
use super::net::{Arrival, Connection, End};
use super::world::{Dial, Event, World, between};
use crate::model::{Instant, Message, WallTime};
use crate::node::Input;
use crate::proto::{Far, LinkId};
use crate::wire;

/// A lost packet is sent again after this, then after twice as long, and so on.
const RESEND: Duration = Duration::from_millis(200);
/// So often at the most.
const RESENDS_MAX: u32 = 6;
/// A call that is not answered is made again after this, then after twice as long, and so on.
const CALL_AGAIN: Duration = Duration::from_secs(1);
/// So often at the most.
const CALLS_MAX: u32 = 4;
/// Most pieces that one message arrives in.
const CUTS_MAX: usize = 3;

impl World<'_> {
    pub(super) fn start_dialing(&mut self, at: usize, far: Far, address: &str) -> Result<(), Broken> {
        let Some(&(goal, is_second_way)) = self.addresses.get(address) else { return Ok(()) };
        let attempt = self.next_link;
        self.next_link += 1;
        let Some(host) = self.hosts.get_mut(at) else { return Ok(()) };
        let life = host.life;
        let running = host.running.as_mut();
        let before = running.and_then(|running| running.peers.insert(far, Err(attempt)));
        if let Some(Ok(link)) = before {
            self.hang_up(at, link)?;
        }
        let dial = Dial { host: at, life, far, attempt, goal, is_second_way, tries: 0 };
        let wait = self.travel(0);
        self.schedule(wait, Event::Dial(Box::new(dial)));
        Ok(())
    }

    /// A call reaches its goal, or is lost on the way.
    pub(super) fn dial(&mut self, mut dial: Dial) -> Result<(), Broken> {
        let is_open = self.trouble.is_open(dial.host, dial.goal)
            && self.trouble.is_open(dial.goal, dial.host)
            && (dial.is_second_way || !self.trouble.is_first_way_gone);
        let goal = self.hosts.get(dial.goal).map(|goal| (goal.is_powered, goal.running.is_some()));
        let (is_powered, is_running) = goal.unwrap_or_default();
        if !is_open || !is_powered {
            dial.tries += 1;
            if dial.tries < CALLS_MAX {
                let wait = CALL_AGAIN.saturating_mul(1 << (dial.tries - 1));
                self.schedule(wait, Event::Dial(Box::new(dial)));
            }
            return Ok(());
        }
        let wait = self.travel(0);
        if !is_running {
            self.schedule(wait, Event::Dialed(Box::new(dial), None));
            return Ok(());
        }
        let (near, called) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        self.next_link += 2;
        let ends = [End::new(Some(dial.host), near), End::new(Some(dial.goal), called)];
        let id = self.open(ends, dial.is_second_way);
        self.join(dial.goal, called, id, 1);
        let remote = ip(dial.host);
        self.tell_soon(dial.goal, Input::LinkUp { link: called, far: None, remote });
        self.schedule(wait, Event::Dialed(Box::new(dial), Some(id)));
        Ok(())
    }

    pub(super) fn open(&mut self, ends: [End; 2], is_second_way: bool) -> u64 {
        let id = self.next_link;
        self.next_link += 1;
        self.connections.insert(id, Connection { ends, has_vanished: false, is_second_way });
        id
    }

    /// A process has one end of a connection.
    pub(super) fn join(&mut self, at: usize, link: LinkId, id: u64, side: usize) {
        let Some(running) = self.hosts.get_mut(at).and_then(|host| host.running.as_mut()) else { return };
        running.links.insert(link, (id, side));
        let count = running.links.len();
        self.measures.links(self.now, at, count);
    }

    /// The caller hears what came of its call.
    pub(super) fn dialed(&mut self, dial: &Dial, connection: Option<u64>) -> Result<(), Broken> {
        let host = self.hosts.get_mut(dial.host).filter(|host| host.life == dial.life);
        let running = host.and_then(|host| host.running.as_mut());
        let is_wanted =
            running.as_ref().is_some_and(|running| running.peers.get(&dial.far) == Some(&Err(dial.attempt)));
        match (running.filter(|_| is_wanted), connection) {
            (Some(running), None) => {
                running.peers.remove(&dial.far);
                self.tell(dial.host, Input::LinkFailed { far: dial.far, why: "refused".to_owned() })
            }
            (Some(running), Some(id)) => {
                let Some(link) = self.connections.get(&id).map(|one| one.ends[0].link) else {
                    running.peers.remove(&dial.far);
                    return self
                        .tell(dial.host, Input::LinkFailed { far: dial.far, why: "reset".to_owned() });
                };
                running.peers.insert(dial.far, Ok(link));
                self.join(dial.host, link, id, 0);
                self.tell(dial.host, Input::LinkUp { link, far: Some(dial.far), remote: ip(dial.goal) })
            }
            // Nobody wants it any more: the kernel says so.
            (None, Some(id)) => self.go_away(id, 0),
            (None, None) => Ok(()),
        }
    }

    pub(super) fn send(&mut self, at: usize, link: LinkId, message: &Message) -> Result<(), Broken> {
        let Some(running) = self.hosts.get(at).and_then(|host| host.running.as_ref()) else { return Ok(()) };
        let Some(&(id, side)) = running.links.get(&link) else { return Ok(()) };
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let wall = self.hosts.get(at).map_or(WallTime::default(), |host| host.clock.now(self.now).wall);
        wire::encode(message, wall, &mut bytes);
        self.measures.sent(super::log::key(&message.body), bytes.len());
        let sent = self.transmit(id, 1 - side, &bytes);
        self.bytes = bytes;
        sent
    }

    /// Bytes are on their way to an end, in a few pieces.
    pub(super) fn transmit(&mut self, id: u64, to: usize, bytes: &[u8]) -> Result<(), Broken> {
        let mut cuts = [0; CUTS_MAX + 2];
        let mut count = 1;
        if self.scenario.network.cut > 0.0 && self.chances.net.f64() < self.scenario.network.cut {
            for _ in 0..self.chances.net.usize(0..=CUTS_MAX) {
                if let Some(cut) = cuts.get_mut(count) {
                    *cut = self.chances.net.usize(0..=bytes.len());
                    count += 1;
                }
            }
        }
        if let Some(cut) = cuts.get_mut(count) {
            *cut = bytes.len();
        }
        let cuts = cuts.get_mut(..=count).unwrap_or_default();
        cuts.sort_unstable();
        for cut in cuts.windows(2) {
            let piece = cut.first().zip(cut.last()).and_then(|(from, to)| bytes.get(*from..*to));
            if !self.transmit_piece(id, to, piece.unwrap_or_default())? {
                break;
            }
        }
        Ok(())
    }

    /// Whether there is an end for it to arrive at.
    fn transmit_piece(&mut self, id: u64, to: usize, bytes: &[u8]) -> Result<bool, Broken> {
        let wait = self.travel(bytes.len());
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(false) };
        if connection.has_vanished {
            return Ok(false);
        }
        let far = &mut connection.ends[to];
        if !far.is_up {
            // The other end is gone, and its machine says so; unless that is off.
            let is_there =
                far.host.is_none_or(|host| self.hosts.get(host).is_some_and(|host| host.is_powered));
            let from = connection.ends[1 - to].host;
            let is_open =
                from.zip(connection.ends[to].host).is_none_or(|(from, to)| self.trouble.joins(from, to));
            if is_there && is_open {
                self.schedule(wait, Event::Closed(id, 1 - to));
            }
            return Ok(false);
        }
        // On a slow link bytes come one after the other.
        let bandwidth = self.trouble.bytes_per_s.map(|most| {
            let micros = (bytes.len() as u64).saturating_mul(1_000_000) / most;
            Duration::from_micros(micros)
        });
        let arrival = match bandwidth {
            Some(time) => far.busy_until().max(now + wait) + time,
            None => now + wait,
        };
        far.queue(arrival, bytes)?;
        let arrival = far.busy_until();
        self.schedule_at(arrival, Event::Arrive(id, to));
        Ok(true)
    }

    /// How long a packet is on its way, with those that are lost and sent again, or overtaken, before it.
    fn travel(&mut self, bytes: usize) -> Duration {
        let net = &self.scenario.network;
        let rng = &mut self.chances.net;
        let mut wait = between(rng, &net.latency);
        let loss = self.trouble.loss;
        if loss > 0.0 {
            let mut resend = RESEND;
            for _ in 0..RESENDS_MAX {
                if rng.f64() >= loss {
                    break;
                }
                wait += resend;
                resend *= 2;
            }
        }
        if net.reorder > 0.0 && rng.f64() < net.reorder {
            wait += *net.latency.end();
        }
        if net.duplicate > 0.0
            && rng.f64() < net.duplicate
            && let Some(most) = self.trouble.bytes_per_s
        {
            wait += Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / most);
        }
        wait
    }

    pub(super) fn arrive(&mut self, id: u64, side: usize) -> Result<(), Broken> {
        loop {
            let now = self.now;
            let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
            let hosts = (connection.ends[1 - side].host, connection.ends[side].host);
            let end = &mut connection.ends[side];
            if connection.has_vanished || !end.is_up {
                return Ok(());
            }
            if let (Some(from), Some(to)) = hosts
                && !self.trouble.is_open(from, to)
            {
                // It comes when the way is open again.
                return Ok(());
            }
            match end.arrive(now) {
                Arrival::Nothing(None) => return Ok(()),
                Arrival::Nothing(Some(later)) => {
                    self.schedule_at(later, Event::Arrive(id, side));
                    return Ok(());
                }
                Arrival::End => return self.closed(id, side),
                Arrival::Bytes(count) => self.deliver(id, side, count)?,
            }
        }
    }

    /// So many bytes have come to an end, whose process reads them.
    fn deliver(&mut self, id: u64, side: usize, count: usize) -> Result<(), Broken> {
        let Some(end) = self.connections.get_mut(&id).map(|one| &mut one.ends[side]) else { return Ok(()) };
        let (host, link) = (end.host, end.link);
        let mut decoder = std::mem::take(&mut end.decoder);
        let (data, read) = end.take_data();
        let mut input = data.get(read..read + count).unwrap_or_default();
        if let Some(host) = host {
            while let Some(message) = decoder.next(&mut input) {
                let input = match message {
                    Ok(message) => Input::Message { link, message },
                    Err(error) => Input::Offence { link, error },
                };
                self.tell(host, input)?;
                if !self.connections.get(&id).is_some_and(|one| one.ends[side].is_up) {
                    return Ok(());
                }
            }
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            let end = &mut connection.ends[side];
            end.decoder = decoder;
            end.put_back(data, read + count);
        }
        Ok(())
    }

    /// An end hears that its connection is gone.
    pub(super) fn closed(&mut self, id: u64, side: usize) -> Result<(), Broken> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let end = &mut connection.ends[side];
        if connection.has_vanished || !std::mem::replace(&mut end.is_up, false) {
            return Ok(());
        }
        let (host, link) = (end.host, end.link);
        self.forget_if_over(id);
        let Some(at) = host else { return Ok(()) };
        if self.part(at, link) {
            self.tell(at, Input::LinkDown { link, why: "closed".to_owned() })?;
        }
        Ok(())
    }

    /// A process no longer has this link; whether it had.
    fn part(&mut self, at: usize, link: LinkId) -> bool {
        let Some(running) = self.hosts.get_mut(at).and_then(|host| host.running.as_mut()) else {
            return false;
        };
        let had = running.links.remove(&link).is_some();
        running.peers.retain(|_, known| *known != Ok(link));
        let count = running.links.len();
        self.measures.links(self.now, at, count);
        had
    }

    /// A node drops its link: it hears nothing more of it, the other end does.
    pub(super) fn hang_up(&mut self, at: usize, link: LinkId) -> Result<(), Broken> {
        let running = self.hosts.get(at).and_then(|host| host.running.as_ref());
        let Some(&(id, side)) = running.and_then(|running| running.links.get(&link)) else { return Ok(()) };
        self.part(at, link);
        self.go_away(id, side)
    }

    /// One end is no more, and its kernel says so. What it had sent still arrives.
    pub(super) fn go_away(&mut self, id: u64, side: usize) -> Result<(), Broken> {
        let wait = self.travel(0);
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        connection.ends[side].is_up = false;
        if !connection.has_vanished {
            let far = &mut connection.ends[1 - side];
            far.queue_end(now + wait);
            let at = far.busy_until();
            self.schedule_at(at, Event::Arrive(id, 1 - side));
        }
        self.forget_if_over(id);
        Ok(())
    }

    /// All ends that a host has are no more.
    pub(super) fn drop_all_links(&mut self, at: usize, says_so: bool) {
        let has_end = |connection: &Connection| {
            connection.ends.iter().position(|end| end.host == Some(at) && end.is_up)
        };
        let ids: Vec<u64> =
            self.connections.iter().filter(|(_, one)| has_end(one).is_some()).map(|(id, _)| *id).collect();
        for id in ids {
            // A link of a host to itself has two ends here.
            while let Some(side) = self.connections.get(&id).and_then(has_end) {
                if says_so {
                    let _ = self.go_away(id, side);
                } else if let Some(connection) = self.connections.get_mut(&id) {
                    connection.ends[side].is_up = false;
                    self.forget_if_over(id);
                }
            }
        }
    }

    fn forget_if_over(&mut self, id: u64) {
        if self.connections.get(&id).is_some_and(|one| one.ends.iter().all(|end| !end.is_up)) {
            self.connections.remove(&id);
        }
    }

    /// The way between two hosts is open again: what waited there is sent again, sooner or later.
    pub(super) fn resend_what_waits(&mut self) {
        let within = Duration::ZERO..=CALL_AGAIN;
        let waiting = self.connections.iter_mut().filter(|(_, one)| !one.has_vanished);
        let mut arrivals: Vec<(Instant, u64, usize)> = Vec::new();
        for (id, connection) in waiting {
            for (side, end) in connection.ends.iter_mut().enumerate() {
                if end.is_up && end.is_awaited() {
                    let at = self.now + between(&mut self.chances.net, &within);
                    end.hold_up(at);
                    arrivals.push((at, *id, side));
                }
            }
        }
        for (at, id, side) in arrivals {
            self.schedule_at(at, Event::Arrive(id, side));
        }
    }
}

/// Where a host's packets come from.
pub(super) fn ip(host: usize) -> IpAddr {
    let part = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    IpAddr::from([10, 0, part(host / 250), part(host % 250 + 1)])
}
