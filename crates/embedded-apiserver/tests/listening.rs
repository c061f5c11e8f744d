//! The server on a port, as clients on the network see it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use embedded_apiserver::{EmbeddedApi, Listen, ListenError, Listening, Options, Reach};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};

const TOKEN: &str = "a-token-that-is-long-enough";

fn listen_on(address: &str) -> Listen {
    Listen {
        address: address.parse::<SocketAddr>().unwrap(),
        reach: Reach::Loopback,
        token: TOKEN.to_owned(),
        directory: None,
        name: "embedded".to_owned(),
        routes: axum::Router::new()
            .route("/metrics", axum::routing::get(|| async { "things 1\n" })),
    }
}

async fn client(listening: &Listening, change: impl Fn(&mut kube::Config)) -> kube::Client {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let kubeconfig = Kubeconfig::from_yaml(listening.kubeconfig()).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .unwrap();
    change(&mut config);
    kube::Client::try_from(config).unwrap()
}

async fn ask(client: &kube::Client, path: &str) -> (u16, String) {
    let request = http::Request::get(path)
        .body(kube::client::Body::empty())
        .unwrap();
    let response = client.send(request).await.unwrap();
    let status = response.status().as_u16();
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap()
        .to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_bearer_of_the_kubeconfigs_token_may_do_everything() {
    let server = EmbeddedApi::open_in_memory(Options::default())
        .await
        .unwrap();
    let listening = server.listen(listen_on("127.0.0.1:0")).await.unwrap();
    let client = client(&listening, |_| {}).await;
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let config_map =
        serde_json::from_value(serde_json::json!({"metadata": {"name": "a"}})).unwrap();
    api.create(&PostParams::default(), &config_map)
        .await
        .unwrap();
    assert_eq!(
        api.list(&ListParams::default()).await.unwrap().items.len(),
        1
    );
    assert_eq!(
        ask(&client, "/metrics").await,
        (200, "things 1\n".to_owned())
    );
    server.shutdown().await;
}

#[tokio::test]
async fn anybody_else_learns_only_whether_it_lives() {
    let server = EmbeddedApi::open_in_memory(Options::default())
        .await
        .unwrap();
    let listening = server.listen(listen_on("127.0.0.1:0")).await.unwrap();
    for token in [None, Some("a-token-that-is-wrong-enough")] {
        let client = client(&listening, |config| {
            config.auth_info = kube::config::AuthInfo {
                token: token.map(Into::into),
                ..kube::config::AuthInfo::default()
            };
        })
        .await;
        for path in [
            "/api/v1/namespaces/default/configmaps",
            "/version",
            "/metrics",
            "/healthz/../api",
            "/nothing",
        ] {
            let (status, body) = ask(&client, path).await;
            assert_eq!(status, 401, "{path}");
            assert!(
                body.contains("\"reason\":\"Unauthorized\""),
                "{path}: {body}"
            );
        }
        for path in ["/healthz", "/livez", "/readyz"] {
            assert_eq!(ask(&client, path).await, (200, "ok".to_owned()), "{path}");
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn other_machines_are_let_in_only_when_asked_for() {
    let server = EmbeddedApi::open_in_memory(Options::default())
        .await
        .unwrap();
    let refused = server.listen(listen_on("0.0.0.0:0")).await.unwrap_err();
    assert!(
        matches!(refused, ListenError::NotLoopback { .. }),
        "{refused}"
    );
    let asked_for = Listen {
        reach: Reach::Anywhere,
        ..listen_on("0.0.0.0:0")
    };
    server.listen(asked_for).await.unwrap();
    server.shutdown().await;
}

#[tokio::test]
async fn a_kubeconfig_stays_valid_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut first: Option<Listening> = None;
    for _ in 0..2 {
        let server = EmbeddedApi::open(directory.path(), Options::default())
            .await
            .unwrap();
        let address = first
            .as_ref()
            .map_or("127.0.0.1:0".to_owned(), |it| it.address.to_string());
        let listen = Listen {
            directory: Some(directory.path().to_owned()),
            ..listen_on(&address)
        };
        let listening = server.listen(listen).await.unwrap();
        let first = first.get_or_insert(listening);
        assert_eq!(ask(&client(first, |_| {}).await, "/version").await.0, 200);
        server.shutdown().await;
    }
}

#[tokio::test]
async fn whoever_talks_nonsense_disturbs_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = EmbeddedApi::open_in_memory(Options::default())
        .await
        .unwrap();
    let listening = server.listen(listen_on("127.0.0.1:0")).await.unwrap();
    let mut silent = Vec::new();
    for text in ["GET /api HTTP/1.1\r\n\r\n", "\u{0}\u{1}\u{2}", ""] {
        let mut stream = tokio::net::TcpStream::connect(listening.address)
            .await
            .unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        if text.is_empty() {
            silent.push(stream);
            continue;
        }
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        assert!(!answer.starts_with(b"HTTP"), "plain HTTP was answered");
    }
    let client = client(&listening, |_| {}).await;
    assert_eq!(ask(&client, "/version").await.0, 200);
    server.shutdown().await;
    assert!(
        tokio::net::TcpStream::connect(listening.address)
            .await
            .is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn watches_over_the_network_end_with_the_server() {
    use futures::TryStreamExt;
    let server = EmbeddedApi::open_in_memory(Options::default())
        .await
        .unwrap();
    let listening = server.listen(listen_on("127.0.0.1:0")).await.unwrap();
    let api: Api<ConfigMap> = Api::default_namespaced(client(&listening, |_| {}).await);
    let events = api
        .watch(&kube::api::WatchParams::default(), "0")
        .await
        .unwrap();
    let started = std::time::Instant::now();
    server.shutdown().await;
    assert!(
        started.elapsed() < std::time::Duration::from_secs(4),
        "the shutdown waited for the watch"
    );
    let seen: Vec<_> = events.try_collect().await.unwrap();
    assert!(seen.is_empty());
}
