//! Requests dealt to the members of a group, each to one: in turn, or to the one with the fewest that are not answered.
//! What a member does not answer in time, or takes with it when it leaves, is dealt again to another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::model::{Instant, ZreId};

/// Requests that one member has at most before it has answered some.
const WINDOW: usize = 8;
/// A request that so many have not answered is given up.
pub const TRIES_MAX: u32 = 5;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DealOutput {
    /// Give this request to this member.
    Give {
        /// The request's place in the list.
        request: usize,
        /// Who is to answer it.
        to: ZreId,
    },
    /// Nobody answers this request.
    GivenUp {
        /// The request's place in the list.
        request: usize,
    },
}

/// Where a request is.
#[derive(Clone, Debug, Default)]
struct Request {
    /// With whom, and until when it is waited for.
    at: Option<(ZreId, Instant)>,
    tries: u32,
    is_done: bool,
    /// Who had it and did not answer.
    refused_by: BTreeSet<ZreId>,
}

/// The dealer.
#[derive(Debug)]
pub struct Deal {
    requests: Vec<Request>,
    waiting: VecDeque<usize>,
    /// The members, each with the requests that it has not answered, in their order.
    members: BTreeMap<ZreId, Vec<usize>>,
    /// Who was given something last.
    last: Option<ZreId>,
    least_loaded: bool,
    timeout: Duration,
    /// Nothing is dealt before it is known who is there.
    has_begun: bool,
    outputs: VecDeque<DealOutput>,
}

impl Deal {
    /// So many requests; each answer is waited for as long as `timeout`.
    pub fn new(count: usize, timeout: Duration, least_loaded: bool) -> Self {
        Self {
            requests: vec![Request::default(); count],
            waiting: (0..count).collect(),
            members: BTreeMap::new(),
            last: None,
            least_loaded,
            timeout,
            has_begun: false,
            outputs: VecDeque::new(),
        }
    }

    /// Deals what is there to those who are, and to whoever comes.
    pub fn begin(&mut self, now: Instant) {
        self.has_begun = true;
        self.give(now);
    }

    /// Somebody is in the group.
    pub fn enter(&mut self, now: Instant, member: ZreId) {
        self.members.entry(member).or_default();
        self.give(now);
    }

    /// Somebody is in it no more.
    pub fn leave(&mut self, now: Instant, member: ZreId) {
        for request in self.members.remove(&member).unwrap_or_default() {
            self.take_back(request, member);
        }
        self.give(now);
    }

    /// A member answered: this request if it names one that it has, or else the one that it has had longest. `None`:
    /// it has none, or that one is answered already.
    pub fn answer(&mut self, now: Instant, member: ZreId, named: Option<usize>) -> Option<usize> {
        let given = self.members.get_mut(&member)?;
        let place = match named {
            Some(named) => given.iter().position(|request| *request == named),
            None => (!given.is_empty()).then_some(0),
        };
        let request = place.map(|place| given.remove(place)).or(named)?;
        let known = self.requests.get_mut(request)?;
        let is_first = !known.is_done;
        known.is_done = true;
        if let Some((other, _)) = known.at.take()
            && other != member
            && let Some(given) = self.members.get_mut(&other)
        {
            given.retain(|known| *known != request);
        }
        self.waiting.retain(|known| *known != request);
        self.give(now);
        is_first.then_some(request)
    }

    /// Whether every request is answered or given up.
    pub fn is_over(&self) -> bool {
        self.requests.iter().all(|request| request.is_done)
    }

    /// Requests that are neither.
    pub fn left(&self) -> usize {
        self.requests.iter().filter(|request| !request.is_done).count()
    }

    /// When to call [`Deal::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.requests.iter().filter_map(|request| request.at).map(|(_, until)| until).min()
    }

    /// Takes back what was not answered in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late = |(place, request): (usize, &Request)| match request.at {
            Some((member, until)) if until <= now => Some((place, member)),
            _ => None,
        };
        let late: Vec<(usize, ZreId)> = self.requests.iter().enumerate().filter_map(late).collect();
        for (request, member) in late {
            if let Some(given) = self.members.get_mut(&member) {
                given.retain(|known| *known != request);
            }
            self.take_back(request, member);
        }
        self.give(now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<DealOutput> {
        self.outputs.pop_front()
    }

    fn take_back(&mut self, request: usize, member: ZreId) {
        let Some(known) = self.requests.get_mut(request).filter(|known| !known.is_done) else { return };
        known.at = None;
        known.refused_by.insert(member);
        if known.tries < TRIES_MAX {
            // Who waited longest goes first.
            return self.waiting.push_front(request);
        }
        known.is_done = true;
        self.outputs.push_back(DealOutput::GivenUp { request });
    }

    fn give(&mut self, now: Instant) {
        if !self.has_begun {
            return;
        }
        let mut none = VecDeque::new();
        while let Some(request) = self.waiting.pop_front() {
            let Some(known) = self.requests.get_mut(request) else { continue };
            // One that did not answer it is asked again only if there is nobody else.
            let others = self.members.keys().any(|member| !known.refused_by.contains(member));
            let can = |(member, given): &(&ZreId, &Vec<usize>)| {
                given.len() < WINDOW && !(others && known.refused_by.contains(*member))
            };
            let free = || self.members.iter().filter(can);
            let chosen = if self.least_loaded {
                free().min_by_key(|(_, given)| given.len()).map(|(member, _)| *member)
            } else {
                let next = free().find(|(member, _)| Some(**member) > self.last).or_else(|| free().next());
                next.map(|(member, _)| *member)
            };
            let Some(to) = chosen else {
                none.push_back(request);
                continue;
            };
            known.at = Some((to, now + self.timeout));
            known.tries += 1;
            self.last = Some(to);
            if let Some(given) = self.members.get_mut(&to) {
                given.push(request);
            }
            self.outputs.push_back(DealOutput::Give { request, to });
        }
        self.waiting = none;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(0);

    fn id(number: u8) -> ZreId {
        ZreId([number; 16])
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn given(deal: &mut Deal) -> Vec<(usize, u8)> {
        let of = |output| match output {
            DealOutput::Give { request, to } => (request, to.0[0]),
            DealOutput::GivenUp { request } => (request, 0),
        };
        std::iter::from_fn(|| deal.poll_output()).map(of).collect()
    }

    fn deal(count: usize, members: u8, least_loaded: bool) -> Deal {
        let mut deal = Deal::new(count, Duration::from_secs(1), least_loaded);
        (1..=members).for_each(|member| deal.enter(NOW, id(member)));
        assert_eq!(given(&mut deal), []);
        deal
    }

    #[test]
    fn requests_go_round_and_no_member_has_more_than_its_window() {
        let mut deal = deal(30, 3, false);
        deal.begin(NOW);
        let first = given(&mut deal);
        assert_eq!(first[..5], [(0, 1), (1, 2), (2, 3), (3, 1), (4, 2)]);
        assert_eq!(first.len(), 3 * WINDOW);
        assert_eq!(deal.answer(NOW, id(2), None), Some(1));
        assert_eq!(given(&mut deal), [(24, 2)]);
    }

    #[test]
    fn the_least_loaded_gets_the_next() {
        let mut deal = deal(20, 2, true);
        deal.begin(NOW);
        given(&mut deal);
        for request in [1, 3, 5] {
            assert_eq!(deal.answer(NOW, id(2), Some(request)), Some(request));
        }
        assert!(given(&mut deal).iter().all(|(_, member)| *member == 2));
    }

    #[test]
    fn what_is_not_answered_or_taken_away_is_dealt_again_to_another() {
        let mut deal = deal(2, 2, false);
        deal.begin(NOW);
        assert_eq!(given(&mut deal), [(0, 1), (1, 2)]);
        deal.leave(NOW, id(1));
        assert_eq!(given(&mut deal), [(0, 2)]);
        deal.enter(NOW, id(3));
        assert_eq!(deal.poll_timeout(), Some(at(1)));
        deal.handle_timeout(at(1));
        assert_eq!(given(&mut deal), [(1, 3), (0, 3)]);
        // One that answers late after all has answered; the other's answer is none any more.
        assert_eq!(deal.answer(at(1), id(2), Some(1)), Some(1));
        assert_eq!(deal.answer(at(1), id(3), Some(1)), None);
        assert_eq!(deal.answer(at(1), id(3), None), Some(0));
        assert!(deal.is_over());
        assert_eq!(deal.answer(at(1), id(3), None), None);
    }

    #[test]
    fn what_nobody_answers_is_given_up() {
        let mut deal = deal(1, 1, false);
        deal.begin(NOW);
        for try_ in 1..i64::from(TRIES_MAX) {
            assert_eq!(given(&mut deal), [(0, 1)]);
            deal.handle_timeout(at(try_));
        }
        assert_eq!(given(&mut deal), [(0, 1)]);
        deal.handle_timeout(at(100));
        assert_eq!(given(&mut deal), [(0, 0)]);
        assert!(deal.is_over() && deal.poll_timeout().is_none());
    }

    #[test]
    fn a_request_waits_while_nobody_is_there() {
        let mut deal = Deal::new(1, Duration::from_secs(1), false);
        deal.begin(NOW);
        deal.handle_timeout(at(9));
        assert_eq!((given(&mut deal), deal.left()), (vec![], 1));
        deal.enter(at(9), id(1));
        assert_eq!(given(&mut deal), [(0, 1)]);
    }
}
