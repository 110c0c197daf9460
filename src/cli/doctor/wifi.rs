//! Checks `wifi` and `adhoc`: signal, power save and blocks of each Wi-Fi link, and links without infrastructure.

use super::finding::Finding;
use super::scene::Scene;

/// Below this much, in dBm, packets are lost and sent again.
const WEAK_DBM: f64 = -75.0;
/// Below this, links break.
const BAD_DBM: f64 = -85.0;

const SIGNAL_ADVICE: &str =
    "move the Pi or its antenna, or take the 2.4 GHz band; see `iw dev` and `/proc/net/wireless`";

/// Where `scripts/adhoc` keeps what it did, until the next boot and for good.
const APPLIED: [&str; 2] = ["run/pisink-adhoc", "var/lib/pisink-adhoc"];
/// The network that it makes unless told otherwise: 10.77.0.0/16.
const NETWORK: &str = "10.77.";
const ALONE_ADVICE: &str =
    "see that the others are near, and have the same --ssid, --channel and passphrase (scripts/adhoc)";

/// What a Wi-Fi interface does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A station of an access point.
    Managed,
    /// An access point itself.
    AccessPoint,
    /// A member of a network without one.
    AdHoc,
    /// Not known, for `iw` is not there.
    Unknown,
}

/// The Wi-Fi interfaces.
fn interfaces(scene: &Scene) -> Vec<String> {
    let net = "sys/class/net";
    let is_wifi = |name: &String| {
        ["wireless", "phy80211"].iter().any(|sign| scene.host.exists(&format!("{net}/{name}/{sign}")))
    };
    scene.host.names(net).into_iter().filter(is_wifi).collect()
}

fn is_up(scene: &Scene, name: &str) -> bool {
    scene.host.text(&format!("sys/class/net/{name}/operstate")).is_some_and(|state| state != "down")
}

fn mode(scene: &Scene, name: &str) -> Mode {
    let Some(info) = scene.host.tool(&["iw", "dev", name, "info"]) else { return Mode::Unknown };
    match info.lines().find_map(|line| line.trim().strip_prefix("type ")) {
        Some("managed") => Mode::Managed,
        Some("AP") => Mode::AccessPoint,
        Some("IBSS" | "mesh point") => Mode::AdHoc,
        _ => Mode::Unknown,
    }
}

/// Signal, power save and blocks of each Wi-Fi interface.
pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let names = interfaces(scene);
    if names.is_empty() {
        return vec![Finding::skipped("this machine has no Wi-Fi")];
    }
    names.iter().flat_map(|name| of_interface(scene, name)).collect()
}

fn of_interface(scene: &Scene, name: &str) -> Vec<Finding> {
    if let Some(block) = block(scene, name) {
        return vec![block];
    }
    if !is_up(scene, name) {
        return vec![Finding::note(format!("{name} is not connected"))];
    }
    let mut findings = vec![power_save(scene, name)];
    if matches!(mode(scene, name), Mode::Managed | Mode::Unknown) {
        findings.push(signal(scene, name));
    }
    findings
}

fn block(scene: &Scene, name: &str) -> Option<Finding> {
    let phy = format!("sys/class/net/{name}/phy80211");
    let switch = scene.host.names(&phy).into_iter().find(|name| name.starts_with("rfkill"))?;
    let is_set =
        |kind: &str| scene.host.text(&format!("{phy}/{switch}/{kind}")).is_some_and(|text| text == "1");
    if is_set("hard") {
        return Some(Finding::warning(format!("{name} is switched off by hardware"), "look for its switch"));
    }
    is_set("soft").then(|| {
        Finding::warning(
            format!("{name} is blocked (rfkill)"),
            "set the country, then unblock: sudo raspi-config nonint do_wifi_country DE; sudo rfkill unblock wifi",
        )
    })
}

fn power_save(scene: &Scene, name: &str) -> Finding {
    let Some(said) = scene.host.tool(&["iw", "dev", name, "get", "power_save"]) else {
        return Finding::skipped(format!("{name}: power save is not known, for `iw` does not tell"))
            .and_next("sudo apt install iw");
    };
    if said.trim().ends_with("off") {
        return Finding::good(format!("{name}: power save is off"));
    }
    Finding::warning(
        format!("{name}: power save is on, which delays polls by up to some 100 ms and drops links"),
        format!(
            "sudo iw dev {name} set power_save off; for ever: \
             sudo nmcli connection modify NAME 802-11-wireless.powersave 2"
        ),
    )
}

fn signal(scene: &Scene, name: &str) -> Finding {
    let Some(dbm) = signal_dbm(scene, name) else {
        return Finding::skipped(format!("{name}: its signal is not known"));
    };
    let what = format!("{name}: signal {dbm} dBm");
    match dbm {
        dbm if dbm < BAD_DBM => Finding::warning(format!("{what}: too weak, links break"), SIGNAL_ADVICE),
        dbm if dbm < WEAK_DBM => Finding::warning(format!("{what}: weak"), SIGNAL_ADVICE),
        _ => Finding::good(what),
    }
}

/// The level, from `/proc/net/wireless` (after the name: status, link, level), or from `iw` on kernels without it.
fn signal_dbm(scene: &Scene, name: &str) -> Option<f64> {
    let from_proc = || {
        let text = scene.host.text("proc/net/wireless")?;
        let of = |line: &str| Some(line.trim_start().strip_prefix(name)?.strip_prefix(':')?.to_owned());
        let fields = text.lines().find_map(of)?;
        fields.split_whitespace().nth(2)?.trim_end_matches('.').parse::<f64>().ok()
    };
    let from_iw = || {
        let text = scene.host.tool(&["iw", "dev", name, "link"])?;
        let signal = text.lines().find_map(|line| line.trim().strip_prefix("signal:"))?;
        signal.split_whitespace().next()?.parse::<f64>().ok()
    };
    // A level of nought is what a driver says that does not know.
    from_proc().filter(|dbm| *dbm != 0.0).or_else(from_iw).filter(|dbm| dbm.is_finite())
}

/// Links without infrastructure: an address, and somebody at the other end.
pub(super) fn check_adhoc(scene: &Scene) -> Vec<Finding> {
    let findings: Vec<Finding> = interfaces(scene).iter().filter_map(|name| adhoc(scene, name)).collect();
    match (findings.is_empty(), APPLIED.iter().any(|folder| scene.host.exists(folder))) {
        (true, false) => vec![Finding::skipped("no Wi-Fi without infrastructure here")],
        (true, true) => vec![Finding::failure(
            "scripts/adhoc was applied here, but no interface is in its network",
            "sudo scripts/adhoc --undo, then --apply again; it says what it does",
        )],
        (false, _) => findings,
    }
}

/// One interface; `None` where it is a station of somebody else's network.
fn adhoc(scene: &Scene, name: &str) -> Option<Finding> {
    let mode = mode(scene, name);
    let address = address(scene, name);
    let kind = match mode {
        Mode::AdHoc => "a member of an ad-hoc cell",
        Mode::AccessPoint => "an access point",
        Mode::Managed | Mode::Unknown => {
            address.as_ref().filter(|address| address.starts_with(NETWORK))?;
            "a station in the site's own network"
        }
    };
    let Some(address) = address else {
        return Some(Finding::failure(
            format!("{name} is {kind}, but has no IPv4 address: nobody reaches this node by it"),
            "sudo scripts/adhoc --undo, then --apply again, gives it one",
        ));
    };
    // A station's one neighbour is its access point.
    let dump = scene.host.tool(&["iw", "dev", name, "station", "dump"]).unwrap_or_default();
    let others = dump.lines().filter(|line| line.starts_with("Station ")).count();
    let what = format!("{name} is {kind} at {address}, with {others} other(s) on the link");
    Some(if others > 0 { Finding::good(what) } else { Finding::warning(what, ALONE_ADVICE) })
}

/// An interface's IPv4 address and the bits of its network; the tool says NAME STATE ADDRESS/BITS.
fn address(scene: &Scene, name: &str) -> Option<String> {
    let brief = scene.host.tool(&["ip", "-4", "-brief", "address", "show", "dev", name])?;
    Some(brief.split_whitespace().nth(2)?.to_owned())
}

#[cfg(test)]
#[path = "wifi_tests.rs"]
mod tests;
