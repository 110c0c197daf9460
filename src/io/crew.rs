//! The threads around the event loop, and how they change with the plan: those that sense, the one that writes, the one
//! that draws. What a change does not concern goes on untouched.

use anyhow::Result;
use serde_json::Value as Json;

use super::autopilot::Sampling;
use super::plan::{Plan, RoleChange};
use super::plotter::Plotter;
use super::promise::Promise;
use super::sampler::Samplers;
use super::store_thread::StoreHandle;

/// Who works beside the loop, and by which plan.
pub(crate) struct Crew {
    plan: Plan,
    store: StoreHandle,
    samplers: Samplers,
    plotter: Option<Plotter>,
    /// How it senses otherwise than planned, by a station's command.
    sampling: Sampling,
}

impl Crew {
    /// Starts everybody whom the plan wants; the store's thread works already.
    pub(crate) fn start(plan: Plan, store: StoreHandle) -> Result<Self> {
        let samplers = Samplers::start(plan.settings(), &store)?;
        let mut crew = Self { plan, store, samplers, plotter: None, sampling: Sampling::default() };
        crew.draw_as_planned()?;
        Ok(crew)
    }

    /// What the node is to do.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Draws now, if somebody draws.
    pub(crate) fn draw(&self) {
        if let Some(plotter) = &self.plotter {
            plotter.draw_now();
        }
    }

    /// What the status says besides the node's own words.
    pub(crate) fn status(&self) -> Json {
        let mut status = self.plan.status();
        if let Some(fields) = status.as_object_mut() {
            fields.insert("store".to_owned(), self.store.health().to_json());
            fields.insert("channels".to_owned(), self.samplers.board().to_json());
        }
        status
    }

    /// When each thread that senses or writes is to be back.
    pub(crate) fn promises(&self) -> Vec<Promise> {
        self.samplers.promises().chain([self.store.promise().clone()]).collect()
    }

    /// The node has this role now: the store keeps, and somebody draws, as it is right for that.
    pub(crate) fn take_up(&mut self, change: RoleChange) {
        self.plan.changed(change);
        self.store.adjust(self.plan.store_settings());
        if let Err(error) = self.draw_as_planned() {
            log::error!("plots: {error:#}");
        }
    }

    /// Reads the config again and applies what it can. The role that is to be taken up, if it is another.
    ///
    /// # Errors
    /// The config is wrong: then nothing has changed. Or a thread could not be started.
    pub(crate) fn reload(&mut self) -> Result<Option<RoleChange>> {
        let reread = self.plan.reread()?;
        let sampling = self.samplers.change(&self.sampling.applied(&reread.settings))?;
        match reread.changed.as_slice() {
            [] => log::info!("the config is read again: nothing in it has changed that applies at once"),
            changed => log::info!("the config is read again; changed: {}", changed.join("; ")),
        }
        for line in &reread.cannot {
            log::warn!("{line}");
        }
        let role = self.plan.apply(reread);
        self.store.adjust(self.plan.store_settings());
        self.samplers.apply(sampling)?;
        self.draw_as_planned()?;
        Ok(Some(role).filter(|change| self.plan.is_another(&change.role)))
    }

    /// How it senses otherwise than planned.
    pub(crate) fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// Senses like this from now on; or as before, when that cannot be.
    ///
    /// # Errors
    /// A chip is not known, or a thread could not be started.
    pub(crate) fn sense(&mut self, sampling: Sampling) -> Result<()> {
        let change = self.samplers.change(&sampling.applied(self.plan.settings()))?;
        self.sampling = sampling;
        self.samplers.apply(change)
    }

    /// Ends all threads but the store's; gives the plan back.
    pub(crate) fn stop(self) -> Plan {
        self.samplers.stop();
        // The plotter reads the store: were it to do so while that is closed, its log would be left behind.
        if let Some(plotter) = self.plotter {
            plotter.stop();
        }
        self.plan
    }

    fn draw_as_planned(&mut self) -> Result<()> {
        match (&self.plotter, self.plan.drawing()) {
            (Some(plotter), wanted) => plotter.draw(wanted),
            (None, Some(wanted)) => self.plotter = Some(Plotter::start(self.plan.data(), wanted)?),
            (None, None) => {}
        }
        Ok(())
    }
}
