//! What must hold of the portal, whatever its pages show.

mod cross_site;
pub(crate) mod fixture;
mod forms;
mod headers;
mod hostile;
mod html;
mod matrix;
mod robust;
mod sessions;
mod sign_in;
mod walk;
mod webhooks;
mod words;
