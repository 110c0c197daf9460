//! Links come and go: each part of the node that may have one hears of it.

use core::net::IpAddr;

use super::Node;
use crate::model::Now;
use crate::proto::{Far, LinkId};

impl Node {
    pub(super) fn link_up(&mut self, now: Now, link: LinkId, far: Option<Far>, remote: IpAddr) {
        self.guests.link_up(link, remote);
        match far {
            Some(Far::Duty(peer)) => self.duty.link_up(now, peer, link),
            Some(Far::Lab(ix)) => self.drive_lab(now, |lab| lab.link_up(now.mono, ix, link, remote)),
            Some(Far::Zre(peer)) => self.tell_zre(now, |zre| zre.link_up(peer, link)),
            Some(Far::Station(_)) => self.station_link_up(link),
            None => {}
        }
    }

    pub(super) fn link_failed(&mut self, now: Now, far: Far, why: &str) {
        match far {
            Far::Duty(peer) => self.duty.link_failed(now, peer, why),
            Far::Lab(ix) => self.drive_lab(now, |lab| lab.link_failed(now.mono, ix, why)),
            Far::Zre(peer) => self.tell_zre(now, |zre| zre.link_failed(now.mono, peer)),
            Far::Station(_) => self.station_link_failed(now, why),
        }
    }

    pub(super) fn link_down(&mut self, now: Now, link: LinkId, why: &str) {
        self.forget(link);
        self.duty.link_down(now, link, why);
        self.lab.link_down(link);
        self.tell_zre(now, |zre| zre.link_down(now.mono, link));
        self.station_link_down(now, link, why);
    }
}
