//! `argosy gcp doctor`: walks the chain from a Pod to a repository.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use gcp::Fallback;
use gcp::doctor::diagnose;

use super::gather;
use super::place::{Access, Place, PodVantage};
use super::print::{self, FixForm, Form};

/// Says which link between the controller's Pod and Artifact Registry is broken, and how to mend it.
///
/// In the controller's Pod it sees what the controller sees: the metadata server, tokens, a pull.
/// At a desk it sees what you may read: the cluster, policies, accounts. What cannot be seen from
/// here is skipped, and what could not be read is unknown, never good. It changes nothing.
///
/// Ends with 0 if all passes or warns, with 1 if something fails, with 2 if some was not to be read.
///
/// Examples:
///   kubectl exec -n argosy deploy/controller -- argosy gcp doctor
///   argosy gcp doctor --gcp-project acme-gke --project web --repo HOST/acme/apps/web
///   argosy gcp doctor --kubeconfig ~/.kube/config --gcp-project acme-gke --fix terraform
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Doctor {
    /// Looks at one Project [default: every Project of the cluster]
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Address of an image or chart that the Project subscribes to; repeatable [default: what its Warehouses say]
    #[arg(long = "repo", value_name = "URL", requires = "project")]
    repositories: Vec<String>,
    /// When the controller's own identity may stand in for a Project's
    #[arg(
        long = "gcp-identity-fallback",
        env = "ARGOSY_GCP_IDENTITY_FALLBACK",
        value_name = "allow|if-absent|deny",
        default_value_t,
        alias = "fallback"
    )]
    fallback: Fallback,
    /// How long a metadata server is waited for that does not answer yet, such as 90s [default: 60s in a Pod, else 0s]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    wait: Option<Duration>,
    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    output: Form,
    /// Form in which a table says how to mend what it found; JSON has both
    #[arg(long, value_enum, default_value_t = FixForm::Gcloud)]
    fix: FixForm,
    #[command(flatten)]
    place: Place,
}

pub(super) async fn run(arguments: &Doctor) -> Result<ExitCode> {
    let mut access = arguments.place.access().await?;
    if let Some(patience) = arguments.wait {
        access.patience = patience;
    }
    if access.vantage == PodVantage::No && access.operator.is_none() {
        access.operator()?;
    }
    let projects = projects(arguments, &access).await?;
    let intent = gather::intent(&access, arguments.fallback, projects);
    let report = diagnose(&gather::facts(&access, intent).await);
    match arguments.output {
        Form::Table => print::table(|output| print::doctor(&report, arguments.fix, output))?,
        Form::Json => print::json(&report)?,
    }
    Ok(ExitCode::from(report.exit_code()))
}

async fn projects(arguments: &Doctor, access: &Access) -> Result<Vec<(String, Vec<String>)>> {
    let given = &arguments.repositories;
    match (&arguments.project, &access.kubernetes) {
        (Some(project), Some(client)) if given.is_empty() => {
            let addresses = gather::subscriptions(client, project).await?;
            Ok(vec![(project.clone(), addresses)])
        }
        (Some(project), _) => Ok(vec![(project.clone(), given.clone())]),
        (None, Some(client)) => gather::projects(client).await,
        (None, None) => bail!(
            "no Project is named and there is no cluster to list them: add --project NAME --repo URL, or --kubeconfig FILE"
        ),
    }
}
