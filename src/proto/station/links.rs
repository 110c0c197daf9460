//! Who can be reached by which link: peers by the identity of their sockets, whoever is behind them by the way that
//! their messages came, and everybody else through the station above.
//!
//! A link's identity is its own for as long as the link stands. A newcomer that calls itself the same is refused; that
//! the older one is dead is for TCP to find out (its end, a reset, or keep-alive probes that nobody answers). So nobody
//! takes another's messages by taking its name, and one that comes back after its power failed waits for the probes.

use std::collections::BTreeMap;

use crate::proto::LinkId;

/// Most names behind links that are remembered; those who come later are reached through the station above.
const ROUTES_MAX: usize = 4_096;

/// The station above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Above {
    pub(super) id: String,
    pub(super) link: Option<LinkId>,
}

/// Where a message goes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is for this station.
    Here,
    /// By this link, with these frames before the JSON.
    Link(LinkId, Vec<String>),
    /// Nobody knows.
    Nowhere,
}

#[derive(Debug)]
pub(super) struct Links {
    id: String,
    pub(super) above: Option<Above>,
    by_name: BTreeMap<String, LinkId>,
    names: BTreeMap<LinkId, String>,
    routes: BTreeMap<String, LinkId>,
}

impl Links {
    pub(super) fn new(id: String, above: Option<String>) -> Self {
        let above = above.map(|id| Above { id, link: None });
        Self { id, above, by_name: BTreeMap::new(), names: BTreeMap::new(), routes: BTreeMap::new() }
    }

    /// A peer says who it is; an error says why it cannot be that.
    pub(super) fn introduce(&mut self, link: LinkId, identity: &str) -> Result<(), String> {
        if identity.is_empty() || self.names.get(&link).is_some_and(|name| name == identity) {
            return Ok(());
        }
        if identity == self.id {
            return Err(format!("it calls itself {identity}, as this station is called"));
        }
        if self.by_name.contains_key(identity) {
            return Err(format!("it calls itself {identity}, as another link does that still stands"));
        }
        self.by_name.insert(identity.to_owned(), link);
        self.names.insert(link, identity.to_owned());
        self.routes.remove(identity);
        Ok(())
    }

    /// The link is gone, and all who were behind it.
    pub(super) fn down(&mut self, link: LinkId) {
        if let Some(name) = self.names.remove(&link) {
            self.by_name.remove(&name);
        }
        self.routes.retain(|_, by| *by != link);
        if let Some(above) = &mut self.above
            && above.link == Some(link)
        {
            above.link = None;
        }
    }

    /// `sender` spoke by this link: so it can be answered there.
    pub(super) fn learn(&mut self, sender: &str, link: LinkId) {
        let is_known = self.is_here(sender)
            || self.direct(sender).is_some()
            || self.is_above(link)
            || self.routes.get(sender) == Some(&link);
        if !is_known && (self.routes.len() < ROUTES_MAX || self.routes.contains_key(sender)) {
            self.routes.insert(sender.to_owned(), link);
        }
    }

    /// Whether a name is this station's: its own, or that of the agent within it.
    pub(super) fn is_here(&self, name: &str) -> bool {
        name == self.id || name.strip_prefix('_') == Some(&self.id)
    }

    /// Whether this is the link to the station above.
    pub(super) fn is_above(&self, link: LinkId) -> bool {
        self.above.as_ref().is_some_and(|above| above.link == Some(link))
    }

    /// The link of a peer by its identity; one that is an agent's own may stand for the agent within it.
    pub(super) fn direct(&self, name: &str) -> Option<LinkId> {
        let outer = || self.by_name.get(name.strip_prefix('_')?);
        self.by_name.get(name).or_else(outer).copied()
    }

    /// The link of exactly this identity.
    pub(super) fn exactly(&self, name: &str) -> Option<LinkId> {
        self.by_name.get(name).copied()
    }

    /// Peers that have said who they are.
    pub(super) fn count(&self) -> usize {
        self.by_name.len()
    }

    /// Names that are known to be behind them.
    pub(super) fn count_behind(&self) -> usize {
        self.routes.len()
    }

    /// What a path still has before it, on a link: without this station's own part. From below, the first frame is
    /// always this station, whatever it is called there; from above it need not be there at all.
    pub(super) fn rest<'a>(&self, from: LinkId, path: &'a [String]) -> &'a [String] {
        let mut rest = path;
        if self.is_above(from) {
            if let Some(at) = path.iter().take(2).position(|name| self.is_here(name)) {
                rest = path.get(at + 1..).unwrap_or_default();
            }
        } else {
            rest = path.get(1..).unwrap_or_default();
        }
        while let [first, more @ ..] = rest
            && self.is_here(first)
        {
            rest = more;
        }
        rest
    }

    /// The way of a message with these hops before it (the recipient is the last); `from` is the link that it came by.
    pub(super) fn way(&self, from: Option<LinkId>, rest: &[String]) -> Way {
        let (Some(next), Some(last)) = (rest.first(), rest.last()) else { return Way::Here };
        // What this station itself has for the agent within it goes to the one that bears that name.
        let is_within = from.is_none() && self.by_name.contains_key(next);
        if self.is_here(next) && !is_within {
            return Way::Here;
        }
        if let Some(link) = self.direct(next) {
            // An explicit path ends with the recipient said twice.
            return Way::Link(link, if next == last { Vec::new() } else { Self::through(next, rest) });
        }
        if let Some(link) = self.routes.get(next).copied().filter(|link| Some(*link) != from) {
            let path = self.names.get(&link).map(|child| Self::through(child, rest));
            return Way::Link(link, path.unwrap_or_default());
        }
        match &self.above {
            Some(Above { id, link: Some(link) }) if Some(*link) != from => {
                let first = if rest.len() > 1 && next == id { None } else { Some(id.clone()) };
                Way::Link(*link, first.into_iter().chain(rest.iter().cloned()).collect())
            }
            _ => Way::Nowhere,
        }
    }

    /// By which link a message of this station's own goes to `to`, if any.
    pub(super) fn link_to(&self, to: &str) -> Option<LinkId> {
        match self.way(None, &[to.to_owned()]) {
            Way::Link(link, _) => Some(link),
            Way::Here | Way::Nowhere => None,
        }
    }

    /// The frames of a message that `child` is to pass on. It reads them as if they had come from below: the first is
    /// who sent them, and to Autopilot's stations that is one who can be reached below from then on. So it must not be
    /// this station, to which they would send nothing more; it is the child itself, which does no harm.
    fn through(child: &str, rest: &[String]) -> Vec<String> {
        let hops = if rest.first().is_some_and(|first| first == child) { rest.get(1..) } else { Some(rest) };
        let hops = hops.unwrap_or_default().iter().cloned();
        [child.to_owned(), child.to_owned()].into_iter().chain(hops).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHILD: LinkId = LinkId(1);
    const OTHER: LinkId = LinkId(2);
    const UP: LinkId = LinkId(9);

    fn path(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// A station `pi` below `T`, with the children `cam` and `mic`; `far` is behind `cam`.
    fn links() -> Links {
        let mut links = Links::new("pi".into(), Some("T".into()));
        if let Some(above) = &mut links.above {
            above.link = Some(UP);
        }
        links.introduce(CHILD, "cam").unwrap();
        links.introduce(OTHER, "mic").unwrap();
        links.learn("far", CHILD);
        links
    }

    fn way(from: LinkId, frames: &str) -> Way {
        let (links, frames) = (links(), path(frames));
        links.way(Some(from), links.rest(from, &frames))
    }

    #[test]
    fn what_is_for_this_station_stays() {
        for frames in ["", "pi", "pi pi", "pi _pi", "wrong pi", "pi pi pi"] {
            assert_eq!(way(CHILD, frames), Way::Here, "{frames:?}");
        }
        for frames in ["", "pi", "_pi", "T pi", "pi pi"] {
            assert_eq!(way(UP, frames), Way::Here, "{frames:?}");
        }
    }

    #[test]
    fn from_a_child_down_aside_and_up() {
        assert_eq!(way(CHILD, "pi mic"), Way::Link(OTHER, vec![]));
        assert_eq!(way(CHILD, "pi _mic"), Way::Link(OTHER, vec![]));
        assert_eq!(way(CHILD, "pi T"), Way::Link(UP, path("T T")));
        assert_eq!(way(CHILD, "pi stranger"), Way::Link(UP, path("T stranger")));
        assert_eq!(way(OTHER, "pi far"), Way::Link(CHILD, path("cam cam far")));
    }

    #[test]
    fn an_explicit_path_is_followed_hop_by_hop() {
        assert_eq!(way(OTHER, "pi cam far far"), Way::Link(CHILD, path("cam cam far far")));
        assert_eq!(way(OTHER, "pi cam cam"), Way::Link(CHILD, vec![]));
        assert_eq!(way(CHILD, "pi T pi2 x x"), Way::Link(UP, path("T pi2 x x")));
    }

    #[test]
    fn from_above_with_and_without_this_stations_own_frames() {
        for frames in ["cam", "cam cam", "T pi cam", "pi cam", "T pi cam cam"] {
            assert_eq!(way(UP, frames), Way::Link(CHILD, vec![]), "{frames:?}");
        }
        for frames in ["far", "T pi far", "pi far"] {
            assert_eq!(way(UP, frames), Way::Link(CHILD, path("cam cam far")), "{frames:?}");
        }
        assert_eq!(way(UP, "T pi stranger"), Way::Nowhere, "not back where it came from");
    }

    #[test]
    fn a_name_is_its_links_until_that_goes() {
        let mut links = links();
        assert!(links.introduce(LinkId(3), "cam").unwrap_err().contains("still stands"));
        assert!(links.introduce(LinkId(3), "pi").unwrap_err().contains("this station"));
        assert_eq!(links.introduce(LinkId(3), ""), Ok(()), "an anonymous one is nobody's double");
        links.down(CHILD);
        assert_eq!(links.way(None, &path("far")), Way::Link(UP, path("T far")), "it went with cam");
        assert_eq!(links.introduce(LinkId(3), "cam"), Ok(()));
        links.down(UP);
        assert_eq!(links.way(None, &path("far")), Way::Nowhere);
    }

    #[test]
    fn a_name_is_not_taken_by_speaking_under_it() {
        let mut links = links();
        for name in ["mic", "_mic", "pi", "_pi"] {
            links.learn(name, CHILD);
        }
        assert_eq!(links.way(None, &path("mic")), Way::Link(OTHER, vec![]));
        assert_eq!(links.way(None, &path("_pi")), Way::Here);
        links.introduce(LinkId(4), "_pi").unwrap();
        assert_eq!(links.way(None, &path("_pi")), Way::Link(LinkId(4), vec![]), "its own agent");
        assert_eq!(links.way(Some(OTHER), &path("_pi")), Way::Here, "others mean the station by it");
        (0..2 * ROUTES_MAX).for_each(|n| links.learn(&format!("n{n}"), CHILD));
        assert_eq!(links.count_behind(), ROUTES_MAX);
    }
}
