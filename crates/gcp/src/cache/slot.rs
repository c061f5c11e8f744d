//! What is remembered under one key, and what the next caller gets: decided without network, clock or chance.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::TokenError;
use crate::token::Token;

/// So long before its end a token is not handed out any more without an attempt to renew it.
const RESERVE: SignedDuration = SignedDuration::from_mins(5);
/// Longest time before that in which a token is renewed while callers still get the old one.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// So short before its end a token is as good as expired: a request takes time.
const SLACK: SignedDuration = SignedDuration::from_secs(10);
/// Between attempts to renew a token that is still good: the metadata server gives the same until four minutes before
/// its end.
const BETWEEN: SignedDuration = SignedDuration::from_secs(30);
/// A refusal after a success counts when it was said twice, so far apart: grants take a while to reach all servers.
const STRIKES_APART: SignedDuration = SignedDuration::from_secs(30);

/// What is known of one key.
#[derive(Debug, Default)]
pub(super) struct Slot {
    held: Option<Held>,
    refusal: Option<Refusal>,
    /// Until when nobody asks, while the token that is held serves as long as it is good.
    limit: Option<Refusal>,
    /// The first refusal since there was a token.
    strike: Option<Strike>,
    /// When the last token was got, if there ever was one.
    had_token: Option<Timestamp>,
}

#[derive(Debug)]
struct Held {
    token: Arc<Token>,
    /// From here on somebody renews it while others still get it.
    renew_from: Timestamp,
    /// From here on callers wait for the renewal.
    fresh_until: Timestamp,
}

#[derive(Debug)]
struct Refusal {
    error: TokenError,
    until: Timestamp,
}

#[derive(Debug)]
struct Strike {
    error: TokenError,
    since: Timestamp,
}

/// What a caller gets.
#[derive(Debug)]
pub(super) enum Look {
    Serve(Arc<Token>),
    ServeAndRenew(Arc<Token>),
    Refuse(TokenError),
    Fetch,
}

/// What would be lost with a slot; later stands for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    Nothing,
    /// That there was a token, or one refusal since, at this time: without it the next refusal counts at once.
    Caution(Timestamp),
    /// An answer that spares a request.
    Answer,
}

impl Slot {
    pub(super) fn look(&self, now: Timestamp) -> Look {
        if let Some(refusal) = self.refusal.as_ref().filter(|it| now < it.until) {
            return Look::Refuse(refusal.error.clone());
        }
        if let Some(held) = self.valid(now) {
            return match now {
                _ if now < held.renew_from => Look::Serve(Arc::clone(&held.token)),
                _ if now < held.fresh_until => Look::ServeAndRenew(Arc::clone(&held.token)),
                _ => Look::Fetch,
            };
        }
        if let Some(limit) = self.limit.as_ref().filter(|it| now < it.until) {
            return Look::Refuse(limit.error.clone());
        }
        match &self.strike {
            Some(strike) if now < strike.counts_from() => Look::Refuse(strike.unconfirmed(now)),
            _ => Look::Fetch,
        }
    }

    /// Takes in how a request ended, and says what its callers get; `jitter` is between 0.8 and 1.
    pub(super) fn settle(
        &mut self,
        fetched: Result<Token, TokenError>,
        now: Timestamp,
        jitter: f64,
    ) -> Result<Arc<Token>, TokenError> {
        match fetched {
            Ok(token) => Ok(self.hold(token, now, jitter)),
            Err(error) if error.is_definite() && self.had_token.is_some() => {
                self.count_strike(error, now, jitter)
            }
            Err(error) => self.bridge(error, now, jitter),
        }
    }

    /// Forgets `token`, if it is the one that is held.
    pub(super) fn forget(&mut self, token: &Token) -> bool {
        let held = self.held.as_ref();
        let is_held = held.is_some_and(|held| held.token.is(token));
        if is_held {
            self.held = None;
        }
        is_held
    }

    /// Forgets that the account was not to be had, which somebody may have mended: a grant, an API that was off. A token, a
    /// first strike against it and a limit of Google's stay.
    pub(super) fn forget_refusal(&mut self) {
        let is_limit = |it: &Refusal| matches!(it.error, TokenError::RateLimited { .. });
        self.refusal.take_if(|it| !is_limit(it));
    }

    /// Says what forgetting all this would cost.
    pub(super) fn worth(&self, now: Timestamp) -> Worth {
        let is_answer =
            self.valid(now).is_some() || self.refusal.as_ref().is_some_and(|it| now < it.until);
        let struck = self.strike.as_ref().map(|it| it.since);
        match (struck, self.had_token) {
            _ if is_answer => Worth::Answer,
            // The next refusal would be taken for the first one ever, and count at once.
            (None, None) => Worth::Nothing,
            (struck, had_token) => Worth::Caution(struck.max(had_token).unwrap_or(now)),
        }
    }

    fn valid(&self, now: Timestamp) -> Option<&Held> {
        let held = self.held.as_ref();
        held.filter(|held| now < held.token.expires - SLACK)
    }

    fn hold(&mut self, token: Token, now: Timestamp, jitter: f64) -> Arc<Token> {
        let left = token.expires.duration_since(now);
        let fresh = left - RESERVE;
        let (renew_in, fresh) = if fresh > BETWEEN {
            (fresh - scale(AHEAD.min(fresh / 2), jitter), fresh)
        } else {
            // Little is left and a new one would be the same: use it, and ask again now and then.
            let pause = BETWEEN.min(left / 2);
            (scale(pause, jitter), pause)
        };
        let token = Arc::new(token);
        *self = Self {
            held: Some(Held {
                token: Arc::clone(&token),
                renew_from: now + renew_in,
                fresh_until: now + fresh,
            }),
            had_token: Some(now),
            ..Self::default()
        };
        token
    }

    /// Lets a refusal count only once it was said twice; until then the token that is still good serves.
    fn count_strike(
        &mut self,
        error: TokenError,
        now: Timestamp,
        jitter: f64,
    ) -> Result<Arc<Token>, TokenError> {
        let same = self
            .strike
            .take()
            .filter(|strike| strike.error.label() == error.label());
        if same
            .as_ref()
            .is_some_and(|strike| now >= strike.counts_from())
        {
            *self = Self::default();
            self.refuse(&error, now, jitter);
            return Err(error);
        }
        let strike = same.unwrap_or(Strike { error, since: now });
        let (doubt, counts_from) = (strike.unconfirmed(now), strike.counts_from());
        self.strike = Some(strike);
        self.doubt(doubt, now, counts_from)
    }

    /// Serves the token that is still good through trouble that may pass; through other errors while it is fresh.
    fn bridge(
        &mut self,
        error: TokenError,
        now: Timestamp,
        jitter: f64,
    ) -> Result<Arc<Token>, TokenError> {
        let is_fresh = self
            .held
            .as_ref()
            .is_some_and(|held| now < held.fresh_until);
        if self.valid(now).is_none() || !(is_fresh || error.is_passing()) {
            self.refuse(&error, now, jitter);
            return Err(error);
        }
        let pause = match remembered(&error) {
            Some(asked) if matches!(error, TokenError::RateLimited { .. }) => {
                // Whoever says how long to wait is not asked earlier, not even once the token is over.
                self.limit = Some(Refusal {
                    error: error.clone(),
                    until: now + asked,
                });
                asked.max(BETWEEN)
            }
            _ => scale(BETWEEN, jitter),
        };
        self.doubt(error, now, now + pause)
    }

    /// Hands out the old token, with why it is not a new one, until it is time to ask again.
    fn doubt(
        &mut self,
        why: TokenError,
        now: Timestamp,
        again_from: Timestamp,
    ) -> Result<Arc<Token>, TokenError> {
        let is_valid = self.valid(now).is_some();
        let Some(held) = self.held.as_mut().filter(|_| is_valid) else {
            return Err(why);
        };
        let doubted = Token {
            doubt: Some(why),
            ..Token::clone(&held.token)
        };
        held.token = Arc::new(doubted);
        held.renew_from = again_from;
        held.fresh_until = held.fresh_until.max(again_from);
        Ok(Arc::clone(&held.token))
    }

    fn refuse(&mut self, error: &TokenError, now: Timestamp, jitter: f64) {
        let time = remembered(error).map(|time| match error {
            // Whoever says how long to wait is not asked earlier.
            TokenError::RateLimited { .. } => time,
            _ => scale(time, jitter),
        });
        self.refusal = time.map(|time| Refusal {
            error: error.clone(),
            until: now + time,
        });
    }
}

impl Strike {
    fn counts_from(&self) -> Timestamp {
        self.since + STRIKES_APART
    }

    fn unconfirmed(&self, now: Timestamp) -> TokenError {
        let again_in = self.counts_from().duration_since(now);
        TokenError::Unconfirmed {
            again_in: again_in.try_into().unwrap_or_default(),
            source: Box::new(self.error.clone()),
        }
    }
}

/// Says how long at most an error is believed without asking again.
fn remembered(error: &TokenError) -> Option<SignedDuration> {
    match error {
        TokenError::Absent { .. } => Some(SignedDuration::from_mins(5)),
        TokenError::Forbidden { .. } => Some(SignedDuration::from_mins(2)),
        TokenError::ApiDisabled { .. }
        | TokenError::ScopeInsufficient { .. }
        | TokenError::PolicyViolated { .. }
        | TokenError::ConsumerRefused { .. }
        | TokenError::Refused { status: 403, .. } => Some(SignedDuration::from_mins(1)),
        // Somebody moves the Pod to another node, or the server of GKE was not there yet.
        TokenError::OfNode { .. } => Some(SignedDuration::from_secs(30)),
        TokenError::RateLimited {
            retry_after: Some(asked),
            ..
        } => SignedDuration::try_from(*asked).ok(),
        _ => None,
    }
}

fn scale(time: SignedDuration, factor: f64) -> SignedDuration {
    SignedDuration::from_secs_f64(time.as_secs_f64() * factor)
}

#[cfg(test)]
mod tests;
