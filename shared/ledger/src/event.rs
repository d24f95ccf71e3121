//! What an event is, independent of Postmark's format, and the facts that it shows.

use crate::address::RecipientId;
use crate::bounce::BounceClass;
use crate::identity::Identity;
use crate::server::ServerId;
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// The stream name of a decision about the whole server.
pub const WHOLE_SERVER: &str = "*";

/// How far the instant that an observation speaks for lies before its dump, in seconds: Postmark's list lags.
pub const OBSERVATION_LAG_SECONDS: i64 = 600;

/// What kind of event it is: Postmark's six, and two of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The receiving server accepted the message.
    Delivery,
    /// The message bounced, or something that Postmark calls a bounce happened.
    Bounce,
    /// The recipient marked the message as spam.
    SpamComplaint,
    /// The message was opened.
    Open,
    /// A link was clicked.
    Click,
    /// The address entered or left a stream's suppression list.
    SubscriptionChange,
    /// What reconcile read in Postmark's suppression list.
    Observed,
    /// What a person or an import ruled.
    Decision,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 8] = [
        Kind::Delivery,
        Kind::Bounce,
        Kind::SpamComplaint,
        Kind::Open,
        Kind::Click,
        Kind::SubscriptionChange,
        Kind::Observed,
        Kind::Decision,
    ];

    /// The name, as Postmark's `RecordType` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Delivery => "Delivery",
            Kind::Bounce => "Bounce",
            Kind::SpamComplaint => "SpamComplaint",
            Kind::Open => "Open",
            Kind::Click => "Click",
            Kind::SubscriptionChange => "SubscriptionChange",
            Kind::Observed => "Observed",
            Kind::Decision => "Decision",
        }
    }

    /// The kind of a name, if there is one.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The class that its events are kept in.
    pub const fn class(self) -> Class {
        match self {
            Kind::Delivery => Class::Delivery,
            Kind::Open | Kind::Click => Class::Engagement,
            Kind::Bounce
            | Kind::SpamComplaint
            | Kind::SubscriptionChange
            | Kind::Observed
            | Kind::Decision => Class::State,
        }
    }
}

/// How events are kept: those that make state for ever, the others until they expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Bounces, complaints, subscription changes, observations, decisions: the fold reads these.
    #[serde(rename = "s")]
    State,
    /// Deliveries.
    #[serde(rename = "d")]
    Delivery,
    /// Opens and clicks.
    #[serde(rename = "e")]
    Engagement,
}

impl Class {
    /// All classes.
    pub const ALL: [Class; 3] = [Class::State, Class::Delivery, Class::Engagement];

    /// Its letter in keys.
    pub const fn letter(self) -> &'static str {
        match self {
            Class::State => "s",
            Class::Delivery => "d",
            Class::Engagement => "e",
        }
    }
}

/// Where a telling of an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A webhook of Postmark.
    Webhook,
    /// Postmark's API, read by reconcile.
    Reconcile,
    /// Postmark's API, read for the history before the first webhook.
    Backfill,
    /// A person at the command line or in the portal.
    Operator,
}

impl Source {
    /// The name that formats use.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Webhook => "webhook",
            Source::Reconcile => "reconcile",
            Source::Backfill => "backfill",
            Source::Operator => "operator",
        }
    }

    /// The source of a name, if there is one.
    pub fn named(name: &str) -> Option<Source> {
        [Source::Webhook, Source::Reconcile, Source::Backfill, Source::Operator]
            .into_iter()
            .find(|source| source.name() == name)
    }

    /// Whether a copy of Postmark's bounce list came this way: its `Inactive` is today's, not that day's.
    pub const fn is_api(self) -> bool {
        matches!(self, Source::Reconcile | Source::Backfill)
    }
}

/// Why an address is on Postmark's suppression list, or on one that was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Mail to it bounced for good.
    HardBounce,
    /// The recipient complained of spam.
    Complaint,
    /// The recipient unsubscribed.
    Unsubscribe,
    /// The customer or Postmark's staff put it there.
    Manual,
    /// Postmark gave no reason, or one that did not exist when this was written.
    Unknown,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 5] =
        [Cause::HardBounce, Cause::Complaint, Cause::Unsubscribe, Cause::Manual, Cause::Unknown];

    /// The name that formats use.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::HardBounce => "hard_bounce",
            Cause::Complaint => "complaint",
            Cause::Unsubscribe => "unsubscribe",
            Cause::Manual => "manual",
            Cause::Unknown => "unknown",
        }
    }

    /// The cause of a name, if there is one.
    pub fn named(name: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.name() == name)
    }

    /// The cause that Postmark's `SuppressionReason` and `Origin` mean.
    pub fn told(reason: Option<&str>, origin: Option<&str>) -> Cause {
        match (reason, origin) {
            (Some("HardBounce"), _) => Cause::HardBounce,
            (Some("SpamComplaint"), _) => Cause::Complaint,
            (Some("ManualSuppression"), Some("Recipient")) => Cause::Unsubscribe,
            (Some("ManualSuppression"), Some("Customer" | "Admin")) => Cause::Manual,
            _ => Cause::Unknown,
        }
    }

    /// The cause that a deactivating bounce of a `Type` means.
    pub fn of_bounce(bounce_type: &str) -> Cause {
        match bounce_type {
            "Unsubscribe" => Cause::Unsubscribe,
            "ManuallyDeactivated" => Cause::Manual,
            "SpamComplaint" => Cause::Complaint,
            _ => Cause::HardBounce,
        }
    }
}

/// Why an address is barred by us, beside Postmark's list. In texts of ours it stands by its [name](Bar::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Bar {
    /// A person ruled so.
    Decision,
    /// It was in an imported list, for this cause. Imports that an early release recorded have none.
    Import(Option<Cause>),
}

/// A text is no reason of ours to bar an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reason to bar an address: expected decision, import, or import_ and a cause")]
pub struct NotABar;

impl Bar {
    /// All of them.
    pub const ALL: [Bar; 7] = [
        Bar::Decision,
        Bar::Import(None),
        Bar::Import(Some(Cause::HardBounce)),
        Bar::Import(Some(Cause::Complaint)),
        Bar::Import(Some(Cause::Unsubscribe)),
        Bar::Import(Some(Cause::Manual)),
        Bar::Import(Some(Cause::Unknown)),
    ];

    /// The name that formats use.
    pub const fn name(self) -> &'static str {
        match self {
            Bar::Decision => "decision",
            Bar::Import(None) => "import",
            Bar::Import(Some(Cause::HardBounce)) => "import_hard_bounce",
            Bar::Import(Some(Cause::Complaint)) => "import_complaint",
            Bar::Import(Some(Cause::Unsubscribe)) => "import_unsubscribe",
            Bar::Import(Some(Cause::Manual)) => "import_manual",
            Bar::Import(Some(Cause::Unknown)) => "import_unknown",
        }
    }

    /// The bar of a name, if there is one.
    pub fn named(name: &str) -> Option<Bar> {
        Bar::ALL.into_iter().find(|bar| bar.name() == name)
    }

    /// The cause in an imported row.
    pub const fn cause(self) -> Option<Cause> {
        match self {
            Bar::Decision => None,
            Bar::Import(cause) => cause,
        }
    }

    /// The words that people find it by in a list: an import's cause as Postmark's would be, and that it is ours.
    pub fn causes(self) -> impl Iterator<Item = &'static str> {
        let ours = match self {
            Bar::Decision => self,
            Bar::Import(_) => Bar::Import(None),
        };
        self.cause().map(Cause::name).into_iter().chain([ours.name()])
    }
}

impl From<Bar> for &'static str {
    fn from(bar: Bar) -> &'static str {
        bar.name()
    }
}

impl TryFrom<String> for Bar {
    type Error = NotABar;

    fn try_from(name: String) -> Result<Bar, NotABar> {
        Bar::named(&name).ok_or(NotABar)
    }
}

/// What a decision rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// Do not mail, for this reason.
    Suppress(Bar),
    /// Mail again, as far as it is ours to say.
    Allow,
}

/// What happened, as far as state and counters need to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A delivery.
    Delivery,
    /// An open.
    Open {
        /// Whether it was the first of this message by this recipient.
        first: bool,
        /// Whether a machine did it.
        machine: bool,
    },
    /// A click.
    Click {
        /// Whether a machine did it.
        machine: bool,
    },
    /// A bounce.
    Bounce {
        /// Postmark's `Type`.
        bounce_type: String,
        /// Whether Postmark deactivated the address.
        inactive: bool,
    },
    /// A spam complaint.
    SpamComplaint {
        /// Whether Postmark deactivated the address.
        inactive: bool,
    },
    /// The address entered Postmark's list.
    Suppressed {
        /// For this cause.
        cause: Cause,
    },
    /// The address left Postmark's list.
    Reactivated,
    /// Reconcile saw it on Postmark's list.
    Present {
        /// For this cause.
        cause: Cause,
    },
    /// Reconcile saw that it had left Postmark's list.
    Gone,
    /// A ruling of ours.
    Decision {
        /// What was ruled.
        ruling: Ruling,
    },
}

impl What {
    /// The kind of event that this is.
    pub const fn kind(&self) -> Kind {
        match self {
            What::Delivery => Kind::Delivery,
            What::Open { .. } => Kind::Open,
            What::Click { .. } => Kind::Click,
            What::Bounce { .. } => Kind::Bounce,
            What::SpamComplaint { .. } => Kind::SpamComplaint,
            What::Suppressed { .. } | What::Reactivated => Kind::SubscriptionChange,
            What::Present { .. } | What::Gone => Kind::Observed,
            What::Decision { .. } => Kind::Decision,
        }
    }

    /// Whether this telling says that Postmark deactivated the address.
    const fn inactive(&self) -> bool {
        matches!(self, What::Bounce { inactive: true, .. } | What::SpamComplaint { inactive: true })
    }
}

/// The class of a bounce type; one that does not exist yet is [`BounceClass::Unknown`].
pub fn bounce_class(bounce_type: &str) -> BounceClass {
    BounceClass::of(bounce_type).unwrap_or(BounceClass::Unknown)
}

/// One telling of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The server it belongs to; from the credential, never from the body.
    pub server: ServerId,
    /// The message stream; [`WHOLE_SERVER`] in a decision about all of them.
    pub stream: String,
    /// The recipient.
    pub recipient: RecipientId,
    /// The address as this telling spells it; `None` once the person has been erased.
    pub address: Option<String>,
    /// Which event it is.
    pub identity: Identity,
    /// When it happened at Postmark, not when it arrived here. For an observation: when its dump was read.
    pub at: Time,
    /// The message it is about, where there is one; never the all-zero UUID.
    pub message_id: Option<String>,
    /// What happened.
    pub what: What,
    /// Who told it.
    pub source: Source,
    /// When it came in.
    pub received_at: Time,
    /// The hash of the canonical body; the last word on which copy is kept.
    pub body_hash: [u8; 16],
}

/// What orders the copies of one event; the lowest is *the* event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopyRank {
    from_api: bool,
    lighter: bool,
    active: bool,
    at: Time,
    body_hash: [u8; 16],
    source: Source,
}

/// Something that an event says about its recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// It entered Postmark's list of a stream.
    Suppressed {
        /// The stream.
        stream: String,
        /// Why.
        cause: Cause,
        /// When.
        at: Time,
    },
    /// It left Postmark's list of a stream; every cause there ends.
    Lifted {
        /// The stream.
        stream: String,
        /// When.
        at: Time,
    },
    /// We barred it.
    Barred {
        /// The stream, or `*`.
        stream: String,
        /// Why.
        cause: Bar,
        /// When.
        at: Time,
    },
    /// We allowed it again; Postmark's list is untouched.
    Allowed {
        /// The stream, or `*`.
        stream: String,
        /// When.
        at: Time,
    },
    /// Mail to it bounced.
    Bounced {
        /// The stream.
        stream: String,
        /// How.
        class: BounceClass,
        /// When.
        at: Time,
        /// Which message.
        message_id: Option<String>,
    },
    /// It complained of spam.
    Complained {
        /// The stream.
        stream: String,
        /// When.
        at: Time,
    },
    /// Its owner answered a mail by asking to be taken off the list.
    RemovalRequested {
        /// The stream.
        stream: String,
        /// When.
        at: Time,
    },
}

impl Event {
    /// What kind of event it is.
    pub const fn kind(&self) -> Kind {
        self.what.kind()
    }

    /// The class that it is kept in.
    pub const fn class(&self) -> Class {
        self.kind().class()
    }

    /// Whether it is a complaint, reported as such or as a bounce.
    pub fn complains(&self) -> bool {
        match &self.what {
            What::SpamComplaint { .. } => true,
            What::Bounce { bounce_type, .. } => bounce_class(bounce_type) == BounceClass::Complaint,
            _ => false,
        }
    }

    /// Whether a complaint with the same identity takes its place. Then this event moves to the identity
    /// [beside](Identity::beside).
    ///
    /// By Postmark's documentation, bounces and complaints share one space of ids, and identities rely on that: a
    /// complaint that is reported as a bounce, as a complaint and by the API is one event. If Postmark in fact has two
    /// spaces, a bounce and a complaint of one recipient may have the same id. Then both must count, because neither is a
    /// copy of the other. This rule is safe either way. Which of the two is recorded under the identity itself depends on
    /// what they are, never on which came first. An event that is recorded alone never changes its identity. And if no
    /// bounce shares an id with a complaint, no event ever moves.
    pub fn makes_way_for(&self, other: &Event) -> bool {
        !self.complains() && other.complains()
    }

    /// Whether another copy may contain more: a complaint reported as a bounce need not say that the address was listed, and
    /// imports that an early release made do not say for what.
    const fn is_lighter(&self) -> bool {
        matches!(
            self.what,
            What::Bounce { .. } | What::Decision { ruling: Ruling::Suppress(Bar::Import(None)) }
        )
    }

    /// Where this copy stands among the copies of its event: webhook before API, then the copy that contains more, then `Inactive`
    /// true first, then the earlier time, then the lower hash of the body. (The source again, last, so that the order is
    /// total.)
    pub fn rank(&self) -> CopyRank {
        CopyRank {
            from_api: self.source.is_api(),
            lighter: self.is_lighter(),
            active: !self.what.inactive(),
            at: self.at,
            body_hash: self.body_hash,
            source: self.source,
        }
    }

    /// What it says about its recipient; nothing for deliveries, opens and clicks.
    pub fn facts(&self) -> Vec<Fact> {
        let stream = || self.stream.clone();
        // An imported cause weighs as much as Postmark's.
        let told = |entered, cause, at| {
            let complained =
                (cause == Some(Cause::Complaint)).then(|| Fact::Complained { stream: stream(), at });
            std::iter::once(entered).chain(complained).collect::<Vec<_>>()
        };
        let suppressed = |cause, at| told(Fact::Suppressed { stream: stream(), cause, at }, Some(cause), at);
        let bounced = |class| Fact::Bounced {
            stream: stream(),
            class,
            at: self.at,
            message_id: self.message_id.clone(),
        };
        // An observation speaks for an instant before its dump, since the list lags.
        let observed = self.at.plus_seconds(-OBSERVATION_LAG_SECONDS);
        match &self.what {
            What::Delivery | What::Open { .. } | What::Click { .. } => Vec::new(),
            What::Bounce { bounce_type, inactive } => {
                let class = bounce_class(bounce_type);
                let mut facts = vec![bounced(class)];
                if *inactive && !self.source.is_api() {
                    facts.extend(suppressed(Cause::of_bounce(bounce_type), self.at));
                } else if class == BounceClass::Complaint {
                    facts.push(Fact::Complained { stream: stream(), at: self.at });
                }
                if class == BounceClass::Unsubscribe {
                    facts.push(Fact::RemovalRequested { stream: stream(), at: self.at });
                }
                facts
            }
            What::SpamComplaint { .. } => {
                let mut facts = vec![bounced(BounceClass::Complaint)];
                if self.source.is_api() {
                    // A row of Postmark's bounce list proves the complaint, not that the list holds it still.
                    facts.push(Fact::Complained { stream: stream(), at: self.at });
                } else {
                    facts.extend(suppressed(Cause::Complaint, self.at));
                }
                facts
            }
            What::Suppressed { cause } => suppressed(*cause, self.at),
            What::Reactivated => vec![Fact::Lifted { stream: stream(), at: self.at }],
            What::Present { cause } => suppressed(*cause, observed),
            What::Gone => vec![Fact::Lifted { stream: stream(), at: observed }],
            What::Decision { ruling: Ruling::Suppress(bar) } => {
                let barred = Fact::Barred { stream: stream(), cause: *bar, at: self.at };
                told(barred, bar.cause(), self.at)
            }
            What::Decision { ruling: Ruling::Allow } => vec![Fact::Allowed { stream: stream(), at: self.at }],
        }
    }
}
