//! Depth first through all that may happen, with each state looked at once.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::action::{Action, Fault};
use super::site::Site;
use super::*;

/// How far a search goes.
#[derive(Clone, Debug)]
pub(super) struct Scope<'a> {
    /// So many faults, each of this kind, in this order, each at any moment.
    pub(super) faults: &'a [Fault],
    /// A fault that ends has ended after so long.
    pub(super) trouble_max: Duration,
    /// More states than these are not looked at.
    pub(super) states_max: usize,
}

/// What a search saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) states: usize,
    pub(super) steps: usize,
    /// Steps of the longest run.
    pub(super) deepest: usize,
    /// Runs that came to a calm ring.
    pub(super) ends: usize,
    /// Nothing within the scope was left out.
    pub(super) is_all: bool,
}

/// A rule that was broken, and the way there.
pub(super) struct Broken {
    pub(super) what: String,
    first: Site,
    path: Vec<Action>,
    pub(super) seen: Seen,
}

struct Frame {
    site: Site,
    actions: Vec<Action>,
}

/// Looks at everything within the scope that may follow on `first`.
pub(super) fn search(first: &Site, scope: &Scope<'_>) -> Result<Seen, Box<Broken>> {
    let mut first = first.clone();
    first.faults_left = scope.faults.len();
    let mut seen = Seen { is_all: true, ..Seen::default() };
    let mut known = HashSet::from([first.fingerprint()]);
    let mut path: Vec<Action> = Vec::new();
    let mut frames = vec![Frame { actions: choices(&first, scope), site: first.clone() }];
    while let Some(frame) = frames.last_mut() {
        seen.deepest = seen.deepest.max(path.len());
        let Some(action) = frame.actions.pop() else {
            frames.pop();
            path.pop();
            continue;
        };
        if known.len() >= scope.states_max {
            seen.is_all = false;
            break;
        }
        let mut site = frame.site.clone();
        path.push(action);
        seen.steps += 1;
        let checked = catch_unwind(AssertUnwindSafe(|| site.step(action)))
            .unwrap_or_else(|_| Err("a machine panics".to_owned()))
            .and_then(|()| in_time(&site));
        seen.states = known.len();
        if let Err(what) = checked {
            return Err(Box::new(Broken { what, first, path, seen }));
        }
        seen.ends += usize::from(site.is_calm());
        if site.is_calm() || !known.insert(site.fingerprint()) {
            path.pop();
            continue;
        }
        let actions = choices(&site, scope);
        frames.push(Frame { site, actions });
    }
    Ok(seen)
}

/// The last is tried first: what is no fault and ends none.
fn choices(site: &Site, scope: &Scope<'_>) -> Vec<Action> {
    let until = site.trouble_at.map(|at| at + scope.trouble_max);
    let kind = scope.faults.len().checked_sub(site.faults_left).and_then(|next| scope.faults.get(next));
    let mut actions = kind.map(|kind| site.faults(*kind)).unwrap_or_default();
    let mut others = site.actions(until);
    others.sort_by_key(|action| !action.is_end());
    actions.extend(others);
    actions
}

/// docs/ring.md derives it: so long after the last fault all that live are one ring.
fn in_time(site: &Site) -> Result<(), String> {
    let hosts = u32::try_from(site.hosts.len()).unwrap_or(u32::MAX);
    let bound = 2 * site.patience + Duration::from_secs(4) + hosts * Duration::from_millis(900);
    let time = site.now.saturating_since(site.changed_at);
    if site.trouble_at.is_some() || site.is_one_ring() || time <= bound {
        return Ok(());
    }
    Err(format!("no ring of all that live after {time:?}, which is longer than {bound:?}"))
}

/// The way step by step: when, what, and how each machine then stands.
impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, after {} states, by these steps: {:?}", self.what, self.seen.states, self.path)?;
        let mut site = self.first.clone();
        for action in &self.path {
            writeln!(f, "{:>10.3} ms  {action:?} {}", site.now.as_micros() as f64 / 1e3, site.told(*action))?;
            if catch_unwind(AssertUnwindSafe(|| site.step(*action))).is_err() {
                break;
            }
            for (host, ring) in site.living() {
                let state = format!("{:?}", ring.state);
                let state: String = state.chars().take(120).collect();
                writeln!(f, "{:>16} pi-{host} {} {:?} {state}", "", ring.is_member, ring.latest)?;
            }
        }
        Ok(())
    }
}
