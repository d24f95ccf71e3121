//! What happens to mail: from the sending of a message to its last event.

use crate::agenda::{Step, Task};
use crate::model::{Event, Kind, NONE, TrackLinks};
use crate::outcome::{After, BounceType, End, Outcome};
use crate::texts::Text;
use crate::{EventId, Fate, Origin, Reason, Simulator};

const SECOND: u32 = 1_000;
const MINUTE: u32 = 60 * SECOND;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// The questions that an event's own bits answer.
pub(crate) mod question {
    pub(crate) const BLANK: u64 = 1;
    pub(crate) const DIGITS: u64 = 2;
    pub(crate) const STUCK: u64 = 3;
    pub(crate) const TRACE: u64 = 4;
    pub(crate) const LATE: u64 = 5;
    pub(crate) const ORDER: u64 = 6;
    pub(crate) const IN_TEXT: u64 = 7;
    pub(crate) const PARTIAL: u64 = 8;
    pub(crate) const BOUNCE_ID: u64 = 9;
    pub(crate) const DETAILS: u64 = 10;
}

impl Simulator {
    /// Puts down the life of a message that was just taken. `forced` is an outcome that the sender asked for.
    pub(crate) fn plan(&mut self, message: u32, forced: Option<Outcome>) {
        self.count_sent(message);
        let (stream, recipients) =
            (self.messages[message as usize].stream, self.messages[message as usize].recipients());
        let sandbox = self.server_of(stream).sandbox;
        for (at, index) in recipients.enumerate() {
            let address = self.recipients[index];
            let chosen = self.choose(stream, message, address);
            let mut outcome = forced.unwrap_or(chosen);
            if sandbox && !self.texts.get(address).ends_with("bounce-testing.postmarkapp.com") {
                outcome = Outcome::DELIVERED;
            }
            self.plan_recipient(message, u8::try_from(at).unwrap_or(u8::MAX), outcome);
        }
    }

    fn plan_recipient(&mut self, message: u32, recipient: u8, outcome: Outcome) {
        let mut at = self.now.plus_ticks(self.wait(300, 30 * SECOND));
        let put = |simulator: &mut Simulator, at, step| {
            simulator.agenda.put(at, Task::Step { message, recipient, step });
        };
        match outcome.end {
            End::Lost => return,
            End::Bounced { kind, deactivates } => {
                put(self, at, Step::Bounce { kind, deactivates });
                return;
            }
            End::Delayed => {
                put(self, at, Step::Delay);
                at = at.plus_ticks(self.wait(2 * MINUTE, 6 * HOUR));
            }
            End::Delivered => {}
        }
        put(self, at, Step::Deliver);
        for _ in 0..outcome.machine_opens {
            let later = at.plus_ticks(self.wait(SECOND, 2 * MINUTE));
            put(self, later, Step::Open { machine: true });
        }
        let mut read = at;
        for _ in 0..outcome.opens {
            read = read.plus_ticks(self.wait(20 * SECOND, DAY));
            put(self, read, Step::Open { machine: false });
        }
        for nth in 0..outcome.clicks {
            read = read.plus_ticks(self.wait(3 * SECOND, HOUR));
            put(self, read, Step::Click { nth });
        }
        let bounce = |kind| Step::Bounce { kind, deactivates: false };
        let (least, most, step) = match outcome.after {
            After::Nothing => return,
            After::Complains => (MINUTE, 3 * DAY, Step::Complain),
            After::Unsubscribes => (MINUTE, 3 * DAY, Step::Unsubscribe),
            After::BouncesLater => (MINUTE, DAY, bounce(BounceType::HardBounce)),
            After::Replies => (5 * SECOND, 10 * MINUTE, bounce(BounceType::AutoResponder)),
            After::AsksByMail => (MINUTE, DAY, bounce(BounceType::Unsubscribe)),
        };
        let later = at.plus_ticks(self.wait(least, most));
        put(self, later, step);
    }

    pub(crate) fn step(&mut self, message: u32, recipient: u8, step: Step) {
        let of = &self.messages[message as usize];
        let (stream, opens, links, has_html) =
            (of.stream, of.track_opens, of.track_links, !of.html.is_empty());
        let address = self.recipients[of.first as usize + usize::from(recipient)];
        match step {
            Step::Deliver => {
                self.happened(stream, message, address, Kind::Delivery);
            }
            Step::Delay => {
                self.happened(stream, message, address, Kind::Delay);
                if self.config.quirks.transient_is_a_bounce {
                    self.bounce(stream, message, address, BounceType::Transient, false);
                }
            }
            Step::Bounce { kind, deactivates } => self.bounce(stream, message, address, kind, deactivates),
            Step::Open { machine } => {
                if opens && has_html {
                    let opened = |kind| matches!(kind, Kind::Open { .. });
                    let first = !self.happened_before(message, address, opened);
                    self.happened(stream, message, address, Kind::Open { first, machine });
                }
            }
            Step::Click { nth } => {
                if links != TrackLinks::None {
                    self.click(stream, message, address, nth);
                }
            }
            Step::Complain => {
                let number = u32::try_from(self.bounces.len()).unwrap_or(NONE);
                self.happened(stream, message, address, Kind::Complaint { number });
                self.suppress_soon(stream, message, address, Reason::SpamComplaint, Origin::Recipient);
            }
            Step::Unsubscribe => {
                if self.stream(stream).handling != crate::account::Handling::None {
                    self.suppress(stream, address, Reason::ManualSuppression, Origin::Recipient, message);
                }
            }
        }
    }

    fn click(&mut self, stream: u16, message: u32, address: Text, nth: u8) {
        let count = self.links(message).count();
        if count == 0 {
            return;
        }
        let at = usize::from(nth) % count;
        let link = u16::try_from(at).unwrap_or(0);
        let clicked = |kind| matches!(kind, Kind::Click { link: other, .. } if other == link);
        if self.happened_before(message, address, clicked) {
            self.count_repeated_click(message);
            return;
        }
        // A link's first letter says where it stands: in the HTML, in the text, in both.
        let place = self.links(message).nth(at).and_then(|link| link.bytes().next());
        let next = u32::try_from(self.events.len()).unwrap_or(NONE);
        let either = self.bits(next, question::IN_TEXT) & 3 == 0;
        let in_text = place == Some(b'T') || place == Some(b'B') && either;
        self.happened(stream, message, address, Kind::Click { link, in_text });
    }

    fn bounce(&mut self, stream: u16, message: u32, address: Text, kind: BounceType, deactivates: bool) {
        let quirks = &self.config.quirks;
        let inactive = match kind {
            BounceType::HardBounce | BounceType::ManuallyDeactivated => true,
            BounceType::Blocked => deactivates || quirks.blocked_deactivates,
            BounceType::BadEmailAddress => deactivates || quirks.bad_address_deactivates,
            _ => deactivates,
        };
        let next = u32::try_from(self.events.len()).unwrap_or(NONE);
        let stuck = crate::model::falls(self.bits(next, question::STUCK), quirks.stuck_hard_bounce_share);
        let can_activate = !(kind == BounceType::HardBounce && stuck);
        let number = u32::try_from(self.bounces.len()).unwrap_or(NONE);
        self.happened(stream, message, address, Kind::Bounce { number, kind, inactive, can_activate });
        if inactive {
            let (reason, origin) = match kind {
                BounceType::ManuallyDeactivated => (Reason::ManualSuppression, Origin::Customer),
                _ => (Reason::HardBounce, Origin::Recipient),
            };
            self.suppress_soon(stream, message, address, reason, origin);
        }
    }

    /// The list follows an event within two seconds.
    fn suppress_soon(&mut self, stream: u16, message: u32, address: Text, reason: Reason, origin: Origin) {
        let at = self.now.plus_ticks(self.wait(1, 2 * SECOND));
        self.agenda.put(at, Task::Enter { stream, address, reason, origin, message });
    }

    /// Whether a message has such an event with a recipient.
    fn happened_before(&self, message: u32, address: Text, is: impl Fn(Kind) -> bool) -> bool {
        self.events_of(message).any(|(_, event)| event.recipient == address && is(event.kind))
    }

    /// A message's events, the latest first.
    pub(crate) fn events_of(&self, message: u32) -> impl Iterator<Item = (u32, &Event)> {
        let mut next = self.messages[message as usize].last_event;
        std::iter::from_fn(move || {
            let number = next;
            let event = self.events.get(number as usize)?;
            next = event.previous;
            Some((number, event))
        })
    }

    /// Takes down that something happened now, and offers it to the webhooks.
    pub(crate) fn happened(&mut self, stream: u16, message: u32, recipient: Text, kind: Kind) -> EventId {
        let number = u32::try_from(self.events.len()).unwrap_or(NONE);
        let mut previous = NONE;
        if let Some(of) = self.messages.get_mut(message as usize) {
            previous = std::mem::replace(&mut of.last_event, number);
        }
        let fate = Fate::default();
        let at = self.now;
        self.events.push(Event { at, message, previous, recipient, stream, kind, fate });
        let lists = &mut self.streams[usize::from(stream)];
        match kind {
            Kind::Bounce { .. } | Kind::Complaint { .. } => {
                self.bounces.push(number);
                lists.bounces.push(number);
            }
            Kind::Open { first: true, .. } => lists.opens.push(number),
            Kind::Click { .. } => lists.clicks.push(number),
            _ => {}
        }
        self.count_event(number);
        self.offer(number);
        EventId(number)
    }
}
