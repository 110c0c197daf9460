//! Made-up machines for the tests of the checks: files below a folder of their own, tools that say what they are told
//! to, simulated buses.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use pisink_sensors::bus::{self, BusSpec, OpenError, Simulation};
use pisink_sensors::catalogue::ChipSpec;
use pisink_sensors::sim::{PlannedFault, SimTime};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::finding::{Finding, Severity};
use super::host::{Host, User};
use super::scene::{Config, Scene};
use crate::io::{AccessSettings, AutopilotSettings, BusSettings, RoleSettings, Settings};
use crate::model::{NodeName, WallTime};

/// 2026-06-01T12:00:00Z.
pub(super) const NOON: WallTime = WallTime::from_unix_micros(1_780_315_200_000_000);

/// A machine in the making.
pub(super) struct Machine {
    root: TempDir,
    tools: BTreeMap<String, String>,
    pub(super) user: User,
}

impl Machine {
    pub(super) fn new() -> Self {
        let user = User { uid: 1000, gids: vec![1000] };
        Self { root: tempfile::tempdir().unwrap(), tools: BTreeMap::new(), user }
    }

    /// A file with this text.
    pub(super) fn put(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(super) fn dir(&self, path: &str) -> &Self {
        fs::create_dir_all(self.path(path)).unwrap();
        self
    }

    pub(super) fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    pub(super) fn mode(&self, path: &str, mode: u32) -> &Self {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// The time at which a file was last written.
    pub(super) fn touched(&self, path: &str, at: WallTime) -> &Self {
        let since = Duration::from_micros(at.as_unix_micros().unsigned_abs());
        let file = fs::File::options().write(true).open(self.path(path)).unwrap();
        file.set_modified(UNIX_EPOCH + since).unwrap();
        self
    }

    /// A tool that says this when it is called by exactly this line.
    pub(super) fn tool(&mut self, line: &str, says: &str) -> &mut Self {
        self.tools.insert(line.to_owned(), says.to_owned());
        self
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(super) fn host(&self) -> Host {
        let tools = self.tools.clone();
        let tools = Box::new(move |words: &[&str]| tools.get(&words.join(" ")).cloned());
        Host::new(self.root.path().to_owned(), self.user.clone(), tools)
    }

    /// A secondary with these chips on `pi:1`, on a port that nobody listens on, its data below the root.
    pub(super) fn scene(&self, chips: &[&str]) -> Scene {
        let chips: Vec<ChipSpec> = chips.iter().map(|chip| chip.parse().unwrap()).collect();
        let bus = BusSettings { bus: BusSpec::Pi(1), chips, faults: Vec::new() };
        let settings = Settings {
            zre: None,
            name: NodeName::new("bench").unwrap(),
            lab: crate::proto::LabConfig::default(),
            role: RoleSettings::Secondary,
            listen: "127.0.0.1:1".to_owned(),
            access: AccessSettings::default(),
            data: self.path("data"),
            buses: vec![bus.clone()],
            host: false,
            interval: Duration::from_secs(1),
            flush_interval: Duration::from_millis(200),
            keep_for: None,
            keep_bytes: 4_000_000_000,
            plots: None,
            autopilot: AutopilotSettings::default(),
        };
        let mut scene = Scene::new(self.host(), Config::None, settings, BusSpec::Pi(1));
        scene.wall = NOON;
        scene
    }

    /// The same, where `/dev/i2c-1` leads to a simulated bus with the chips `there`.
    pub(super) fn scene_on(&self, chips: &[&str], there: &[&str], faults: &[&str]) -> Scene {
        let there: Vec<ChipSpec> = there.iter().map(|chip| chip.parse().unwrap()).collect();
        let faults: Vec<PlannedFault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let mut scene = self.scene(chips);
        scene.open_bus = Box::new(move |_| {
            let clock = Box::new(|| SimTime::from_micros(crate::io::now().wall.as_unix_micros()));
            bus::open(&BusSpec::Sim(1), Simulation { chips: &there, faults: &faults, clock })
        });
        scene
    }

    /// The same, where `/dev/i2c-1` does not open.
    pub(super) fn scene_closed(&self, chips: &[&str], error: OpenError) -> Scene {
        let mut scene = self.scene(chips);
        scene.open_bus = Box::new(move |_| Err(error.clone()));
        scene
    }
}

/// A node that says this of itself to whoever comes first. Where it listens.
pub(super) fn node(status: &Json) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = json!({"id": "1", "key": "STATUS", "value": status});
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        write!(stream, "{answer}\r\n").unwrap();
    });
    address
}

/// The one finding that there is: its severity, and all of `words` in it.
pub(super) fn assert_one(findings: &[Finding], severity: Severity, words: &[&str]) {
    let [finding] = findings else { panic!("not one finding: {findings:#?}") };
    assert_finding(finding, severity, words);
}

/// Some finding of this severity has all of `words`.
pub(super) fn assert_some(findings: &[Finding], severity: Severity, words: &[&str]) {
    let has = |finding: &&Finding| {
        let text = text(finding);
        finding.severity == severity && words.iter().all(|word| text.contains(word))
    };
    assert!(findings.iter().any(|finding| has(&finding)), "no {severity} with {words:?}: {findings:#?}");
    findings.iter().for_each(assert_helps);
}

pub(super) fn assert_finding(finding: &Finding, severity: Severity, words: &[&str]) {
    let text = text(finding);
    assert_eq!(finding.severity, severity, "{finding:#?}");
    words.iter().for_each(|word| assert!(text.contains(word), "no word of {word:?}: {finding:#?}"));
    assert_helps(finding);
}

/// Whoever is told of trouble is told what to do, and each is one line.
fn assert_helps(finding: &Finding) {
    assert!(finding.severity < Severity::Warning || finding.next_step.is_some(), "{finding:#?}");
    assert!(!text(finding).contains('\n'), "{finding:#?}");
}

fn text(finding: &Finding) -> String {
    format!("{} / {}", finding.what, finding.next_step.clone().unwrap_or_default())
}
