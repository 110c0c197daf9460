//! Whole reports, of a Pi that is well and of one that is not.

use super::testkit::Machine;
use super::*;

/// A Pi 4 with everything as it should be, for a chip at 0x44.
fn well() -> Machine {
    let mut pi = Machine::new();
    pi.put("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    pi.put("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0");
    pi.put("etc/passwd", "pi:x:1000:1000::/home/pi:/bin/bash\n")
        .put("dev/i2c-1", "")
        .mode("dev/i2c-1", 0o666);
    pi.put("boot/firmware/config.txt", "dtparam=i2c_arm=on\n");
    let node = "sys/bus/i2c/devices/i2c-1/of_node";
    pi.put(&format!("{node}/clock-frequency"), 100_000_u32.to_be_bytes());
    pi.put(&format!("{node}/compatible"), b"brcm,bcm2711-i2c\0brcm,bcm2835-i2c\0");
    pi.put("sys/devices/platform/soc/soc:firmware/get_throttled", "0\n");
    pi.dir("data").put("proc/mounts", "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\n");
    let synchronised = "run/systemd/timesync/synchronized";
    pi.put(synchronised, "").touched(synchronised, super::testkit::NOON);
    pi.put("etc/fake-hwclock.data", "2026-06-01 11:17:01\n");
    pi.put("sys/devices/system/clocksource/clocksource0/current_clocksource", "arch_sys_counter\n");
    pi.dir("sys/class/net/wlan0/wireless").put("sys/class/net/wlan0/operstate", "up\n");
    pi.put("proc/net/wireless", "head\nhead\n wlan0: 0000   54.  -56.  -256        0\n");
    pi.tool("iw dev wlan0 get power_save", "Power save: off\n").tool("iw dev wlan0 info", "\ttype managed\n");
    pi.dir("run/systemd/system");
    let asked = "--property=LoadState,ActiveState,SubState,Result,NRestarts,UnitFileState";
    let said = "LoadState=loaded\nActiveState=inactive\nUnitFileState=enabled\n";
    pi.tool(&format!("systemctl show pisink.service {asked}"), said);
    pi
}

#[test]
fn a_relative_folder_of_the_services_config_is_where_the_service_runs() {
    let service = Config::Read(DEFAULT_CONFIG.into());
    let place = |config: &Config, path: &str| in_service_dir(config, path.into()).display().to_string();
    assert_eq!(place(&service, "pisink-data"), "/var/lib/pisink/pisink-data");
    assert_eq!(place(&service, "/srv/data"), "/srv/data");
    assert_eq!(place(&Config::Read("site.toml".into()), "data"), "data");
    assert_eq!(place(&Config::None, "data"), "data");
}

fn report(scene: Scene) -> (String, Findings) {
    let scene = Arc::new(scene);
    let of = |check: &'static Check| make(check, &scene).into_iter().map(|finding| (check.name, finding));
    let findings: Findings = CHECKS.iter().flat_map(of).collect();
    let text = findings.iter().map(|(check, finding)| report::lines(check, finding, false)).collect();
    (text, findings)
}

#[test]
fn a_pi_that_is_well_has_no_trouble() {
    let pi = well();
    let mut scene = pi.scene_on(&["sht3x@0x44"], &["sht3x@0x44"], &[]);
    scene.settings.keep_bytes = 1_000_000;
    let (text, findings) = report(scene);
    println!("{text}\n{}", report::summary(&findings));
    // How full and how fast the disk is that the test runs on is not the Pi's.
    let trouble = findings.iter().filter(|(check, _)| !["space", "card"].contains(check));
    let worst = trouble.map(|(_, finding)| finding.severity).max();
    assert_eq!(worst, Some(Severity::Note), "{text}");
    let names: Vec<&str> = findings.iter().map(|(check, _)| *check).collect();
    assert!(CHECKS.iter().all(|check| names.contains(&check.name)), "every check says something: {text}");
}

#[test]
fn a_pi_that_is_not_is_told_everything() {
    let mut pi = well();
    pi.put("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
    pi.tool("iw dev wlan0 get power_save", "Power save: on\n");
    pi.put("data/pisink.sqlite", "not what it should be");
    let chips = ["sht3x@0x44", "seesaw@0x36", "tmp102@0x48"];
    let mut scene = pi.scene_on(&chips, &["sht4x@0x44", "seesaw@0x36", "bh1750@0x23"], &[]);
    scene.wall = crate::model::WallTime::from_unix_micros(60_000_000);
    let (text, findings) = report(scene);
    println!("{text}\n{}", report::summary(&findings));
    for words in [
        "FAIL  chips     at 0x44 on pi:1 is sht4x (by serial CRC), the config says sht3x",
        "FAIL  chips     tmp102 does not answer at 0x48",
        "note  chips     at 0x23 on pi:1 is probably bh1750",
        "WARN  speed     pi:1 runs at 100 kHz, seesaw@0x36 stretches the clock",
        "FAIL  power     now: under-voltage (bit 0)",
        "FAIL  journal   the store is damaged",
        "WARN  clock     the clock says 1970-01-01 00:01:00 UTC: it was never set",
        "WARN  wifi      wlan0: power save is on",
    ] {
        assert!(text.contains(words), "no word of {words:?}:\n{text}");
    }
    assert_eq!(report::worst(&findings), Severity::Failure);
}

#[test]
fn the_role_that_a_start_would_take_up_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let settings = |flags: &[&str]| {
        let data = dir.path().to_str().unwrap();
        let words = [&["doctor", "--data", data, "--listen", "127.0.0.1:7001"], flags].concat();
        let args = <DoctorArgs as Args>::augment_args(clap::Command::new("doctor"));
        let found = args.try_get_matches_from(words).unwrap();
        let scene =
            scene(<DoctorArgs as clap::FromArgMatches>::from_arg_matches(&found).unwrap().run).unwrap();
        (scene.settings.role.name(), scene.kept_role)
    };
    assert_eq!(settings(&[]), ("secondary", KeptRole::None));
    std::fs::write(dir.path().join("role.json"), r#"{"role":"primary","peers":["pi-2:7001"]}"#).unwrap();
    assert_eq!(settings(&[]), ("primary", KeptRole::Taken));
    for flags in [&["--role", "secondary"][..], &[]] {
        let (role, kept) = settings(flags);
        assert_eq!(role, "secondary");
        assert!(matches!(kept, KeptRole::Passed(_)), "{kept:?}");
        std::fs::write(dir.path().join("role.json"), "{").unwrap();
    }
}
