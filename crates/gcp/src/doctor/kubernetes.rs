//! Checks of the Pod as Kubernetes tells of it.

use super::{Answer, Verdict};
use crate::audit::{ANNOTATION, remove_annotation};
use crate::facts::{Facts, Seen};
use crate::setup::repair::{controller, nodes};

const NODE_LABEL: &str = "iam.gke.io/gke-metadata-server-enabled";

pub(super) fn account(facts: &Facts) -> Answer {
    facts.asks_metadata_server()?;
    let reading = &facts.pod.account;
    if reading.seen == Seen::Skipped {
        return Ok(Verdict::skip(
            "only the Pod's own token says whom it runs as: from elsewhere it is looked for by the account that is to be \
             checked",
        ));
    }
    let (account, wanted) = (reading.known()?, &facts.intent.controller);
    let verdict = if account == wanted {
        Verdict::pass(&format!("it runs as {account}"))
    } else {
        Verdict::fail(
            &format!("it runs as {account}, and grants name {wanted}"),
            controller::run_as(account, wanted)
                .and_advice("or, if it is meant to: --controller NAMESPACE/NAME"),
        )
    };
    Ok(verdict.seen(reading))
}

pub(super) fn annotation(facts: &Facts) -> Answer {
    facts.asks_metadata_server()?;
    let reading = &facts.pod.account_annotations;
    let annotations = reading.known()?;
    Ok(match annotations.get(ANNOTATION) {
        None => Verdict::pass("it has no such annotation"),
        Some(account) => Verdict::fail(
            &format!("it is tied to {account}, so it is not the principal that grants name"),
            remove_annotation(facts),
        ),
    }
    .seen(reading))
}

pub(super) fn host_network(facts: &Facts) -> Answer {
    facts.asks_metadata_server()?;
    let reading = &facts.pod.pod;
    Ok(if reading.known()?.host_network {
        Verdict::fail(
            "it is on its node's network, where the metadata server gives it the node's identity",
            controller::leave_host_network(facts),
        )
    } else {
        Verdict::pass("it has a network of its own")
    }
    .seen(reading))
}

pub(super) fn node(facts: &Facts) -> Answer {
    facts.asks_metadata_server()?;
    if facts.cluster.known().is_ok_and(|it| it.autopilot.enabled) {
        return Ok(Verdict::skip("nodes of Autopilot always have it"));
    }
    let reading = &facts.pod.node_labels;
    let labels = reading.known()?;
    Ok(match labels.get(NODE_LABEL).map(String::as_str) {
        Some("true") => Verdict::pass("the node has it"),
        _ => Verdict::fail(
            &format!("the node does not have the label {NODE_LABEL}=true"),
            nodes::serve_metadata(facts),
        ),
    }
    .seen(reading))
}
