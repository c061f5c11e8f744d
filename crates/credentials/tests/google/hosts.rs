//! Which addresses are Google's: those alone get a token, however others are written.

use anyhow::Result;
use credentials::{Kind, Outcome};

use crate::installation::{Installation, PROJECT};

const GOOGLES: &[(Kind, &str)] = &[
    (Kind::Image, "europe-docker.pkg.dev/acme-prod/acme/web"),
    (
        Kind::Image,
        "europe-west1-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "europe-docker.pkg.dev/acme-prod/acme/web:1.0.0",
    ),
    (Kind::Image, "Europe-Docker.PKG.dev/acme-prod/acme/web"),
    (Kind::Image, "us-docker.pkg.dev/example.com/acme/apps/web"),
    (Kind::Image, "gcr.io/acme-prod/web"),
    (Kind::Image, "us.gcr.io/acme-prod/web"),
    (Kind::Image, "eu.gcr.io/acme-prod/web"),
    (Kind::Image, "asia.gcr.io/acme-prod/web"),
    (
        Kind::Helm,
        "oci://europe-docker.pkg.dev/acme-prod/charts/web",
    ),
    (Kind::Helm, "oci://eu.gcr.io/acme-prod/charts/web"),
];

/// The first part is what people see; what is connected to is something else.
const OTHERS: &[(Kind, &str)] = &[
    (Kind::Image, "evil.example/x-docker.pkg.dev/y"),
    (
        Kind::Image,
        "evil.example/europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "europe-docker.pkg.dev.evil.example/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "evil.example-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "docker.io/europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (Kind::Image, "europe-docker.pkg.dev:443/acme-prod/acme/web"),
    (Kind::Image, "europe-docker.pkg.dev:8080/acme-prod/acme/web"),
    (
        Kind::Image,
        "europe-docker.pkg.dev@evil.example/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "evil.example@europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "user:password@europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "evil.example#europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "evil.example?europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        r"evil.example\europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "evil.example%2feurope-docker.pkg.dev/acme-prod/acme/web",
    ),
    (Kind::Image, "europe-docker.pkg.dev./acme-prod/acme/web"),
    (Kind::Image, "-docker.pkg.dev/acme-prod/acme/web"),
    (Kind::Image, "docker.pkg.dev/acme-prod/acme/web"),
    (Kind::Image, "europe-docker-pkg.dev/acme-prod/acme/web"),
    (Kind::Image, "europe-docker.pkg.devx/acme-prod/acme/web"),
    (Kind::Image, "europe-npm.pkg.dev/acme-prod/acme/web"),
    (Kind::Image, "pkg.dev/acme-prod/acme/web"),
    (Kind::Image, "evil-gcr.io/acme-prod/web"),
    (Kind::Image, "gcr.io.evil.example/acme-prod/web"),
    (Kind::Image, "gcr.io:443/acme-prod/web"),
    (Kind::Image, "gcr.io./acme-prod/web"),
    (Kind::Image, "fr.gcr.io/acme-prod/web"),
    (Kind::Image, "k8s.gcr.io/pause"),
    (Kind::Image, "eu.gcr.io.evil.example/acme-prod/web"),
    (Kind::Image, "europe-docker.pkg.dev"),
    (
        Kind::Image,
        "oci://europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (Kind::Image, "nginx"),
    (Kind::Image, "acme/europe-docker.pkg.dev"),
    (
        Kind::Image,
        "http://europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "https://europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (
        Kind::Image,
        "oci://evil.example/europe-docker.pkg.dev/acme/web",
    ),
    (Kind::Helm, "oci://evil.example/x-docker.pkg.dev/y"),
    (
        Kind::Helm,
        "oci://europe-docker.pkg.dev:443/acme-prod/charts/web",
    ),
    (
        Kind::Helm,
        "oci://user@europe-docker.pkg.dev/acme-prod/charts/web",
    ),
    (
        Kind::Helm,
        "oci://evil.example@europe-docker.pkg.dev/acme-prod/charts/web",
    ),
    (
        Kind::Helm,
        "oci://oci://europe-docker.pkg.dev/acme-prod/charts/web",
    ),
    (
        Kind::Helm,
        "oci:///europe-docker.pkg.dev/acme-prod/charts/web",
    ),
    (Kind::Helm, "https://europe-docker.pkg.dev/acme-prod/charts"),
    (Kind::Helm, "http://europe-docker.pkg.dev/acme-prod/charts"),
    (
        Kind::Git,
        "https://europe-docker.pkg.dev/acme-prod/acme/web",
    ),
    (Kind::Git, "https://gcr.io/acme-prod/web"),
];

#[tokio::test]
async fn only_the_hosts_of_google_are_shown_a_token() -> Result<()> {
    let installation = Installation::open().await?;
    for (kind, repo_url) in GOOGLES {
        let outcome = installation.outcome(PROJECT, *kind, repo_url).await;
        assert_eq!(
            outcome,
            Some(Outcome::OwnServiceAccount),
            "{kind} {repo_url}"
        );
    }
    for (kind, repo_url) in OTHERS {
        let outcome = installation.outcome(PROJECT, *kind, repo_url).await;
        assert_eq!(outcome, None, "{kind} {repo_url}");
    }
    Ok(())
}
