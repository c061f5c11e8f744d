//! Finds logins in the Secrets of a real API.

use credentials::{Credentials, Kind, Login, PlainHttp};
use testkit::World;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, PostParams};
use serde_json::json;

type Values = &'static [(&'static str, &'static str)];

/// Name, namespace, type and values of the Secrets.
const SECRETS: &[(&str, &str, &str, Values)] = &[
    (
        "a-pattern",
        "acme",
        "git",
        &[
            ("repoURL", "https://github.com/acme/.*"),
            ("repoURLIsRegex", "true"),
            ("username", "pattern"),
        ],
    ),
    (
        "b-exact",
        "acme",
        "git",
        &[
            ("repoURL", "https://github.com/acme/app.git"),
            ("username", "exact"),
        ],
    ),
    (
        "c-twin",
        "acme",
        "git",
        &[
            ("repoURL", "https://github.com/acme/app"),
            ("username", "twin"),
        ],
    ),
    (
        "untyped",
        "acme",
        "generic",
        &[
            ("repoURL", "https://github.com/acme2/app"),
            ("username", "untyped"),
        ],
    ),
    (
        "key",
        "shared",
        "git",
        &[
            ("repoURL", "git@github.com:acme/app.git"),
            ("sshPrivateKey", "k"),
        ],
    ),
    (
        "exact",
        "shared",
        "git",
        &[
            ("repoURL", "https://github.com/acme/app"),
            ("username", "shared"),
        ],
    ),
    (
        "image",
        "shared",
        "image",
        &[
            ("repoURL", "ghcr.io/acme/.*"),
            ("repoURLIsRegex", "true"),
            ("username", "image"),
        ],
    ),
    (
        "local",
        "shared",
        "git",
        &[
            ("repoURL", "http://localhost:3000/app"),
            ("username", "local"),
        ],
    ),
];

async fn create_secrets(world: &World) {
    let client = world.client();
    for name in ["acme", "shared", "other"] {
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": name}})).expect("a Namespace");
        Api::all(client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .expect(name);
    }
    for (name, namespace, kind, values) in SECRETS {
        let mut data = json!({"password": "p"});
        for (key, value) in *values {
            data[*key] = json!(value);
        }
        let labels = json!({"kargo.akuity.io/cred-type": kind});
        let secret = json!({"metadata": {"name": name, "labels": labels}, "stringData": data});
        let secret: Secret = serde_json::from_value(secret).expect("a Secret");
        Api::namespaced(client.clone(), namespace)
            .create(&PostParams::default(), &secret)
            .await
            .expect(name);
    }
}

#[tokio::test]
async fn a_login_is_found_in_the_project_then_among_the_shared() {
    let world = World::new().await.expect("a world");
    create_secrets(&world).await;
    let credentials = Credentials::new(world.client(), vec!["shared".to_owned()]);
    for (project, kind, repo_url, expected) in [
        ("acme", Kind::Git, "https://github.com/acme/app", "exact"),
        (
            "acme",
            Kind::Git,
            "https://GitHub.com/acme/app.git",
            "exact",
        ),
        ("acme", Kind::Git, "https://github.com/acme/web", "pattern"),
        (
            "acme",
            Kind::Git,
            "https://github.com/acme2/app",
            "anonymous",
        ),
        (
            "acme",
            Kind::Git,
            "https://evil.test/github.com/acme/app",
            "anonymous",
        ),
        ("acme", Kind::Git, "git@github.com:acme/app.git", "a key"),
        ("other", Kind::Git, "https://github.com/acme/app", "shared"),
        (
            "other",
            Kind::Git,
            "https://github.com/acme/web",
            "anonymous",
        ),
        (
            "missing",
            Kind::Git,
            "https://github.com/acme/app",
            "shared",
        ),
        ("acme", Kind::Image, "ghcr.io/acme/app", "image"),
        (
            "acme",
            Kind::Image,
            "evil.test/ghcr.io/acme/app",
            "anonymous",
        ),
        // At Docker Hub, whose own host a normal form leaves out.
        (
            "acme",
            Kind::Image,
            "docker.io/ghcr.io/acme/app",
            "anonymous",
        ),
        (
            "acme",
            Kind::Image,
            "index.docker.io/ghcr.io/acme/app",
            "anonymous",
        ),
        ("acme", Kind::Helm, "oci://ghcr.io/acme/app", "anonymous"),
        ("acme", Kind::Git, "http://localhost:3000/app", "anonymous"),
    ] {
        let access = credentials
            .find(project, kind, repo_url)
            .await
            .expect(repo_url);
        let found = match &access.login {
            None => "anonymous",
            Some(Login::Basic { username, .. }) => username,
            Some(Login::SshKey(_)) => "a key",
            Some(Login::AccessToken(_)) => "a token",
        };
        assert_eq!(found, expected, "{project} {kind} {repo_url}");
    }
    let on_a_laptop = credentials.with_plain_http(PlainHttp::Loopback);
    let local = on_a_laptop
        .find("acme", Kind::Git, "http://localhost:3000/app")
        .await
        .expect("an answer");
    assert!(matches!(local.login, Some(Login::Basic { username, .. }) if username == "local"));
}
