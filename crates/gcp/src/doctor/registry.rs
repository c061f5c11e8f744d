//! Checks of repositories and of the addresses that lead to them.

use super::{Answer, Verdict};
use crate::facts::{Facts, Seen, Use};
use crate::repository::{AddressError, ImageAddress, RepositoryName};
use crate::setup::repair::repository;
use crate::setup::{Action, Fix};

/// What the registry hosts of Google are called when nobody serves them any more under the old name.
const NOT_REDIRECTED: &[&str] = &[
    "REDIRECTION_FROM_GCR_IO_DISABLED",
    "REDIRECTION_STATE_UNSPECIFIED",
    "",
];

pub(super) fn addresses(facts: &Facts) -> Vec<(String, Answer)> {
    let all = facts
        .intent
        .projects
        .iter()
        .flat_map(|(project, list)| list.iter().map(move |it| (project, it)));
    all.map(|(project, address)| {
        let verdict = match ImageAddress::parse(address) {
            Ok(it) => Verdict::pass(&format!("it leads to {}", it.repository)),
            Err(AddressError::OtherHost { .. }) => Verdict::skip("it is not on a host of Google's"),
            Err(refused) => Verdict::fail(
                &refused.to_string(),
                repository::correct_address(project, refused.hint()),
            ),
        };
        (format!("{project} {address}"), Ok(verdict))
    })
    .collect()
}

pub(super) fn exists(facts: &Facts, name: &RepositoryName) -> Answer {
    let seen = facts.repository(name);
    let reading = &seen.repository;
    let verdict = match reading.found()? {
        Some(it) if it.format == "DOCKER" || it.format.is_empty() => {
            Verdict::pass(&format!("{name} exists"))
        }
        Some(it) => Verdict::fail(
            &format!("{name} holds {}, not images", it.format),
            repository::create_beside(facts, name),
        ),
        None => match seen.namesakes.known().ok().and_then(|it| it.first()) {
            Some(location) => Verdict::fail(
                &format!(
                    "there is no {} in {}, but there is one in {location}",
                    name.repository, name.location
                ),
                repository::lead_to(facts, name, location),
            ),
            None => Verdict::fail(
                &format!("there is no {name}"),
                repository::create(name).and_advice(
                    "or correct the address: a location such as us differs from us-central1",
                ),
            ),
        },
    };
    Ok(verdict.seen(reading))
}

pub(super) fn immutable(facts: &Facts, name: &RepositoryName) -> Answer {
    let reading = facts.repository(name).repository;
    Ok(if reading.known()?.docker_config.immutable_tags {
        Verdict::pass("tags are immutable")
    } else {
        // Many push `latest` on purpose, so it is said without a warning.
        Verdict::pass("tags may be moved; with immutable tags a promotion is what it says").with(
            Fix::by(vec![Action::MakeTagsImmutable {
                repository: name.clone(),
            }]),
        )
    }
    .seen(&reading))
}

pub(super) fn former_host(facts: &Facts, used: &Use) -> Answer {
    if !used.address.is_former() {
        return Ok(Verdict::skip(
            "it is no address of the former Container Registry",
        ));
    }
    let name = &used.address.repository;
    let (host, project) = (&used.address.host, &name.project);
    let seen = facts.repository(name);
    let reading = &seen.redirection;
    let state = reading.known()?;
    let verdict = if NOT_REDIRECTED.contains(&state.as_str()) {
        let says = format!("{host} is not served any more for {project}");
        Verdict::fail(&says, repository::serve_former(name))
    } else if seen.repository.seen == Seen::Absent {
        let says = format!("{host} leads to {name}, which does not exist");
        Verdict::fail(&says, repository::create(name)).seen(&seen.repository)
    } else {
        Verdict::pass(&format!("{host} is served by Artifact Registry ({state})"))
    };
    Ok(verdict.seen(reading))
}

pub(super) fn topic(facts: &Facts, name: &RepositoryName) -> Answer {
    let seen = facts.repository(name);
    let reading = seen.topic;
    Ok(match reading.found()? {
        Some(()) => match seen.subscriptions.known() {
            Ok(names) if names.is_empty() => {
                Verdict::pass("the topic gcr exists, and nobody listens to it")
            }
            Ok(names) => Verdict::pass(&format!("{} listens to the topic gcr", names.join(", "))),
            Err(gap) if gap.skipped => Verdict::pass("the topic gcr exists"),
            Err(gap) => Verdict::pass(&format!(
                "the topic gcr exists; who listens to it was not read: {}",
                gap.why
            )),
        }
        .seen(&seen.subscriptions),
        None => Verdict::pass(
            "there is no topic gcr, so new images are found by looking from time to time",
        )
        .with(Fix::by(vec![Action::CreateTopic {
            project: name.project.clone(),
        }])),
    }
    .seen(&reading))
}
