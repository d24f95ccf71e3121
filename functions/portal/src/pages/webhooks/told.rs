//! What the API tells of webhooks, as the page shows it.

use super::types;
use crate::moment::Moment;
use crate::pages::shared::number;
use crate::pages::truth::type_words;
use crate::texts::Texts;
use crate::visit::AtServer;
use account::connecting::JOB_MINUTES;
use answers::{TriggerState, WebhookFinding, WebhookJob, WebhookRotation, WebhookStep, Webhooks, Word};

/// Something that is wrong, and the next step.
pub(super) struct Finding {
    pub(super) stream: Option<String>,
    pub(super) words: String,
    pub(super) next: String,
}

impl Finding {
    pub(super) fn of(one: &WebhookFinding) -> Finding {
        Finding { stream: one.stream.clone(), words: one.words.clone(), next: one.next.clone() }
    }
}

/// How an event type of one of our webhooks stands.
pub(super) struct State {
    pub(super) event_type: String,
    pub(super) stream: String,
    pub(super) state: String,
    pub(super) kind: &'static str,
    pub(super) todo: String,
    pub(super) last: Option<Moment>,
    pub(super) requests: String,
    pub(super) url: String,
}

impl State {
    pub(super) fn all(at: &AtServer<'_>, told: &Webhooks) -> Vec<State> {
        let t = at.visit.t();
        let mut all = Vec::new();
        for webhook in told.webhooks.iter().filter(|webhook| webhook.ours) {
            let requests = webhook
                .requests
                .map(|of| t.webhooks_counts(number(of.total), number(of.failed), number(of.retried)));
            for (trigger, state) in &webhook.triggers {
                let (state, kind, todo) = state_words(t, state);
                all.push(State {
                    event_type: type_words(t, trigger),
                    stream: webhook.stream.clone(),
                    state,
                    kind,
                    todo,
                    last: told.heard.get(trigger).map(|last| at.visit.show(*last)),
                    requests: requests.clone().unwrap_or_default(),
                    url: webhook.url.clone(),
                });
            }
        }
        all
    }
}

/// A state in words, how good it is by the style's name, and what to do.
fn state_words(t: Texts, state: &Word<TriggerState>) -> (String, &'static str, String) {
    match state {
        Word::Known(TriggerState::Verified) => (t.webhooks_on(), "send", t.webhooks_on_todo()),
        Word::Known(TriggerState::Unverified) => (t.webhooks_paused(), "stop", t.webhooks_paused_todo()),
        Word::Known(TriggerState::Unknown) | Word::Other(_) => {
            (t.webhooks_unsaid(), "risky", t.webhooks_unsaid_todo())
        }
    }
}

/// A webhook of somebody else.
pub(super) struct Foreign {
    pub(super) id: i64,
    pub(super) stream: String,
    pub(super) host: String,
}

impl Foreign {
    pub(super) fn all(told: &Webhooks) -> Vec<Foreign> {
        let others = told.webhooks.iter().filter(|webhook| !webhook.ours);
        others.map(|one| Foreign { id: one.id, stream: one.stream.clone(), host: one.url.clone() }).collect()
    }
}

/// The last set-up, and what became of it.
pub(super) struct Job {
    pub(super) at: Moment,
    pub(super) kind: &'static str,
    pub(super) words: String,
    pub(super) next: Option<String>,
    /// Whether somebody does it now.
    pub(super) is_watched: bool,
    pub(super) notes: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// One of its steps.
pub(super) struct Step {
    pub(super) what: String,
    pub(super) stream: String,
    pub(super) url: String,
    pub(super) failed: Option<String>,
    pub(super) next: Option<String>,
}

impl Job {
    pub(super) fn of(at: &AtServer<'_>, told: &Webhooks, job: &WebhookJob) -> Job {
        let t = at.visit.t();
        // Whoever takes jobs up notes each end, but does not take up one that is older.
        let is_watched = told.connect == "job"
            && job.state == "begun"
            && at.visit.now < job.asked_at.0.plus_seconds(JOB_MINUTES * 60);
        let (kind, words) = match (&job.problem, job.state.as_str(), job.complete) {
            (Some(problem), _, _) => ("stop", t.webhooks_job_failed(problem)),
            (None, "done", true) => ("send", t.webhooks_job_complete()),
            (None, "done", false) => ("risky", t.webhooks_job_incomplete()),
            (None, _, _) if is_watched => ("risky", t.webhooks_job_handed()),
            (None, _, _) => ("risky", t.webhooks_job_begun()),
        };
        let verified =
            (job.read_back > 0).then(|| t.webhooks_job_verified(number(job.verified), number(job.read_back)));
        let refused = (!job.refused.is_empty()).then(|| t.webhooks_job_refused(job.refused.join(", ")));
        Job {
            at: at.visit.show(job.asked_at),
            kind,
            words,
            next: job.next.clone(),
            is_watched,
            notes: verified.into_iter().chain(refused).collect(),
            steps: job.steps.iter().map(|one| step(t, one)).collect(),
        }
    }
}

fn step(t: Texts, one: &WebhookStep) -> Step {
    let what = match one.what.as_str() {
        "created" => t.webhooks_step_created(),
        "changed" => t.webhooks_step_changed(),
        "removed" => t.webhooks_step_removed(),
        "verified" => t.webhooks_step_verified(),
        other => other.to_owned(),
    };
    Step {
        what,
        stream: one.stream.clone(),
        url: one.url.clone(),
        failed: one.failed.clone(),
        next: one.next.clone(),
    }
}

/// A row of a plan.
pub(super) struct Planned {
    pub(super) what: String,
    pub(super) stream: String,
    pub(super) types: String,
    pub(super) url: String,
    pub(super) why: String,
}

impl Planned {
    pub(super) fn of(t: Texts, row: &answers::WebhookPlanned) -> Planned {
        Planned {
            what: super::what_words(t, row),
            stream: row.stream.clone(),
            types: types(t, &row.triggers),
            url: row.url.clone(),
            why: row.why.clone(),
        }
    }
}

/// Which password is in use, and how far a move to another key is.
pub(super) struct Rotation {
    pub(super) generation: Option<String>,
    pub(super) keys: Vec<(String, Moment)>,
    pub(super) words: Option<String>,
    pub(super) began: Option<Moment>,
    pub(super) moved: Option<Moment>,
    /// The command; nothing where whoever looks can do it here.
    pub(super) command: Option<String>,
}

impl Rotation {
    pub(super) fn of(at: &AtServer<'_>, told: &Webhooks, is_here: bool) -> Rotation {
        let (t, visit) = (at.visit.t(), at.visit);
        let words = |of: &WebhookRotation| match of.retired_at {
            None => t.webhooks_rotation_under_way(&of.old, &of.new),
            Some(_) => t.webhooks_rotation_over(&of.old),
        };
        let keys = told.credential.iter().flat_map(|credential| &credential.keys);
        let can = is_here && told.registered && at.caller.role() == answers::Role::Operator;
        Rotation {
            generation: told
                .credential
                .as_ref()
                .map(|credential| t.webhooks_generation_number(credential.generation)),
            keys: keys.map(|(key, at)| (t.webhooks_key(key), visit.show(*at))).collect(),
            words: told.rotation.as_ref().map(words),
            began: told.rotation.as_ref().map(|of| visit.show(of.began_at)),
            moved: told.rotation.as_ref().and_then(|of| of.moved_at).map(|at| visit.show(at)),
            command: (!can).then(|| told.commands.rotate.clone()),
        }
    }
}
