//! What people and programs see of the findings.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value as Json, json};

use super::checks::{CHECKS, Check};
use super::finding::{Finding, Severity};
use crate::model::WallTime;

/// Findings, each with the name of its check.
pub(super) type Findings = Vec<(&'static str, Finding)>;

/// The widest mark and the widest name, in characters.
const MARK_WIDTH: usize = 4;
const NAME_WIDTH: usize = 8;

/// How a severity looks: what stands in front of the line, and its colour (ECMA-48, SGR).
fn mark(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Good => ("ok", "32"),
        Severity::Note => ("note", "36"),
        Severity::Warning => ("WARN", "33"),
        Severity::Failure => ("FAIL", "1;31"),
        Severity::Skipped => ("skip", "2"),
    }
}

/// One finding: a line, and a second one with what to do next.
pub(super) fn lines(check: &str, finding: &Finding, colour: bool) -> String {
    let (mark, code) = mark(finding.severity);
    let (on, off) = if colour { (format!("\u{1b}[{code}m"), "\u{1b}[0m") } else { (String::new(), "") };
    let mut text =
        format!("{on}{mark:<MARK_WIDTH$}{off}  {check:<NAME_WIDTH$}  {}\n", one_line(&finding.what));
    if let Some(next) = &finding.next_step {
        let indent = MARK_WIDTH + NAME_WIDTH + 4;
        text.push_str(&format!("{:indent$}next: {}\n", "", one_line(next)));
    }
    text
}

/// Names of nodes and words of peers may have anything in them, escape sequences too.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// How many of each, from the worst.
pub(super) fn summary(findings: &Findings) -> String {
    let count = |severity| findings.iter().filter(|(_, finding)| finding.severity == severity).count();
    let part = |severity: Severity| match (severity, count(severity)) {
        (Severity::Good | Severity::Skipped, count) => format!("{count} {severity}"),
        (severity, 1) => format!("1 {severity}"),
        (severity, count) => format!("{count} {severity}s"),
    };
    Severity::WORST_FIRST.map(part).join(", ")
}

/// The worst of all.
pub(super) fn worst(findings: &Findings) -> Severity {
    findings.iter().map(|(_, finding)| finding.severity).max().unwrap_or(Severity::Skipped)
}

/// All findings as one object.
pub(super) fn json(findings: &Findings, time: WallTime) -> Json {
    let finding = |(check, finding): &(&str, Finding)| {
        json!({
            "check": check,
            "severity": finding.severity.name(),
            "what": finding.what,
            "next": finding.next_step,
        })
    };
    let count = |severity: Severity| {
        let count = findings.iter().filter(|(_, finding)| finding.severity == severity).count();
        (severity.name().to_owned(), Json::from(count))
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "time": time.to_string(),
        "worst": worst(findings).name(),
        "counts": Severity::WORST_FIRST.map(count).into_iter().collect::<serde_json::Map<_, _>>(),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// All checks and what they look at.
pub(super) fn list(json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let row = |check: &Check| json!({"check": check.name, "about": check.about});
        serde_json::to_writer_pretty(&mut out, &CHECKS.iter().map(row).collect::<Vec<_>>())?;
        return Ok(writeln!(out)?);
    }
    for check in CHECKS {
        writeln!(out, "{:<NAME_WIDTH$}  {}", check.name, check.about)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Findings {
        vec![
            ("i2c", Finding::good("there")),
            ("bus", Finding::failure("nothing\u{1b}[2J answers", "check\nwires")),
            ("wifi", Finding::warning("weak", "move")),
            ("adhoc", Finding::skipped("none")),
        ]
    }

    #[test]
    fn lines_are_aligned_and_have_nothing_of_strangers_that_moves_the_cursor() {
        let text: String = some().iter().map(|(check, finding)| lines(check, finding, false)).collect();
        assert_eq!(
            text,
            "ok    i2c       there\n\
             FAIL  bus       nothing [2J answers\n                \
             next: check wires\n\
             WARN  wifi      weak\n                \
             next: move\n\
             skip  adhoc     none\n"
        );
        assert!(lines("i2c", &Finding::good("there"), true).starts_with("\u{1b}[32mok  \u{1b}[0m"));
        assert!(CHECKS.iter().all(|check| check.name.len() <= NAME_WIDTH));
    }

    #[test]
    fn the_sum_has_the_worst_first() {
        assert_eq!(summary(&some()), "1 failure, 1 warning, 0 notes, 1 good, 1 skipped");
        assert_eq!(worst(&some()), Severity::Failure);
        assert_eq!(worst(&Vec::new()), Severity::Skipped);
    }

    #[test]
    fn programs_get_one_object() {
        let json = json(&some(), WallTime::from_unix_micros(0));
        assert_eq!((&json["worst"], &json["counts"]["warning"]), (&"failure".into(), &1.into()));
        assert_eq!(json["findings"][1]["next"], "check\nwires");
        assert_eq!(json["findings"][0]["next"], Json::Null);
        assert_eq!(json["time"], "1970-01-01T00:00:00.000000Z");
    }
}
