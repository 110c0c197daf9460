//! Checks `version`, `config` and `service`: which program, with which settings, and how its service is.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::DEFAULT_CONFIG;
use super::finding::Finding;
use super::scene::{Config, KeptRole, Scene};
use crate::io::RoleSettings;

const UNIT: &str = "pisink.service";
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,Result,NRestarts,UnitFileState";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// This program's version, and that of the node which runs.
pub(super) fn check_version(scene: &Scene) -> Vec<Finding> {
    let os = scene.host.text("etc/os-release").unwrap_or_default();
    let os = os.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("an unnamed system");
    let model = scene.host.text("proc/device-tree/model").map_or_else(String::new, |model| {
        // The device tree ends its texts with a nought.
        format!(", {}", model.trim_end_matches('\0'))
    });
    let here = format!("pisink {VERSION} ({}) on {}{model}", std::env::consts::ARCH, os.trim_matches('"'));
    let running = scene.status().and_then(|status| status.get("version")).and_then(Json::as_str);
    match running {
        Some(running) if running != VERSION => vec![Finding::warning(
            format!("{here}; the running node is still {running}"),
            "sudo systemctl restart pisink",
        )],
        _ => vec![Finding::good(here)],
    }
}

/// Where the settings are from, and what they come to.
pub(super) fn check_config(scene: &Scene) -> Vec<Finding> {
    let settings = &scene.settings;
    let chips: usize = settings.buses.iter().map(|bus| bus.chips.len()).sum();
    let role = match &settings.role {
        RoleSettings::Secondary => "secondary".to_owned(),
        RoleSettings::Primary { peers, standby: None, .. } => format!("primary of {} peer(s)", peers.len()),
        RoleSettings::Primary { peers, standby: Some(standby), .. } => {
            format!("standby of {} peer(s), after {}", peers.len(), standby.before.join(", "))
        }
        RoleSettings::Ring { peers, sink_rank, .. } => {
            let part = match sink_rank {
                None => String::new(),
                Some(0) => ", its sink".to_owned(),
                Some(turn) => format!(", standby {turn}"),
            };
            format!("one of a ring of {}{part}", peers.len())
        }
    };
    let role = match &scene.kept_role {
        KeptRole::Taken => format!("{role} (kept in {}, not configured)", settings.data.display()),
        KeptRole::None | KeptRole::Passed(_) => role,
    };
    let sum = format!("{role}, {chips} chip(s), data in {}", settings.data.display());
    let config = match &scene.config {
        Config::Read(path) => Finding::good(format!("{}: {sum}", path.display())),
        Config::None => Finding::note(format!("no config file: flags and defaults are looked at ({sum})"))
            .and_next(format!(
                "pisink init writes one; {DEFAULT_CONFIG} is found by itself, others by --config"
            )),
        Config::Hidden(path) => Finding::warning(
            format!("this user may not read {}: {sum}", path.display()),
            "sudo pisink doctor",
        ),
        Config::Bad { path, why } => Finding::failure(
            why.clone(),
            format!("mend {}; until then, flags and defaults are looked at ({sum})", path.display()),
        ),
    };
    let passed = match &scene.kept_role {
        KeptRole::Passed(why) => Some(Finding::warning(
            format!("the role that is kept in {} is not taken up: {why}", settings.data.display()),
            "`pisink role ADDRESS configured` forgets it while the node runs",
        )),
        KeptRole::None | KeptRole::Taken => None,
    };
    [config].into_iter().chain(passed).collect()
}

/// How the service is, where systemd runs the machine.
pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    if !scene.host.exists("run/systemd/system") {
        return vec![Finding::skipped("systemd does not run here")];
    }
    let Some(said) = scene.host.tool(&["systemctl", "show", UNIT, PROPERTIES]) else {
        return vec![Finding::skipped("systemd does not answer")];
    };
    let said: BTreeMap<&str, &str> = said.lines().filter_map(|line| line.split_once('=')).collect();
    let of = |key: &str| said.get(key).copied().unwrap_or_default();
    if of("LoadState") == "not-found" {
        return vec![Finding::skipped("no service pisink is installed")];
    }
    let restarts = of("NRestarts").parse::<u32>().unwrap_or(0);
    let log = "journalctl -u pisink -n 50 says why; then: sudo systemctl restart pisink";
    let finding = match of("ActiveState") {
        "active" if restarts > 0 => Finding::warning(
            format!("the service runs, after {restarts} restart(s)"),
            "journalctl -u pisink | grep -B 20 Scheduled",
        ),
        "active" => Finding::good("the service runs, without restarts"),
        "failed" => Finding::failure(format!("the service has failed ({})", of("Result")), log),
        "activating" => Finding::failure(
            format!(
                "the service does not come up ({}, {restarts} restart(s), {})",
                of("SubState"),
                of("Result")
            ),
            log,
        ),
        state => Finding::note(format!("the service is {state}")).and_next("sudo systemctl start pisink"),
    };
    let mut findings = vec![finding];
    if matches!(of("UnitFileState"), "disabled" | "masked") {
        findings.push(Finding::warning(
            format!("the service is {}: it does not start at boot", of("UnitFileState")),
            "sudo systemctl enable pisink",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity::{Failure, Good, Note, Skipped, Warning};
    use crate::cli::doctor::testkit::{Machine, assert_one, assert_some};

    /// What is found where systemd says this.
    fn service(said: &str) -> Vec<Finding> {
        let mut machine = Machine::new();
        machine.dir("run/systemd/system");
        machine.tool(&format!("systemctl show {UNIT} {PROPERTIES}"), &said.replace(' ', "\n"));
        check(&machine.scene(&[]))
    }

    #[test]
    fn the_service_is_told_in_each_state() {
        assert_one(&check(&Machine::new().scene(&[])), Skipped, &["systemd"]);
        assert_one(&service("LoadState=not-found ActiveState=inactive"), Skipped, &["no service"]);
        let enabled = "LoadState=loaded UnitFileState=enabled";
        assert_one(&service(&format!("{enabled} ActiveState=active NRestarts=0")), Good, &["runs"]);
        assert_one(&service(&format!("{enabled} ActiveState=active NRestarts=3")), Warning, &["3 restart"]);
        let failed = service(&format!("{enabled} ActiveState=failed Result=exit-code"));
        assert_one(&failed, Failure, &["exit-code", "journalctl -u pisink"]);
        let restarting =
            service(&format!("{enabled} ActiveState=activating SubState=auto-restart NRestarts=9"));
        assert_one(&restarting, Failure, &["auto-restart", "9 restart"]);
        assert_one(&service(&format!("{enabled} ActiveState=inactive")), Note, &["systemctl start"]);
        let disabled = service("LoadState=loaded UnitFileState=disabled ActiveState=active");
        assert_some(&disabled, Warning, &["at boot", "systemctl enable"]);
    }

    #[test]
    fn the_config_says_what_it_comes_to_or_what_is_wrong() {
        let machine = Machine::new();
        let mut scene = machine.scene(&["sht3x@0x44"]);
        assert_one(&check_config(&scene), Note, &["secondary, 1 chip(s)", "pisink init"]);
        scene.config = Config::Read("/etc/pisink/pisink.toml".into());
        assert_one(&check_config(&scene), Good, &["/etc/pisink/pisink.toml: secondary"]);
        scene.config = Config::Hidden("/etc/pisink/pisink.toml".into());
        assert_one(&check_config(&scene), Warning, &["may not read", "sudo pisink doctor"]);
        scene.config = Config::Bad { path: "a.toml".into(), why: "a.toml:3: unknown key".into() };
        assert_one(&check_config(&scene), Failure, &["a.toml:3: unknown key", "mend a.toml"]);
    }

    #[test]
    fn the_version_comes_with_the_machine() {
        let machine = Machine::new();
        machine.put("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
        machine.put("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0");
        assert_one(
            &check_version(&machine.scene(&[])),
            Good,
            &[VERSION, "bookworm", "Raspberry Pi 4 Model B Rev 1.4"],
        );
    }
}
