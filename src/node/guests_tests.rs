use core::net::Ipv4Addr;

use serde_json::json;

use super::*;
use crate::model::{ErrReason, Instant, WallTime};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

fn now() -> Now {
    Now { mono: Instant::from_micros(5), wall: WallTime::from_unix_micros(7) }
}

fn with_links(links: u64) -> Guests {
    let mut guests = Guests::default();
    (1..=links).for_each(|link| guests.link_up(LinkId(link), HOST));
    guests
}

fn say(guests: &mut Guests, link: u64, json: &Json) -> Said {
    say_into(&mut Pack::default(), guests, link, json)
}

fn say_into(pack: &mut Pack, guests: &mut Guests, link: u64, json: &Json) -> Said {
    guests.say(LinkId(link), json, now(), pack).expect("a link that stands")
}

fn name(guests: &mut Guests, link: u64) -> String {
    say(guests, link, &json!({"msg": 1})).from.to_string()
}

#[test]
fn readings_are_stamped_now_and_named_after_who_sent_them() {
    let mut guests = with_links(1);
    let mut pack = Pack::default();
    let said = say_into(&mut pack, &mut guests, 1, &json!({"msg": "rtemp:22.10,winds:ERR,"}));
    assert_eq!((said.from.as_str(), said.readings), ("10.0.0.7", 2));
    say_into(&mut pack, &mut guests, 1, &json!({"msg": "winds:1.5"}));
    let channels: Vec<String> = pack.channels.iter().map(|channel| channel.to_string()).collect();
    assert_eq!(channels, ["10.0.0.7/json/temperature", "10.0.0.7/json/wind_speed"]);
    let readings: Vec<_> = pack.readings.iter().map(|r| (r.time, r.mono, r.value)).collect();
    let Now { wall, mono } = now();
    assert_eq!(
        readings,
        [(wall, mono, Ok(22.1)), (wall, mono, Err(ErrReason::Parse)), (wall, mono, Ok(1.5))]
    );
}

#[test]
fn scripts_on_one_host_are_told_apart() {
    let mut guests = with_links(3);
    assert_eq!(name(&mut guests, 2), "10.0.0.7");
    assert_eq!(name(&mut guests, 1), "10.0.0.7_2");
    assert_eq!(name(&mut guests, 3), "10.0.0.7_3");
    assert_eq!(name(&mut guests, 1), "10.0.0.7_2", "and stay so");
    guests.link_up(LinkId(9), IpAddr::from([10, 0, 0, 8]));
    assert_eq!(name(&mut guests, 9), "10.0.0.8");
}

#[test]
fn a_script_that_comes_again_goes_on_under_its_name() {
    let mut guests = with_links(3);
    for link in 1..=3 {
        name(&mut guests, link);
    }
    guests.link_down(LinkId(2));
    guests.link_up(LinkId(4), HOST);
    assert_eq!(name(&mut guests, 4), "10.0.0.7_2");
    // A link that says nothing takes no name.
    guests.link_up(LinkId(5), HOST);
    guests.link_down(LinkId(5));
    guests.link_up(LinkId(6), HOST);
    assert_eq!(name(&mut guests, 6), "10.0.0.7_4");
}

#[test]
fn a_script_may_name_itself_and_keeps_that_name_on_any_link() {
    let mut guests = with_links(2);
    let hello = json!({"msg": 1, "sender": "bench-3"});
    assert_eq!(say(&mut guests, 1, &hello).from.as_str(), "bench-3");
    assert_eq!(say(&mut guests, 2, &hello).from.as_str(), "bench-3");
    // What is no name is none.
    assert_eq!(say(&mut guests, 1, &json!({"msg": 1, "sender": "../../etc"})).from.as_str(), "10.0.0.7");
}

#[test]
fn names_are_bounded_and_those_who_have_one_keep_it() {
    let mut guests = with_links(1);
    for n in 0..2 * NAMES_MAX {
        say(&mut guests, 1, &json!({"msg": 1, "sender": format!("n{n}")}));
    }
    assert_eq!(guests.names.len(), NAMES_MAX);
    assert_eq!(say(&mut guests, 1, &json!({"msg": 1, "sender": "newcomer"})).from.as_str(), "10.0.0.7");
    assert_eq!(say(&mut guests, 1, &json!({"msg": 1, "sender": "n5"})).from.as_str(), "n5");
}

#[test]
fn nothing_stays_behind_when_links_go() {
    let mut guests = with_links(500);
    for link in 1..=500 {
        name(&mut guests, link);
        guests.offend(LinkId(link));
    }
    (1..=500).for_each(|link| guests.link_down(LinkId(link)));
    assert!(guests.links.is_empty() && guests.slots.is_empty());
}

#[test]
fn a_link_may_offend_only_so_often() {
    let mut guests = with_links(2);
    for _ in 1..OFFENCES_MAX {
        assert!(!guests.offend(LinkId(1)));
    }
    assert!(guests.offend(LinkId(1)));
    assert!(!guests.offend(LinkId(2)), "each link for itself");
    assert!(!guests.offend(LinkId(77)), "nobody's link");
    assert_eq!(guests.status()["offences"], u64::from(OFFENCES_MAX) + 2);
}

#[test]
fn so_much_is_told_of_a_link_and_no_more() {
    let mut guests = with_links(1);
    let told = (0..100).filter(|_| say(&mut guests, 1, &json!({"msg": "still alive"})).is_to_be_told).count();
    assert_eq!(told as u64, TOLD_MAX);
    let told = (0..100).filter(|_| guests.complain(LinkId(1))).count();
    assert_eq!(told as u64, TOLD_MAX);
    assert!(!guests.complain(LinkId(77)));
    assert_eq!(guests.status()["messages"], 100);
}

#[test]
fn channels_are_bounded_and_known_ones_go_on() {
    let mut guests = with_links(1);
    for number in 0..CHANNELS_MAX {
        assert_eq!(say(&mut guests, 1, &json!({"msg": {format!("q{number}"): 1}})).readings, 1);
    }
    assert_eq!(say(&mut guests, 1, &json!({"msg": {"one-more": 1, "q7": 2}})).readings, 1);
    assert_eq!(guests.status()["passed_over"], 1);
    assert_eq!(guests.channels.len(), CHANNELS_MAX);
}

#[test]
fn every_address_makes_a_name() {
    for (remote, expected) in [
        ("192.168.1.17", "192.168.1.17"),
        ("::1", "0--1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("fe80::1:2", "fe80--1-2"),
        ("2001:db8:1111:2222:3333:4444:5555:6666", "2001-db8-1111-2222-3333-4444-5555-6666"),
    ] {
        let remote: IpAddr = remote.parse().unwrap();
        assert_eq!(address_name(remote, 1).as_str(), expected);
        assert_eq!(address_name(remote, u32::MAX).as_str(), format!("{expected}_{}", u32::MAX));
    }
    assert_eq!(fallback_name().as_str(), "guest");
}
