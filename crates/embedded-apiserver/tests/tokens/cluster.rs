//! A server on a port, at a time of the test's choosing, and what is asked of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use embedded_apiserver::{EmbeddedApi, Listen, Listening, Options, Reach};
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kube::client::Body;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

pub(crate) const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
pub(crate) const TOKENS: &str = "/api/v1/namespaces/default/serviceaccounts/web/token";
pub(crate) const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
pub(crate) const WHO_AM_I: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
pub(crate) const POOL: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k";
pub(crate) const STANDING: &str = "a-token-that-is-long-enough";
pub(crate) const NOON: i64 = 1_767_268_800;

/// A server on a port, at a time of the test's choosing.
pub(crate) struct Cluster {
    pub(crate) server: EmbeddedApi,
    pub(crate) listening: Listening,
    pub(crate) time: Arc<AtomicI64>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) media_type: String,
    pub(crate) warnings: String,
    pub(crate) body: Value,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::open(None, None).await
    }

    pub(crate) async fn open(directory: Option<&Path>, issuer: Option<&str>) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let time = Arc::new(AtomicI64::new(NOON));
        let hand = Arc::clone(&time);
        let options = Options {
            clock: Arc::new(move || {
                jiff::Timestamp::from_second(hand.load(Ordering::Relaxed)).unwrap()
            }),
            issuer: issuer.map(str::to_owned),
            ..Options::default()
        };
        let server = match directory {
            Some(directory) => EmbeddedApi::open(directory, options).await,
            None => EmbeddedApi::open_in_memory(options).await,
        };
        let server = server.unwrap();
        let listen = Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            reach: Reach::Loopback,
            token: STANDING.to_owned(),
            directory: None,
            name: "embedded".to_owned(),
            routes: axum::Router::new(),
        };
        let listening = server.listen(listen).await.unwrap();
        Self {
            server,
            listening,
            time,
        }
    }

    pub(crate) fn issuer(&self) -> String {
        format!("https://{}", self.listening.address)
    }

    /// Asks over the network, as the bearer of `token`.
    pub(crate) async fn ask_as(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Answer {
        let kubeconfig = Kubeconfig::from_yaml(self.listening.kubeconfig()).unwrap();
        let options = KubeConfigOptions::default();
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .unwrap();
        config.auth_info = AuthInfo {
            token: token.map(Into::into),
            ..AuthInfo::default()
        };
        let client = kube::Client::try_from(config).unwrap();
        let request = Request::builder().method(method).uri(path);
        let body = Body::from(body.to_string().into_bytes());
        read(client.send(request.body(body).unwrap()).await.unwrap()).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.ask_as(Some(STANDING), method, path, body).await
    }

    pub(crate) async fn create_account(&self) -> Value {
        let account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}});
        let answer = self.ask(Method::POST, ACCOUNTS, &account).await;
        assert_eq!(answer.code, 201, "{}", answer.body);
        answer.body
    }

    /// Asks for a token of the account.
    pub(crate) async fn token(&self, spec: Value) -> String {
        let answer = self.ask(Method::POST, TOKENS, &request(&spec)).await;
        assert_eq!(answer.code, 201, "{}", answer.body);
        answer.body["status"]["token"].as_str().unwrap().to_owned()
    }

    /// The code that the bearer of `token` gets for asking who it is.
    pub(crate) async fn let_in(&self, token: &str) -> u16 {
        self.ask_as(Some(token), Method::POST, WHO_AM_I, &json!({}))
            .await
            .code
    }

    pub(crate) async fn review(&self, token: &str, audiences: &[&str]) -> Value {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": token, "audiences": audiences},
        });
        let answer = self.ask(Method::POST, REVIEWS, &review).await;
        assert_eq!(answer.code, 201, "{}", answer.body);
        answer.body["status"].clone()
    }

    /// Reads a token as a relying party does that knows nothing but the issuer's address.
    pub(crate) async fn verify(&self, token: &str, audience: &str) -> Value {
        let document = "/.well-known/openid-configuration";
        let found = self.ask_as(None, Method::GET, document, &Value::Null).await;
        let keys = found.body["jwks_uri"].as_str().unwrap();
        let keys = keys.strip_prefix(&self.issuer()).unwrap();
        let keys = self.ask_as(None, Method::GET, keys, &Value::Null).await;
        assert_eq!(
            (found.code, found.media_type.as_str()),
            (200, "application/json")
        );
        assert_eq!(
            (keys.code, keys.media_type.as_str()),
            (200, "application/jwk-set+json")
        );
        let keys: JwkSet = serde_json::from_value(keys.body).unwrap();
        let header = jsonwebtoken::decode_header(token).unwrap();
        let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_audience(&[audience]);
        rules.set_issuer(&[found.body["issuer"].as_str().unwrap()]);
        rules.validate_exp = false;
        let key = DecodingKey::from_jwk(key).unwrap();
        jsonwebtoken::decode::<Value>(token, &key, &rules)
            .unwrap()
            .claims
    }
}

pub(crate) fn request(spec: &Value) -> Value {
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
}

async fn read<B: http_body::Body>(response: Response<B>) -> Answer
where
    B::Error: std::fmt::Debug,
{
    let header = |name: &str| {
        let values = response.headers().get_all(name).iter();
        values.map(|it| it.to_str().unwrap()).collect::<String>()
    };
    let (code, media_type, warnings) = (
        response.status().as_u16(),
        header("content-type"),
        header("warning"),
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer {
        code,
        media_type,
        warnings,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}
