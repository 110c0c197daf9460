use super::*;

type Curve = fn(&World, SimTime) -> f64;

/// Each quantity with its legal range, how much it must move in a day, and how much in ten seconds.
const CURVES: [(&str, Curve, f64, f64, f64, f64); 7] = [
    ("temperature", World::temperature_cel, 5.0, 35.0, 8.0, 0.01),
    ("humidity", World::humidity_percent, 3.0, 99.0, 15.0, 0.03),
    ("pressure", World::pressure_pa, 98_000.0, 104_000.0, 50.0, 0.5),
    ("light", World::light_lux, 5.0, 54_612.0, 10_000.0, 0.04),
    ("soil moisture", World::soil_moisture_raw, 200.0, 2_000.0, 40.0, 0.5),
    ("soil temperature", World::soil_temperature_cel, 5.0, 30.0, 3.0, 0.004),
    ("wind", World::wind_m_per_s, 0.0, 32.4, 3.0, 0.1),
];

/// An evening in May 2026.
const START: SimTime = SimTime::from_micros(1_780_000_000_000_000);

fn spread(curve: Curve, world: &World, step_micros: i64, steps: i64) -> (f64, f64) {
    let values = (0..steps).map(|n| curve(world, SimTime::from_micros(START.micros() + n * step_micros)));
    values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
}

#[test]
fn every_quantity_stays_plausible_and_moves_over_a_day_and_over_ten_seconds() {
    for seed in 0..20 {
        let world = World::new(seed);
        for (name, curve, least, most, day, ten_seconds) in CURVES {
            let (low, high) = spread(curve, &world, 60_000_000, 1_440);
            assert!(low >= least && high <= most, "{name} of seed {seed}: {low} to {high}");
            assert!(high - low >= day, "{name} of seed {seed} moves by {} in a day", high - low);
            let (low, high) = spread(curve, &world, 100_000, 100);
            assert!(high - low >= ten_seconds, "{name} of seed {seed} moves by {} in 10 s", high - low);
        }
    }
}

#[test]
fn no_quantity_jumps() {
    let world = World::new(7);
    for (name, curve, ..) in CURVES {
        let (low, high) = spread(curve, &world, 60_000_000, 1_440);
        let mut before = curve(&world, START);
        for n in 1..36_000 {
            let value = curve(&world, SimTime::from_micros(START.micros() + n * 100_000));
            assert!(
                (value - before).abs() < 0.2 * (high - low),
                "{name} jumps by {} in 0.1 s",
                value - before
            );
            before = value;
        }
    }
}

#[test]
fn a_seed_gives_one_world_and_two_seeds_give_two() {
    for (name, curve, ..) in CURVES {
        assert_eq!(curve(&World::new(3), START).to_bits(), curve(&World::new(3), START).to_bits());
        assert!(
            curve(&World::new(3), START) != curve(&World::new(4), START),
            "{name} is the same in two worlds"
        );
    }
}

#[test]
fn times_before_the_epoch_and_at_the_ends_are_finite() {
    for micros in [i64::MIN, -1, 0, i64::MAX] {
        for (name, curve, ..) in CURVES {
            assert!(curve(&World::new(1), SimTime::from_micros(micros)).is_finite(), "{name} at {micros}");
        }
    }
}

#[test]
fn humidity_goes_against_temperature() {
    let world = World::new(5);
    let at = |hour: i64| SimTime::from_micros(hour * 3_600_000_000);
    assert!(world.temperature_cel(at(15)) > world.temperature_cel(at(4)));
    assert!(world.humidity_percent(at(15)) < world.humidity_percent(at(4)));
}
