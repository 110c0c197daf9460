use super::*;
use crate::proto::contract::Watched;

mod two;

fn id(number: u8) -> ZreId {
    ZreId([number; 16])
}

fn ip(number: u8) -> IpAddr {
    IpAddr::from([10, 99, 0, number])
}

fn config(number: u8) -> ZreConfig {
    ZreConfig {
        id: id(number),
        name: format!("pi-{number}"),
        address: SocketAddr::new(ip(number), 7001),
        groups: ["pisink".to_owned()].into(),
        headers: BTreeMap::new(),
    }
}

fn hello_of(number: u8) -> ZreBody {
    ZreBody::Hello(hello(&config(number), 0))
}

/// The machine of peer 1, with a script for the others.
struct Scene {
    zre: Watched<Zre>,
}

/// The link that peer `number` opened, and the one to it.
fn from(number: u8) -> LinkId {
    LinkId(100 + u64::from(number))
}

fn to(number: u8) -> LinkId {
    LinkId(200 + u64::from(number))
}

impl Scene {
    fn new() -> Self {
        let begin = Instant::from_micros(7);
        Self { zre: Watched::new(Zre::new(config(1), begin), begin) }
    }

    fn input(&mut self, input: impl FnOnce(&mut Zre, Instant)) -> Vec<ZreOutput> {
        self.zre.input(|zre, now| input(zre, now.mono))
    }

    fn beacon(&mut self, number: u8) -> Vec<ZreOutput> {
        let beacon = Beacon { id: id(number), port: Some(7001) };
        self.input(|zre, now| zre.beacon(now, ip(number), beacon))
    }

    fn message(&mut self, number: u8, sequence: u16, body: ZreBody) -> Vec<ZreOutput> {
        self.input(|zre, now| zre.message(now, from(number), ZreMessage { sequence, body }))
    }

    /// Its link comes, and its HELLO.
    fn enters(&mut self, number: u8) -> Vec<ZreOutput> {
        let mut outputs = self.input(|zre, now| zre.introduced(now, from(number), Some(id(number))));
        outputs.extend(self.message(number, 1, hello_of(number)));
        outputs
    }

    /// A peer is found, linked with and has said HELLO.
    fn with(&mut self, number: u8) {
        let outputs = self.beacon(number);
        let [ZreOutput::Connect(ix, _)] = &outputs[..] else { panic!("{outputs:?}") };
        let ix = *ix;
        self.linked(number, ix);
        self.enters(number);
    }

    fn linked(&mut self, number: u8, ix: PeerIx) -> Vec<ZreOutput> {
        self.input(|zre, _| zre.link_up(ix, to(number)));
        self.input(|zre, now| zre.introduced(now, to(number), None))
    }

    fn seconds(&mut self, seconds: i64) -> Vec<ZreOutput> {
        let until = self.zre.now() + Duration::from_secs(seconds.unsigned_abs());
        self.zre.run_until(until)
    }

    fn zre(&self) -> &Zre {
        self.zre.machine()
    }
}

fn sent(outputs: &[ZreOutput]) -> Vec<(u16, &'static str)> {
    let of = |output: &ZreOutput| match output {
        ZreOutput::Send(_, message) => Some((message.sequence, message.body.name())),
        _ => None,
    };
    outputs.iter().filter_map(of).collect()
}

fn events(outputs: Vec<ZreOutput>) -> Vec<ZreEvent> {
    let of = |output| match output {
        ZreOutput::Event(event) => Some(event),
        _ => None,
    };
    outputs.into_iter().filter_map(of).collect()
}

fn whisper() -> ZreBody {
    ZreBody::Whisper(vec![b"hi".to_vec()])
}

#[test]
fn a_beacon_goes_out_at_once_and_then_each_second() {
    let mut scene = Scene::new();
    let outputs = scene.seconds(10);
    assert_eq!(outputs, vec![ZreOutput::Beacon(Beacon { id: id(1), port: Some(7001) }); 11]);
}

#[test]
fn a_peer_that_is_seen_is_greeted_once_the_other_end_is_there() {
    let mut scene = Scene::new();
    let outputs = scene.beacon(2);
    assert_eq!(outputs, [ZreOutput::Connect(PeerIx(0), "10.99.0.2:7001".into())]);
    assert_eq!(scene.beacon(2), [], "it is known");
    assert_eq!(scene.input(|zre, _| zre.link_up(PeerIx(0), to(2))), []);
    let outputs = scene.input(|zre, now| zre.introduced(now, to(2), None));
    let expected = ZreMessage { sequence: 1, body: hello_of(1) };
    assert_eq!(outputs, [ZreOutput::Send(to(2), expected)]);
    assert_eq!(scene.zre().peers().count(), 0, "it said nothing");
    assert_eq!(events(scene.enters(2)), [ZreEvent::Enter { peer: id(2) }]);
    let peer = scene.zre().peer(id(2)).unwrap();
    assert_eq!((peer.name(), peer.groups().collect::<Vec<_>>()), ("pi-2", vec!["pisink"]));
}

#[test]
fn a_peer_whose_beacon_is_lost_is_known_by_its_hello() {
    let mut scene = Scene::new();
    let outputs = scene.enters(2);
    assert_eq!(outputs[0], ZreOutput::Connect(PeerIx(0), "10.99.0.2:7001".into()));
    assert_eq!(events(outputs), [ZreEvent::Enter { peer: id(2) }]);
    for bad in ["tcp://0.0.0.0:7", "tcp://10.0.0.1:0", "tcp://pi-2:7001", "ipc://x", "", "tcp://224.0.0.1:7"]
    {
        let mut scene = Scene::new();
        scene.input(|zre, now| zre.introduced(now, from(2), Some(id(2))));
        let body = ZreBody::Hello(Hello { endpoint: bad.to_owned(), ..Hello::default() });
        assert_eq!(scene.message(2, 1, body), [], "{bad:?}");
    }
}

#[test]
fn what_is_said_comes_through_and_is_answered_by_name() {
    let mut scene = Scene::new();
    scene.with(2);
    let content = vec![b"a".to_vec(), Vec::new()];
    let told = events(scene.message(2, 2, ZreBody::Whisper(content.clone())));
    assert_eq!(told, [ZreEvent::Whisper { peer: id(2), link: from(2), content: content.clone() }]);
    let shout = |group: &str| ZreBody::Shout { group: group.into(), content: content.clone() };
    let told = events(scene.message(2, 3, shout("pisink")));
    assert_eq!(
        told,
        [ZreEvent::Shout { peer: id(2), link: from(2), group: "pisink".into(), content: content.clone() }]
    );
    assert_eq!(scene.message(2, 4, shout("others")), [], "this one is not in that group");
    assert_eq!(sent(&scene.message(2, 5, ZreBody::Ping)), [(2, "PING-OK")]);
    let outputs = scene.input(|zre, _| assert!(zre.whisper(id(2), content.clone())));
    assert_eq!(sent(&outputs), [(3, "WHISPER")]);
    let outputs = scene.input(|zre, _| assert_eq!(zre.shout("pisink", &content), 1));
    assert_eq!(sent(&outputs), [(4, "SHOUT")]);
    let none = scene.input(|zre, _| {
        assert_eq!(zre.shout("nobody", &content), 0);
        assert!(!zre.whisper(id(9), content.clone()));
    });
    assert_eq!(none, []);
}

#[test]
fn groups_are_joined_and_left_by_both_with_a_status() {
    let mut scene = Scene::new();
    scene.with(2);
    let outputs = scene.input(|zre, _| zre.join("roof"));
    let expected = ZreBody::Join { group: "roof".into(), status: 1 };
    assert_eq!(outputs, [ZreOutput::Send(to(2), ZreMessage { sequence: 2, body: expected })]);
    assert_eq!(scene.input(|zre, _| zre.join("roof")), [], "twice is once");
    let outputs = scene.input(|zre, _| zre.leave("roof"));
    let expected = ZreBody::Leave { group: "roof".into(), status: 2 };
    assert_eq!(outputs, [ZreOutput::Send(to(2), ZreMessage { sequence: 3, body: expected })]);

    let join = |status| ZreBody::Join { group: "g".into(), status };
    let told = events(scene.message(2, 2, join(1)));
    assert_eq!(told, [ZreEvent::Joined { peer: id(2), group: "g".into() }]);
    // A status that does not follow is nothing to die of.
    assert_eq!(scene.message(2, 3, join(77)), [], "it is in the group already");
    assert!(scene.zre().peer(id(2)).unwrap().is_in("g"));
    let told = events(scene.message(2, 4, ZreBody::Leave { group: "g".into(), status: 0 }));
    assert_eq!(told, [ZreEvent::Left { peer: id(2), group: "g".into() }]);
    for number in 0..500 {
        scene.message(2, 5 + number, ZreBody::Join { group: number.to_string(), status: 0 });
    }
    assert!(scene.zre().peer(id(2)).unwrap().groups().count() <= 128);
}

#[test]
fn goodbye_counts_from_its_own_address_only() {
    let mut scene = Scene::new();
    scene.with(2);
    let goodbye = Beacon { id: id(2), port: None };
    assert_eq!(scene.input(|zre, now| zre.beacon(now, ip(3), goodbye)), []);
    let outputs = scene.input(|zre, now| zre.beacon(now, ip(2), goodbye));
    assert_eq!(outputs[0], ZreOutput::Disconnect(PeerIx(0), Some(to(2))));
    assert_eq!(
        events(outputs),
        [ZreEvent::Exit { peer: id(2), name: "pi-2".into(), why: ZreParting::Goodbye }]
    );
    let unknown = scene.input(|zre, now| zre.beacon(now, ip(2), goodbye));
    assert_eq!(unknown, []);
}

#[test]
fn a_silent_peer_is_asked_each_second_and_then_gone() {
    let mut scene = Scene::new();
    scene.with(2);
    assert_eq!(sent(&scene.seconds(10)), []);
    let outputs = scene.seconds(3);
    assert_eq!(sent(&outputs), [(2, "PING"), (3, "PING"), (4, "PING")]);
    // An answer is as good as a beacon.
    assert_eq!(events(scene.message(2, 2, ZreBody::PingOk)), [ZreEvent::PingOk { peer: id(2) }]);
    assert_eq!(sent(&scene.seconds(10)), []);
    let told = events(scene.seconds(21));
    assert_eq!(told, [ZreEvent::Exit { peer: id(2), name: "pi-2".into(), why: ZreParting::Expired }]);
    assert_eq!(scene.zre().peers().count(), 0);
}

#[test]
fn beacons_keep_a_peer_alive_only_from_its_own_address() {
    let mut scene = Scene::new();
    scene.with(2);
    for _ in 0..40 {
        scene.seconds(1);
        scene.beacon(2);
    }
    assert_eq!(scene.zre().peers().count(), 1);
    for _ in 0..40 {
        scene.seconds(1);
        let beacon = Beacon { id: id(2), port: Some(9) };
        scene.input(|zre, now| zre.beacon(now, ip(8), beacon));
    }
    assert_eq!(scene.zre().peers().count(), 0);
}

#[test]
fn lost_messages_make_both_begin_anew() {
    let mut scene = Scene::new();
    scene.with(2);
    let outputs = scene.message(2, 3, whisper());
    assert_eq!(outputs[0], ZreOutput::Disconnect(PeerIx(0), Some(to(2))));
    assert_eq!(
        events(outputs),
        [ZreEvent::Exit { peer: id(2), name: "pi-2".into(), why: ZreParting::MessagesLost }]
    );
    assert_eq!(scene.message(2, 4, whisper()), [], "nothing counts before its next HELLO");
    assert_eq!(scene.beacon(2), [ZreOutput::Connect(PeerIx(1), "10.99.0.2:7001".into())]);
    assert_eq!(sent(&scene.linked(2, PeerIx(1))), [(1, "HELLO")]);
    assert_eq!(events(scene.enters(2)), [ZreEvent::Enter { peer: id(2) }]);
}

#[test]
fn a_second_hello_is_answered_with_ours_on_a_new_link() {
    let mut scene = Scene::new();
    scene.with(2);
    scene.message(2, 2, whisper());
    let later = LinkId(333);
    let outputs = scene.input(|zre, now| zre.introduced(now, later, Some(id(2))));
    assert_eq!(outputs, [ZreOutput::Close(from(2))], "the later link counts");
    let hello = ZreMessage { sequence: 1, body: hello_of(2) };
    let outputs = scene.input(|zre, now| zre.message(now, later, hello));
    assert_eq!(
        outputs,
        [
            ZreOutput::Disconnect(PeerIx(0), Some(to(2))),
            ZreOutput::Connect(PeerIx(0), "10.99.0.2:7001".into()),
            ZreOutput::Event(ZreEvent::Exit { peer: id(2), name: "pi-2".into(), why: ZreParting::Anew }),
            ZreOutput::Event(ZreEvent::Enter { peer: id(2) }),
        ]
    );
    assert_eq!(sent(&scene.linked(2, PeerIx(0))), [(1, "HELLO")]);
    assert_eq!(scene.message(2, 3, whisper()), [], "what its former link still brings is nothing");
    let whisper = ZreMessage { sequence: 2, body: whisper() };
    assert_eq!(scene.input(|zre, now| zre.message(now, later, whisper)).len(), 1);
}

#[test]
fn what_is_said_before_the_link_stands_waits_within_a_bound() {
    let mut scene = Scene::new();
    scene.beacon(2);
    scene.enters(2);
    for number in 0..2_000 {
        scene.input(|zre, _| assert_eq!(zre.whisper(id(2), vec![b"x".to_vec()]), number < 1_000));
    }
    let outputs = scene.linked(2, PeerIx(0));
    assert_eq!(sent(&outputs).len(), 1_001);
    assert_eq!(sent(&outputs)[..2], [(1, "HELLO"), (2, "WHISPER")]);
    let mut scene = Scene::new();
    scene.beacon(2);
    scene.enters(2);
    let large = vec![vec![0; 600 << 10]];
    scene.input(|zre, _| assert!(zre.whisper(id(2), large.clone()) && !zre.whisper(id(2), large)));
}

#[test]
fn a_link_that_fails_is_tried_again_less_and_less_often() {
    let mut scene = Scene::new();
    scene.beacon(2);
    let mut tries = Vec::new();
    for second in 0..40 {
        scene.input(|zre, now| zre.link_failed(now, PeerIx(0)));
        let outputs = scene.seconds(1);
        let connects = outputs.iter().filter(|output| matches!(output, ZreOutput::Connect(..)));
        tries.extend(connects.map(|_| second));
        if outputs.iter().all(|output| !matches!(output, ZreOutput::Connect(..))) {
            // Only a link that was tried can fail.
            continue;
        }
        scene.beacon(2);
    }
    assert!(tries.len() < 25, "{tries:?}");
}

#[test]
fn both_ways_to_count_are_taken_and_the_right_one_is_sent() {
    for (wrap, pisink) in [(ZreWrap::After65534, false), (ZreWrap::After65535, true)] {
        let mut scene = Scene::new();
        scene.with(2);
        if pisink {
            // The header tells it before the numbers do.
            let headers = [(VERSION_HEADER.to_owned(), "1".to_owned())].into();
            let hello = Hello { headers, ..hello(&config(2), 0) };
            scene.message(2, 1, ZreBody::Hello(hello));
            scene.linked(2, PeerIx(0));
            assert_eq!(scene.zre().peer(id(2)).unwrap().wrap(), wrap);
        }
        for sequence in 2..=65_534 {
            assert_eq!(scene.message(2, sequence, whisper()).len(), 1);
        }
        let next: &[u16] = if pisink { &[65_535, 0, 1] } else { &[0, 1, 2] };
        for sequence in next {
            assert_eq!(scene.message(2, *sequence, whisper()).len(), 1, "{sequence}");
        }
        assert_eq!(scene.zre().peer(id(2)).unwrap().wrap(), wrap);
        let mut last = Vec::new();
        for _ in 0..65_536 {
            let outputs = scene.input(|zre, _| assert!(zre.whisper(id(2), Vec::new())));
            last = [last.split_off(last.len().saturating_sub(4)), sent(&outputs)].concat();
        }
        let numbers: Vec<u16> = last.iter().map(|(sequence, _)| *sequence).collect();
        let expected: &[u16] = if pisink { &[65_533, 65_534, 65_535, 0, 1] } else { &[65_534, 0, 1, 2] };
        assert_eq!(&numbers[numbers.len() - expected.len()..], expected);
    }
}

#[test]
fn a_flood_of_strangers_is_bounded_and_does_not_push_out_friends() {
    let mut scene = Scene::new();
    scene.with(2);
    for number in 0..2_000u32 {
        let [.., a, b] = number.to_be_bytes();
        let mut id = id(9);
        (id.0[0], id.0[1]) = (a, b);
        let beacon = Beacon { id, port: Some(7001) };
        let outputs = scene.input(|zre, now| zre.beacon(now, [10, 98, a, b].into(), beacon));
        assert!(outputs.len() <= 2);
    }
    assert_eq!(scene.zre().peers.len(), ZRE_PEERS_MAX);
    assert!(scene.zre().peer(id(2)).is_some());
    assert!(scene.zre().speakers.len() <= 1);
}

#[test]
fn own_beacons_and_own_identity_are_nobody() {
    let mut scene = Scene::new();
    assert_eq!(scene.beacon(1), []);
    assert_eq!(scene.enters(1), []);
    assert!(!scene.zre().is_its_link(from(1)));
}

#[test]
fn a_header_that_changes_is_said_to_everybody_again() {
    let mut scene = Scene::new();
    scene.with(2);
    let outputs = scene.input(|zre, _| zre.set_header("pisink-role", "primary"));
    assert_eq!(outputs.len(), 2, "{outputs:?}");
    let outputs = scene.linked(2, PeerIx(0));
    let [ZreOutput::Send(_, ZreMessage { sequence: 1, body: ZreBody::Hello(hello) })] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(hello.headers["pisink-role"], "primary");
    // The peer says HELLO again too: that is the answer, and no reason to begin anew once more.
    assert_eq!(scene.message(2, 1, hello_of(2)), []);
    assert_eq!(scene.input(|zre, _| zre.set_header("pisink-role", "primary")), []);
}
