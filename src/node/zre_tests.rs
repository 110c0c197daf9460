use std::collections::BTreeMap;

use super::*;
use crate::model::{BootId, Hello, Instant, JournalId, NodeName, Seq, WallTime, ZreBody, ZreMessage};
use crate::node::{Input, NodeConfig, Role};

const FROM: LinkId = LinkId(7);
const TO: LinkId = LinkId(8);
const PYRE: ZreId = ZreId([5; 16]);

/// A node with a peer that has said HELLO.
struct Scene {
    node: Node,
    now: Now,
    sequence: u16,
}

fn now() -> Now {
    Now { mono: Instant::from_micros(1), wall: WallTime::from_unix_micros(1_768_867_199_000_000) }
}

impl Scene {
    fn new() -> Self {
        let config = NodeConfig {
            name: NodeName::new("pi-1").unwrap(),
            journal: JournalId(1),
            boot: BootId(2),
            synced: None,
            last: Seq(0),
            consumers: BTreeMap::new(),
            role: Role::Secondary,
        };
        let mut node = Node::new(config, now());
        let zre = ZreConfig {
            id: ZreId([1; 16]),
            name: "pi-1".to_owned(),
            address: "10.99.0.1:7001".parse().unwrap(),
            groups: ["pisink".to_owned()].into(),
            headers: BTreeMap::new(),
        };
        node.join_zre(zre, false, now());
        let mut scene = Self { node, now: now(), sequence: 0 };
        scene.enter();
        scene
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.node.handle_input(self.now, input);
        std::iter::from_fn(|| self.node.poll_output()).collect()
    }

    fn said(&mut self, link: LinkId, body: Body) -> Vec<Output> {
        let message = Message { id: String::new(), to: None, sender: None, timestamp: None, body };
        self.input(Input::Message { link, message })
    }

    fn zre(&mut self, body: ZreBody) -> Vec<Output> {
        self.sequence += 1;
        self.said(FROM, Body::Zre(ZreMessage { sequence: self.sequence, body }))
    }

    fn enter(&mut self) {
        let remote = "10.99.0.2".parse().unwrap();
        self.input(Input::LinkUp { link: FROM, far: None, remote });
        let identity = zre::identity(PYRE).to_vec();
        self.said(FROM, Body::Introduced { socket_type: "DEALER".into(), identity });
        let hello =
            Hello { endpoint: "tcp://10.99.0.2:5000".into(), name: "py 1".into(), ..Hello::default() };
        let outputs = self.zre(ZreBody::Hello(hello));
        let Some(Output::Connect { far, address, dialect }) = outputs.first() else { panic!("{outputs:?}") };
        assert_eq!((address.as_str(), *dialect), ("10.99.0.2:5000", Dialect::Zmtp));
        assert_eq!(self.node.zmtp_identity(Some(*far)), zre::identity(ZreId([1; 16])));
        let far = Some(*far);
        self.input(Input::LinkUp { link: TO, far, remote });
        let identity = Vec::new();
        let outputs = self.said(TO, Body::Introduced { socket_type: "ROUTER".into(), identity });
        let Some(Output::Send(TO, Message { body: Body::Zre(hello), .. })) = outputs.first() else {
            panic!("{outputs:?}")
        };
        let ZreBody::Hello(hello) = &hello.body else { panic!() };
        assert_eq!(hello.headers[ROLE_HEADER], "secondary");
    }

    /// What the peer is told by WHISPER.
    fn whispered(outputs: &[Output]) -> Vec<Json> {
        let of = |output: &Output| match output {
            Output::Send(TO, Message { body: Body::Zre(message), .. }) => match &message.body {
                ZreBody::Whisper(content) => Some(serde_json::from_slice(&content[0]).unwrap()),
                _ => None,
            },
            _ => None,
        };
        outputs.iter().filter_map(of).collect()
    }

    fn whisper(&mut self, text: &str) -> Vec<Output> {
        self.zre(ZreBody::Whisper(vec![text.as_bytes().to_vec()]))
    }
}

#[test]
fn ping_status_and_latest_are_answered_by_whisper() {
    let mut scene = Scene::new();
    let outputs = scene.whisper(r#"{"key":"PING","id":"a1"}"#);
    let answer = &Scene::whispered(&outputs)[0];
    assert_eq!(
        (&answer["key"], &answer["id"], &answer["sender"]),
        (&json!("PONG"), &json!("a1"), &json!("pi-1"))
    );
    let outputs = scene.zre(ZreBody::Shout {
        group: "pisink".into(),
        content: vec![b"frame before".to_vec(), br#"{"key":"STATUS"}"#.to_vec()],
    });
    let answer = &Scene::whispered(&outputs)[0];
    assert_eq!(answer["value"]["node"], "pi-1");
    assert_eq!(answer["value"]["zre"]["peers"][0]["name"], "py 1");
    let outputs = scene.whisper(r#"{"key":"LATEST","id":3}"#);
    let asker = Asker::Zre(PYRE);
    assert_eq!(outputs, [Output::ReadLatest { asker, id: "3".into() }]);
    let outputs = scene.input(Input::Latest { asker, id: "3".into(), latest: Ok(json!([1])) });
    let answer = &Scene::whispered(&outputs)[0];
    assert_eq!(
        (&answer["key"], &answer["id"], &answer["value"]),
        (&json!("LATEST"), &json!("3"), &json!([1]))
    );
    let outputs = scene.input(Input::Latest { asker, id: "4".into(), latest: Err("no".into()) });
    assert_eq!(Scene::whispered(&outputs)[0]["value"]["re"], "4");
}

#[test]
fn what_changes_a_node_or_is_not_known_is_refused_with_what_is() {
    let mut scene = Scene::new();
    for text in [r#"{"key":"ROLE","id":"9","value":{"role":"primary"}}"#, r#"{"key":"BLINK","id":"9"}"#] {
        let outputs = scene.whisper(text);
        let answer = &Scene::whispered(&outputs)[0];
        assert_eq!((&answer["key"], &answer["value"]["re"]), (&json!("ERROR"), &json!("9")), "{text}");
        assert!(answer["value"]["text"].as_str().unwrap().contains("LATEST"), "{answer}");
        assert!(!outputs.iter().any(|output| matches!(output, Output::ChangeRole { .. })));
    }
    // Answers are not answered.
    for text in [r#"{"key":"PONG"}"#, r#"{"key":"ERROR","value":{}}"#, r#"{"key":"LATEST","value":[]}"#] {
        assert_eq!(scene.whisper(text), [], "{text}");
    }
}

#[test]
fn readings_are_those_of_a_guest_named_as_the_peer() {
    let mut scene = Scene::new();
    for text in [r#"{"temperature": 21.5}"#, r#"{"msg": {"temperature": 21.5}}"#, "temperature:21.5"] {
        let outputs = scene.whisper(text);
        let Some(Output::Append(pack)) = outputs.last() else { panic!("{text}: {outputs:?}") };
        let channel = &pack.channels[0];
        assert_eq!(channel.to_string(), "py_1/zre/temperature", "{text}");
        assert_eq!(pack.readings[0].value, Ok(21.5));
    }
}

#[test]
fn what_kills_others_leaves_this_one_serving() {
    let mut scene = Scene::new();
    assert_eq!(scene.zre(ZreBody::Whisper(Vec::new())), [], "nothing in it");
    assert_eq!(scene.zre(ZreBody::Whisper(vec![Vec::new()])), [], "an empty frame");
    let outputs = scene.zre(ZreBody::Whisper(vec![vec![0xff, 0xfe]]));
    assert_eq!(Scene::whispered(&outputs)[0]["key"], "ERROR");
    scene.zre(ZreBody::Join { group: "x".into(), status: 200 });
    // Bytes that are no message of ZRE: told, and the link goes on until there are too many.
    let error = crate::wire::WireError::NotZre { why: "a message that is cut off".into() };
    let outputs = scene.input(Input::Offence { link: FROM, error });
    assert!(outputs.iter().any(|output| matches!(output, Output::Report(Report::Offence { .. }))));
    let outputs = scene.whisper(r#"{"key":"PING"}"#);
    assert_eq!(Scene::whispered(&outputs).len(), 1);
}
