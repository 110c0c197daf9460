//! The flags by which a node becomes a peer of ZRE.

use anyhow::Result;
use clap::Args;

use super::Usage;
use crate::cli::config::FileConfig;
use crate::io::ZreSettings;

/// Longest name of a group, in bytes.
const GROUP_MAX_BYTES: usize = 255;
/// Most groups, so that they fit a HELLO.
const GROUPS_MAX: usize = 50;
/// Longest description, in characters.
const DESCRIPTION_MAX_CHARS: usize = 1_000;

#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct ZreArgs {
    /// Be a peer by ZRE (pyre, zyre) on the network of this interface, by its name or IPv4 address: a node is found by
    /// its beacons, answers LATEST, STATUS and PING, and takes readings [default: on no network]
    #[arg(long, env = "PISINK_ZRE", value_name = "INTERFACE")]
    zre: Option<String>,

    /// A group of ZRE to be in, beside `pisink`; give one for each
    #[arg(
        id = "zre_groups",
        long = "zre-group",
        env = "PISINK_ZRE_GROUP",
        value_name = "GROUP",
        value_delimiter = ','
    )]
    groups: Vec<String>,

    /// What peers by ZRE are told of this node
    #[arg(long, env = "PISINK_DESCRIPTION", value_name = "TEXT")]
    description: Option<String>,

    /// Poll every node of pisink that is found by ZRE and waits to be polled, beside the peers that are listed
    /// (primary) [default: false]
    #[arg(long, env = "PISINK_DISCOVER", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    discover: Option<bool>,
}

/// What both come to.
pub(super) fn settings(args: &ZreArgs, file: &FileConfig) -> Result<Option<ZreSettings>> {
    let groups = if args.groups.is_empty() { &file.zre_groups } else { &args.groups };
    let description = args.description.as_ref().or(file.description.as_ref()).cloned().unwrap_or_default();
    let discover = args.discover.or(file.discover).unwrap_or(false);
    let Some(interface) = args.zre.as_ref().or(file.zre.as_ref()) else {
        let alone = [
            ("zre-group", !groups.is_empty()),
            ("description", !description.is_empty()),
            ("discover", discover),
        ];
        return match alone.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => {
                Err(Usage(format!("--{flag}: this is for peers by ZRE; give --zre INTERFACE")).into())
            }
            None => Ok(None),
        };
    };
    if let Some(group) = groups.iter().find(|group| !is_group(group)) {
        return Err(Usage(format!("--zre-group {group:?}: {GROUP_RULE}")).into());
    }
    if groups.len() > GROUPS_MAX {
        return Err(Usage(format!("--zre-group: {} groups; {GROUPS_MAX} is the most", groups.len())).into());
    }
    if description.chars().count() > DESCRIPTION_MAX_CHARS {
        return Err(Usage(format!("--description: {DESCRIPTION_MAX_CHARS} characters is the most")).into());
    }
    Ok(Some(ZreSettings { interface: interface.clone(), groups: groups.clone(), description, discover }))
}

/// What a group's name may be.
pub(in crate::cli) const GROUP_RULE: &str =
    "a group has 1 to 255 ASCII characters, none of them a control character";

/// Whether this can be a group's name. (pyre cuts what is not ASCII.)
pub(in crate::cli) fn is_group(name: &str) -> bool {
    !name.is_empty() && name.len() <= GROUP_MAX_BYTES && name.chars().all(|c| c.is_ascii() && !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_table_and_neither_means_off() {
        let file =
            FileConfig { zre: Some("eth0".into()), zre_groups: vec!["g".into()], ..FileConfig::default() };
        let settings = |args: &ZreArgs, file: &FileConfig| super::settings(args, file).unwrap();
        assert_eq!(settings(&ZreArgs::default(), &FileConfig::default()), None);
        let read = settings(&ZreArgs::default(), &file).unwrap();
        assert_eq!((read.interface.as_str(), read.groups), ("eth0", vec!["g".to_owned()]));
        let args = ZreArgs { zre: Some("10.0.0.7".into()), ..ZreArgs::default() };
        assert_eq!(settings(&args, &file).unwrap().interface, "10.0.0.7");
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let on = || ZreArgs { zre: Some("eth0".into()), ..ZreArgs::default() };
        let cases = [
            (ZreArgs { groups: vec!["g".into()], ..ZreArgs::default() }, "--zre INTERFACE"),
            (ZreArgs { groups: vec!["gärten".into()], ..on() }, "ASCII"),
            (ZreArgs { groups: vec![String::new()], ..on() }, "1 to 255"),
            (ZreArgs { description: Some("x".repeat(1_001)), ..on() }, "1000"),
        ];
        for (args, word) in cases {
            let error = settings(&args, &FileConfig::default()).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
