//! Checks of the account that each Project acts as.

use super::{Answer, Verdict, grants};
use crate::audit::{UNUSED_AFTER, orphaned, other_clusters};
use crate::facts::{Facts, Gap, Right, Seen, TokenSource, right};
use crate::policy::{Access, MINT, Policy, TIGHT_MINTER};
use crate::principal::{PROJECT_ACCOUNT, ServiceAccountEmail};
use crate::setup::repair::repository::{kubernetes_account, reading_as_kubernetes_account};
use crate::setup::repair::{controller, denial, organisation};
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

/// How many accounts a project may have unless more were asked for.
///
/// Source: <https://cloud.google.com/iam/quotas>
const ACCOUNTS_BY_DEFAULT: usize = 100;
/// Stands for whom a credential file is exchanged for.
const CALLER: &str = "MEMBER_OF_THE_CREDENTIAL_FILE";

pub(super) fn name(facts: &Facts, project: &str) -> Answer {
    Ok(match facts.account_of(project)? {
        Ok(email) => Verdict::pass(&email.to_string()),
        Err(_) if facts.kubernetes_account_of(project).is_some() => otherwise(facts, project),
        Err(refused) => {
            let reading = Fix::by(reading_as_kubernetes_account(facts, project));
            let fix = kubernetes_account(project).then(reading);
            let fix = fix.and_advice(refused.hint());
            unless_otherwise(facts, project, &refused.to_string(), fix)
        }
    })
}

/// Accounts are looked for where the metadata server says the controller is, unless somebody named another project.
pub(super) fn project(facts: &Facts) -> Answer {
    let home = facts.home.known()?;
    let reading = &facts.pod.metadata.project;
    let told = reading.known()?;
    Ok(if *told == home.project.as_str() {
        Verdict::pass(&format!("they are in {told}, as the controller is"))
    } else {
        let says = format!(
            "accounts are looked for in {}, and the controller is in {told}",
            home.project
        );
        let fix = controller::unset(facts, "ARGOSY_GCP_PROJECT").and_advice(&format!(
            "leave --gcp-project out too, or make the accounts in {told}"
        ));
        Verdict::fail(&says, fix)
    }
    .seen(reading))
}

pub(super) fn exists(facts: &Facts, project: &str) -> Answer {
    if facts.kubernetes_account_of(project).is_some() {
        return Ok(otherwise(facts, project));
    }
    let reading = facts.project(project).account;
    let Some(email) = email(facts, project)? else {
        return Ok(Verdict::skip("it can have none"));
    };
    if reading.found()?.is_some() {
        return Ok(Verdict::pass(&format!("{email} exists")).seen(&reading));
    }
    let home = facts.home.known()?;
    let create = Action::CreateServiceAccount {
        email: email.clone(),
        project: home.project.clone(),
        kargo_project: project.to_owned(),
    };
    let fix = Fix::by(vec![create]).and_advice(&format!(
        "the account has to be in {}, where the controller is, not where the images are",
        home.project
    ));
    let says = match facts.project(project).misplaced {
        Some(other) => format!("there is no {email}, but there is {other}, which nobody looks at"),
        None => format!("there is no {email}"),
    };
    Ok(unless_otherwise(facts, project, &says, fix).seen(&reading))
}

pub(super) fn enabled(facts: &Facts, project: &str) -> Answer {
    if facts.kubernetes_account_of(project).is_some() {
        return Ok(otherwise(facts, project));
    }
    let reading = facts.project(project).account;
    let account = reading.known()?;
    let email = email(facts, project)?;
    Ok(match (account.disabled, email) {
        (false, _) | (_, None) => Verdict::pass("it is"),
        (true, Some(email)) => Verdict::fail(
            &format!("{email} is disabled"),
            Fix::by(vec![Action::EnableServiceAccount { email }]),
        ),
    }
    .seen(&reading))
}

pub(super) fn binding(facts: &Facts, project: &str) -> Answer {
    if facts.kubernetes_account_of(project).is_some() {
        return Ok(otherwise(facts, project));
    }
    let seen = facts.project(project);
    let reading = &seen.policy;
    facts.asks_metadata_server()?;
    // Without the account's own policy nothing is guessed.
    let policy = reading.known()?;
    let Some(email) = email(facts, project)? else {
        return Ok(Verdict::skip("there is no account to act as"));
    };
    let fix = Fix::by(vec![minting(facts, &email)?]);
    let verdict = match right(facts, &seen) {
        Ok(Right::OnAccount { role, only: None }) => Verdict::pass(&format!("by {role}")),
        Ok(Right::OnAccount {
            role,
            only: Some(expression),
        }) => Verdict::warn(
            &format!("by {role}, but only while {expression}"),
            fix.and_advice("the grant it adds has no condition"),
        ),
        Ok(Right::Above { role, place }) => Verdict::warn(
            &format!("by {role} on all of {place}, not on the account alone"),
            fix,
        ),
        Ok(Right::None) => Verdict::fail(&without_right(facts, policy, &email)?, fix),
        Err(gap) => {
            let verdict = Verdict::unknown(&gap.why).evidence(vec![gap.source]);
            return Ok(verdict.with(fix));
        }
    };
    Ok(verdict.seen(reading))
}

fn without_right(
    facts: &Facts,
    policy: &Policy,
    email: &ServiceAccountEmail,
) -> Result<String, Gap> {
    let principal = facts.principal()?;
    let access = policy.access(MINT, &facts.custom_roles, facts.now, |it| {
        facts.covers(it, &principal)
    });
    Ok(match access {
        Access::Lapsed { role, expression } => {
            format!(
                "{principal} has {role} on {email} only while {expression}, which does not hold now"
            )
        }
        _ => format!("{principal} has no role on {email} that lets it act as it"),
    })
}

pub(super) fn mint(facts: &Facts, project: &str) -> Answer {
    if facts.kubernetes_account_of(project).is_some() {
        return Ok(otherwise(facts, project));
    }
    let reading = facts.project(project).mint;
    let Some(email) = email(facts, project)? else {
        return Ok(Verdict::skip("there is no account to act as"));
    };
    let verdict = match &reading.seen {
        Seen::Known(mint) => Verdict::pass(&format!("a token of {email} for {} s", mint.seconds)),
        Seen::Absent => {
            let both = create_and_grant(facts, project, &email)?;
            Verdict::fail(&format!("Google knows no {email}"), Fix::by(both.into()))
        }
        Seen::Denied(denial) => {
            let grant = Fix::by(vec![minting(facts, &email)?])
                .and_advice("a grant takes about two minutes to count, at times seven");
            let fix = denial::of_minting(facts, denial, || grant);
            Verdict::fail(&super::symptoms::with_cause(&denial.message), fix)
        }
        Seen::Unreachable { .. } | Seen::Skipped => {
            return reading.known().map(|_| Verdict::pass(""));
        }
    };
    Ok(verdict.seen(&reading))
}

pub(super) fn mint_others(facts: &Facts) -> Answer {
    let reading = &facts.pod.project_permissions;
    let permissions = reading.known()?;
    Ok(if permissions.iter().any(|it| it == MINT) {
        let fix = grants::of_minting_everywhere(facts)?.fix().and_advice(
            "grant it on the account of each Project instead: argosy gcp setup writes it",
        );
        Verdict::fail("it can act as every account of its project", fix)
    } else {
        Verdict::pass("it can act only as accounts that name it")
    }
    .seen(reading))
}

pub(super) fn unused(facts: &Facts, project: &str) -> Answer {
    if facts.kubernetes_account_of(project).is_some() {
        return Ok(otherwise(facts, project));
    }
    let reading = facts.project(project).last_used;
    let Some(email) = email(facts, project)? else {
        return Ok(Verdict::skip("there is no account that could be used"));
    };
    let account = facts.project(project).account;
    let last = match (account.found()?, reading.found()?) {
        (Some(account), Some(last)) if !account.disabled => *last,
        (Some(account), _) if account.disabled => return Ok(Verdict::skip("it is disabled")),
        _ => return Ok(Verdict::skip("there is no account that could be used")),
    };
    let verdict = match last {
        Some(last) if facts.now.duration_since(last) <= UNUSED_AFTER => {
            Verdict::pass(&format!("{email} was last used at {last}"))
        }
        Some(last) => Verdict::warn(
            &format!("{email} was not used since {last}, for 90 days"),
            Fix::by(vec![Action::DisableServiceAccount { email }]),
        ),
        // Google shows a use some days late, and what was made today was used by nobody.
        None => Verdict::pass(&format!("no use of {email} was seen; it may be new")),
    };
    Ok(verdict.seen(&reading))
}

pub(super) fn orphans(facts: &Facts) -> Answer {
    let reading = &facts.accounts;
    let left = orphaned(facts)?;
    let names: Vec<_> = left.iter().map(|it| it.as_str().to_owned()).collect();
    Ok(if left.is_empty() {
        Verdict::pass("each account of that name has its Project")
    } else {
        let disable = |email| Action::DisableServiceAccount { email };
        let says = format!(
            "whoever makes a Project of that name is {}",
            names.join(", ")
        );
        let fix = Fix::by(left.into_iter().map(disable).collect());
        Verdict::warn(&says, fix.and_advice(&other_clusters(facts)))
    }
    .seen(reading))
}

pub(super) fn quota(facts: &Facts) -> Answer {
    let reading = &facts.accounts;
    let accounts = reading.known()?.len();
    let says = format!("{accounts} of {ACCOUNTS_BY_DEFAULT}, unless more were asked for");
    let verdict = if accounts * 10 >= ACCOUNTS_BY_DEFAULT * 8 {
        let wanted = ACCOUNTS_BY_DEFAULT * 2;
        Verdict::warn(&says, organisation::more_accounts(facts, wanted))
    } else {
        Verdict::pass(&says)
    };
    Ok(verdict.seen(reading))
}

/// Skips what is about a service account where a Kubernetes account acts.
fn otherwise(facts: &Facts, project: &str) -> Verdict {
    let reading = facts.project(project).kubernetes_account;
    Verdict::skip(&format!(
        "it acts as its Kubernetes account {project}/{PROJECT_ACCOUNT}"
    ))
    .seen(&reading)
}

/// Fails for want of a service account, unless it was not to be read whether a Kubernetes account acts.
fn unless_otherwise(facts: &Facts, project: &str, says: &str, fix: Fix) -> Verdict {
    match facts.project(project).kubernetes_account.found() {
        Err(gap) if !gap.skipped => Verdict::unknown(&format!(
            "{says}, and whether there is a Kubernetes account {project}/{PROJECT_ACCOUNT} was not read: {}",
            gap.why
        ))
        .with(fix),
        _ => Verdict::fail(says, fix),
    }
}

/// Gives the account of a Project; none where no account can have its name.
pub(super) fn email(facts: &Facts, project: &str) -> Result<Option<ServiceAccountEmail>, Gap> {
    facts.account_of(project).map(Result::ok)
}

/// What makes an account and lets the controller act as it.
pub(super) fn create_and_grant(
    facts: &Facts,
    project: &str,
    email: &ServiceAccountEmail,
) -> Result<[Action; 2], Gap> {
    let create = Action::CreateServiceAccount {
        email: email.clone(),
        project: facts.home.known()?.project.clone(),
        kargo_project: project.to_owned(),
    };
    Ok([create, minting(facts, email)?])
}

/// What lets the controller act as an account.
pub(super) fn minting(facts: &Facts, email: &ServiceAccountEmail) -> Result<Action, Gap> {
    Ok(Action::Grant(RoleGrant::new(
        Resource::ServiceAccount(email.clone()),
        TIGHT_MINTER,
        controller_of(facts)?,
    )))
}

/// Says who the controller is in policies, or holds the place of who cannot be known here.
pub(super) fn controller_of(facts: &Facts) -> Result<Grantee, Gap> {
    Ok(match &facts.intent.asks_by {
        TokenSource::MetadataServer => Grantee::Kubernetes(facts.principal()?),
        TokenSource::File {
            account: Some(email),
        } => Grantee::ServiceAccount(email.clone()),
        TokenSource::File { account: None } => Grantee::Member(CALLER.to_owned()),
    })
}
