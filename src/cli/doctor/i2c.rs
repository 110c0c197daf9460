//! Check `i2c`: the buses of the config are enabled, and this user may open them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use pisink_sensors::bus::BusSpec;

use super::boot_config;
use super::finding::Finding;
use super::scene::Scene;

/// The group that Raspberry Pi OS and Debian's i2c-tools give the buses to.
const GROUP: &str = "i2c";

/// Whom the package's service runs as.
const SERVICE_USER: &str = "pisink";

/// The bus on pins 3 and 5.
const FIRST_BUS: u8 = 1;

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let finding = |bus| match bus {
        BusSpec::Pi(number) => of_bus(scene, number),
        bus => Finding::skipped(format!("{bus} needs no I2C")),
    };
    if scene.buses.is_empty() {
        return vec![Finding::skipped("the config has no bus (bus none)")];
    }
    scene.buses.iter().map(|settings| finding(settings.bus).milder_if(settings.chips.is_empty())).collect()
}

fn of_bus(scene: &Scene, number: u8) -> Finding {
    let device = format!("/dev/i2c-{number}");
    if let Some(metadata) = scene.host.metadata(&device) {
        return if scene.host.user().may_use(&metadata) {
            allowed(scene, &device, &metadata)
        } else {
            denied(scene, &device, metadata.gid())
        };
    }
    if scene.host.exists(&format!("sys/bus/i2c/devices/i2c-{number}")) {
        return Finding::failure(
            format!("the bus is enabled, but {device} is missing: the module i2c-dev is not loaded"),
            "sudo modprobe i2c-dev; for every boot: echo i2c-dev | sudo tee /etc/modules-load.d/i2c-dev.conf",
        );
    }
    missing(scene, number, &device)
}

/// Root may open everything, which says nothing of the service's own user.
fn allowed(scene: &Scene, device: &str, metadata: &Metadata) -> Finding {
    let service = if scene.host.user().uid == 0 { scene.host.user_named(SERVICE_USER) } else { None };
    match service {
        Some(user) if !user.may_use(metadata) => Finding::failure(
            format!("the service's user {SERVICE_USER} may not open {device}"),
            format!("sudo usermod -aG {GROUP} {SERVICE_USER}; sudo systemctl restart pisink"),
        ),
        Some(_) => {
            Finding::good(format!("{device} is there, and the service's user {SERVICE_USER} may open it"))
        }
        None => Finding::good(format!("{device} is there, and {} may open it", scene.host.user_name())),
    }
}

fn denied(scene: &Scene, device: &str, gid: u32) -> Finding {
    let user = scene.host.user_name();
    let group = scene.host.entry("etc/group", gid);
    let is_named = group.as_ref().is_some_and(|fields| fields.first().is_some_and(|name| name == GROUP));
    if !is_named {
        return Finding::failure(
            format!("{user} may not open {device}: it belongs to no group {GROUP}"),
            format!(
                "sudo apt install i2c-tools (its udev rule makes the group), reboot, sudo usermod -aG {GROUP} {user}"
            ),
        );
    }
    let members = group.and_then(|fields| fields.into_iter().nth(3)).unwrap_or_default();
    if members.split(',').any(|member| member == user) {
        return Finding::failure(
            format!(
                "{user} may not open {device} yet: this login is older than its place in the group {GROUP}"
            ),
            "log out and in again",
        );
    }
    Finding::failure(
        format!("{user} may not open {device}: it is for the group {GROUP}"),
        format!("sudo usermod -aG {GROUP} {user}, then log out and in again"),
    )
}

fn missing(scene: &Scene, number: u8, device: &str) -> Finding {
    let others = others(scene);
    let Some(config) = boot_config::read(&scene.host) else {
        return Finding::failure(
            format!("{device} is not there, and neither is config.txt: this is no Pi ({others})"),
            "enable the bus as the board's maker says; without sensors, say --bus none or --bus sim",
        );
    };
    if number != FIRST_BUS {
        return Finding::failure(
            format!("{device} is not there ({others})"),
            format!("add its dtoverlay to {} and reboot, or name another bus with --bus", config.path),
        );
    }
    match config.i2c {
        Some((true, line)) => Finding::failure(
            format!("{device} is not there, though {}:{line} enables it ({others})", config.path),
            "reboot; if it stays away, look for a filter such as [pi4] above that line, and at `dmesg | grep -i i2c`",
        ),
        Some((false, line)) => Finding::failure(
            format!("{device} is not there: {}:{line} turns I2C off ({others})", config.path),
            "sudo raspi-config nonint do_i2c 0, then reboot",
        ),
        None => Finding::failure(
            format!("{device} is not there: {} does not enable I2C ({others})", config.path),
            "sudo raspi-config nonint do_i2c 0 (or add dtparam=i2c_arm=on), then reboot",
        ),
    }
}

/// In words, which buses there are.
fn others(scene: &Scene) -> String {
    let names = scene.host.names("dev");
    let mut numbers: Vec<u8> =
        names.iter().filter_map(|name| name.strip_prefix("i2c-")?.parse().ok()).collect();
    numbers.sort_unstable();
    let named: Vec<String> = numbers.iter().map(|number| format!("pi:{number}")).collect();
    if named.is_empty() { "there is no other".to_owned() } else { format!("there are {}", named.join(", ")) }
}

#[cfg(test)]
#[path = "i2c_tests.rs"]
mod tests;
