//! Every fault of the simulated Google by its name, and what our own code makes of it; what is shown elsewhere says where.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use credentials::google::Fallback;
use credentials::{Kind, Outcome};
use testkit::google::{ConsumerReason, Effect, IAM_CREDENTIALS, METADATA, NotReady, image_of};

use crate::installation::{Installation, PROJECT};

/// Longer than any token lives, in seconds.
const EXPIRED: i64 = 7_200;
/// Longer than any failure is believed, in seconds.
const FORGOTTEN: i64 = 301;

/// What shows the effect of a fault.
enum Shown {
    /// It is driven here, once for each way it has.
    Here(Vec<Drive>),
    /// A test in another file, from the root of the repository, that names it.
    By {
        file: &'static str,
        test: &'static str,
    },
}

/// A fault, and what becomes of a look at who acts for a Project that has an account.
struct Drive {
    effect: Effect,
    /// Whom it hits: `metadata`, or the API by its host.
    service: &'static str,
    times: Option<u32>,
    acts: Outcome,
    /// What came of each request to whom it hits.
    calls: Vec<&'static str>,
    /// What stands in the command that people are told to run next, where that is looked at.
    next: Option<&'static str>,
}

impl Drive {
    fn next(self, next: &'static str) -> Self {
        Self {
            next: Some(next),
            ..self
        }
    }
}

/// The metadata server is in trouble for so many requests, and is waited for.
fn late(effect: Effect, times: u32, label: &'static str) -> Drive {
    // After those it says whose token it gives, and gives it.
    let troubled = (0..times).map(|_| label);
    Drive {
        effect,
        service: METADATA,
        times: Some(times),
        acts: Outcome::OwnServiceAccount,
        calls: troubled.chain(["ok", "ok"]).collect(),
        next: None,
    }
}

/// IAM Credentials answers something else than yes or no, so nobody acts; it is asked so many times.
fn open(effect: Effect, label: &'static str, requests: usize) -> Drive {
    minting(effect, Outcome::Unavailable, vec![label; requests])
}

/// IAM Credentials definitely refuses, so the controller acts, as the policy lets it.
fn refused(effect: Effect, label: &'static str) -> Drive {
    minting(effect, Outcome::Controller, vec![label])
}

/// IAM Credentials answers yes, if in an odd way; that it is odd shows in the fault, which is used up.
fn harmless(effect: Effect) -> Drive {
    Drive {
        times: Some(1),
        ..not_yet(effect)
    }
}

/// IAM Credentials answers yes, as the fault has not begun.
fn not_yet(effect: Effect) -> Drive {
    minting(effect, Outcome::OwnServiceAccount, vec!["ok"])
}

fn minting(effect: Effect, acts: Outcome, calls: Vec<&'static str>) -> Drive {
    Drive {
        effect,
        service: IAM_CREDENTIALS,
        times: None,
        acts,
        calls,
        next: None,
    }
}

fn here(drives: impl Into<Vec<Drive>>) -> Shown {
    Shown::Here(drives.into())
}

/// Lists every fault with what shows it, and does not compile while one of the enumeration is missing.
macro_rules! faults {
    ($($fault:pat => $shown:expr,)+) => {
        /// Each with its name in Rust.
        fn faults() -> Vec<(&'static str, Shown)> {
            vec![$({
                let shown = $shown;
                if let Shown::Here(drives) = &shown {
                    assert!(!drives.is_empty(), "nothing drives {}", stringify!($fault));
                    for Drive { effect, .. } in drives {
                        is_listed(effect);
                        assert!(matches!(effect, $fault), "{effect:?} stands beside {}", stringify!($fault));
                    }
                }
                (name(stringify!($fault)), shown)
            }),+]
        }

        fn is_listed(effect: &Effect) {
            match effect {
                $($fault)|+ => {}
            }
        }
    };
}

/// Leaves the fields out.
fn name(pattern: &'static str) -> &'static str {
    let end = pattern.find(|it: char| it.is_whitespace() || it == '{');
    &pattern[..end.unwrap_or(pattern.len())]
}

const OWN: &str = "crates/credentials/tests/google/faults.rs";
const LISTINGS: &str = "tests/scenarios/tests/listings/fallbacks.rs";
const DOCTOR: &str = "crates/argosy/tests/it/gcp/faults.rs";
const SETUP: &str = "crates/argosy/tests/it/gcp/setup.rs";
const OPERATIONS: Shown = Shown::By {
    file: "crates/gcp-sim/tests/google/operations.rs",
    test: "operations_take_their_time_and_may_fail",
};
const MESSAGES: Shown = Shown::By {
    file: "crates/gcp-sim/tests/google/pubsub.rs",
    test: "messages_come_twice_in_another_order_or_never",
};

faults! {
    Effect::MetadataNotReady { .. } => here([
        late(Effect::MetadataNotReady { how: NotReady::Refuse }, 2, "unreachable"),
        late(Effect::MetadataNotReady { how: NotReady::NotFound }, 2, "unavailable"),
        late(Effect::MetadataNotReady { how: NotReady::ErrorText }, 2, "unavailable"),
        // It costs a time-out, so once is enough.
        late(Effect::MetadataNotReady { how: NotReady::Hold }, 1, "unreachable"),
    ]),
    Effect::MetadataOverload => here([late(Effect::MetadataOverload, 3, "unavailable")]),
    Effect::MetadataWrongIdentity => Shown::By {
        file: OWN,
        test: "the_identity_of_a_node_is_never_taken_for_the_controllers",
    },
    Effect::MetadataNearExpiry { .. } => Shown::By {
        file: OWN,
        test: "a_token_that_is_nearly_over_is_used_and_not_asked_for_in_a_loop",
    },
    // Whose the token is has been said before.
    Effect::MetadataExpired => here([Drive {
        calls: vec!["ok", "malformed", "malformed", "ok"],
        ..late(Effect::MetadataExpired, 2, "malformed")
    }]),
    Effect::Latency { .. } => here([
        harmless(Effect::Latency { milliseconds: 50, p99_milliseconds: None }),
    ]),
    Effect::SlowBody { .. } => here([harmless(Effect::SlowBody { milliseconds: 50 })]),
    Effect::Hang => Shown::By {
        file: "tests/scenarios/tests/google/hanging.rs",
        test: "who_waits_shares_one_request_and_its_time_out_and_nobody_weaker_acts",
    },
    Effect::TooManyRequests { .. } => here([
        open(Effect::TooManyRequests { retry_after: None }, "rate-limited", 3),
        // Longer than anybody waits for an answer.
        open(Effect::TooManyRequests { retry_after: Some(40) }, "rate-limited", 1),
    ]),
    Effect::Unavailable => here([open(Effect::Unavailable, "unavailable", 3)]),
    Effect::Internal => here([open(Effect::Internal, "unavailable", 3)]),
    Effect::DeadlineExceeded => here([open(Effect::DeadlineExceeded, "unavailable", 3)]),
    Effect::ConsumerRefused { .. } => here([
        consumer(ConsumerReason::BillingDisabled, "consumer"),
        consumer(ConsumerReason::ConsumerSuspended, "consumer"),
        consumer(ConsumerReason::ConsumerInvalid, "consumer"),
        consumer(ConsumerReason::OrgRestrictionViolation, "policy"),
    ]),
    Effect::BadGatewayPage => here([open(Effect::BadGatewayPage, "unavailable", 3)]),
    Effect::ConnectionReset => here([open(Effect::ConnectionReset, "unreachable", 3)]),
    Effect::TruncatedJson => here([open(Effect::TruncatedJson, "malformed", 3)]),
    // What it says counts, not what it calls itself.
    Effect::BadContentType => here([harmless(Effect::BadContentType)]),
    Effect::NullBody => here([open(Effect::NullBody, "malformed", 3)]),
    Effect::ServiceDisabled => here([open(Effect::ServiceDisabled, "api-disabled", 1)
        .next("gcloud services enable iamcredentials.googleapis.com --project=")]),
    Effect::GsaMissing => here([refused(Effect::GsaMissing, "absent")]),
    Effect::GsaDenied => here([refused(Effect::GsaDenied, "forbidden")]),
    Effect::BindingRevoked { .. } => here([
        refused(Effect::BindingRevoked { after_seconds: 0 }, "forbidden"),
        not_yet(Effect::BindingRevoked { after_seconds: 90 }),
    ]),
    Effect::FederatedOutlivesProvider => Shown::By {
        file: "tests/scenarios/tests/google/kubernetes_account.rs",
        test: "a_provider_that_was_disabled_gives_no_token_and_the_one_that_is_held_serves_on",
    },
    // The account is there and may be acted as, so nobody acts in its place.
    Effect::GsaDisabled => here([open(Effect::GsaDisabled, "refused", 1)]),
    // The grant was made a moment ago.
    Effect::PropagationDelay { .. } => here([refused(
        Effect::PropagationDelay { grant_seconds: 3_600, revoke_seconds: 0, flapping: false },
        "forbidden",
    )]),
    Effect::AssetStale { .. } => Shown::By {
        file: DOCTOR,
        test: "a_policy_that_was_read_counts_for_more_than_a_search_that_lags_behind",
    },
    Effect::OperationSlow { .. } => OPERATIONS,
    Effect::OperationFailed { .. } => OPERATIONS,
    Effect::PubsubDup => MESSAGES,
    Effect::PubsubReorder => MESSAGES,
    Effect::PubsubDrop => MESSAGES,
    // By our clock a token would have expired long before it was given out.
    Effect::ClockSkew { .. } => here([harmless(Effect::ClockSkew { seconds: -7_200 })]),
    Effect::EtagConflict => Shown::By {
        file: SETUP,
        test: "a_policy_that_somebody_else_changed_is_read_anew",
    },
    Effect::DrsReject => Shown::By {
        file: SETUP,
        test: "an_organisation_that_lets_in_chosen_members_only_is_told_whom_to_add",
    },
    // An hour is asked for, and there is nothing shorter to fall back to.
    Effect::OrgLifetimeCap => here([open(Effect::OrgLifetimeCap, "lifetime", 1)]),
    Effect::Vpcsc { .. } => here([open(Effect::Vpcsc { uid: "x1".to_owned() }, "policy", 1)
        .next("vpcServiceControlsUniqueId=\"x1\"")]),
    Effect::PartialPermissions { .. } => Shown::By {
        file: DOCTOR,
        test: "who_may_not_read_one_policy_gets_one_unknown_and_the_exit_code_two",
    },
    Effect::RegistryNoChallenge => Shown::By {
        file: "tests/scenarios/tests/google/revoked.rs",
        test: "a_token_that_the_registry_turns_down_is_dropped_and_asked_for_once_more",
    },
    Effect::RegistrySlowCatalog { .. } => Shown::By {
        file: "crates/gcp-sim/src/registry/tests/faults.rs",
        test: "the_list_of_a_whole_host_may_be_slow",
    },
    Effect::TagsWithoutLink => Shown::By {
        file: LISTINGS,
        test: "a_list_that_is_cut_without_a_word_is_made_whole",
    },
    Effect::TagsWithoutExtension => Shown::By {
        file: LISTINGS,
        test: "names_alone_are_enough",
    },
}

fn consumer(reason: ConsumerReason, label: &'static str) -> Drive {
    open(Effect::ConsumerRefused { reason }, label, 1)
}

/// Lets one Project after the other look while something is broken, and again once it was mended.
#[tokio::test]
async fn every_fault_of_identities_comes_to_what_is_said_of_it_and_passes() -> Result<()> {
    let installation = Installation::open_under(Fallback::Allow).await?;
    // Which project this is is asked for once, and not in what follows.
    let image = image_of(PROJECT);
    let outcome = async |project: &str| installation.outcome(project, Kind::Image, &image).await;
    assert_eq!(outcome(PROJECT).await, Some(Outcome::OwnServiceAccount));
    let drives = faults().into_iter().filter_map(|(_, shown)| match shown {
        Shown::Here(drives) => Some(drives),
        Shown::By { .. } => None,
    });
    for (number, drive) in drives.flatten().enumerate() {
        let case = format!("{:?}", drive.effect);
        let tenant = format!("tenant-{number}");
        installation.advance(EXPIRED);
        installation.tenant(&tenant).await?;
        installation.take_calls("");
        let mut fault = drive.effect.on(drive.service);
        fault.times = drive.times;
        let number = installation.google.inject(fault);
        assert_eq!(outcome(&tenant).await, Some(drive.acts), "{case}");
        let service = match drive.service {
            METADATA => "metadata",
            _ => "iam-credentials",
        };
        assert_eq!(installation.take_calls(service), drive.calls, "{case}");
        if let Some(next) = drive.next {
            let refused = installation.find(&tenant, Kind::Image, &image).await;
            let said = refused.expect_err(&case).hint();
            assert!(said.contains(next), "{case}: {said}");
        }
        let is_left = installation.google.google().mend(number);
        assert_eq!(is_left, drive.times.is_none(), "{case} has struck");

        installation.advance(FORGOTTEN);
        let own = Some(Outcome::OwnServiceAccount);
        assert_eq!(outcome(&tenant).await, own, "after {case}");
    }
    Ok(())
}

#[test]
fn what_is_shown_elsewhere_is_shown_there() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, shown) in faults() {
        let Shown::By { file, test } = shown else {
            continue;
        };
        let text = std::fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
        let case = format!("no test {test} in {file} drives {name}");
        let (before, rest) = text
            .split_once(&format!("fn {test}("))
            .with_context(|| case.clone())?;
        ensure!(before.trim_end_matches("async ").ends_with("]\n"), "{case}");
        let (body, _) = rest.split_once("\n}\n").with_context(|| case.clone())?;
        let is_named = body.match_indices(name).any(|(at, _)| {
            let next = body[at + name.len()..].chars().next();
            next.is_none_or(|it| !it.is_alphanumeric())
        });
        ensure!(is_named, "{case}");
    }
    Ok(())
}
