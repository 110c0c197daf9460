//! The pilots that a terminal has heard of, and how they said they are.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::words;

/// Pilots that are remembered; a site has tens.
pub(super) const PILOTS_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Pilots {
    known: BTreeMap<String, Pilot>,
}

#[derive(Debug, Default)]
struct Pilot {
    state: String,
    ip: String,
}

impl Pilots {
    /// `id` says how it is; whether that is news.
    pub(super) fn says(&mut self, id: &str, state: Option<&Json>, ip: Option<&str>) -> bool {
        if !self.known.contains_key(id) && self.known.len() >= PILOTS_MAX {
            return false;
        }
        let is_new = !self.known.contains_key(id);
        let pilot = self.known.entry(id.to_owned()).or_default();
        let state = state.map(plain);
        let is_news = is_new || state.as_ref().is_some_and(|state| *state != pilot.state);
        if let Some(state) = state {
            pilot.state = state;
        }
        if let Some(ip) = ip {
            pilot.ip = words(ip);
        }
        is_news
    }

    /// How one said it is.
    pub(super) fn state(&self, id: &str) -> &str {
        self.known.get(id).map_or("", |pilot| &pilot.state)
    }

    /// All of them.
    pub(super) fn names(&self) -> Vec<String> {
        self.known.keys().cloned().collect()
    }

    pub(super) fn status(&self) -> Json {
        let told =
            |(id, pilot): (&String, &Pilot)| (id.clone(), json!({ "state": pilot.state, "ip": pilot.ip }));
        Json::Object(self.known.iter().map(told).collect())
    }
}

/// A state as a word.
fn plain(state: &Json) -> String {
    match state {
        Json::Null => String::new(),
        Json::String(text) => words(text),
        other => words(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_is_told_once_and_the_number_is_bounded() {
        let mut pilots = Pilots::default();
        assert!(pilots.says("p1", None, Some("10.0.0.7")) && !pilots.says("p1", None, None));
        let running = Json::from("RUNNING");
        assert!(pilots.says("p1", Some(&running), None) && !pilots.says("p1", Some(&running), None));
        assert_eq!(pilots.status(), json!({"p1": {"state": "RUNNING", "ip": "10.0.0.7"}}));
        let told = (0..2 * PILOTS_MAX).filter(|n| pilots.says(&format!("x{n}"), None, None)).count();
        assert_eq!((told, pilots.names().len()), (PILOTS_MAX - 1, PILOTS_MAX));
    }
}
