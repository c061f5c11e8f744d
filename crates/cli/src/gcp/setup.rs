//! `argosy gcp setup`: writes what is missing for a Project to read its repositories as itself, or does it.

mod consent;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use consent::agree;
use gcp::Fallback;
use gcp::facts::{Denial, Facts, Intent, Reason, Seen};
use gcp::principal::Principal;
use gcp::setup::shell::quote;
use gcp::setup::{
    Minter, Options, Plan, Policies, Readers, config_connector, gcloud, plan, terraform,
};

use super::apply::Tried;
use super::place::{Access, Place, PodVantage};
use super::{apply, gather, refresh};

/// Writes exactly what is missing for a Project to read its repositories as an account of its own.
///
/// Looks first and plans only what is not there: APIs, the account kargo-project-NAME, the
/// controller's role on it, the account's role on each repository. Without rights to look,
/// everything is planned; each step may be done twice. With --apply the steps are done as you, and
/// tried afterwards; once that works, the Project's Warehouses are asked to look again, where a
/// cluster is asked.
///
/// Ends with 0 if all is planned or works, with 1 if something cannot be brought about or is left to
/// you, with 2 if it was not to be read who acts as the Project, for which nothing is planned then.
///
/// Examples:
///   argosy gcp setup --gcp-project acme-gke --project web --repo HOST/acme/apps/web | sh
///   argosy gcp setup --gcp-project acme-gke --project web --repo ... --format terraform > web.tf
///   argosy gcp setup --gcp-project acme-gke --project web --repo ... --apply
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Setup {
    /// The Project
    #[arg(long, value_name = "NAME")]
    project: String,
    /// Address of an image or chart that the Project subscribes to; repeatable [default: what its Warehouses say]
    #[arg(long = "repo", value_name = "URL")]
    repositories: Vec<String>,
    /// Form in which the missing parts are written
    #[arg(long, value_enum, default_value_t = Format::Gcloud, conflicts_with = "apply")]
    format: Format,
    /// Plans Workload Identity Federation for a cluster and node pools without it; nodes are made anew, so --apply leaves
    /// node pools to you
    #[arg(long)]
    enable_wif: bool,
    /// Plans the organisation policies that keep it as narrow as it was set up; `all` plans those as well that make nodes
    /// and buckets harder to take, which reach everything in the project
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "baseline"
    )]
    org_policies: Option<OrgPolicies>,
    /// Plans that calls for tokens leave a line in the project's audit log, which Google charges for by volume
    #[arg(long)]
    audit_logs: bool,
    /// Role by which the controller acts as the account
    #[arg(long, value_enum, default_value_t = MinterRole::WorkloadIdentityUser)]
    minter: MinterRole,
    /// Also grants the controller itself the repositories, so that a Project without an account of its own reads as it:
    /// for development, as all Projects then read them
    #[arg(long)]
    fallback: bool,
    /// Does it, after showing it and asking
    #[arg(long)]
    apply: bool,
    /// Does not ask
    #[arg(long, requires = "apply")]
    yes: bool,
    /// How long to try afterwards until it works, such as 90s or 15m; grants take minutes to count, 0s tries once
    #[arg(long, value_name = "DURATION", default_value = "7m", value_parser = super::duration, requires = "apply")]
    wait: Duration,
    #[command(flatten)]
    place: Place,
}

/// In which form a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A shell script
    Gcloud,
    Terraform,
    /// Manifests for Config Connector
    ConfigConnector,
}

/// Which organisation policies are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OrgPolicies {
    /// Those that keep identities narrow
    Baseline,
    /// Those and hardening of clusters and buckets
    All,
}

/// The role by which the controller acts as a Project's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MinterRole {
    /// Acts, and nothing else
    WorkloadIdentityUser,
    /// What Kargo documents; also lets the controller sign as the account
    TokenCreator,
    /// Acts, and does not even read the account: a role kargoGsaTokenMinter of the project, made where it is missing
    CustomRole,
}

pub(super) async fn run(arguments: &Setup) -> Result<ExitCode> {
    let access = arguments.place.access().await?;
    if arguments.apply {
        // Nobody has to wait for a plan that nobody can carry out.
        access.operator()?;
    }
    let intent = intent(arguments, &access).await?;
    let facts = gather::facts(&access, intent).await;
    let plan = made(&facts, arguments, &access)?;
    notes(&plan)?;
    if !arguments.apply {
        write(&plan, arguments)?;
        return Ok(ending(&plan));
    }
    let apis = access.operator()?;
    let planned = apply::Planned {
        facts: &facts,
        plan: &plan,
    };
    if !plan.actions.is_empty() {
        agree(&plan, arguments.yes)?;
        apply::run(apis, planned).await?;
    }
    if plan.left_to_people().next().is_some() {
        return left_to_people(&plan, &access);
    }
    if !plan.unknown.is_empty() {
        return Ok(ending(&plan));
    }
    let tried = if let Some(acting) = facts.kubernetes_account_of(&arguments.project) {
        left_to_the_controller(&acting)?;
        Tried::No
    } else {
        check(&access, planned, arguments.wait).await?
    };
    if let Some(client) = &access.kubernetes {
        match tried {
            Tried::Yes => refresh::request(client, &arguments.project, (access.clock)()).await?,
            Tried::No => refresh::later(&arguments.project)?,
        }
    }
    Ok(ending(&plan))
}

fn made(facts: &Facts, arguments: &Setup, access: &Access) -> Result<Plan> {
    let options = Options {
        minter: match arguments.minter {
            MinterRole::WorkloadIdentityUser => Minter::WorkloadIdentityUser,
            MinterRole::TokenCreator => Minter::TokenCreator,
            MinterRole::CustomRole => Minter::CustomRole,
        },
        readers: if arguments.fallback {
            Readers::ControllerToo
        } else {
            Readers::Projects
        },
        enable_workload_identity: arguments.enable_wif,
        organisation_policies: match arguments.org_policies {
            None => Policies::AsTheyAre,
            Some(OrgPolicies::Baseline) => Policies::Baseline,
            Some(OrgPolicies::All) => Policies::All,
        },
        audit_logs: arguments.audit_logs,
    };
    plan(facts, options).map_err(|gap| {
        anyhow::anyhow!(
            "nothing can be planned before it is known who the controller is: {}{}",
            gap.why,
            switch_on_first(facts, access)
        )
    })
}

/// Names the command without which a new project answers nothing: it is asked for by Resource Manager first of all.
fn switch_on_first(facts: &Facts, access: &Access) -> String {
    let Seen::Denied(Denial {
        reason: Reason::ServiceDisabled { .. },
        ..
    }) = &facts.home.seen
    else {
        return String::new();
    };
    let project = access.gcp_project.as_ref();
    let project = project.map_or("PROJECT", |it| it.as_str());
    format!(
        "; switch on what setup asks by: gcloud services enable cloudresourcemanager.googleapis.com \
         serviceusage.googleapis.com --project={}",
        quote(project)
    )
}

async fn intent(arguments: &Setup, access: &Access) -> Result<Intent> {
    let given = &arguments.repositories;
    let addresses = match &access.kubernetes {
        Some(client) if given.is_empty() => {
            gather::subscriptions(client, &arguments.project).await?
        }
        _ => given.clone(),
    };
    let project = (arguments.project.clone(), addresses);
    Ok(gather::intent(access, Fallback::default(), [project]))
}

/// Says on standard error what is not in the plan itself.
fn notes(plan: &Plan) -> Result<()> {
    let mut stderr = anstream::stderr().lock();
    let notes = plan.assumed.iter().chain(&plan.unknown);
    for note in notes.chain(&plan.impossible) {
        writeln!(stderr, "note: {note}").context("failed to write to standard error")?;
    }
    if plan.actions.is_empty() {
        writeln!(stderr, "nothing is missing that can be added")
            .context("failed to write to standard error")?;
    }
    Ok(())
}

fn write(plan: &Plan, arguments: &Setup) -> Result<()> {
    let text = match arguments.format {
        Format::Gcloud => gcloud::script(plan),
        Format::Terraform => terraform::write_for(&arguments.project, plan),
        Format::ConfigConnector => config_connector::write(plan),
    };
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .context("failed to write to standard output")
}

/// Says what is left to do: without it the controller has its nodes' identity, so nothing is tried.
fn left_to_people(plan: &Plan, access: &Access) -> Result<ExitCode> {
    let steps = match plan.left_to_people().count() {
        1 => "1 step is".to_owned(),
        many => format!("{many} steps are"),
    };
    let mut stderr = anstream::stderr().lock();
    writeln!(
        stderr,
        "{steps} left to you, since nodes are made anew: run what is named above, then try all of it from the Pod: {}",
        from_the_pod(access)
    )
    .context("failed to write to standard error")?;
    Ok(ExitCode::FAILURE)
}

/// The command that tries it all as the controller, whose Deployment is called as in the book.
fn from_the_pod(access: &Access) -> String {
    let namespace = &access.controller.namespace;
    format!("kubectl exec -n {namespace} deploy/controller -- argosy gcp doctor")
}

/// Says who tries it: only the controller asks Kubernetes for tokens of such an account.
fn left_to_the_controller(acting: &Principal) -> Result<()> {
    let Principal { account, .. } = acting;
    let mut stderr = anstream::stderr().lock();
    writeln!(
        stderr,
        "done; the Project acts as its Kubernetes account {account}, which the controller alone can try: \
         see the condition RegistryIdentity of its Warehouses"
    )
    .context("failed to write to standard error")
}

/// Tries what was set up where that can be tried, and else says where it can.
async fn check(access: &Access, planned: apply::Planned<'_>, longest: Duration) -> Result<Tried> {
    if access.vantage == PodVantage::No {
        let mut stderr = anstream::stderr().lock();
        writeln!(
            stderr,
            "done; it takes some minutes to count. Try it from the Pod: {}",
            from_the_pod(access)
        )
        .context("failed to write to standard error")?;
        return Ok(Tried::No);
    }
    apply::wait_until_it_counts(access, planned, longest).await
}

/// What cannot be brought about is no success, and neither is what was not to be read.
fn ending(plan: &Plan) -> ExitCode {
    match plan {
        Plan { impossible, .. } if !impossible.is_empty() => ExitCode::FAILURE,
        Plan { unknown, .. } if !unknown.is_empty() => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    }
}
