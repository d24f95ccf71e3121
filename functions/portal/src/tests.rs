//! What must hold of the portal, whatever its pages show.

mod branding;
mod changes;
mod content;
mod cross_site;
pub(crate) mod fixture;
mod forms;
mod headers;
mod hostile;
mod html;
mod inbound;
mod matrix;
mod postmark_server;
mod report;
mod robust;
mod sent;
mod sessions;
mod set_up;
mod settings;
mod sign_in;
mod smtp;
mod walk;
mod webhooks;
mod words;
