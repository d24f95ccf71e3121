//! What the portal looks like, for operators.

use super::{Gate, Portal};
use crate::problem::Problem;
use ::people::Branding;
use account::audit::{Entry, Phase};
use ledger::ServerId;
use serde_json::json;

/// The branding of the portal, to be read and changed.
pub struct Look<'a> {
    gate: &'a Gate<'a>,
    portal: &'a Portal,
}

impl<'a> Look<'a> {
    pub(super) fn of(gate: &'a Gate<'a>) -> Result<Look<'a>, Problem> {
        if !gate.is_unlimited() {
            return Err(Problem::role("operator").next("use a token with the role operator, for all servers"));
        }
        let portal = gate.parts.portal.as_ref().ok_or_else(Problem::no_portal)?;
        Ok(Look { gate, portal })
    }

    /// Where the portal is.
    pub fn url(&self) -> &str {
        &self.portal.url
    }

    /// The branding as it is kept.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn get(&self) -> Result<Branding, Problem> {
        Ok(Branding::get(&*self.gate.parts.store).await?)
    }

    /// Keeps another one in its place. Which fields differ is noted at the stack, and nothing of what stands in them.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn put(&self, branding: &Branding) -> Result<(), Problem> {
        let (store, clock) = (&*self.gate.parts.store, &self.gate.parts.clock);
        let fields = branding.differs(&self.get().await?);
        if !fields.is_empty() {
            let begun = Entry::begun(self.gate.caller.who.clone(), "branding.set", clock())?;
            let begun = Entry { after: json!({ "fields": fields }), ..begun };
            begun.note(store, ServerId::NONE).await?;
            if let Err(error) = branding.keep(store).await {
                let problem = Problem::from(error);
                let told = json!({ "problem": problem.code() });
                // The change's own failure is what matters.
                let _ = begun.now(Phase::Failed, told, clock()).note(store, ServerId::NONE).await;
                return Err(problem);
            }
            begun.now(Phase::Done, json!({ "fields": fields }), clock()).note(store, ServerId::NONE).await?;
        }
        self.portal.brand.changed(branding.clone(), clock());
        Ok(())
    }
}
