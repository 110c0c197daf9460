//! What the node is to do: its settings as they apply, where they come from, and the role that somebody gave it while
//! it ran. Knows what may follow from a message, a signal or a kept role; carries nothing out.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Value as Json, json};

use super::kept_role::{self, Keep};
use super::plotter::Drawing;
use super::settings::{AccessSettings, RoleSettings, Settings, Source, ZreSettings};
use super::store_thread::StoreSettings;
use crate::model::{RoleAnswer, RoleName, RoleOrder, RoleOrigin, RoleRequest};
use crate::store::Retention;

/// What the node is to do.
pub(crate) struct Plan {
    /// As they apply.
    settings: Settings,
    /// The role that the settings name.
    configured: RoleSettings,
    /// Where it was told to listen: with port 0, it listens elsewhere.
    listen: String,
    source: Source,
    /// The role that it was given beside the settings, while it runs or before.
    order: Option<RoleRequest>,
    /// The role that its data folder keeps.
    kept: Option<RoleRequest>,
}

/// A role that is to be taken up.
pub(crate) struct RoleChange {
    /// The role.
    pub(crate) role: RoleSettings,
    /// What is to become of the kept one first.
    pub(crate) keep: Option<Keep>,
    order: Option<RoleRequest>,
    kept: Option<RoleRequest>,
}

/// Settings that were read again.
pub(crate) struct Reread {
    /// As they can apply, with the role as it is until that has changed.
    pub(crate) settings: Settings,
    /// The role that follows from them.
    pub(crate) role: RoleChange,
    /// What has changed, in words.
    pub(crate) changed: Vec<String>,
    /// What has changed and cannot apply before the next start.
    pub(crate) cannot: Vec<String>,
    configured: RoleSettings,
    source: Source,
}

impl Plan {
    /// Begins with the role that is kept, if one is and nobody wants another.
    pub(crate) fn new(settings: Settings, source: Source) -> Self {
        let kept = kept_role::read(&settings.data).unwrap_or_else(|why| {
            log::error!("{why}: the role that was kept there is not taken up; delete the file or mend it");
            None
        });
        let (configured, listen) = (settings.role.clone(), settings.listen.clone());
        let mut plan = Self { settings, configured, listen, source, order: None, kept };
        plan.take_up_kept();
        plan
    }

    fn take_up_kept(&mut self) {
        let Some(kept) = &self.kept else { return };
        let configured = self.configured.name();
        if self.source.role_is_given {
            log::warn!(
                "the role {} that was kept here gives way to {configured}, which a flag or the environment names",
                kept.role
            );
            return;
        }
        match (self.source.role)(kept) {
            Ok(role) => {
                log::info!(
                    "the role is {}, which was kept here, not {configured} as the settings say; back with `pisink role \
                     ADDRESS configured`",
                    kept.role
                );
                self.settings.role = role;
                self.order = Some(kept.clone());
            }
            Err(error) => {
                log::error!(
                    "the role {} that was kept here cannot be: {error:#}; it is {configured}",
                    kept.role
                );
            }
        }
    }

    /// The settings as they apply.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where the node really listens: should it begin anew, it goes on where the peers know it to be.
    pub(crate) fn listens_on(&mut self, address: String) {
        self.settings.listen = address;
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.settings.data
    }

    /// What is to be drawn. A ring's config is the same on every node; it is drawn where readings come together.
    pub(crate) fn drawing(&self) -> Option<Drawing> {
        let role = &self.settings.role;
        let is_drawn = role.collects() || matches!(role, RoleSettings::Secondary);
        let plots = self.settings.plots.as_ref().filter(|_| is_drawn)?.clone();
        Some(Drawing { plots, waits: role.is_standby() })
    }

    /// How the store is to work.
    pub(crate) fn store_settings(&self) -> StoreSettings {
        StoreSettings {
            flush_interval: self.settings.flush_interval,
            retention: Retention {
                max_age: self.settings.keep_for,
                max_bytes: Some(self.settings.keep_bytes),
                sink: self.settings.role.is_sink(),
            },
        }
    }

    /// What follows from an order; `None` when only an answer does.
    pub(crate) fn change(&self, order: RoleOrder) -> Result<Option<RoleChange>> {
        let change = match order {
            RoleOrder::Tell => return Ok(None),
            RoleOrder::Configured => RoleChange {
                role: self.configured.without_token(),
                keep: Some(Keep::new(self.data(), None)),
                order: None,
                kept: None,
            },
            RoleOrder::Become(request) => {
                let role = (self.source.role)(&request)?;
                // The token is made now, and not again at the next start.
                let order = RoleRequest { makes_token: false, ..request };
                let kept = if order.keep { Some(order.clone()) } else { self.kept.clone() };
                let keep = order.keep.then(|| Keep::new(self.data(), Some(order.clone())));
                RoleChange { role, keep, order: Some(order), kept }
            }
        };
        Ok(Some(change))
    }

    /// Whether this would be another role than the present one.
    pub(crate) fn is_another(&self, role: &RoleSettings) -> bool {
        role.without_token() != self.settings.role.without_token()
    }

    /// The node has this role now.
    pub(crate) fn changed(&mut self, change: RoleChange) {
        self.settings.role = change.role.without_token();
        (self.order, self.kept) = (change.order, change.kept);
    }

    /// Reads the settings again, and says what follows.
    pub(crate) fn reread(&self) -> Result<Reread> {
        let Some(again) = &self.source.again else { bail!("there is no config to be read again") };
        let (read, source) = again()?;
        let (now, configured) = (&self.settings, read.role.clone());
        let mut cannot = Vec::new();
        let mut stays = |key: &str, is: &dyn std::fmt::Display, wanted: &dyn std::fmt::Display| {
            if is.to_string() != wanted.to_string() {
                cannot.push(format!("{key} stays {is} until the node is started again, then it is {wanted}"));
            }
        };
        stays("name", &now.name, &read.name);
        stays("listen", &self.listen, &read.listen);
        stays("what is open at ports", &Opened(&now.access), &Opened(&read.access));
        stays("zre", &Peered(&now.zre), &Peered(&read.zre));
        stays("data", &now.data.display(), &read.data.display());
        if now.lab != read.lab {
            cannot.push("what concerns the lab's programs stays until the node is started again".to_owned());
        }
        if now.autopilot != read.autopilot {
            cannot.push(
                "the part in Autopilot's network stays as it is until the node is started again".to_owned(),
            );
        }
        let role = match &self.order {
            None => configured.without_token(),
            Some(order) => (source.role)(order)?,
        };
        if self.order.is_some() && configured.role() != role.role() {
            cannot.push(format!(
                "role stays {}, as the node was told to be; `pisink role ADDRESS configured` makes it {}",
                role.name(),
                configured.name()
            ));
        }
        let settings = Settings {
            name: now.name.clone(),
            listen: now.listen.clone(),
            access: AccessSettings { allow: read.access.allow, ..now.access.clone() },
            zre: now.zre.clone(),
            data: now.data.clone(),
            role: now.role.clone(),
            lab: now.lab.clone(),
            autopilot: now.autopilot.clone(),
            ..read
        };
        let mut changed = differences(now, &settings);
        if self.is_another(&role) {
            changed.push(format!("the role, which is {}", role.name()));
        }
        let role = RoleChange { role, keep: None, order: self.order.clone(), kept: self.kept.clone() };
        Ok(Reread { settings, role, changed, cannot, configured, source })
    }

    /// These settings apply from now on. What is still to change is the role.
    pub(crate) fn apply(&mut self, reread: Reread) -> RoleChange {
        let Reread { settings, role, configured, source, .. } = reread;
        (self.settings, self.configured, self.source) = (settings, configured, source);
        role
    }

    fn origin(&self) -> RoleOrigin {
        match &self.order {
            None => RoleOrigin::Settings,
            Some(order) if order.keep => RoleOrigin::Kept,
            Some(_) => RoleOrigin::Command,
        }
    }

    fn next_start(&self) -> RoleName {
        let kept = self.kept.as_ref().filter(|_| !self.source.role_is_given);
        kept.map_or(self.configured.role(), |kept| kept.role)
    }

    /// The role as it is, in answer to who asked.
    pub(crate) fn answer(&self) -> RoleAnswer {
        let in_vain =
            "it is kept, but a flag or the environment names a role at each start, and that will win";
        let is_in_vain = self.origin() == RoleOrigin::Kept && self.source.role_is_given;
        let standby = match &self.settings.role {
            RoleSettings::Primary { standby: Some(standby), .. } => {
                Some(format!("it stands by for {}", standby.before.join(", ")))
            }
            _ => None,
        };
        let notes: Vec<String> = standby.into_iter().chain(is_in_vain.then(|| in_vain.to_owned())).collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        RoleAnswer {
            re: String::new(),
            role: self.settings.role.role(),
            origin: self.origin(),
            peers: self.settings.role.peers().to_vec(),
            next_start: self.next_start(),
            note,
        }
    }

    /// The same for the status.
    pub(crate) fn status(&self) -> Json {
        json!({ "role_origin": self.origin().as_str(), "role_at_next_start": self.next_start().as_str() })
    }
}

/// What is open to everybody, in words.
struct Opened<'a>(&'a AccessSettings);

impl std::fmt::Display for Opened<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.open)?;
        self.0.more.iter().try_for_each(|port| write!(f, " {}={}", port.open, port.address))
    }
}

/// Where it is a peer of ZRE, in words.
struct Peered<'a>(&'a Option<ZreSettings>);

impl std::fmt::Display for Peered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str("off"),
            Some(zre) => {
                let groups = zre.groups.join(", ");
                let finds = if zre.discover { ", polling whom it finds" } else { "" };
                write!(f, "on at {}, in [{groups}], described as {:?}{finds}", zre.interface, zre.description)
            }
        }
    }
}

/// What is otherwise, by the words of the config. The role is not among them.
fn differences(before: &Settings, after: &Settings) -> Vec<String> {
    let mut changed = Vec::new();
    if before.buses != after.buses {
        changed.push("the chips".to_owned());
    }
    if before.host != after.host {
        changed.push(format!("host, which is {}", after.host));
    }
    if before.interval != after.interval {
        changed.push(format!("interval, which is {:?}", after.interval));
    }
    if before.flush_interval != after.flush_interval {
        changed.push(format!("flush_interval, which is {:?}", after.flush_interval));
    }
    if (before.keep_for, before.keep_bytes) != (after.keep_for, after.keep_bytes) {
        changed.push("what is kept".to_owned());
    }
    if before.access.allow != after.access.allow {
        changed.push(format!("allow, which is {} for links that come from now on", after.access.allow));
    }
    if before.plots != after.plots {
        changed.push("the plots".to_owned());
    }
    changed
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
