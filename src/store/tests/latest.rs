//! The newest reading of each channel.

use super::*;

fn told(store: &mut Store) -> Vec<(String, String, i64, Value)> {
    let list = store.latest().unwrap();
    let row = |reading: &LatestReading| {
        let (channel, seconds) = (&reading.channel, (reading.time.as_unix_micros() - DAY) / 1_000_000);
        (channel.node.to_string(), channel.quantity.clone(), seconds, reading.value)
    };
    list.iter().map(row).collect()
}

fn newest(node: &str, journal: u64, quantity: &str, seq: u64) -> (String, String, i64, Value) {
    (node.to_owned(), quantity.to_owned(), seq as i64, value_at(journal, seq))
}

#[test]
fn each_channel_has_its_newest_committed_reading() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    assert_eq!(told(&mut store), []);
    append(&mut store, 20);
    take(&mut store, "pi-2", 0xb, 1, 5);
    assert_eq!(told(&mut store), [], "nothing is committed");
    store.commit().unwrap();
    let pi_2 = [newest("pi-2", 0xb, "humidity", 5), newest("pi-2", 0xb, "temperature", 4)];
    let sink = [newest("sink", 0xa, "humidity", 19), newest("sink", 0xa, "temperature", 20)];
    assert_eq!(told(&mut store), [&pi_2[..], &sink].concat());
    append(&mut store, 1);
    store.roll_back();
    assert_eq!(told(&mut store), [&pi_2[..], &sink].concat());
    append(&mut store, 1);
    store.commit().unwrap();
    let sink = [newest("sink", 0xa, "humidity", 21), newest("sink", 0xa, "temperature", 20)];
    assert_eq!(told(&mut store), [&pi_2[..], &sink].concat());
    store.close().unwrap();
    assert_eq!(told(&mut open(dir.path())), [&pi_2[..], &sink].concat(), "a new process finds them too");
}

#[test]
fn of_two_journals_of_one_name_the_later_reading_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-2", 0xb, 1, 9);
    store.commit().unwrap();
    told(&mut store);
    // A new card, and an older journal that is caught up with.
    take(&mut store, "pi-2", 0xc, 1, 4);
    take(&mut store, "pi-2", 0xb, 10, 1);
    store.commit().unwrap();
    assert_eq!(
        told(&mut store),
        [newest("pi-2", 0xb, "humidity", 9), newest("pi-2", 0xb, "temperature", 10)]
    );
}
