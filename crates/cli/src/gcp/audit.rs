//! `argosy gcp audit`: compares what is granted with what is needed.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use gcp::Fallback;
use gcp::audit::{Severity, audit, sarif};
use gcp::facts::Reading;

use super::gather;
use super::place::{Access, Place};
use super::print::{self, FixForm};

/// Says who may do more on Google Cloud than Projects need: wide roles, keys, public repositories.
///
/// Looks at the accounts and repositories of all Projects, at the controller's Google Cloud project
/// and at what stands above it, as you. What could not be read is listed and never counts as good.
/// It changes nothing.
///
/// Ends with 1 if something was found that is as bad as --fail-on, else with 2 if something could
/// not be read, else with 0.
///
/// Examples:
///   argosy gcp audit --kubeconfig ~/.kube/config --gcp-project acme-gke
///   argosy gcp audit --projects web,shop --gcp-project acme-gke --fail-on medium
///   argosy gcp audit --kubeconfig ~/.kube/config --gcp-project acme-gke -o sarif > audit.sarif
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Audit {
    /// All Projects by name, where there is no cluster to list them: an account of any other counts as left over
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    projects: Vec<String>,
    /// Address of an image or chart whose repository is looked at for each of --projects; repeatable
    #[arg(long = "repo", value_name = "URL", requires = "projects")]
    repositories: Vec<String>,
    /// How bad a finding has to be for the exit code 1
    #[arg(long, value_name = "SEVERITY", default_value = "high")]
    fail_on: Severity,
    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    output: Form,
    /// Form in which a table says how to mend what it found; JSON has both
    #[arg(long, value_enum, default_value_t = FixForm::Gcloud)]
    fix: FixForm,
    #[command(flatten)]
    place: Place,
}

/// In which form the findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// For programs; ids and words do not change
    Json,
    /// For code hosts, which show it beside a repository
    Sarif,
}

pub(super) async fn run(arguments: &Audit) -> Result<ExitCode> {
    let access = arguments.place.access().await?;
    access.operator()?;
    let projects = projects(arguments, &access).await?;
    let intent = gather::intent(&access, Fallback::default(), projects);
    let mut facts = gather::facts(&access, intent).await;
    if !arguments.projects.is_empty() {
        facts.live_projects = Reading::known_from("--projects", arguments.projects.clone());
    }
    let report = audit(&facts);
    match arguments.output {
        Form::Table => print::table(|output| print::audit(&report, arguments.fix, output))?,
        Form::Json => print::json(&report)?,
        Form::Sarif => print::json(&sarif::write(&report, env!("CARGO_PKG_VERSION")))?,
    }
    Ok(ExitCode::from(report.exit_code(arguments.fail_on)))
}

async fn projects(arguments: &Audit, access: &Access) -> Result<Vec<(String, Vec<String>)>> {
    if !arguments.projects.is_empty() {
        let named = arguments.projects.iter();
        return Ok(named
            .map(|it| (it.clone(), arguments.repositories.clone()))
            .collect());
    }
    let client = access.kubernetes.as_ref().context(
        "there is no cluster to list the Projects: add --kubeconfig FILE, or --projects NAME,NAME",
    )?;
    gather::projects(client).await
}
