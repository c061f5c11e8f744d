//! How the registry client logs in: tokens, passwords, and where neither goes.

use std::sync::Mutex;

use credentials::Login;
use secret::Secret;

use crate::registry_protocol::{login, page, registries, tags_of};
use crate::scripted::{Server, answer, ok};
use crate::told;

const BASIC: &str = "Basic bWU6aHVudGVyMi1odW50ZXIy";

/// Asks for a token until a good one comes, and gives these tokens in turn to who knows the password.
async fn guarded_server(tokens: &[&'static str]) -> Server {
    let tokens = Mutex::new(tokens.to_vec());
    Server::start(move |sent, _| {
        let authorization = sent.authorization.as_deref();
        if sent.target.starts_with("/token") {
            assert_eq!(
                sent.target,
                "/token?service=loopback&scope=repository%3Aweb%3Apull"
            );
            if authorization != Some(BASIC) {
                let errors =
                    r#"{"errors":[{"code":"UNAUTHORIZED","message":"hunter2-hunter2 is wrong"}]}"#;
                return answer(401, &[], errors);
            }
            let token = tokens.lock().expect("a lock").remove(0);
            return ok(format!(r#"{{"token":"{token}","expires_in":300}}"#));
        }
        if matches!(authorization, Some("Bearer good" | "Bearer better")) {
            return ok(page(&["a"]));
        }
        let challenge = format!(
            r#"Bearer realm="http://{}/token",service="loopback",scope="repository:web:pull""#,
            sent.host
        );
        answer(401, &[("www-authenticate", &challenge)], "{}")
    })
    .await
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_kept() {
    let server = guarded_server(&["good"]).await;
    let registries = registries();
    let login = login();
    let asks = (0..20).map(|_| tags_of(&registries, "acme", &server, Some(&login)));
    for tags in futures::future::join_all(asks).await {
        assert_eq!(tags.expect("the tags"), ["a"]);
    }
    assert_eq!(server.count("/token"), 1);
    assert!(
        server
            .sent()
            .iter()
            .filter(|it| it.target.starts_with("/v2"))
            .all(|it| !it.authorization.iter().any(|it| it.starts_with("Basic")))
    );
}

#[tokio::test]
async fn a_token_that_is_turned_down_is_replaced_once() {
    let server = guarded_server(&["stale", "better"]).await;
    assert_eq!(
        tags_of(&registries(), "acme", &server, Some(&login()))
            .await
            .expect("the tags"),
        ["a"]
    );
    assert_eq!(server.count("/token"), 2);

    let server = guarded_server(&["stale", "stale", "stale"]).await;
    let error = tags_of(&registries(), "acme", &server, Some(&login()))
        .await
        .expect_err("never let in");
    assert!(
        server.count("/token") <= 2 && server.count("/v2") <= 4,
        "{:?}",
        server.sent()
    );
    assert!(!told(&error).contains("stale"), "{}", told(&error));
}

#[tokio::test]
async fn projects_and_logins_share_nothing() {
    let server = guarded_server(&["good", "good", "good"]).await;
    let registries = registries();
    for project in ["acme", "other"] {
        tags_of(&registries, project, &server, Some(&login()))
            .await
            .expect("the tags");
    }
    assert_eq!(server.count("/token"), 2);
    let wrong = Login::Basic {
        username: "me".to_owned(),
        password: Secret::from("wrong-password"),
    };
    for login in [None, Some(&wrong)] {
        let error = tags_of(&registries, "acme", &server, login)
            .await
            .expect_err("not let in");
        let told = told(&error);
        assert!(
            told.contains("401") && told.contains("UNAUTHORIZED"),
            "{told}"
        );
        assert!(
            !told.contains("hunter2") && !told.contains("wrong-password"),
            "{told}"
        );
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn a_login_is_not_sent_to_a_foreign_realm() {
    for realm in [
        "https://evil.test/token",
        "http://evil.test/token",
        "https://127.0.0.1.evil.test/token",
        "https://169.254.169.254/token",
    ] {
        let server = Server::start(move |_, _| {
            answer(
                401,
                &[("www-authenticate", &format!(r#"Bearer realm="{realm}""#))],
                "{}",
            )
        })
        .await;
        let error = tags_of(&registries(), "acme", &server, Some(&login()))
            .await
            .expect_err(realm);
        assert!(
            told(&error).contains("sends for a token to http"),
            "{}",
            told(&error)
        );
        assert!(server.sent().iter().all(|it| it.authorization.is_none()));
    }
}

#[tokio::test]
async fn a_password_is_sent_only_when_asked_for() {
    let server = Server::start(|sent, _| {
        if sent.authorization.as_deref() == Some(BASIC) {
            return ok(page(&["a"]));
        }
        answer(
            401,
            &[("www-authenticate", "Basic realm=\"loopback\"")],
            "{}",
        )
    })
    .await;
    let registries = registries();
    assert_eq!(
        tags_of(&registries, "acme", &server, Some(&login()))
            .await
            .expect("the tags"),
        ["a"]
    );
    assert_eq!(server.sent().len(), 2);
    tags_of(&registries, "acme", &server, Some(&login()))
        .await
        .expect("the tags");
    assert_eq!(server.sent().len(), 3);
    let error = tags_of(&registries, "acme", &server, None)
        .await
        .expect_err("not let in");
    assert!(
        error.hint().contains("kargo.akuity.io/cred-type=image"),
        "{}",
        error.hint()
    );
}
