//! What is said to the lab's programs and when, in virtual time: asking, answering, and the token's way.

use proptest::prelude::*;

use super::*;
use crate::model::ErrReason;
use crate::proto::contract::Watched;

const SECOND: Duration = Duration::from_secs(1);
const HOST: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 168, 1, 2));

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn ring(makes_token: bool) -> LabRing {
    LabRing { next: "192.168.1.3:1024".into(), hosts: 3, makes_token, token_hold: 2 * SECOND }
}

fn lab(config: LabConfig) -> Watched<Lab> {
    Watched::new(Lab::new(LabConfig { poll_interval: 10 * SECOND, ..config }, Instant::ZERO), Instant::ZERO)
}

/// Polls one peer, which is asked and whose link stands.
fn asking(link: u64) -> Watched<Lab> {
    let peers = vec![(name("bench"), "192.168.1.2:1024".into())];
    let mut lab = lab(LabConfig { peers, ..LabConfig::default() });
    assert_eq!(lab.timeout(), [LabOutput::Connect(PeerIx(0), "192.168.1.2:1024".into())]);
    let outputs = lab.input(|lab, now| lab.link_up(now.mono, PeerIx(0), LinkId(link), HOST));
    assert_eq!(outputs, [LabOutput::Send(LinkId(link), LabText::Request)]);
    lab
}

fn post(number: f64) -> LabText {
    LabText::Post(vec![LabPair::of("rtemp", Ok(number))])
}

fn say(lab: &mut Watched<Lab>, link: u64, remote: IpAddr, text: LabText) -> Vec<LabOutput> {
    lab.input(|lab, now| lab.message(now.mono, LinkId(link), remote, text))
}

fn own(lab: &mut Watched<Lab>, asker: Option<u64>, newest: &[LabReading]) -> Vec<LabOutput> {
    lab.input(|lab, now| lab.own(now.mono, asker.map(LinkId), newest))
}

fn take(outputs: &[LabOutput]) -> Vec<(&LabSource, Value)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            LabOutput::Take(source, pairs) => Some((source, pairs[0].value())),
            _ => None,
        })
        .collect()
}

fn reading(chip: &str, quantity: &str, value: Value) -> LabReading {
    LabReading { chip: chip.into(), quantity: quantity.into(), value }
}

#[test]
fn an_answer_on_the_same_link_is_taken_and_the_link_closed() {
    let mut lab = asking(7);
    let outputs = say(&mut lab, 7, HOST, post(22.1));
    assert_eq!(take(&outputs), [(&LabSource::Named(name("bench")), Ok(22.1))]);
    assert_eq!(outputs[1], LabOutput::Close(LinkId(7), "the answer is taken"));
    // The same once more, on a link of its own: one answer for each question.
    assert_eq!(say(&mut lab, 8, HOST, post(22.1)), []);
    let outputs = lab.run_until(Instant::ZERO + 10 * SECOND);
    assert_eq!(outputs, [LabOutput::Connect(PeerIx(0), "192.168.1.2:1024".into())]);
}

#[test]
fn an_answer_on_a_new_link_is_its_peers_by_the_address() {
    let mut lab = asking(7);
    assert!(lab.input(|lab, _| assert!(lab.link_down(LinkId(7)))).is_empty());
    let outputs = say(&mut lab, 8, "::ffff:192.168.1.2".parse().unwrap(), post(1.0));
    assert_eq!(take(&outputs), [(&LabSource::Named(name("bench")), Ok(1.0))]);
    // Of one whom nobody asks it is whoever's that sent it.
    let outputs = say(&mut lab, 9, "192.168.1.9".parse().unwrap(), post(2.0));
    assert_eq!(take(&outputs), [(&LabSource::Link(LinkId(9)), Ok(2.0))]);
}

#[test]
fn who_does_not_answer_is_told_once_and_asked_again() {
    let mut lab = asking(7);
    let outputs = lab.run_until(Instant::ZERO + 9 * SECOND);
    let [LabOutput::Disconnect(PeerIx(0), Some(LinkId(7))), LabOutput::Report(LabReport::Silent { .. })] =
        &outputs[..]
    else {
        panic!("{outputs:?}")
    };
    // A late answer is an answer.
    let outputs = say(&mut lab, 8, HOST, post(3.0));
    let [LabOutput::Report(report @ LabReport::Back { .. }), LabOutput::Take(..)] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert!(!report.is_warning());
    for round in 1..=3_i32 {
        let outputs = lab.run_until(Instant::ZERO + 10 * SECOND * round.unsigned_abs());
        assert_eq!(outputs.iter().filter(|output| matches!(output, LabOutput::Connect(..))).count(), 1);
        let told = lab.input(|lab, now| lab.link_failed(now.mono, PeerIx(0), "refused"));
        assert_eq!(told.len(), usize::from(round == 1), "{told:?}");
    }
    let status = lab.machine().status(crate::proto::contract::at(lab.now()));
    assert_eq!((&status["peers"][0]["answers"], &status["peers"][0]["silent_s"]), (&json!(1), &json!(20)));
}

#[test]
fn a_connection_that_does_not_stand_is_given_up() {
    let peers = vec![(name("bench"), "192.168.1.2:1024".into())];
    let mut lab = lab(LabConfig { peers, ..LabConfig::default() });
    let outputs = lab.run_until(Instant::ZERO + 9 * SECOND);
    assert!(
        matches!(
            &outputs[..],
            [LabOutput::Connect(..), LabOutput::Disconnect(_, None), LabOutput::Report(_)]
        ),
        "{outputs:?}"
    );
    // Should it stand after all: there is nothing to be asked now.
    let outputs = lab.input(|lab, now| lab.link_up(now.mono, PeerIx(0), LinkId(3), HOST));
    assert!(matches!(outputs[..], [LabOutput::Close(LinkId(3), _)]), "{outputs:?}");
}

#[test]
fn a_request_is_answered_in_the_labs_order_with_err_for_what_is_missing() {
    let mut lab = lab(LabConfig::default());
    assert_eq!(say(&mut lab, 5, HOST, LabText::Request), [LabOutput::ReadOwn(Some(LinkId(5)))]);
    // A second one on the same link does not have it read again.
    assert_eq!(say(&mut lab, 5, HOST, LabText::Request), []);
    let newest = [
        reading("sht3x-45", "temperature", Ok(30.0)),
        reading("sht3x-44", "temperature", Ok(22.1)),
        reading("aht20-38", "temperature", Err(ErrReason::Nack)),
        reading("sht3x-44", "humidity", Ok(41.2)),
        reading("seesaw-36", "soil_moisture", Ok(345.0)),
        reading("ads1015-48", "wind_speed", Err(ErrReason::Range)),
    ];
    let outputs = own(&mut lab, Some(5), &newest);
    let LabOutput::Send(LinkId(5), LabText::Post(pairs)) = &outputs[0] else { panic!("{outputs:?}") };
    let said: String = pairs.iter().map(|pair| format!("{}:{},", pair.key, pair.text)).collect();
    assert_eq!(said, "rtemp:22.10,rhumd:41.20,stemp:ERR,smois:345.00,winds:ERR,");
    assert!(matches!(outputs[1..], [LabOutput::Close(LinkId(5), _)]), "nothing without a port: {outputs:?}");
    assert_eq!(own(&mut lab, Some(5), &newest), [], "nobody waits any more");
}

#[test]
fn an_answer_goes_back_on_a_new_link_too_where_a_port_is_given() {
    let mut lab = lab(LabConfig { answer_port: Some(1024), ..LabConfig::default() });
    say(&mut lab, 5, HOST, LabText::Request);
    let outputs = own(&mut lab, Some(5), &[]);
    let LabOutput::Connect(ix, address) = &outputs[2] else { panic!("{outputs:?}") };
    assert_eq!(address, "192.168.1.2:1024");
    let outputs = lab.input(|lab, now| lab.link_up(now.mono, *ix, LinkId(6), HOST));
    assert!(
        matches!(&outputs[..], [LabOutput::Send(LinkId(6), LabText::Post(_)), LabOutput::Close(..)]),
        "{outputs:?}"
    );
    // One that is gone meanwhile is told; one that does not come about is given up.
    say(&mut lab, 7, HOST, LabText::Request);
    own(&mut lab, Some(7), &[]);
    let outputs = lab.input(|lab, now| lab.link_failed(now.mono, PeerIx(ix.0 + 1), "refused"));
    assert!(matches!(&outputs[..], [LabOutput::Report(LabReport::NotAnswered { .. })]), "{outputs:?}");
    say(&mut lab, 8, HOST, LabText::Request);
    own(&mut lab, Some(8), &[]);
    let outputs = lab.run_until(Instant::ZERO + 4 * SECOND);
    assert!(matches!(&outputs[..], [LabOutput::Disconnect(..), LabOutput::Report(_)]), "{outputs:?}");
}

#[test]
fn one_that_hangs_up_is_answered_only_where_it_listens() {
    for (answer_port, answers) in [(None, 0), (Some(1024), 1)] {
        let mut lab = lab(LabConfig { answer_port, ..LabConfig::default() });
        say(&mut lab, 5, HOST, LabText::Request);
        lab.input(|lab, _| assert!(!lab.link_down(LinkId(5))));
        let outputs = own(&mut lab, Some(5), &[]);
        let connects = outputs.iter().filter(|output| matches!(output, LabOutput::Connect(..))).count();
        assert_eq!((connects, outputs.len()), (answers, answers), "{outputs:?}");
    }
}

#[test]
fn a_flood_of_requests_is_bounded() {
    let mut lab = lab(LabConfig { answer_port: Some(1024), ..LabConfig::default() });
    for link in 0..1_000 {
        let outputs = say(&mut lab, link, HOST, LabText::Request);
        match &outputs[..] {
            [LabOutput::ReadOwn(_)] if link < 32 => {}
            [LabOutput::Close(..)] if link >= 32 => {}
            other => panic!("{link}: {other:?}"),
        }
    }
    for link in 0..1_000 {
        assert_eq!(own(&mut lab, Some(link), &[]).len(), if link < 32 { 3 } else { 0 });
    }
    assert_eq!(lab.machine().status(crate::proto::contract::at(lab.now()))["turned_away"], 1_000 - 32);
    // The answers are still on their way: what is asked now goes back on its own link alone.
    say(&mut lab, 2_000, HOST, LabText::Request);
    assert_eq!(own(&mut lab, Some(2_000), &[]).len(), 2);
}

#[test]
fn the_token_is_filled_held_and_passed_on() {
    let mut lab = lab(LabConfig { ring: Some(ring(false)), ..LabConfig::default() });
    assert_eq!(say(&mut lab, 1, HOST, LabText::Token(LabToken::new())), [LabOutput::ReadOwn(None)]);
    assert_eq!(own(&mut lab, None, &[reading("sht3x-44", "temperature", Ok(22.1))]), []);
    assert_eq!(lab.run_until(Instant::ZERO + SECOND), []);
    let outputs = lab.run_until(Instant::ZERO + 2 * SECOND);
    assert_eq!(outputs, [LabOutput::Connect(PeerIx(0), "192.168.1.3:1024".into())]);
    // A host that is not there yet is tried again until it is, and told of once.
    for try_ in 0..3 {
        let outputs = lab.input(|lab, now| lab.link_failed(now.mono, PeerIx(0), "refused"));
        assert_eq!(outputs.len(), usize::from(try_ == 0), "{outputs:?}");
        let until = lab.now() + SECOND;
        assert_eq!(lab.run_until(until).len(), 1);
    }
    let outputs = lab.input(|lab, now| lab.link_up(now.mono, PeerIx(0), LinkId(9), HOST));
    let LabOutput::Send(LinkId(9), LabText::Token(token)) = &outputs[0] else { panic!("{outputs:?}") };
    assert_eq!(token.before, "token,rtemp:22.10,rhumd:ERR,stemp:ERR,smois:ERR,winds:ERR,");
    assert_eq!((token.seq, outputs.len()), (2, 2));
    assert_eq!(lab.machine().poll_timeout(), None, "who does not make the token does not miss it");
}

#[test]
fn the_last_host_takes_what_is_in_the_token_and_begins_a_new_one() {
    let mut lab = lab(LabConfig { ring: Some(ring(false)), ..LabConfig::default() });
    let full = [1.0, 2.0].into_iter().fold(LabToken::new(), |token, number| {
        token.with(&[LabPair::of("rtemp", Ok(number)), LabPair::of("winds", Err(ErrReason::Nack))])
    });
    assert_eq!(full.seq, 3);
    let outputs = say(&mut lab, 1, HOST, LabText::Token(full.clone()));
    let names = [LabSource::Named(name("lab-1")), LabSource::Named(name("lab-2"))];
    assert_eq!(take(&outputs), [(&names[0], Ok(1.0)), (&names[1], Ok(2.0))]);
    lab.run_until(Instant::ZERO + 2 * SECOND);
    let outputs = lab.input(|lab, now| lab.link_up(now.mono, PeerIx(0), LinkId(9), HOST));
    assert_eq!(outputs[0], LabOutput::Send(LinkId(9), LabText::Token(LabToken::new())));
    // A node that is on no way takes what comes, and that is the token's end.
    let mut end = super::tests::lab(LabConfig::default());
    assert_eq!(take(&say(&mut end, 1, HOST, LabText::Token(full))).len(), 2);
    assert_eq!(end.machine().poll_timeout(), None);
}

#[test]
fn who_makes_the_token_makes_it_again_when_it_is_lost() {
    let mut lab = lab(LabConfig { ring: Some(ring(true)), ..LabConfig::default() });
    assert!(matches!(lab.timeout()[..], [LabOutput::Connect(..)]));
    let sent = lab.input(|lab, now| lab.link_up(now.mono, PeerIx(0), LinkId(1), HOST));
    assert_eq!(sent[0], LabOutput::Send(LinkId(1), LabText::Token(LabToken::new())));
    let outputs = lab.run_until(Instant::ZERO + 30 * SECOND);
    assert!(matches!(outputs[..], [LabOutput::Report(LabReport::TokenLost { .. })]), "{outputs:?}");
    assert!(matches!(lab.run_until(Instant::ZERO + 31 * SECOND)[..], [LabOutput::Connect(..)]));
    // A second token takes the place of the one that waits: there is one.
    say(&mut lab, 2, HOST, LabText::Token(LabToken { seq: 3, ..LabToken::new() }));
    let sent = lab.input(|lab, now| lab.link_up(now.mono, PeerIx(0), LinkId(3), HOST));
    assert_eq!(sent.len(), 2, "{sent:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Up(usize, u64),
    Failed(usize),
    Down(u64),
    Say(u64, u8, LabText),
    Own(Option<u64>),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let text = prop_oneof![
        Just(LabText::Request),
        Just(LabText::Ack),
        Just(post(1.0)),
        (0..5_u32).prop_map(|seq| LabText::Token(LabToken { before: "token,a:1,a:2,".into(), seq })),
    ];
    prop_oneof![
        (0..6_usize, 0..9_u64).prop_map(|(ix, link)| Step::Up(ix, link)),
        (0..6_usize).prop_map(Step::Failed),
        (0..9_u64).prop_map(Step::Down),
        (0..9_u64, 0..4_u8, text).prop_map(|(link, host, text)| Step::Say(link, host, text)),
        prop::option::of(0..9_u64).prop_map(Step::Own),
        (1..20_000_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Whatever comes in whatever order: it keeps its contract, which [`Watched`] looks after, and asks for its own
    /// readings only while somebody waits for them.
    #[test]
    fn it_keeps_its_contract_in_any_order(steps in prop::collection::vec(step(), 1..200)) {
        let peers = (2..4).map(|n| (name(&format!("p{n}")), format!("192.168.1.{n}:1024"))).collect();
        let mut lab = lab(LabConfig { peers, answer_port: Some(1024), ring: Some(ring(true)), ..LabConfig::default() });
        for step in steps {
            let remote = |host: u8| IpAddr::from([192, 168, 1, host]);
            let token_waits = lab.machine().token.is_some();
            let outputs = match step {
                Step::Up(ix, link) => lab.input(|lab, now| lab.link_up(now.mono, PeerIx(ix), LinkId(link), remote(2))),
                Step::Failed(ix) => lab.input(|lab, now| lab.link_failed(now.mono, PeerIx(ix), "why")),
                Step::Down(link) => lab.input(|lab, _| { lab.link_down(LinkId(link)); }),
                Step::Say(link, host, text) => say(&mut lab, link, remote(host), text),
                Step::Own(asker) => own(&mut lab, asker, &[]),
                Step::Pass(ms) => { let until = lab.now() + Duration::from_millis(ms); lab.run_until(until) }
            };
            prop_assert!(!token_waits || !outputs.contains(&LabOutput::ReadOwn(None)));
            prop_assert!(lab.machine().errands.len() <= WAITING_MAX && lab.machine().waiting.len() <= WAITING_MAX);
        }
    }
}
