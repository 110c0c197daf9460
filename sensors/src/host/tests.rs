use tempfile::TempDir;

use super::*;

/// A machine that has these files.
fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    files.iter().for_each(|(path, text)| put(&root, path, text));
    root
}

fn put(root: &TempDir, path: &str, text: &str) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Name, unit and value of everything but the disk, of which no test knows the size.
fn measured(host: &Host) -> Vec<(&str, &str, Result<f64, Fault>)> {
    let samples = host.measure();
    assert!(samples.iter().enumerate().all(|(index, sample)| sample.quantity == index));
    let with_names = host.quantities().iter().zip(samples);
    let all = with_names.map(|(quantity, sample)| (quantity.name.as_str(), quantity.unit, sample.value));
    all.filter(|(name, ..)| *name != "disk_free").collect()
}

const PI: [(&str, &str); 5] = [
    (SOC_TEMPERATURE, "48312\n"),
    (LOAD, "0.52 0.58 0.59 1/467 12345\n"),
    (MEMORY, "MemTotal:        3884372 kB\nMemFree:          100000 kB\nMemAvailable:    2000000 kB\n"),
    (
        WIRELESS,
        "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n \
         face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n \
         wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0\n",
    ),
    (THROTTLED, "50005\n"),
];

#[test]
fn a_pi_has_everything() {
    let root = machine(&PI);
    let host = Host::open(root.path(), root.path());
    assert_eq!(
        measured(&host),
        [
            ("soc_temperature", "Cel", Ok(48.312)),
            ("load", "", Ok(0.52)),
            ("memory_free", "B", Ok(2_048_000_000.0)),
            ("wifi_signal", "dBm", Ok(-56.0)),
            ("under_voltage", "", Ok(1.0)),
            ("throttled", "", Ok(1.0)),
            ("under_voltage_seen", "", Ok(1.0)),
        ]
    );
    put(&root, THROTTLED, "0x50000\n");
    let flags: Vec<_> = measured(&host).into_iter().rev().take(3).map(|(.., value)| value).collect();
    assert_eq!(flags, [Ok(1.0), Ok(0.0), Ok(0.0)]);
}

#[test]
fn a_supply_monitor_will_do() {
    let root = machine(&[
        ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
        ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
        ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
    ]);
    let host = Host::open(root.path(), root.path());
    assert_eq!(measured(&host), [("under_voltage", "", Ok(1.0))]);
}

#[test]
fn what_a_machine_does_not_have_is_no_quantity_of_it() {
    let wireless_without_interfaces = "Inter-|\n face |\n";
    let root = machine(&[(WIRELESS, wireless_without_interfaces), (LOAD, "0.1 0 0 1/1 1\n")]);
    let host = Host::open(root.path(), root.path());
    assert_eq!(measured(&host), [("load", "", Ok(0.1))]);
}

#[test]
fn what_goes_away_is_absent_and_what_says_nonsense_is_out_of_range() {
    let root = machine(&PI);
    let host = Host::open(root.path(), root.path());
    put(&root, LOAD, "much\n");
    put(&root, SOC_TEMPERATURE, "nan\n");
    put(&root, THROTTLED, "");
    put(&root, MEMORY, &" ".repeat(100_000));
    fs::remove_file(root.path().join(WIRELESS)).unwrap();
    let values: Vec<_> = measured(&host).into_iter().map(|(.., value)| value).collect();
    let range = Err(Fault::Range);
    assert_eq!(values, [range, range, range, Err(Fault::Absent), range, range, range]);
}

#[test]
fn the_disk_is_measured_and_can_be_missing() {
    let root = machine(&[]);
    let free = |host: &Host| host.measure()[0].value;
    let host = Host::open(root.path(), root.path());
    assert_eq!(host.quantities(), [Quantity::new("disk_free", "B")]);
    assert!(free(&host).unwrap() > 0.0);
    let missing = Host::open(root.path(), &root.path().join("nowhere"));
    assert_eq!(free(&missing), Err(Fault::Absent));
}

#[test]
fn this_machine_has_load_and_memory() {
    let host = Host::open(Path::new("/"), Path::new("/"));
    let names: Vec<&str> = host.quantities().iter().map(|quantity| quantity.name.as_str()).collect();
    assert!(
        names.contains(&"load") && names.contains(&"memory_free") && names.contains(&"disk_free"),
        "{names:?}"
    );
    assert!(host.measure().iter().all(|sample| sample.value.is_ok()));
}
