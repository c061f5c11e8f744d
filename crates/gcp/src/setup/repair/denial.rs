//! What to do about a refusal, by its reason.

use super::{home, nodes, organisation};
use crate::facts::{Denial, Facts, Reason};
use crate::principal::ProjectId;
use crate::setup::shell::command;
use crate::setup::{Action, Fix};

/// Which service of which project refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refuser<'a> {
    pub(crate) project: &'a ProjectId,
    /// For example `iamcredentials.googleapis.com`.
    pub(crate) service: &'a str,
}

/// Mends a refusal; `grant` is what mends a permission that is missing.
pub(crate) fn of(
    facts: &Facts,
    denial: &Denial,
    refuser: Refuser<'_>,
    grant: impl FnOnce() -> Fix,
) -> Fix {
    match &denial.reason {
        Reason::MissingPermission => grant(),
        Reason::ServiceDisabled { service } => {
            let service = service.as_deref().unwrap_or(refuser.service);
            enable(refuser.project, service)
        }
        Reason::Perimeter { .. } => organisation::let_in(facts, &[refuser.service]),
        Reason::NarrowScope => nodes::serve_metadata(facts),
        Reason::BadCredential | Reason::Anonymous => nodes::restart_metadata_server(facts),
        Reason::OrganisationPolicy => organisation::look_at_constraints(facts),
        Reason::Other => look_up(refuser),
    }
}

/// The same of the service that hands out tokens of accounts.
pub(crate) fn of_minting(facts: &Facts, denial: &Denial, grant: impl FnOnce() -> Fix) -> Fix {
    let refuser = Refuser {
        project: &home(facts),
        service: "iamcredentials.googleapis.com",
    };
    of(facts, denial, refuser, grant)
}

/// Switches a service on.
pub(crate) fn enable(project: &ProjectId, service: &str) -> Fix {
    Fix::by(vec![Action::EnableServices {
        project: project.clone(),
        services: vec![service.to_owned()],
    }])
    .and_advice("it takes some minutes until every server knows")
}

/// Shows what a service wrote down of its refusals.
fn look_up(refuser: Refuser<'_>) -> Fix {
    let filter = format!(
        "protoPayload.serviceName=\"{}\" AND severity>=ERROR",
        refuser.service
    );
    let options = [("project", refuser.project.as_str()), ("limit", "10")];
    let words = ["gcloud", "logging", "read", &filter];
    Fix::commands(&[command(&words, &options)]).without_terraform(
        "why it was refused has to be known first; it is in the words of the refusal and in the log",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::whole::whole;

    #[test]
    fn every_reason_has_its_own_repair() {
        let grant = || Fix::commands(&["grant"]).without_terraform("it is a test");
        for (reason, part) in [
            (Reason::MissingPermission, "grant"),
            (
                Reason::ServiceDisabled { service: None },
                "gcloud services enable iamcredentials.googleapis.com --project=acme-gke",
            ),
            (
                Reason::Perimeter { id: None },
                "perimeters update PERIMETER",
            ),
            (Reason::NarrowScope, "kubectl cordon"),
            (Reason::BadCredential, "gke-metadata-server"),
            (Reason::Anonymous, "gke-metadata-server"),
            (Reason::OrganisationPolicy, "gcloud org-policies list"),
            (Reason::Other, "gcloud logging read"),
        ] {
            let denial = Denial {
                reason,
                permission: None,
                message: String::new(),
            };
            let fix = of_minting(&whole(), &denial, grant);
            assert!(fix.commands.contains(part), "{denial:?}: {fix:?}");
        }
    }
}
