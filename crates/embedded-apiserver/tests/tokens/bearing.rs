//! Bearing a token: who is let in, until when, and what a restart changes.

use std::sync::atomic::Ordering;

use embedded_apiserver::{EmbeddedApi, OpenError, Options};
use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::cluster::{ACCOUNTS, Cluster, NOON, POOL, REVIEWS, STANDING, WHO_AM_I};

#[tokio::test]
async fn the_bearer_of_a_token_is_the_account_until_either_ends() {
    let it = Cluster::start().await;
    let account = it.create_account().await;
    let token = it.token(json!({"expirationSeconds": 600})).await;
    let who = it
        .ask_as(Some(&token), Method::POST, WHO_AM_I, &json!({}))
        .await;
    let mut user = who.body["status"]["userInfo"].clone();
    let id = user["extra"]["authentication.kubernetes.io/credential-id"][0].take();
    assert!(id.as_str().unwrap().starts_with("JTI="), "{id}");
    user["extra"].take();
    assert_eq!(
        user,
        json!({
            "username": "system:serviceaccount:default:web", "uid": account["metadata"]["uid"], "extra": null,
            "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        })
    );
    it.time.store(NOON + 661, Ordering::Relaxed);
    assert_eq!(it.let_in(&token).await, 401, "it has expired");
    it.time.store(NOON - 61, Ordering::Relaxed);
    assert_eq!(it.let_in(&token).await, 401, "it is not valid yet");
    it.time.store(NOON, Ordering::Relaxed);
    assert_eq!(it.let_in(&token).await, 201);
    let path = format!("{ACCOUNTS}/web");
    assert_eq!(it.ask(Method::DELETE, &path, &json!({})).await.code, 200);
    assert_eq!(it.let_in(&token).await, 401, "the account is gone");
    it.create_account().await;
    assert_eq!(it.let_in(&token).await, 401, "it is another account");
}

#[tokio::test]
async fn a_token_for_others_or_of_others_opens_nothing() {
    let it = Cluster::start().await;
    it.create_account().await;
    let for_others = it.token(json!({"audiences": [POOL]})).await;
    assert_eq!(it.let_in(&for_others).await, 401);
    let for_both = it.token(json!({"audiences": [POOL, it.issuer()]})).await;
    assert_eq!(it.let_in(&for_both).await, 201);
    let claims = it.verify(&for_both, POOL).await;
    let parts: Vec<&str> = for_both.split('.').collect();
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    let key = EncodingKey::from_rsa_pem(key.unwrap().serialize_pem().as_bytes()).unwrap();
    let by_another_key =
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap();
    let secret = EncodingKey::from_secret(STANDING.as_bytes());
    let by_a_secret = jsonwebtoken::encode(&Header::default(), &claims, &secret).unwrap();
    let changed = for_others.split('.').nth(1).unwrap();
    for forged in [
        by_another_key,
        by_a_secret,
        format!("{}.{changed}.{}", parts[0], parts[2]),
        // {"alg":"none"}
        format!("eyJhbGciOiJub25lIn0.{}.", parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        String::new(),
        "..".to_owned(),
    ] {
        assert_eq!(it.let_in(&forged).await, 401, "{forged}");
    }
}

#[tokio::test]
async fn a_review_says_whose_a_token_is_and_for_whom() {
    let it = Cluster::start().await;
    it.create_account().await;
    let token = it.token(json!({"audiences": [POOL, "other"]})).await;
    let found = it.review(&token, &["other", "third"]).await;
    assert_eq!(found["authenticated"], true);
    assert_eq!(found["audiences"], json!(["other"]));
    assert_eq!(
        found["user"]["username"],
        "system:serviceaccount:default:web"
    );
    let standing = it.review(STANDING, &[]).await;
    assert_eq!(standing["user"]["username"], "admin");
    assert_eq!(standing["audiences"], json!([it.issuer()]));
    it.time.store(NOON + 10_000, Ordering::Relaxed);
    for (token, audiences, message) in [
        (token.as_str(), vec!["other"], "expired"),
        (STANDING, vec![POOL], "audiences"),
        ("nonsense", vec![], "not made here"),
    ] {
        let status = it.review(token, &audiences).await;
        assert_eq!(status["authenticated"], false, "{status}");
        assert!(
            status["error"].as_str().unwrap().contains(message),
            "{status}"
        );
        assert_eq!(status["user"], Value::Null);
    }
    let empty = json!({"kind": "TokenReview", "spec": {"token": ""}});
    assert_eq!(it.ask(Method::POST, REVIEWS, &empty).await.code, 400);
}

#[tokio::test]
async fn tokens_outlive_a_restart_of_an_issuer_that_keeps_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let issuer = "https://issuer.example";
    let first = Cluster::open(Some(directory.path()), Some(issuer)).await;
    first.create_account().await;
    let token = first.token(json!({})).await;
    first.server.shutdown().await;
    let second = Cluster::open(Some(directory.path()), Some(issuer)).await;
    assert_eq!(second.let_in(&token).await, 201);
    assert_eq!(second.verify(&token, issuer).await["iss"], issuer);
    second.server.shutdown().await;
}

#[tokio::test]
async fn a_broken_key_stops_the_start_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("service-account.key");
    let open = || EmbeddedApi::open(directory.path(), Options::default());
    open().await.unwrap().shutdown().await;
    std::fs::write(&key, "broken").unwrap();
    let error = open().await.unwrap_err();
    assert!(matches!(error, OpenError::NotASigningKey { .. }), "{error}");
    assert!(error.hint().contains("move it away"), "{}", error.hint());
    std::fs::remove_file(&key).unwrap();
    open().await.unwrap().shutdown().await;
}
