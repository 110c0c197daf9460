use std::time::Duration;

use super::*;
use crate::io::AutopilotSettings;
use crate::io::settings::{AccessSettings, Again};
use crate::model::NodeName;
use crate::proto::PollOrder;

fn primary(peer: &str) -> RoleSettings {
    RoleSettings::Primary {
        peers: vec![peer.to_owned()],
        poll_interval: Duration::from_secs(1),
        deadline: Duration::from_millis(500),
        order: PollOrder::AtOnce,
        standby: None,
    }
}

fn settings(data: &Path) -> Settings {
    Settings {
        zre: None,
        name: NodeName::new("pi-2").unwrap(),
        lab: crate::proto::LabConfig::default(),
        role: RoleSettings::Secondary,
        listen: "127.0.0.1:0".to_owned(),
        access: AccessSettings::default(),
        data: data.to_owned(),
        buses: Vec::new(),
        host: true,
        interval: Duration::from_secs(1),
        flush_interval: Duration::from_millis(200),
        keep_for: None,
        keep_bytes: 4_000_000_000,
        plots: None,
        autopilot: AutopilotSettings::default(),
    }
}

/// A file that says `read` when it is read again, and `peer` for a primary's peer.
fn source(role_is_given: bool, peer: &'static str, read: Option<Settings>) -> Source {
    Source {
        role_is_given,
        role: Box::new(move |request| match request.role {
            RoleName::Secondary => Ok(RoleSettings::Secondary),
            RoleName::Primary => Ok(primary(request.peers.as_ref().map_or(peer, |peers| peers[0].as_str()))),
            RoleName::Ring => bail!("there is no list"),
        }),
        again: read.map(|read| {
            let again = move || Ok((read.clone(), source(role_is_given, "new:1", None)));
            Box::new(again) as Box<Again>
        }),
    }
}

fn request(role: RoleName, keep: bool) -> RoleOrder {
    RoleOrder::Become(RoleRequest { keep, ..RoleRequest::plain(role) })
}

/// What somebody is answered who gives this order, once it is carried out.
fn obey(plan: &mut Plan, order: RoleOrder) -> RoleAnswer {
    let change = plan.change(order).unwrap().unwrap();
    if let Some(keep) = &change.keep {
        keep.carry_out().unwrap();
    }
    plan.changed(change);
    plan.answer()
}

#[test]
fn a_role_by_command_lasts_until_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let begin = || Plan::new(settings(dir.path()), source(false, "a:1", None));
    let mut plan = begin();
    assert_eq!((plan.answer().role, plan.answer().origin), (RoleName::Secondary, RoleOrigin::Settings));
    let answer = obey(&mut plan, request(RoleName::Primary, false));
    assert_eq!((answer.role, answer.origin), (RoleName::Primary, RoleOrigin::Command));
    assert_eq!((answer.next_start, answer.peers), (RoleName::Secondary, vec!["a:1".to_owned()]));
    assert_eq!(begin().answer().role, RoleName::Secondary);
}

#[test]
fn a_kept_role_lasts_until_it_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let begin = || Plan::new(settings(dir.path()), source(false, "a:1", None));
    let mut plan = begin();
    let answer = obey(&mut plan, request(RoleName::Primary, true));
    assert_eq!((answer.origin, answer.next_start), (RoleOrigin::Kept, RoleName::Primary));
    let mut plan = begin();
    assert_eq!((plan.answer().role, plan.answer().origin), (RoleName::Primary, RoleOrigin::Kept));
    let answer = obey(&mut plan, request(RoleName::Secondary, false));
    assert_eq!(
        (answer.role, answer.next_start),
        (RoleName::Secondary, RoleName::Primary),
        "the kept one is kept"
    );
    let answer = obey(&mut plan, RoleOrder::Configured);
    assert_eq!((answer.origin, answer.next_start), (RoleOrigin::Settings, RoleName::Secondary));
    assert_eq!(begin().answer().role, RoleName::Secondary);
}

#[test]
fn a_role_by_flag_goes_before_a_kept_one_and_who_keeps_one_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let begin = || Plan::new(settings(dir.path()), source(true, "a:1", None));
    let answer = obey(&mut begin(), request(RoleName::Primary, true));
    assert_eq!(answer.next_start, RoleName::Secondary);
    assert!(answer.note.unwrap().contains("that will win"));
    assert_eq!(begin().answer().role, RoleName::Secondary);
}

#[test]
fn a_kept_role_that_cannot_be_does_not_keep_the_node_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    for kept in ["{\"role\":\"ring\",\"keep\":true}", "rubbish"] {
        std::fs::write(dir.path().join("role.json"), kept).unwrap();
        let plan = Plan::new(settings(dir.path()), source(false, "a:1", None));
        assert_eq!(plan.answer().role, RoleName::Secondary, "{kept}");
    }
}

#[test]
fn an_order_that_cannot_be_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::new(settings(dir.path()), source(false, "a:1", None));
    let why = plan.change(request(RoleName::Ring, true)).map(|_| ()).unwrap_err();
    assert_eq!(why.to_string(), "there is no list");
    assert!(plan.change(RoleOrder::Tell).unwrap().is_none());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_is_read_again_applies_but_for_name_address_and_data() {
    let dir = tempfile::tempdir().unwrap();
    let read = Settings {
        name: NodeName::new("other").unwrap(),
        listen: "0.0.0.0:1".to_owned(),
        role: primary("b:1"),
        interval: Duration::from_secs(9),
        ..settings(Path::new("elsewhere"))
    };
    let mut plan = Plan::new(settings(dir.path()), source(false, "a:1", Some(read)));
    plan.listens_on("127.0.0.1:4711".to_owned());
    let reread = plan.reread().unwrap();
    assert_eq!(reread.cannot.len(), 3, "{:?}", reread.cannot);
    assert_eq!(reread.changed, ["interval, which is 9s", "the role, which is primary"]);
    let change = plan.apply(reread);
    assert!(plan.is_another(&change.role));
    plan.changed(change);
    let now = plan.settings();
    assert_eq!(
        (now.name.as_str(), now.listen.as_str(), now.data.as_path()),
        ("pi-2", "127.0.0.1:4711", dir.path())
    );
    assert_eq!((now.interval, &now.role), (Duration::from_secs(9), &primary("b:1")));
}

#[test]
fn a_role_by_command_outlasts_a_reread_and_takes_the_rest_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(settings(dir.path()), source(false, "a:1", Some(settings(dir.path()))));
    obey(&mut plan, request(RoleName::Primary, false));
    assert_eq!(plan.settings().role, primary("a:1"));
    let reread = plan.reread().unwrap();
    assert_eq!(reread.cannot.len(), 1, "{:?}", reread.cannot);
    let change = plan.apply(reread);
    assert_eq!(change.role, primary("new:1"), "the list that the file has now");
    plan.changed(change);
    assert_eq!(plan.answer().origin, RoleOrigin::Command);
}

#[test]
fn a_file_as_it_was_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::new(settings(dir.path()), source(false, "a:1", Some(settings(dir.path()))));
    let reread = plan.reread().unwrap();
    assert!(reread.changed.is_empty() && reread.cannot.is_empty() && !plan.is_another(&reread.role.role));
}
