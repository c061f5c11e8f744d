//! Registries of charts that list their tags in odd ways.

use artifacts::Limits;
use artifacts::egress::Policy;

use crate::charts::{Charts, in_index};
use crate::registry_protocol::page;
use crate::scripted::{Server, answer, ok};

/// So many that the client asks whether there are more.
const TAGS: usize = 1_200;

fn listed() -> Vec<String> {
    (0..TAGS).map(|it| format!("1.0.{it}")).collect()
}

#[tokio::test]
async fn a_registry_that_knows_no_pages_has_each_tag_once() {
    let tags = listed();
    let server = Server::start(move |_, _| {
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        ok(page(&tags))
    })
    .await;
    let charts = Charts::new(Policy::new().with_loopback(), &Limits::default());
    let mut subscription = in_index(&format!("oci://{}/web", server.host), "");
    for (constraint, taken, left) in [("", 20, TAGS - 20), (">=2", 0, TAGS)] {
        constraint.clone_into(&mut subscription.semver_constraint);
        let found = charts.find("acme", None, &subscription).await;
        let selected = found.expect("versions").selected;
        assert_eq!(selected.taken.len(), taken);
        let ruled_out = selected.ruled_out.iter().map(|it| it.count);
        assert_eq!(ruled_out.sum::<usize>(), left);
    }
    assert_eq!(server.sent().len(), 4, "the list, and the same again");
}

#[tokio::test]
async fn the_best_versions_are_taken_of_whatever_page_they_are_on() {
    let tags = listed();
    let server = Server::start(move |sent, _| {
        let (_, last) = sent.target.split_once("last=").unwrap_or_default();
        let from = tags.iter().position(|it| it == last).map_or(0, |it| it + 1);
        let tags: Vec<&str> = tags[from..].iter().take(100).map(String::as_str).collect();
        let next = tags.last().filter(|_| from + 100 < TAGS);
        let next = next.map(|it| format!("</v2/web/tags/list?last={it}>; rel=\"next\""));
        let headers: Vec<(&str, &str)> = next.iter().map(|it| ("link", it.as_str())).collect();
        answer(200, &headers, page(&tags))
    })
    .await;
    let charts = Charts::new(Policy::new().with_loopback(), &Limits::default());
    let mut subscription = in_index(&format!("oci://{}/web", server.host), "");
    subscription.semver_constraint = "<=1.0.100".to_owned();
    subscription.discovery_limit = 3;
    let found = charts.find("acme", None, &subscription).await;
    let taken = found.expect("versions").selected.taken;
    assert_eq!(taken, ["1.0.100", "1.0.99", "1.0.98"]);
    assert_eq!(server.sent().len(), TAGS / 100);
}
