//! One machine alone: the contract, and what nobody may make it do.

use std::collections::BTreeMap;

use super::*;
use crate::model::{Claim, ClaimAnswer, Cursor, Cursors, Member, RingState, TOKEN_MAX_BYTES};
use crate::proto::contract::for_seeds;

const PEERS: usize = 4;

fn config(seed: u64) -> RingConfig {
    RingConfig { node: name("pi-0"), journal: JournalId(1), last: Seq(50), part: part(seed) }
}

fn with(seed: u64, change: impl FnOnce(&mut RingPart)) -> RingConfig {
    let mut config = config(seed);
    change(&mut config.part);
    config
}

fn part(seed: u64) -> RingPart {
    RingPart {
        peers: (0..PEERS).map(|at| (format!("10.0.0.{at}:7000"), None)).collect(),
        sink_rank: Some(0),
        cursors: BTreeMap::new(),
        makes_token: false,
        token_hold: 100 * MS,
        round_interval: Duration::from_secs(1),
        standby_after: Duration::from_secs(5),
        last_round: 7,
        seed,
    }
}

fn machine(config: RingConfig) -> Watched<Ring> {
    Watched::new(Ring::new(config, Instant::ZERO), Instant::ZERO)
}

fn far(at: usize) -> Who {
    let id = MemberId { journal: JournalId(at as u64 + 1), life: LifeId(at as u64) };
    Who { node: name(&format!("pi-{at}")), id, sink_rank: None }
}

fn ring_id(epoch: u64, at: usize) -> RingId {
    RingId { epoch, leader: far(at).id }
}

fn member(at: usize, who: Who) -> Member {
    Member { who, address: format!("10.0.0.{at}:7000"), joined: 1 }
}

/// A token of the members 0 (the machine) and 1.
fn token(ring: &Ring, epoch: u64, seq: u64) -> Token {
    Token {
        ring: ring_id(epoch, 1),
        seq,
        to: ring.who.id,
        pass_on: false,
        busy: seq,
        members: vec![member(0, ring.who.clone()), member(1, far(1))].into(),
        sink: None,
        cursors: Cursors::default(),
        pieces: Vec::new(),
    }
}

fn outcomes(outputs: &[RingOutput]) -> Vec<Outcome> {
    let outcome = |output: &RingOutput| match output {
        RingOutput::Send(_, _, Body::TokenAck(ack)) => Some(ack.outcome),
        _ => None,
    };
    outputs.iter().filter_map(outcome).collect()
}

const LINK: LinkId = LinkId(900);

fn hear(ring: &mut Watched<Ring>, body: Body) -> Vec<RingOutput> {
    ring.input(|ring, now| assert!(ring.message(now, LINK, body)))
}

#[test]
fn tokens_are_judged() {
    let mut ring = machine(config(1));
    let first = token(ring.machine(), 3, 10);
    let taken = hear(&mut ring, Body::Token(Box::new(first.clone())));
    assert_eq!(outcomes(&taken), [Outcome::Taken]);
    assert!(taken.iter().any(|output| matches!(output, RingOutput::Connect(PeerIx(1)))), "it goes on");
    let again = hear(&mut ring, Body::Token(Box::new(first.clone())));
    assert_eq!(
        (outcomes(&again), again.len()),
        (vec![Outcome::Taken], 1),
        "a copy is acknowledged and no more"
    );
    let smaller = Token { ring: ring_id(2, 3), seq: 99, ..first.clone() };
    assert_eq!(outcomes(&hear(&mut ring, Body::Token(Box::new(smaller)))), [Outcome::Seen(ring_id(3, 1))]);
    let other_life = Token { to: far(0).id, seq: 11, ..first.clone() };
    assert_eq!(outcomes(&hear(&mut ring, Body::Token(Box::new(other_life)))), [Outcome::NotHere]);
    let twice = Token { members: vec![first.members[0].clone(); 2].into(), seq: 12, ..first.clone() };
    assert_eq!(outcomes(&hear(&mut ring, Body::Token(Box::new(twice)))), [Outcome::NotHere]);
    let stranger = Token { members: vec![member(1, far(1))].into(), seq: 12, ..first };
    assert_eq!(outcomes(&hear(&mut ring, Body::Token(Box::new(stranger)))), [Outcome::NotHere]);
}

#[test]
fn in_a_quick_ring_the_next_token_is_the_acknowledgement() {
    let mut ring = machine(config(1));
    let first = token(ring.machine(), 3, 10);
    let mut rotation = |link: u64, seq: u64, time: Duration| {
        // It goes on at once, unless nobody has much for it.
        let busy = if seq < 26 { seq } else { 0 };
        let token = Body::Token(Box::new(Token { seq, busy, ..first.clone() }));
        let outputs = ring.input(|ring, now| assert!(ring.message(now, LinkId(link), token)));
        let later = ring.run_until(ring.now() + time);
        let acks = outputs.iter().chain(&later).filter_map(|output| match output {
            RingOutput::Send(link, _, Body::TokenAck(ack)) => Some((link.0, ack.seq)),
            _ => None,
        });
        acks.collect::<Vec<_>>()
    };
    assert_eq!(rotation(900, 10, 4 * MS), [(900, 10)]);
    assert_eq!(rotation(900, 12, 4 * MS), [(900, 12)], "a rotation was quick");
    assert_eq!(rotation(900, 14, 4 * MS), []);
    assert_eq!(rotation(900, 16, 4 * MS), []);
    assert_eq!(rotation(901, 18, 4 * MS), [(900, 16)], "who handed it over has not seen it again");
    assert_eq!(
        rotation(901, 18, MS / 2),
        [(901, 18), (901, 18)],
        "it comes twice: what is owed, and at once"
    );
    assert_eq!(rotation(901, 20, 6 * MS), [(901, 20)], "none comes for a while");
    assert_eq!(rotation(901, 22, 6 * MS), [(901, 22)]);
    assert_eq!(rotation(901, 24, MS), [(901, 24)], "a rotation was slow");
    assert_eq!(rotation(901, 26, Duration::ZERO), [(901, 26)], "a rotation was quick, and it rests here");
}

#[test]
fn a_token_that_is_back_was_taken_by_the_next() {
    let mut ring = machine(config(1));
    let first = token(ring.machine(), 3, 10);
    hear(&mut ring, Body::Token(Box::new(first.clone())));
    assert!(matches!(ring.machine().state, State::Handing(_)), "nobody acknowledges it");
    let back = Token { seq: 12, ..first };
    hear(&mut ring, Body::Token(Box::new(back)));
    assert_eq!(ring.machine().links.kept(), Some(PeerIx(1)));
}

#[test]
fn a_promise_holds_for_its_time() {
    let mut ring = machine(config(1));
    let claim = Claim { ring: ring_id(9, 2), latest: (ring_id(8, 1), 4), who: far(2) };
    let outputs = hear(&mut ring, Body::Claim(claim));
    assert!(matches!(&outputs[0], RingOutput::Send(_, _, Body::ClaimAnswer(answer)) if answer.is_promised));
    let old = token(ring.machine(), 8, 5);
    let refused = outcomes(&hear(&mut ring, Body::Token(Box::new(old.clone()))));
    assert_eq!(refused, [Outcome::Promised(ring_id(9, 2))]);
    let smaller = Claim { ring: ring_id(8, 3), latest: Default::default(), who: far(3) };
    let outputs = hear(&mut ring, Body::Claim(smaller));
    assert!(matches!(&outputs[0], RingOutput::Send(_, _, Body::ClaimAnswer(answer)) if !answer.is_promised));
    ring.run_until(ring.now() + 500 * MS);
    assert_eq!(outcomes(&hear(&mut ring, Body::Token(Box::new(old)))), [Outcome::Taken]);
}

/// How many pieces a sink hands to its store, of a token that it has not asked for and of one with three of which two
/// follow.
fn pieces_taken(defect: Option<Defect>) -> [usize; 2] {
    let mut ring = machine(config(1));
    if let Some(defect) = defect {
        ring.input(|ring, _| ring.plant(defect));
    }
    let piece = |after: u64, through: u64| Piece {
        journal: JournalId(2),
        after: Seq(after),
        through: Seq(through),
        text: "{}".into(),
    };
    let takes = |outputs: &[RingOutput]| {
        outputs.iter().filter(|output| matches!(output, RingOutput::Take(_))).count()
    };
    let unasked = Token { pieces: vec![piece(0, 3)], ..token(ring.machine(), 3, 10) };
    let first = takes(&hear(&mut ring, Body::Token(Box::new(unasked))));
    let pieces = vec![piece(0, 3), piece(3, 5), piece(3, 6), piece(9, 12)];
    let asked = Token { pieces, ..token(ring.machine(), 3, 12) };
    [first, takes(&hear(&mut ring, Body::Token(Box::new(asked))))]
}

#[test]
fn a_sink_takes_only_what_it_asked_for_and_what_follows() {
    assert_eq!(pieces_taken(None), [0, 2]);
    assert_ne!(pieces_taken(Some(Defect::AnyPieceTaken)), [0, 2], "the defect is found");
}

/// Whether a claim to which another member objects is given up.
fn gives_up_a_claim(defect: Option<Defect>) -> bool {
    let mut ring = machine(config(1));
    if let Some(defect) = defect {
        ring.input(|ring, _| ring.plant(defect));
    }
    let mut links = 900;
    let mut outputs = Vec::new();
    let is_claim = |output: &RingOutput| matches!(output, RingOutput::Report(RingReport::Claims { .. }));
    while !outputs.iter().any(is_claim) && ring.now() < Instant::ZERO + Duration::from_secs(5) {
        outputs.extend(ring.run_until(ring.now() + 10 * MS));
    }
    // Every link that it asks for comes about.
    while let Some(at) = outputs.iter().position(|output| matches!(output, RingOutput::Connect(_))) {
        let RingOutput::Connect(ix) = outputs.swap_remove(at) else { break };
        links += 1;
        outputs.extend(ring.input(|ring, now| ring.link_up(now, ix, LinkId(links))));
    }
    let claim = |output: &RingOutput| match output {
        RingOutput::Send(link, _, Body::Claim(claim)) => Some((*link, claim.ring)),
        _ => None,
    };
    let claims: Vec<(LinkId, RingId)> = outputs.iter().filter_map(claim).collect();
    assert_eq!(claims.len(), PEERS, "it asks everybody: {outputs:?}");
    for (at, (link, ring_id)) in claims.into_iter().enumerate() {
        let (is_alive, who) = (at == 2, far(at));
        let answer = ClaimAnswer { ring: ring_id, is_promised: !is_alive, is_alive, top: ring_id, who };
        ring.input(|ring, now| assert!(ring.message(now, link, Body::ClaimAnswer(answer))));
    }
    !ring.machine().is_member
}

#[test]
fn a_claim_to_which_somebody_objects_is_given_up() {
    assert!(gives_up_a_claim(None));
    assert!(!gives_up_a_claim(Some(Defect::ObjectionIgnored)), "the defect is found");
}

#[test]
fn a_list_without_this_node_is_told() {
    let mut ring = machine(with(1, |part| part.peers.clear()));
    let outputs = ring.run_until(Instant::ZERO + Duration::from_secs(5));
    let told = |wanted: &RingReport| {
        outputs.iter().any(|output| matches!(output, RingOutput::Report(report) if report == wanted))
    };
    assert!(told(&RingReport::SelfNotFound));
    assert!(outputs.iter().any(|output| matches!(output, RingOutput::AddRound(round) if round.number == 8)));
}

fn random_body(rng: &mut fastrand::Rng, ring: &Ring) -> Body {
    let at = rng.usize(0..PEERS);
    let any_ring = ring_id(rng.u64(0..6), rng.usize(0..PEERS));
    let who = if rng.u8(0..6) == 0 { ring.who.clone() } else { far(at) };
    match rng.u8(0..8) {
        0 => Body::Claim(Claim { ring: any_ring, latest: (ring_id(rng.u64(0..6), at), rng.u64(0..50)), who }),
        1 => Body::ClaimAnswer(ClaimAnswer {
            ring: if rng.bool() { ring.heard } else { any_ring },
            is_promised: rng.bool(),
            is_alive: rng.bool(),
            top: any_ring,
            who,
        }),
        2 => Body::RingQuery(RingState { who, ring: any_ring, top: any_ring, members: rng.u32(0..4) }),
        3 => Body::RingAnswer(RingState { who, ring: any_ring, top: any_ring, members: rng.u32(0..4) }),
        4 | 5 => {
            let by = any_ring;
            let outcomes = [Outcome::Taken, Outcome::Seen(by), Outcome::Promised(by), Outcome::NotHere];
            let outcome = *rng.choice(&outcomes).expect("some");
            let (mut ring_id, mut seq) = (any_ring, rng.u64(0..50));
            if let State::Handing(handing) = &ring.state
                && rng.u8(0..4) > 0
            {
                (ring_id, seq) = handing.hop();
            }
            Body::TokenAck(TokenAck { ring: ring_id, seq, outcome })
        }
        _ => Body::Token(Box::new(random_token(rng, ring))),
    }
}

fn random_token(rng: &mut fastrand::Rng, ring: &Ring) -> Token {
    let mut token = token(ring, rng.u64(0..6), rng.u64(0..50));
    for at in 2..PEERS {
        if rng.bool() {
            token.members.insert(rng.usize(0..=token.members.len()), member(at, far(at)));
        }
    }
    token.pass_on = rng.u8(0..8) == 0;
    if rng.u8(0..5) == 0 {
        token.to = far(rng.usize(0..PEERS)).id;
    }
    match rng.u8(0..12) {
        0 => token.members = Roster::default(),
        1 => token.members.insert(99, member(3, far(3))),
        2 => token.members.insert(99, member(0, ring.who.clone())),
        _ => {}
    }
    token.sink = [None, Some(JournalId(rng.u64(0..5)))][rng.usize(0..2)];
    let cursor = Cursor {
        journal: JournalId(rng.u64(1..3)),
        after: Seq(rng.u64(0..60)),
        taken: Seq(0),
        max: rng.u32(..),
    };
    token.cursors = vec![cursor].into();
    for _ in 0..rng.usize(0..4) {
        let after = rng.u64(..100);
        token.pieces.push(Piece {
            journal: JournalId(rng.u64(0..5)),
            after: Seq(after),
            through: Seq(after + rng.u64(0..9)),
            text: " ".repeat(rng.usize(0..2_000)).into(),
        });
    }
    token
}

#[test]
fn it_keeps_the_contract_whatever_comes() {
    for_seeds(300, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut ring = machine(config(seed));
        let mut next_link = 1;
        let mut up: Vec<LinkId> = Vec::new();
        for _ in 0..300 {
            let outputs = match rng.u8(0..10) {
                0 => {
                    let (ix, link) = (PeerIx(rng.usize(0..PEERS + 1)), LinkId(next_link));
                    next_link += 1;
                    up.push(link);
                    ring.input(|ring, now| ring.link_up(now, ix, link))
                }
                1 => {
                    let ix = PeerIx(rng.usize(0..PEERS + 1));
                    ring.input(|ring, now| ring.link_failed(now, ix, "refused"))
                }
                2 => {
                    let link = rng.choice(&up).copied().unwrap_or(LINK);
                    ring.input(|ring, now| {
                        ring.link_down(now, link, "reset");
                    })
                }
                3 => ring.input(|ring, _| ring.appended(Seq(60))),
                4 => {
                    let through = Seq(rng.u64(0..80));
                    let piece = Piece {
                        journal: JournalId(1),
                        after: Seq(rng.u64(0..60)),
                        through,
                        text: "x".into(),
                    };
                    let piece = if rng.bool() { Ok(piece) } else { Err("busy".to_owned()) };
                    ring.input(|ring, now| ring.piece(now, piece))
                }
                5 => ring.input(|ring, _| ring.refused(JournalId(2))),
                _ => {
                    let link = rng.choice(&up).copied().unwrap_or(LINK);
                    let body = random_body(&mut rng, ring.machine());
                    ring.input(|ring, now| assert!(ring.message(now, link, body)))
                }
            };
            for output in outputs {
                if let RingOutput::Send(_, _, Body::Token(token)) = output {
                    assert!(token.bytes() <= TOKEN_MAX_BYTES);
                }
            }
            if rng.u8(0..4) == 0 {
                let until = ring.now() + Duration::from_millis(rng.u64(0..1_500));
                ring.run_until(until);
            }
            ring.timeout();
        }
    });
}

#[test]
fn a_token_that_says_something_else_of_this_member_is_put_right() {
    let mut ring = machine(config(3));
    let mut lie = token(ring.machine(), 7, 3);
    let own = ring.machine().who.clone();
    let place = lie.place(own.id).unwrap();
    lie.members.correct(place, &Who { node: name("x"), sink_rank: None, ..own.clone() });
    hear(&mut ring, Body::Token(Box::new(lie)));
    assert_eq!(ring.machine().members[place].who, own);
}
