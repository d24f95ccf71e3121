//! What the portal looks like, for operators.

use super::{Gate, Portal};
use crate::problem::Problem;
use ::people::Branding;
use account::audit::Phase;
use ledger::ServerId;
use serde_json::{Value, json};

/// The branding of the portal, to be read and changed.
pub struct Look<'a> {
    gate: &'a Gate<'a>,
    portal: &'a Portal,
}

impl<'a> Look<'a> {
    pub(super) fn of(gate: &'a Gate<'a>) -> Result<Look<'a>, Problem> {
        gate.unlimited()?;
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
        let parts = self.gate.parts;
        let changed = || self.portal.brand.changed(branding.clone(), (parts.clock)());
        let fields = branding.differs(&self.get().await?);
        if fields.is_empty() {
            changed();
            return Ok(());
        }
        let asked = json!({ "fields": fields });
        let change = async {
            match branding.keep(&*parts.store).await.map_err(Problem::from) {
                Ok(()) => {
                    // Pages show it, whether that can be noted or not.
                    changed();
                    (Phase::Done, asked.clone(), Ok(()))
                }
                Err(problem) => (Phase::Failed, json!({ "problem": problem.code() }), Err(problem)),
            }
        };
        let server = ServerId::NONE;
        self.gate.noted(server, "branding.set", None, Value::Null, asked.clone(), change).await
    }
}
