//! What is asked of Artifact Registry's API, and what never is.

use std::sync::Arc;

use credentials::Login;
use jiff::Timestamp;

use super::{Listing, Said, Wish};
use crate::egress::Policy;
use crate::registry::{Registries, Repository};
use crate::{Boundless, Caller, Cost, Limits};

/// Asks the API of an image by this name; says in how many requests.
async fn asked(digest: &str) -> (Said, u64) {
    let login = Login::Basic {
        username: "oauth2accesstoken".to_owned(),
        password: "a-token".to_owned().into(),
    };
    let cost = Cost::default();
    let caller = Caller {
        project: "acme",
        login: Some(&login),
        cost: &cost,
        room: &Boundless,
    };
    // Nobody listens there.
    let api = "http://127.0.0.1:1".parse().expect("a URL");
    let registries = Registries::new(Arc::new(Policy::new().with_loopback()), Limits::default())
        .with_artifact_registry(api);
    let name = "us-docker.pkg.dev/acme-prod/apps/web";
    let repository = Repository::parse(name).expect("a repository");
    let reader = registries.reader(caller, &repository, false).await;
    let wish = Wish {
        rules: "",
        newest_first: false,
        now: Timestamp::UNIX_EPOCH,
    };
    let listing = Listing::new(&reader, wish);
    let said = listing.ask_built_at(digest).await;
    (said, cost.spent().total())
}

#[tokio::test]
async fn what_is_no_digest_becomes_no_part_of_a_url() {
    let proper = format!("sha256:{:064}", 1);
    assert_eq!(asked(&proper).await, (Said::Nothing, 1));
    for digest in [
        "",
        "..",
        "../../../v1/projects/x",
        &format!("{proper}/../../x"),
        &format!("{proper}?alt=media"),
    ] {
        assert_eq!(asked(digest).await, (Said::Nothing, 0), "{digest}");
    }
}
