//! Faults by name: what goes wrong, for whom, and how often. The same seed gives the same faults.

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Whom a fault hits; what is left out hits everyone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scope {
    /// `iamcredentials.googleapis.com`, or `metadata`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `generateAccessToken`, or an HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// As policies spell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Something that the path contains: a project, an account, a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
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
    MetadataNotReady {
        how: NotReady,
    },
    /// The metadata server of a crowded node gives up on the connection.
    MetadataOverload,
    /// The node's metadata server answers, with the node's account.
    MetadataWrongIdentity,
    /// The cached token has so many seconds left.
    MetadataNearExpiry {
        seconds: u32,
    },
    /// The token is dead on arrival.
    MetadataExpired,
    Latency {
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
    /// How Google answers for a disabled account is assumed.
    GsaDisabled,
    /// Changes of policies count later.
    PropagationDelay {
        grant_seconds: u32,
        revoke_seconds: u32,
    },
    /// Google's clock differs.
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

/// What a request is about, as far as faults may ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct Occasion<'a> {
    pub service: &'a str,
    pub method: &'a str,
    pub principal: Option<&'a str>,
    pub path: &'a str,
}

impl Effect {
    /// Makes a fault of it that hits everyone, always.
    pub fn everywhere(self) -> Fault {
        Fault {
            effect: self,
            scope: Scope::default(),
            times: None,
            probability: None,
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

    /// Lets the fault hit only requests whose path contains this.
    #[must_use]
    pub fn where_path_has(mut self, part: &str) -> Self {
        self.scope.path = Some(part.to_owned());
        self
    }
}

impl Scope {
    fn covers(&self, occasion: &Occasion<'_>) -> bool {
        let same =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|it| it == found);
        same(&self.service, occasion.service)
            && same(&self.method, occasion.method)
            && same(&self.principal, occasion.principal.unwrap_or_default())
            && self
                .path
                .as_ref()
                .is_none_or(|part| occasion.path.contains(part.as_str()))
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

    pub(crate) fn list(&self) -> &[(u64, Fault)] {
        &self.active
    }

    /// Finds the first fault of a wanted kind that hits, and counts the hit.
    pub(crate) fn strike(
        &mut self,
        occasion: &Occasion<'_>,
        now: Timestamp,
        wanted: impl Fn(&Effect) -> bool,
    ) -> Option<Effect> {
        self.active
            .retain(|(_, fault)| fault.until.is_none_or(|until| now < until));
        let dice = &mut self.dice;
        let index = self.active.iter().position(|(_, fault)| {
            wanted(&fault.effect)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn mint() -> Occasion<'static> {
        Occasion {
            service: "iamcredentials.googleapis.com",
            method: "generateAccessToken",
            principal: None,
            path: "/v1/projects/-/serviceAccounts/web@acme.iam.gserviceaccount.com:generateAccessToken",
        }
    }

    fn hits(faults: &mut Faults, occasion: &Occasion<'_>) -> bool {
        faults.strike(occasion, NOW, |_| true).is_some()
    }

    #[test]
    fn a_burst_ends_after_its_count() {
        let mut faults = Faults::with_seed(1);
        faults.add(
            Effect::Unavailable
                .on("iamcredentials.googleapis.com")
                .times(2),
        );
        let found: Vec<bool> = (0..3).map(|_| hits(&mut faults, &mint())).collect();
        assert_eq!(found, [true, true, false]);
    }

    #[test]
    fn a_fault_hits_only_in_its_scope() {
        let mut faults = Faults::with_seed(1);
        faults.add(Effect::Unavailable.on("sts.googleapis.com"));
        faults.add(Effect::Hang.everywhere().where_path_has("api@acme"));
        assert!(!hits(&mut faults, &mint()));
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let run = |seed| {
            let mut faults = Faults::with_seed(seed);
            let mut fault = Effect::Unavailable.everywhere();
            fault.probability = Some(0.5);
            faults.add(fault);
            (0..32)
                .map(|_| hits(&mut faults, &mint()))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn a_fault_is_written_as_one_flat_object() {
        let text = r#"{"fault":"burst_429","retryAfter":7,"times":3,"scope":{"service":"sts.googleapis.com"}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        let effect = Effect::TooManyRequests {
            retry_after: Some(7),
        };
        assert_eq!(fault, effect.on("sts.googleapis.com").times(3));
    }
}
