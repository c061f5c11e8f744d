//! What waits in one subscription: messages in their order, and those that somebody has and may yet give back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// A published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: String,
    /// In base64.
    pub(super) data: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) ordering_key: String,
    pub(super) published: Timestamp,
}

/// What becomes of a message on its way into a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Once,
    Twice,
    /// Set aside until the next one has come.
    AfterNext,
    Never,
}

/// A message that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) ack_id: String,
    pub(super) message: Arc<Message>,
}

/// Messages that one subscription holds at most; the oldest make room.
const MOST_MESSAGES: usize = 10_000;

/// Bytes of data that one subscription holds at most.
const MOST_BYTES: usize = 64 << 20;

/// A message that was set aside is delivered after so long, if no other comes.
const ASIDE: SignedDuration = SignedDuration::from_secs(10);

/// The messages of one subscription.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Arc<Message>>,
    aside: Option<Arc<Message>>,
    outstanding: BTreeMap<String, Outstanding>,
    bytes: usize,
    given_out: u64,
}

#[derive(Debug)]
struct Outstanding {
    message: Arc<Message>,
    until: Timestamp,
}

impl Backlog {
    /// Takes in a message.
    pub(super) fn put(&mut self, message: Arc<Message>, fate: Fate) {
        let aside = self.aside.take();
        match fate {
            Fate::Never => self.aside.clone_from(&aside),
            Fate::AfterNext if aside.is_none() => {
                self.bytes += message.size();
                self.aside = Some(message);
            }
            Fate::Once | Fate::AfterNext => self.add(message),
            Fate::Twice => {
                self.add(Arc::clone(&message));
                self.add(message);
            }
        }
        if fate != Fate::Never {
            self.waiting.extend(aside);
        }
        self.make_room();
    }

    /// Gives out messages, each to be acknowledged before its time is over.
    pub(super) fn take(
        &mut self,
        most: usize,
        now: Timestamp,
        deadline: SignedDuration,
        retention: SignedDuration,
    ) -> Vec<Delivery> {
        self.take_back(now);
        self.forget_older_than(now - retention);
        let over = |message: &Arc<Message>| message.published + ASIDE <= now;
        if self.aside.as_ref().is_some_and(over) {
            self.waiting.extend(self.aside.take());
        }
        let taken = self.waiting.len().min(most);
        let messages: Vec<Arc<Message>> = self.waiting.drain(..taken).collect();
        messages
            .into_iter()
            .map(|message| {
                self.given_out += 1;
                let ack_id = format!("sim-{}-{:x}", message.id, self.given_out);
                let until = now + deadline;
                let outstanding = Outstanding {
                    message: Arc::clone(&message),
                    until,
                };
                self.outstanding.insert(ack_id.clone(), outstanding);
                Delivery { ack_id, message }
            })
            .collect()
    }

    /// Forgets a message that somebody has dealt with. One whose time is over is delivered again all the same.
    pub(super) fn acknowledge(&mut self, ack_id: &str) {
        if let Some(done) = self.outstanding.remove(ack_id) {
            self.bytes -= done.message.size();
        }
    }

    /// Gives whoever has a message more time for it; no time at all gives it back.
    pub(super) fn extend(&mut self, ack_id: &str, now: Timestamp, deadline: SignedDuration) {
        if let Some(outstanding) = self.outstanding.get_mut(ack_id) {
            outstanding.until = now + deadline;
        }
        self.take_back(now);
    }

    /// Takes back what was not acknowledged in time, to be the next to be given out.
    fn take_back(&mut self, now: Timestamp) {
        let late: Vec<String> = self
            .outstanding
            .iter()
            .filter(|(_, outstanding)| outstanding.until <= now)
            .map(|(ack_id, _)| ack_id.clone())
            .collect();
        let mut back: Vec<Arc<Message>> = late
            .iter()
            .filter_map(|ack_id| self.outstanding.remove(ack_id))
            .map(|outstanding| outstanding.message)
            .collect();
        back.sort_by_key(|message| message.published);
        for message in back.into_iter().rev() {
            self.waiting.push_front(message);
        }
    }

    fn forget_older_than(&mut self, moment: Timestamp) {
        let old = |message: &Arc<Message>| message.published < moment;
        while self.waiting.front().is_some_and(old) {
            self.drop_oldest();
        }
    }

    fn add(&mut self, message: Arc<Message>) {
        self.bytes += message.size();
        self.waiting.push_back(message);
    }

    fn make_room(&mut self) {
        let is_full = |backlog: &Self| {
            backlog.waiting.len() + backlog.outstanding.len() > MOST_MESSAGES
                || backlog.bytes > MOST_BYTES
        };
        while is_full(self) && !self.waiting.is_empty() {
            tracing::warn!("a subscription is full: its oldest message is lost");
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(lost) = self.waiting.pop_front() {
            self.bytes -= lost.size();
        }
    }
}

impl Message {
    fn size(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        self.data.len() + attributes
    }
}

#[cfg(test)]
mod tests;
