//! What quantities and units are called on a picture.

/// A panel's heading is cut after so many characters: quantities are named by peers, too.
const HEADING_CHARS_MAX: usize = 60;

/// A heading such as `Temperature (°C)`; `factor` stands before the unit, as in `Free memory (10⁹ B)`.
pub(super) fn heading(quantity: &str, unit: &str, factor: &str) -> String {
    let unit = symbol(quantity, unit);
    let between = if factor.is_empty() || unit.is_empty() { "" } else { " " };
    let name = name(quantity);
    if factor.is_empty() && unit.is_empty() {
        return name;
    }
    let unit: String = unit.chars().take(HEADING_CHARS_MAX / 4).collect();
    format!("{name} ({factor}{between}{unit})")
}

/// A quantity in words.
fn name(quantity: &str) -> String {
    let known = match quantity {
        "humidity" | "relative_humidity" => "Relative humidity",
        "soc_temperature" => "SoC temperature",
        "load" => "Load, 1 minute",
        "wifi_signal" => "Wi-Fi signal",
        "under_voltage" => "Under-voltage",
        _ => "",
    };
    if !known.is_empty() {
        return known.into();
    }
    if let Some(input) = quantity.strip_prefix("ain").filter(|n| !n.is_empty()) {
        return format!("Analog input {}", input.chars().take(HEADING_CHARS_MAX).collect::<String>());
    }
    let mut words = String::new();
    for c in quantity.chars().take(HEADING_CHARS_MAX) {
        match c {
            '_' => words.push(' '),
            c if words.is_empty() => words.extend(c.to_uppercase()),
            c => words.push(c),
        }
    }
    words
}

/// The sign of a SenML unit (RFC 8428 section 12.1, RFC 8798).
fn symbol<'a>(quantity: &str, unit: &'a str) -> &'a str {
    match (unit, quantity) {
        ("Cel", _) => "°C",
        ("Ohm", _) => "Ω",
        ("deg", _) => "°",
        ("/", _) => "ratio",
        ("", "soil_moisture") => "raw",
        (other, _) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_read_well() {
        for (quantity, unit, factor, text) in [
            ("temperature", "Cel", "", "Temperature (°C)"),
            ("humidity", "%RH", "", "Relative humidity (%RH)"),
            ("soil_moisture", "", "", "Soil moisture (raw)"),
            ("wind_speed", "m/s", "", "Wind speed (m/s)"),
            ("ain2", "V", "", "Analog input 2 (V)"),
            ("free_memory", "B", "10⁹", "Free memory (10⁹ B)"),
            ("count", "", "", "Count"),
            ("count", "", "10⁶", "Count (10⁶)"),
            ("", "", "", ""),
        ] {
            assert_eq!(heading(quantity, unit, factor), text);
        }
        assert!(heading(&"x".repeat(10_000), &"y".repeat(10_000), "").chars().count() < 100);
    }
}
