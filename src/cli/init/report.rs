//! What `pisink init` tells: what was found, what was written, and what to do next.

use std::io::Write;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::buses::{Adapter, Survey};
use super::chips::Doubt;
use super::questions::{IMAGE_NAMES, word};
use crate::cli::config::FileConfig;
use crate::cli::run::{self, RoleName};
use crate::cli::sensors;

/// The folder of the service's config.
const SERVICE_CONFIGS: &str = "/etc/pisink";

/// Tells people. That nobody listens is no reason to write nothing.
pub(super) fn tell(lines: &[String]) {
    let mut out = std::io::stderr().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
}

/// What was found, bus by bus.
pub(super) fn survey_lines(survey: &Survey, is_none_wanted: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for scanned in &survey.scanned {
        match &scanned.found {
            Ok(found) if found.is_empty() => lines.push(format!(
                "{}: nothing answers. Check power, wiring (SDA on pin 3, SCL on pin 5) and pull-ups.",
                scanned.bus
            )),
            Ok(found) => {
                lines.push(format!("{}:", scanned.bus));
                lines
                    .extend(found.iter().map(|found| format!("  {:#04x}  {}", found.address, found.verdict)));
            }
            Err(why) => lines.push(format!("{}: not scanned: {why}", scanned.bus)),
        }
    }
    for Adapter { number, name } in &survey.passed_over {
        let why = "passed over, it is for a display or a mainboard";
        lines.push(format!("pi:{number}: {why} ({name}); --bus pi:{number} scans it"));
    }
    if survey.scanned.is_empty() && !is_none_wanted {
        lines.push(
            "No I2C bus: on a Pi, enable it with `sudo raspi-config nonint do_i2c 0`, reboot, and run this again \
             with --force. Until then the node reads the machine's own channels."
                .to_owned(),
        );
    }
    lines
}

/// All that is to be told at the end.
pub(super) struct Report<'a> {
    /// What was found.
    pub(super) survey: &'a Survey,
    /// What was written.
    pub(super) config: &'a FileConfig,
    /// Where, as the user named it.
    pub(super) out: &'a Path,
    /// Chips that nobody decided about.
    pub(super) undecided: Vec<Doubt>,
}

impl Report<'_> {
    /// For people; `kept` is where the file is that was replaced.
    pub(super) fn lines(&self, kept: Option<&Path>) -> Vec<String> {
        let mut lines = self.remarks();
        let Some(out) = self.file() else { return lines };
        let kept = kept.map(|kept| format!(" (what was there: {})", kept.display())).unwrap_or_default();
        lines.push(format!("Wrote {out}{kept}. Every setting is explained in it. Next:"));
        lines.extend(self.next().into_iter().map(|command| format!("  {command}")));
        lines
    }

    /// For programs.
    pub(super) fn json(&self, text: &str, kept: Option<&Path>) -> Json {
        let buses = self.survey.scanned.iter().map(|scanned| {
            let found: Vec<Json> = scanned.chips().iter().map(sensors::found_json).collect();
            json!({"bus": scanned.bus.to_string(), "found": found, "error": scanned.found.as_ref().err()})
        });
        let passed_over = self.survey.passed_over.iter();
        json!({
            "out": self.file(),
            "kept": kept.map(|kept| kept.display().to_string()),
            "buses": buses.collect::<Vec<_>>(),
            "passed_over": passed_over
                .map(|adapter| json!({"bus": format!("pi:{}", adapter.number), "name": adapter.name}))
                .collect::<Vec<_>>(),
            "config": self.config,
            "text": text,
            "remarks": self.remarks(),
            "next": self.next(),
        })
    }

    fn file(&self) -> Option<String> {
        (self.out.as_os_str() != "-").then(|| self.out.display().to_string())
    }

    /// What the user may not expect.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for Doubt { at: (bus, address), drivers } in &self.undecided {
            let example = drivers.first().copied().unwrap_or_default();
            remarks.push(format!(
                "{address:#04x} of {bus} is left out: take the # from the right one in the file, or give it as \
                 --chip {example}@{address:#04x}."
            ));
        }
        let has = |role| self.config.role == Some(word(role));
        let is_primary = has(RoleName::Primary);
        let is_local = self.config.listen.as_deref().is_none_or(|listen| listen.starts_with("127."));
        if has(RoleName::Secondary) && is_local {
            remarks.push(
                "It listens on this machine only. If its primary is another machine: --listen 0.0.0.0:7001."
                    .to_owned(),
            );
        }
        if has(RoleName::Ring) {
            remarks.extend(self.ring_remarks(is_local));
        }
        if is_primary && self.config.peers.is_empty() {
            remarks.push(
                "It polls nobody yet: put the others into `peers`, or give them as --peer HOST:PORT."
                    .to_owned(),
            );
        }
        let host = run::name(None).ok().filter(|host| IMAGE_NAMES.contains(&host.as_str()));
        if let (None, Some(host)) = (&self.config.name, host) {
            remarks
                .push(format!("It is called {host}, like every new Pi: --name gives it a name of its own."));
        }
        remarks
    }

    /// What somebody may not expect who makes a ring.
    fn ring_remarks(&self, is_local: bool) -> Vec<String> {
        let mut remarks = vec![
            "A ring's config is the same on every node, but for the chips, and a name if there is one."
                .to_owned(),
        ];
        if is_local && self.config.peers.iter().any(|peer| run::is_elsewhere(peer)) {
            remarks.push(
                "It listens on this machine only, where no other finds it: --listen 0.0.0.0:7001.".to_owned(),
            );
        }
        if self.config.sink.is_none() {
            remarks.push("Nobody collects yet: --sink HOST:PORT says which of its peers does.".to_owned());
        }
        let name = run::name(self.config.name.as_ref()).ok();
        let listen = run::listen(self.config.listen.clone()).ok();
        let own = name.zip(listen).map(|(name, listen)| run::Own { name, listen });
        if own.is_none_or(|own| own.place(&self.config.peers).is_none()) {
            remarks.push(
                "None of its peers is clearly this node: put its own address into the list, or give it its name of the \
                 list with --name."
                    .to_owned(),
            );
        }
        remarks
    }

    fn next(&self) -> Vec<String> {
        let Some(out) = self.file() else { return Vec::new() };
        let start = if self.out.starts_with(SERVICE_CONFIGS) {
            "sudo systemctl restart pisink".to_owned()
        } else {
            format!("pisink run --config {out}")
        };
        vec![format!("pisink doctor --config {out}"), start]
    }
}

#[cfg(test)]
mod tests {
    use pisink_sensors::bus::BusSpec;
    use pisink_sensors::scan::{Found, Verdict};

    use super::*;
    use crate::cli::init::buses::Scanned;

    fn survey() -> Survey {
        let found = vec![
            Found { address: 0x44, verdict: Verdict::Identified { driver: "sht3x", by: "status CRC" } },
            Found { address: 0x68, verdict: Verdict::Busy },
        ];
        let scanned = |number, found| Scanned { bus: BusSpec::Pi(number), found };
        let broken = Err("its lines do not work".to_owned());
        Survey {
            scanned: vec![scanned(1, Ok(found)), scanned(3, Ok(Vec::new())), scanned(4, broken)],
            passed_over: vec![Adapter { number: 20, name: "fef04500.i2c".to_owned() }],
        }
    }

    fn config(role: RoleName) -> FileConfig {
        FileConfig { role: Some(word(role)), name: Some("bench-1".to_owned()), ..FileConfig::default() }
    }

    fn lines(config: &FileConfig, out: &str, kept: Option<&str>) -> String {
        let survey = survey();
        let undecided = vec![Doubt { at: (BusSpec::Pi(1), 0x48), drivers: vec!["tmp105", "lm75"] }];
        let report = Report { survey: &survey, config, out: Path::new(out), undecided };
        report.lines(kept.map(Path::new)).join("\n")
    }

    #[test]
    fn what_was_found_is_told_bus_by_bus() {
        let said = survey_lines(&survey(), false).join("\n");
        for words in [
            "0x44  sht3x (by status CRC)",
            "0x68  in use",
            "pi:3: nothing answers. Check",
            "pi:4: not scanned: its lines",
            "pi:20: passed over",
            "--bus pi:20",
        ] {
            assert!(said.contains(words), "no word of {words:?}:\n{said}");
        }
        assert!(!said.contains("raspi-config"), "{said}");
        let none = survey_lines(&Survey::default(), false).join("\n");
        assert!(none.contains("raspi-config nonint do_i2c 0") && none.contains("own channels"), "{none}");
        assert_eq!(survey_lines(&Survey::default(), true), Vec::<String>::new(), "nobody asked for one");
    }

    #[test]
    fn what_to_do_next_is_told() {
        let said = lines(&config(RoleName::Secondary), "site.toml", Some("site.toml.old"));
        for words in [
            "Wrote site.toml (what was there: site.toml.old)",
            "pisink doctor --config site.toml",
            "pisink run --config site.toml",
            "listens on this machine only",
            "--chip tmp105@0x48",
        ] {
            assert!(said.contains(words), "no word of {words:?}:\n{said}");
        }
        let service = lines(&config(RoleName::Primary), "/etc/pisink/pisink.toml", None);
        assert!(service.contains("systemctl restart pisink") && !service.contains("pisink run"), "{service}");
        assert!(service.contains("polls nobody yet") && !service.contains("this machine only"), "{service}");
    }

    #[test]
    fn what_is_as_expected_is_not_remarked() {
        let mut secondary = config(RoleName::Secondary);
        secondary.listen = Some("0.0.0.0:7001".to_owned());
        assert!(!lines(&secondary, "site.toml", None).contains("this machine only"));
        let mut primary = config(RoleName::Primary);
        primary.peers = vec!["pi-2:7001".to_owned()];
        assert!(!lines(&primary, "site.toml", None).contains("polls nobody"));
        assert!(!lines(&primary, "-", None).contains("Wrote"), "there is no file");
    }
}
