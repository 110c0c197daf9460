use std::cell::RefCell;
use std::rc::Rc;

use serde_json::json;

use super::*;

const WATCHDOG: Duration = Duration::from_secs(90);

fn second(seconds: i64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

/// A manager that keeps what it is told, a line for each time.
fn manager() -> (Tell, Rc<RefCell<Vec<String>>>) {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let ears = Rc::clone(&heard);
    let tell = move |states: &[NotifyState<'_>]| {
        ears.borrow_mut().push(states.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "));
        Ok(())
    };
    (Box::new(tell), heard)
}

fn status() -> Json {
    json!({ "role": "secondary", "last": 12, "channels": [], "store": { "trouble": null } })
}

const LINE: &str = "STATUS=secondary; 0 channels; 12 readings; store ok";

#[test]
fn it_is_fed_at_half_the_time_while_the_threads_keep_their_promises() {
    let (tell, heard) = manager();
    let store = Promise::new("store", second(0));
    let mut notify = Notify::new(Some(tell), Some(WATCHDOG), vec![store.clone()]);
    assert_eq!(notify.due(), None, "nothing is fed before the node is ready");
    notify.ready(second(0), status);
    assert_eq!(heard.take(), [format!("READY=1 | {LINE} | WATCHDOG_USEC=90000000 | WATCHDOG=1")]);
    assert_eq!(notify.due(), Some(second(45)));
    notify.turn(second(44), || panic!("not yet"));
    notify.turn(second(45), status);
    assert_eq!(heard.take(), [format!("{LINE} | WATCHDOG=1")]);
    // Later than promised, but not by too much.
    notify.turn(second(180), status);
    assert_eq!((heard.take().len(), notify.due()), (1, Some(second(225))));
    // Stuck: looked at again soon, and fed as soon as it moves.
    notify.turn(second(225), || panic!("nothing is told"));
    assert_eq!((heard.take().len(), notify.due()), (0, Some(second(226))));
    store.back_by(second(226));
    notify.turn(second(226), status);
    assert_eq!((heard.take().len(), notify.due()), (1, Some(second(271))));
}

#[test]
fn any_thread_that_is_stuck_is_enough() {
    let (tell, heard) = manager();
    let threads = [Promise::new("pi:1", second(0)), Promise::new("store", second(0))];
    let mut notify = Notify::new(Some(tell), Some(WATCHDOG), threads.to_vec());
    notify.ready(second(0), status);
    heard.take();
    threads[1].back_by(second(1_000));
    notify.turn(second(500), status);
    threads[0].back_by(second(1_000));
    assert!(heard.take().is_empty());
    notify.turn(second(501), status);
    assert_eq!(heard.take().len(), 1);
}

#[test]
fn without_a_manager_nothing_is_told_and_the_loop_is_never_woken() {
    let mut notify = Notify::new(None, Some(WATCHDOG), vec![Promise::new("store", second(0))]);
    notify.ready(second(0), || panic!("nobody asks"));
    notify.turn(second(1_000), || panic!("nobody asks"));
    notify.stopping();
    assert_eq!(notify.due(), None);
}

#[test]
fn without_a_watchdog_only_the_status_is_told() {
    for watchdog in [None, Some(Duration::ZERO)] {
        let (tell, heard) = manager();
        let mut notify = Notify::new(Some(tell), watchdog, vec![Promise::new("store", second(0))]);
        notify.ready(second(0), status);
        notify.turn(second(60), status);
        assert_eq!(heard.take(), [format!("READY=1 | {LINE}"), LINE.to_owned()]);
        assert_eq!(notify.due(), Some(second(120)));
    }
}

#[test]
fn stopping_and_reopening_feed_no_more() {
    let (tell, heard) = manager();
    let mut notify = Notify::new(Some(tell), Some(WATCHDOG), Vec::new());
    notify.ready(second(0), status);
    heard.take();
    notify.reopening();
    assert!(heard.borrow()[0].ends_with("| WATCHDOG_USEC=900000000"), "{heard:?}");
    assert_eq!(notify.due(), None);
    notify.ready(second(100), status);
    assert_eq!(notify.due(), Some(second(145)));
    notify.stopping();
    assert!(heard.borrow()[2].starts_with("STOPPING=1 | STATUS="), "{heard:?}");
    assert_eq!(notify.due(), None);
}

#[test]
fn the_status_is_one_line_that_tells_what_matters() {
    let primary = json!({
        "role": "primary",
        "last": 1_234,
        "polling": { "peers": [{ "state": "up" }, { "state": "down" }, { "state": "up" }] },
        "channels": [{ "err": null }, { "err": "nack" }],
        "store": { "trouble": "no space left\nfree some" },
    });
    assert_eq!(
        status_line(&primary),
        "primary; 2 of 3 peers up; 2 channels, 1 of them ERR; 1234 readings; store FAILING: no space left free some"
    );
    assert_eq!(status_line(&json!(null)), "?; 0 channels; 0 readings; store ok");
}
