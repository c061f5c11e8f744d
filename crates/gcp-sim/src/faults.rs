//! Faults by name: what goes wrong, for whom, and how often. The same seed gives the same faults.

mod scope;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::refusal::ConsumerReason;

pub use scope::{Occasion, PathPattern, Scope};

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    #[serde(flatten)]
    pub effect: Effect,
    #[serde(default)]
    pub scope: Scope,
    /// How many requests it hits; all of them where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How likely it hits a request in its scope; always where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// It hits nothing earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "fault",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum Effect {
    /// The metadata server is not up yet, until the fault is taken away or its time is over.
    #[serde(alias = "mds_not_ready")]
    MetadataNotReady {
        how: NotReady,
    },
    /// The metadata server of a crowded node gives up on the connection.
    #[serde(alias = "mds_499_overload")]
    MetadataOverload,
    /// The node's metadata server answers, with the node's account.
    #[serde(alias = "mds_wrong_identity")]
    MetadataWrongIdentity,
    /// The cached token has so many seconds left.
    #[serde(alias = "mds_near_expiry")]
    MetadataNearExpiry {
        seconds: u32,
    },
    /// The token is dead on arrival.
    #[serde(alias = "mds_expired")]
    MetadataExpired,
    /// Answers begin late: half of them by the median or less, one in a hundred by `p99`, where that is given.
    Latency {
        milliseconds: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p99_milliseconds: Option<u64>,
    },
    /// The head of an answer comes at once, the second half of its body late.
    SlowBody {
        milliseconds: u64,
    },
    /// No answer, ever.
    Hang,
    #[serde(rename = "burst_429")]
    TooManyRequests {
        retry_after: Option<u32>,
    },
    #[serde(rename = "burst_503")]
    Unavailable,
    /// 500, or 504 where the server gave up waiting.
    Internal,
    DeadlineExceeded,
    /// The project that pays is suspended, without billing, or the like.
    ConsumerRefused {
        reason: ConsumerReason,
    },
    #[serde(rename = "html_502")]
    BadGatewayPage,
    /// The connection ends without an answer.
    #[serde(rename = "conn_reset")]
    ConnectionReset,
    TruncatedJson,
    BadContentType,
    /// 200 and `null`.
    NullBody,
    /// The API counts as disabled, whatever the project says.
    ServiceDisabled,
    GsaMissing,
    GsaDenied,
    /// Nobody may act as an account any more, some time after the fault began; tokens that were given out stay good.
    BindingRevoked {
        after_seconds: u32,
    },
    /// Providers of pools count as disabled; tokens that were given out stay good.
    FederatedOutlivesProvider,
    /// How Google answers for a disabled account is assumed.
    GsaDisabled,
    /// Changes of policies count later in the requests that it hits.
    PropagationDelay {
        grant_seconds: u32,
        revoke_seconds: u32,
        /// Until then every second answer is by the new policy already, as of replicas that do not agree.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        flapping: bool,
    },
    /// Cloud Asset tells how things were so long ago, back to when the fault began.
    AssetStale {
        seconds: u32,
    },
    /// An operation runs so long, and what it changes holds from its end on.
    OperationSlow {
        seconds: u32,
    },
    /// An operation changes nothing and ends with an error; the code is one of `google.rpc.Code`.
    OperationFailed {
        code: u8,
        message: String,
    },
    /// A published message is delivered twice.
    PubsubDup,
    /// A published message is delivered after the next one.
    PubsubReorder,
    /// A published message is never delivered.
    PubsubDrop,
    /// Google's clock differs in the requests that it hits.
    ClockSkew {
        seconds: i64,
    },
    /// Somebody else writes the policy in between.
    EtagConflict,
    /// Domain restriction refuses a member.
    DrsReject,
    /// Lifetimes above an hour are refused, whatever the organization says; so is exactly one.
    OrgLifetimeCap,
    Vpcsc {
        uid: String,
    },
    /// Reads that need one of these permissions are refused.
    PartialPermissions {
        permissions: Vec<String>,
    },
    /// A token within a valid registry token has expired.
    #[serde(rename = "registry_401_nochallenge")]
    RegistryNoChallenge,
    RegistrySlowCatalog {
        milliseconds: u64,
    },
    /// A long list of tags ends without a link to its next page.
    #[serde(rename = "tags_10k_no_link")]
    TagsWithoutLink,
    /// A list of tags has the standard's members only, as one of a remote repository may.
    TagsWithoutExtension,
}

/// How a metadata server is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotReady {
    Refuse,
    Hold,
    NotFound,
    ErrorText,
}

impl Effect {
    /// Makes a fault of it that hits everyone, always.
    pub fn everywhere(self) -> Fault {
        Fault {
            effect: self,
            scope: Scope::default(),
            times: None,
            probability: None,
            from: None,
            until: None,
        }
    }

    /// Makes a fault of it that hits one service.
    pub fn on(self, service: &str) -> Fault {
        let mut fault = self.everywhere();
        fault.scope.service = Some(service.to_owned());
        fault
    }
}

impl Fault {
    /// Lets the fault hit only so many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Says whether it may hit now.
    fn is_due(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now)
    }

    /// Lets the fault hit only requests whose path contains this.
    #[must_use]
    pub fn where_path_has(mut self, part: &str) -> Self {
        self.scope.path = Some(part.to_owned());
        self
    }
}

/// The faults that are in force.
#[derive(Debug)]
pub(crate) struct Faults {
    active: Vec<(u64, Fault)>,
    next_id: u64,
    dice: StdRng,
}

impl Faults {
    pub(crate) fn with_seed(seed: u64) -> Self {
        Self {
            active: Vec::new(),
            next_id: 1,
            dice: StdRng::seed_from_u64(seed),
        }
    }

    pub(crate) fn add(&mut self, fault: Fault) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.active.push((id, fault));
        id
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Fault> {
        let index = self.active.iter().position(|(own, _)| *own == id)?;
        Some(self.active.remove(index).1)
    }

    /// Lists those that are not over, whether they have begun or not.
    pub(crate) fn list(&mut self, now: Timestamp) -> &[(u64, Fault)] {
        self.forget_what_is_over(now);
        &self.active
    }

    /// Says whether a fault of a wanted kind is in force, whomever it hits.
    pub(crate) fn has(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.active.iter().any(|(_, fault)| wanted(&fault.effect))
    }

    /// Throws a die of `sides`, from 1.
    pub(crate) fn throw(&mut self, sides: u32) -> u32 {
        self.dice.random_range(1..=sides.max(1))
    }

    /// Finds the first fault of a wanted kind that hits, and counts the hit.
    pub(crate) fn strike(
        &mut self,
        occasion: &Occasion<'_>,
        now: Timestamp,
        wanted: impl Fn(&Effect) -> bool,
    ) -> Option<Effect> {
        self.forget_what_is_over(now);
        let dice = &mut self.dice;
        let index = self.active.iter().position(|(_, fault)| {
            wanted(&fault.effect)
                && fault.is_due(now)
                && fault.scope.covers(occasion)
                && fault
                    .probability
                    .is_none_or(|it| dice.random_bool(it.clamp(0.0, 1.0)))
        })?;
        let fault = &mut self.active[index].1;
        let effect = fault.effect.clone();
        if let Some(left) = &mut fault.times {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.active.remove(index);
            }
        }
        Some(effect)
    }

    fn forget_what_is_over(&mut self, now: Timestamp) {
        self.active
            .retain(|(_, fault)| fault.until.is_none_or(|until| now < until));
    }
}

#[cfg(test)]
mod tests;
