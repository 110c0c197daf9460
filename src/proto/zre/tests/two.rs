//! Two machines in virtual time, with beacons lost and links cut: afterwards they know each other, and what they say
//! comes through.

use std::collections::BTreeMap;

use super::*;
use crate::proto::contract::for_seeds;

const LATENCY: Duration = Duration::from_millis(3);

#[derive(Debug)]
enum Event {
    Beacon(usize, Beacon),
    Up(usize, PeerIx, LinkId),
    Failed(usize, PeerIx),
    Introduced(LinkId),
    Message(LinkId, ZreMessage),
    Down(usize, LinkId),
}

struct Pair {
    zres: Vec<Watched<Zre>>,
    random: fastrand::Rng,
    /// Due at a moment; in the order in which they were sent.
    events: BTreeMap<(Instant, u64), Event>,
    next: u64,
    /// Who opened each link, and for whom: two ends have one number here, as each machine knows only its own.
    links: BTreeMap<LinkId, (usize, PeerIx)>,
    /// Those that both ends know.
    standing: BTreeSet<LinkId>,
    loss: f64,
    heard: Vec<Vec<Vec<u8>>>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let begin = Instant::from_micros(0);
        let zre = |number| Watched::new(Zre::new(config(number), begin), begin);
        Self {
            zres: vec![zre(1), zre(2)],
            random: fastrand::Rng::with_seed(seed),
            events: BTreeMap::new(),
            next: 0,
            links: BTreeMap::new(),
            standing: BTreeSet::new(),
            loss: 0.3,
            heard: vec![Vec::new(), Vec::new()],
        }
    }

    fn later(&mut self, event: Event) {
        let due = self.zres[0].now() + LATENCY;
        self.events.insert((due, self.next), event);
        self.next += 1;
    }

    fn cut(&mut self, link: LinkId) {
        if self.links.remove(&link).is_some() {
            self.later(Event::Down(0, link));
            self.later(Event::Down(1, link));
        }
    }

    fn carry_out(&mut self, who: usize, outputs: Vec<ZreOutput>) {
        for output in outputs {
            match output {
                ZreOutput::Beacon(beacon) if self.random.f64() >= self.loss => {
                    self.later(Event::Beacon(1 - who, beacon));
                }
                ZreOutput::Beacon(_) => {}
                ZreOutput::Connect(ix, _) if self.random.f64() < self.loss / 2.0 => {
                    self.later(Event::Failed(who, ix));
                }
                ZreOutput::Connect(ix, _) => {
                    let link = LinkId(self.next);
                    self.links.insert(link, (who, ix));
                    self.later(Event::Up(who, ix, link));
                }
                ZreOutput::Disconnect(ix, _) => {
                    let open: Vec<LinkId> = self
                        .links
                        .iter()
                        .filter(|(_, to)| **to == (who, ix))
                        .map(|(link, _)| *link)
                        .collect();
                    for link in open {
                        self.links.remove(&link);
                        self.later(Event::Down(1 - who, link));
                    }
                }
                ZreOutput::Close(link) => {
                    if let Some((owner, _)) = self.links.remove(&link) {
                        self.later(Event::Down(owner, link));
                    }
                }
                ZreOutput::Send(link, message) => self.later(Event::Message(link, message)),
                ZreOutput::Event(ZreEvent::Whisper { content, .. }) => self.heard[who].extend(content),
                ZreOutput::Event(_) => {}
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let tell = |pair: &mut Self, who: usize, input: &dyn Fn(&mut Zre, Instant)| {
            let outputs = pair.zres[who].input(|zre, now| input(zre, now.mono));
            pair.carry_out(who, outputs);
        };
        match event {
            Event::Beacon(who, beacon) => {
                let from = ip(if who == 0 { 2 } else { 1 });
                tell(self, who, &|zre, now| zre.beacon(now, from, beacon));
            }
            Event::Up(who, ix, link) if self.links.contains_key(&link) => {
                self.standing.insert(link);
                tell(self, who, &|zre, _| zre.link_up(ix, link));
                self.later(Event::Introduced(link));
            }
            Event::Failed(who, ix) => tell(self, who, &|zre, now| zre.link_failed(now, ix)),
            Event::Introduced(link) => {
                let Some((opener, _)) = self.links.get(&link).copied() else { return };
                let speaker = self.zres[opener].machine().config().id;
                tell(self, 1 - opener, &|zre, now| zre.introduced(now, link, Some(speaker)));
                tell(self, opener, &|zre, now| zre.introduced(now, link, None));
            }
            Event::Message(link, message) => {
                let Some((opener, _)) = self.links.get(&link).copied() else { return };
                tell(self, 1 - opener, &|zre, now| zre.message(now, link, message.clone()));
            }
            Event::Down(who, link) => tell(self, who, &|zre, now| zre.link_down(now, link)),
            Event::Up(..) => {}
        }
    }

    fn run(&mut self, seconds: u64) {
        let until = self.zres[0].now() + Duration::from_secs(seconds);
        loop {
            let event = self.events.keys().next().map(|(due, _)| *due);
            let timers = self.zres.iter().filter_map(|zre| zre.machine().poll_timeout()).map(|(due, _)| due);
            let Some(next) = timers.chain(event).min().filter(|next| *next <= until) else { break };
            let next = next.max(self.zres[0].now());
            for zre in &mut self.zres {
                zre.advance(next);
            }
            for who in 0..2 {
                if self.zres[who].machine().poll_timeout().is_some_and(|(due, _)| due <= next) {
                    let outputs = self.zres[who].timeout();
                    self.carry_out(who, outputs);
                }
            }
            while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= next) {
                let event = entry.remove();
                self.happen(event);
            }
        }
        for zre in &mut self.zres {
            zre.advance(until);
        }
    }

    fn say(&mut self, who: usize, text: &[u8]) -> bool {
        let mut is_said = false;
        let to = id(if who == 0 { 2 } else { 1 });
        let outputs = self.zres[who].input(|zre, _| is_said = zre.whisper(to, vec![text.to_vec()]));
        self.carry_out(who, outputs);
        is_said
    }
}

#[test]
fn two_find_each_other_again_whatever_was_lost() {
    for_seeds(300, |seed| {
        let mut pair = Pair::new(seed);
        for _ in 0..20 {
            let seconds = pair.random.u64(0..8);
            pair.run(seconds);
            let standing = pair.links.keys().copied().filter(|link| pair.standing.contains(link));
            let open: Vec<LinkId> = standing.collect();
            if !open.is_empty() {
                let link = open[pair.random.usize(0..open.len())];
                pair.cut(link);
            }
            pair.say(0, b"maybe");
            pair.say(1, b"maybe");
        }
        pair.loss = 0.0;
        pair.run(45);
        let connections = pair.links.len();
        pair.heard = vec![Vec::new(), Vec::new()];
        for number in 0..50u8 {
            assert!(pair.say(0, &[number]) && pair.say(1, &[number]), "they do not know each other");
        }
        pair.run(5);
        let all: Vec<Vec<u8>> = (0..50).map(|number| vec![number]).collect();
        assert_eq!(pair.heard, [all.clone(), all]);
        // And they rest: no link is made anew.
        assert_eq!((connections, pair.links.len()), (2, 2));
        let (links, next) = (pair.links.clone(), pair.next);
        pair.run(20);
        assert_eq!(pair.links, links);
        assert_eq!(pair.next - next, 40, "a beacon a second each, and nothing else");
    });
}
