use proptest::prelude::*;

use super::*;

const MS: i64 = 1_000;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One simulated chip: its interval, how long each transfer takes, and how long it converts.
#[derive(Clone, Copy, Debug)]
struct Chip {
    interval: Duration,
    transfer: Duration,
    conversion: Duration,
}

const fn chip(interval_ms: u64, transfer_ms: u64, conversion_ms: u64) -> Chip {
    Chip {
        interval: Duration::from_millis(interval_ms),
        transfer: Duration::from_millis(transfer_ms),
        conversion: Duration::from_millis(conversion_ms),
    }
}

/// Runs the chips until `until_us`; gives the times at which each was started, and the ticks that each missed.
fn run(chips: &[Chip], until_us: i64) -> (Vec<Vec<i64>>, Vec<u64>) {
    let mut rota = Rota::new(chips.iter().map(|chip| chip.interval));
    let mut starts = vec![Vec::new(); chips.len()];
    let mut missed = vec![0; chips.len()];
    let mut now_us = 0;
    while now_us < until_us {
        match rota.next(now_us) {
            Action::Start(index) => {
                starts[index].push(now_us);
                now_us += micros(chips[index].transfer);
                rota.measuring(index, now_us, chips[index].conversion);
            }
            Action::Read(index) => {
                now_us += micros(chips[index].transfer);
                missed[index] += rota.finished(index, now_us);
            }
            Action::WaitUntil(wake_us) => {
                assert!(wake_us > now_us, "it would spin");
                now_us = wake_us;
            }
        }
    }
    (starts, missed)
}

#[test]
fn the_first_measurements_start_at_once_one_after_the_other() {
    let mut rota = Rota::new([ms(1_000), ms(2_000)]);
    assert_eq!(rota.next(5), Action::Start(0));
    assert_eq!(rota.next(5), Action::Start(0), "until it is reported");
    rota.measuring(0, 6, ms(10));
    assert_eq!(rota.next(6), Action::Start(1));
    rota.measuring(1, 7, ms(1));
    assert_eq!(rota.next(7), Action::WaitUntil(7 + MS));
    assert_eq!(rota.next(7 + MS), Action::Read(1));
    assert_eq!(rota.finished(1, 8 + MS), 0);
    assert_eq!(rota.next(6 + 10 * MS), Action::Read(0));
    rota.measuring(0, 20 * MS, ms(5));
    assert_eq!(rota.next(20 * MS), Action::WaitUntil(25 * MS), "it wants to be read again");
}

#[test]
fn ticks_count_from_the_first_start_and_do_not_drift() {
    let (starts, missed) = run(&[chip(100, 1, 30)], 1_000 * MS);
    let ticks: Vec<i64> = (0..10).map(|tick| tick * 100 * MS).collect();
    assert_eq!((starts, missed), (vec![ticks], vec![0]));
}

#[test]
fn a_slow_chip_delays_nobody() {
    let (starts, missed) = run(&[chip(100, 1, 2_000), chip(50, 1, 5)], 10_000 * MS);
    assert!(starts[0].len() >= 4, "it is measured all the same");
    assert_eq!(missed[1], 0);
    assert_eq!(starts[1].len(), 200);
    for pair in starts[1].windows(2) {
        let late_us = pair[1] - pair[0] - 50 * MS;
        assert!(late_us.abs() <= 2 * MS, "late by {late_us} microseconds");
    }
}

#[test]
fn missed_ticks_are_skipped_and_counted() {
    let (starts, missed) = run(&[chip(100, 1, 250)], 1_000 * MS);
    assert_eq!(starts, [[0, 300 * MS, 600 * MS, 900 * MS]]);
    assert_eq!(missed, [6], "two for each of the three that are over");
}

#[test]
fn a_long_sleep_of_the_machine_makes_no_burst() {
    let mut rota = Rota::new([ms(10)]);
    rota.next(0);
    assert_eq!(rota.finished(0, 2 * MS), 0);
    assert_eq!(rota.next(3_600_000 * MS), Action::Start(0));
    rota.measuring(0, 3_600_000 * MS, ms(1));
    assert_eq!(rota.finished(0, 3_600_001 * MS), 359_999);
    assert_eq!(rota.next(3_600_001 * MS), Action::WaitUntil(3_600_010 * MS));
}

#[test]
fn a_failed_start_is_over_until_the_next_tick() {
    let mut rota = Rota::new([ms(100)]);
    assert_eq!(rota.next(0), Action::Start(0));
    rota.finished(0, MS);
    assert_eq!(rota.next(MS), Action::WaitUntil(100 * MS));
}

#[test]
fn nobody_and_nonsense_are_no_trouble() {
    let mut rota = Rota::new([]);
    assert_eq!(rota.next(0), Action::WaitUntil(i64::MAX));
    rota.measuring(3, 0, ms(1));
    assert_eq!(rota.finished(3, 0), 0);
    let mut rota = Rota::new([Duration::ZERO, Duration::MAX, ms(1_000_000)]);
    rota.measuring(0, 0, Duration::MAX);
    rota.finished(1, i64::MAX);
    assert_eq!(rota.next(0), Action::Start(2));
    rota.finished(2, 0);
    assert_eq!(rota.next(0), Action::WaitUntil(1_000_000 * MS));
    rota.finished(0, i64::MAX);
}

proptest! {
    #[test]
    fn every_chip_has_its_turn(
        chips in prop::collection::vec((20_u64..500, 0_u64..3, 0_u64..800), 1..6)
    ) {
        let chips: Vec<Chip> = chips.into_iter().map(|(every, transfer, wait)| chip(every, transfer, wait)).collect();
        let until_us = 20_000 * MS;
        let (starts, missed) = run(&chips, until_us);
        // Nobody waits for the bus longer than everybody's transfers take.
        let bus_us: i64 = chips.iter().map(|chip| 2 * micros(chip.transfer)).sum();
        for ((chip, starts), missed) in chips.iter().zip(&starts).zip(missed) {
            let longest_us = micros(chip.conversion) + micros(chip.interval) + 2 * bus_us + MS;
            for pair in starts.windows(2) {
                prop_assert!(pair[1] - pair[0] <= longest_us, "{chip:?} waited {} us", pair[1] - pair[0]);
            }
            // Every tick was either begun or missed, and none was both.
            let interval_us = micros(chip.interval).unsigned_abs();
            let ticks = starts.len() as u64 + missed;
            let due = until_us.unsigned_abs() / interval_us + 1;
            let slack = longest_us.unsigned_abs() / interval_us + 2;
            prop_assert!(ticks <= due + slack && ticks + slack >= due, "{chip:?}: {ticks} of {due}");
        }
    }
}
