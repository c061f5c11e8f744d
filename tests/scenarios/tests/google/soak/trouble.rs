//! What goes wrong at Google meanwhile: which kind of fault, for whom and how often as the dice fall.
//!
//! Some faults make Google say of an account what is not so. Nobody can tell that from the truth, so it counts as if it had
//! been so while the fault was in force.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use testkit::google::{
    ConsumerReason, Effect, Fault, IAM_CREDENTIALS, METADATA, NotReady, REGISTRY, STS, account_of,
};

use super::day::Day;
use super::tenant::Account;

/// Every kind of fault, each the maker of one.
const KINDS: &[fn(&mut Day) -> Option<Fault>] = &[
    |day| Some(day.somewhere(Effect::Unavailable)),
    |day| Some(day.about_an_account(Effect::GsaMissing, Some(Account::Absent))),
    |day| Some(day.somewhere(Effect::TooManyRequests { retry_after: None })),
    Day::hang,
    |day| {
        Some(day.about_an_account(
            Effect::BindingRevoked { after_seconds: 1 },
            Some(Account::Forbidden),
        ))
    },
    |day| Some(day.somewhere(Effect::BadGatewayPage)),
    |day| Some(day.skew()),
    |day| Some(day.somewhere(Effect::ConnectionReset)),
    |day| {
        Some(day.metadata(Effect::MetadataNotReady {
            how: NotReady::NotFound,
        }))
    },
    |day| Some(day.somewhere(Effect::NullBody)),
    |day| Some(day.delay()),
    |day| Some(day.somewhere(Effect::TruncatedJson)),
    |day| Some(day.nearly_expired()),
    |day| {
        Some(day.somewhere(Effect::Latency {
            milliseconds: 20,
            p99_milliseconds: None,
        }))
    },
    |day| Some(day.about_an_account(Effect::GsaDenied, Some(Account::Forbidden))),
    |day| Some(day.somewhere(Effect::ServiceDisabled)),
    |day| Some(day.metadata(Effect::MetadataExpired)),
    |day| Some(day.somewhere(Effect::Internal)),
    |day| Some(day.about_an_account(Effect::GsaDisabled, None)),
    |day| Some(day.at(Effect::RegistryNoChallenge, REGISTRY)),
    |day| {
        Some(day.somewhere(Effect::Vpcsc {
            uid: "x1".to_owned(),
        }))
    },
    |day| Some(day.metadata(Effect::MetadataOverload)),
    |day| Some(day.somewhere(Effect::SlowBody { milliseconds: 5 })),
    |day| Some(day.at(Effect::FederatedOutlivesProvider, STS)),
    |day| Some(day.somewhere(Effect::DeadlineExceeded)),
    |day| Some(day.somewhere(Effect::BadContentType)),
    |day| {
        Some(day.somewhere(Effect::ConsumerRefused {
            reason: ConsumerReason::BillingDisabled,
        }))
    },
    |day| Some(day.metadata(Effect::MetadataWrongIdentity)),
];

/// The faults that the next look meets beyond those that Google has by itself.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// The kinds that are still to be dealt, by their places.
    deck: Vec<usize>,
    /// Which kinds came.
    came: BTreeSet<usize>,
    /// How many requests may still be let hang.
    hangs_left: u32,
    /// The hang that waits for a request, by its number.
    hanging: Option<u64>,
    /// How many requests hung.
    pub(super) hung: u32,
    /// By how long a grant counts late.
    late: SignedDuration,
}

impl Trouble {
    pub(super) fn with_hangs(hangs: u32) -> Self {
        Self {
            hangs_left: hangs,
            ..Self::default()
        }
    }

    /// Says how many kinds never came.
    pub(super) fn missing(&self) -> usize {
        KINDS.len() - self.came.len()
    }
}

impl Day {
    /// Breaks more often than not something, and notes what Google may say falsely until it is mended.
    pub(super) fn break_something(&mut self) {
        for _ in 0..self.dice.random_range(0..5) {
            let at = self.deal();
            if let Some(fault) = KINDS[at](self) {
                self.trouble.came.insert(at);
                let hangs = fault.effect == Effect::Hang;
                let number = self.google.inject(fault);
                if hangs {
                    self.trouble.hanging = Some(number);
                }
            }
        }
        let late = self.trouble.late;
        let now = self.clock.now();
        for tenant in &mut self.tenants {
            // A look comes a second later.
            let counts = tenant.granted.map(|it| it + late);
            if counts.is_some_and(|it| it > now) {
                tenant.lies.push(Account::Forbidden);
            }
        }
    }

    /// Deals the next kind from a shuffled deck, which is shuffled anew when it is empty: any order, and all of them.
    fn deal(&mut self) -> usize {
        if self.trouble.deck.is_empty() {
            self.trouble.deck = (0..KINDS.len()).collect();
            self.trouble.deck.shuffle(&mut self.dice);
        }
        self.trouble.deck.pop().unwrap_or_default()
    }

    /// Mends everything: Google's clock is right, its policies are known everywhere, and what it says is true.
    pub(super) fn mend(&mut self) {
        if let Some(number) = self.trouble.hanging.take() {
            let waits = self.google.google().faults();
            let has_struck = waits.iter().all(|(it, _)| *it != number);
            self.trouble.hung += u32::from(has_struck);
        }
        self.google.mend();
        self.trouble.late = SignedDuration::ZERO;
        let now = self.clock.now();
        for tenant in &mut self.tenants {
            tenant.hears_the_truth(now);
        }
    }

    fn at(&mut self, effect: Effect, service: &str) -> Fault {
        let mut fault = effect.on(service);
        fault.probability = Some(self.dice.random_range(0.4..0.9));
        fault
    }

    fn somewhere(&mut self, effect: Effect) -> Fault {
        let iam = IAM_CREDENTIALS;
        let services = [iam, iam, iam, iam, STS, STS, METADATA, REGISTRY];
        let service = services[self.dice.random_range(0..services.len())];
        self.at(effect, service)
    }

    /// The metadata server is asked again and again for half a minute, so it answers now and then.
    fn metadata(&mut self, effect: Effect) -> Fault {
        let mut fault = effect.on(METADATA);
        fault.probability = Some(self.dice.random_range(0.2..0.6));
        fault
    }

    /// The metadata server's token has little left, down to less than a request takes to be worth it.
    fn nearly_expired(&mut self) -> Fault {
        let seconds = self.dice.random_range(30..240);
        Effect::MetadataNearExpiry { seconds }.on(METADATA)
    }

    /// Something is said of one Project's account, which may be a lie.
    fn about_an_account(&mut self, effect: Effect, lie: Option<Account>) -> Fault {
        let at = self.dice.random_range(0..self.tenants.len());
        let tenant = &mut self.tenants[at];
        tenant.lies.extend(lie);
        let email = account_of(&tenant.name);
        self.at(effect, IAM_CREDENTIALS).where_path_has(&email)
    }

    /// Grants and their withdrawal count later, perhaps not everywhere.
    fn delay(&mut self) -> Fault {
        let delays = [120, 600, 1_800];
        let grant_seconds = delays[self.dice.random_range(0..delays.len())];
        let revoke_seconds = delays[self.dice.random_range(0..delays.len())];
        self.trouble.late += SignedDuration::from_secs(grant_seconds.into());
        let delay = Effect::PropagationDelay {
            grant_seconds,
            revoke_seconds,
            flapping: self.dice.random_bool(0.5),
        };
        delay.everywhere()
    }

    /// Google's clock differs by more or less than is put up with; one that is behind counts grants late.
    fn skew(&mut self) -> Fault {
        let skews = [-600, -75, -30, 30, 75, 600];
        let seconds = skews[self.dice.random_range(0..skews.len())];
        let behind = SignedDuration::from_secs((-seconds).max(0));
        self.trouble.late += behind;
        Effect::ClockSkew { seconds }.everywhere()
    }

    /// One request is never answered, which costs a time-out, so that there are only so many; the first is one for a token
    /// of an account, which somebody asks for at every look.
    fn hang(&mut self) -> Option<Fault> {
        let services = [IAM_CREDENTIALS, STS, METADATA];
        // Thrown in any case, so that what comes after does not depend on how long things took.
        let thrown = self.dice.random_range(0..services.len());
        self.trouble.hangs_left = self.trouble.hangs_left.checked_sub(1)?;
        let at = if self.trouble.hung == 0 { 0 } else { thrown };
        Some(Effect::Hang.on(services[at]).times(1))
    }
}
