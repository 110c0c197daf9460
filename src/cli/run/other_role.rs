//! The settings of another role than the one that flags and file name: what they come to if that one stood there.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{RoleName, RunArgs, Which, ring, role};
use crate::cli::config::FileConfig;
use crate::io::RoleSettings;
use crate::model::{self, Collects, RoleRequest};

/// What `request` comes to at the node of these flags and this file: whatever it does not say is as they say.
pub(in crate::cli) fn settings(
    args: &RunArgs,
    file: &FileConfig,
    request: &RoleRequest,
) -> Result<RoleSettings> {
    let (mut args, mut file) = (args.clone(), file.clone());
    let name = match request.role {
        model::RoleName::Primary => RoleName::Primary,
        model::RoleName::Secondary => RoleName::Secondary,
        model::RoleName::Ring => RoleName::Ring,
    };
    let is_ring = name == RoleName::Ring;
    refuse(name, request)?;
    args.role = Some(name);
    if let Some(peers) = &request.peers {
        (args.peers, file.peers) = (peers.clone(), peers.clone());
    }
    if name == RoleName::Secondary {
        // Flags of the role that it had.
        (args.peers, args.sink, args.standby) = (Vec::new(), None, Vec::new());
    }
    match request.collects {
        None => {}
        Some(Collects::Never) => {
            (args.sink, args.standby, file.standby) = (Some(Which::Here(false)), Vec::new(), Vec::new());
        }
        Some(Collects::Rank(0)) => (args.sink, args.standby) = (Some(Which::Here(true)), Vec::new()),
        Some(Collects::Rank(rank)) => {
            // For whom it stands by, its flags may say, or the file.
            args.sink = args.sink.filter(|sink| matches!(sink, Which::At(_)));
            args.standby = vec![rank.to_string()];
        }
    }
    // Who starts with the token is said for a start. Here it is made only if somebody asks for it.
    args.token = is_ring.then_some(Which::Here(request.makes_token));
    let interval = if is_ring { &mut args.round_interval } else { &mut args.poll_interval };
    if let Some(time) = request.poll_interval {
        *interval = Some(words(time));
    }
    if let Some(time) = request.deadline {
        args.deadline = Some(words(time));
    }
    ring::check_own_place(&args, &file)?;
    role::role(&args, &file, &super::own(&args, &file)?)
}

/// What has no meaning with this role.
fn refuse(name: RoleName, request: &RoleRequest) -> Result<()> {
    let RoleRequest { peers, collects, poll_interval, deadline, makes_token, .. } = request;
    let is_secondary = name == RoleName::Secondary;
    if is_secondary && (peers.is_some() || poll_interval.is_some() || deadline.is_some()) {
        bail!("a secondary polls nobody: leave out peers and times, or say primary or ring");
    }
    if name == RoleName::Ring && deadline.is_some() {
        bail!("a ring has no deadline: a round ends when the token comes to the sink; leave it out");
    }
    if is_secondary && collects.is_some() || name == RoleName::Primary && *collects == Some(Collects::Never) {
        bail!(
            "a secondary collects nothing, and a primary collects: say the other one, or leave sink and standby out"
        );
    }
    if name != RoleName::Ring && *makes_token {
        bail!("only a ring has a token: say ring, or leave it out");
    }
    Ok(())
}

/// A time as a flag has it.
fn words(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::config;

    fn file(text: &str) -> FileConfig {
        config::parse(text).unwrap()
    }

    fn become_(text: &str, request: RoleRequest) -> Result<RoleSettings> {
        settings(&RunArgs::default(), &file(text), &request)
    }

    const SITE: &str = "role = \"secondary\"\nname = \"pi-2\"\nlisten = \"0.0.0.0:7001\"\npoll_interval = \"2s\"\n\
                        peers = [\"pi-1:7001\", \"pi-2:7001\"]\nsink = \"pi-1:7001\"\ntoken = \"pi-2:7001\"\n";

    #[test]
    fn what_is_not_asked_for_is_as_the_file_says() {
        let role = become_(SITE, RoleRequest::plain(model::RoleName::Primary)).unwrap();
        let RoleSettings::Primary { peers, poll_interval, deadline, standby, .. } = role else {
            panic!("{role:?}")
        };
        assert_eq!(peers, ["pi-1:7001", "pi-2:7001"]);
        assert_eq!((poll_interval, deadline), (Duration::from_secs(2), Duration::from_secs(1)));
        assert_eq!(standby, None, "no standby is named, so it collects beside the sink");
        let role = become_(SITE, RoleRequest::plain(model::RoleName::Secondary)).unwrap();
        assert_eq!(role, RoleSettings::Secondary);
    }

    #[test]
    fn a_ring_makes_a_token_only_when_asked_to_and_collects_as_asked() {
        let plain = RoleRequest::plain(model::RoleName::Ring);
        let of = |request: RoleRequest| match become_(SITE, request).unwrap() {
            RoleSettings::Ring { sink_rank, makes_token, .. } => (sink_rank, makes_token),
            other => panic!("{other:?}"),
        };
        assert_eq!(of(plain.clone()), (None, false));
        assert_eq!(of(RoleRequest { makes_token: true, ..plain.clone() }), (None, true));
        let with = |collects| RoleRequest { collects: Some(collects), ..plain.clone() };
        assert_eq!(of(with(Collects::Rank(0))).0, Some(0));
        assert_eq!(of(with(Collects::Rank(2))).0, Some(2));
        assert_eq!(of(with(Collects::Never)).0, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        let peers = Some(vec!["a:1".to_owned()]);
        let secondary = RoleRequest { peers, ..RoleRequest::plain(model::RoleName::Secondary) };
        assert!(become_(SITE, secondary).unwrap_err().to_string().contains("polls nobody"));
        let primary = RoleRequest { makes_token: true, ..RoleRequest::plain(model::RoleName::Primary) };
        assert!(become_(SITE, primary).unwrap_err().to_string().contains("say ring"));
        let alone = become_("name = \"x\"\n", RoleRequest::plain(model::RoleName::Ring)).unwrap_err();
        assert!(alone.to_string().contains("list of its nodes"), "{alone}");
        let deadline = Some(Duration::from_secs(3));
        let late = RoleRequest { deadline, ..RoleRequest::plain(model::RoleName::Primary) };
        assert!(become_(SITE, late).unwrap_err().to_string().contains("longer than"));
    }
}
