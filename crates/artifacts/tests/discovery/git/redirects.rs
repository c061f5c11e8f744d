//! Where a login goes, and where not, when a Git host sends us elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use credentials::Login;
use secret::Secret;
use testkit::proxy::{Asked, Proxy, Twist};
use testkit::servers::{Access, GitServer, PASSWORD, USER};

use super::{discover, host, repositories, subjects, subscription};
use crate::scripted::{Server, answer};
use crate::told;

/// A host whose visitors are written down: what they asked for, and whether they showed a login.
struct Watched {
    proxy: Proxy,
    visits: Arc<Mutex<Vec<(String, bool)>>>,
    _host: GitServer,
}

impl Watched {
    async fn start(
        access: Access,
        script: impl Fn(&Asked) -> Twist + Send + Sync + 'static,
    ) -> Self {
        let host = host(access);
        let visits: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
        let record = Arc::clone(&visits);
        let behind = format!("127.0.0.1:{}", host.port());
        let proxy = Proxy::start(&behind, Duration::ZERO, move |asked| {
            let visit = format!("{} {}", asked.method, asked.target);
            let with_login = asked.headers.contains_key("authorization");
            let mut visits = record.lock().unwrap_or_else(PoisonError::into_inner);
            visits.push((visit, with_login));
            script(asked)
        });
        Self {
            proxy: proxy.await.expect("a proxy"),
            visits,
            _host: host,
        }
    }

    /// Splits what was asked for by whether a login was shown.
    fn visits(&self) -> (Vec<String>, Vec<String>) {
        let visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        let (with, without): (Vec<_>, Vec<_>) = visits.iter().cloned().partition(|it| it.1);
        let names = |visits: Vec<(String, bool)>| visits.into_iter().map(|it| it.0).collect();
        (names(with), names(without))
    }
}

/// A host that knows only that the repository is elsewhere by now.
async fn moved_to(there: &Proxy) -> Server {
    let there = format!("http://{}/acme/deploy.git", there.host());
    Server::start(move |sent, _| {
        let rest = sent.target.strip_prefix("/old.git").unwrap_or_default();
        answer(301, &[("location", &format!("{there}{rest}"))], "")
    })
    .await
}

fn login() -> Login {
    Login::Basic {
        username: USER.to_owned(),
        password: Secret::from(PASSWORD),
    }
}

/// Says whether a child asks, rather than we ourselves.
fn is_child(asked: &Asked) -> bool {
    let agent = asked.headers.get("user-agent");
    agent.is_some_and(|it| it.as_bytes().starts_with(b"git/"))
}

#[tokio::test]
async fn a_login_stays_behind_where_a_redirect_leads_to_another_host() {
    let there = Watched::start(Access::Open, |_| Twist::Pass).await;
    let front = moved_to(&there.proxy).await;
    let folder = tempfile::tempdir().expect("a folder");
    let moved = subscription(format!("http://{}/old.git", front.host));
    let found = discover(&repositories(folder.path()), &moved, Some(&login()), None).await;
    assert_eq!(subjects(&found.expect("commits"))[0], "Web two");
    // The login was there to be sent, and was sent to the host that it is for.
    let sent = front.sent();
    assert!(!sent.is_empty() && sent.iter().all(|it| it.authorization.is_some()));
    let (with_login, without) = there.visits();
    assert!(with_login.is_empty(), "{with_login:?}");
    // The greeting, the refs, and the child that fetches.
    assert!(without.len() >= 3, "{without:?}");
}

#[tokio::test]
async fn a_login_stays_behind_also_where_the_other_host_asks_the_child_for_one() {
    let there = Watched::start(Access::Open, |asked| {
        if !is_child(asked) || asked.headers.contains_key("authorization") {
            return Twist::Pass;
        }
        Twist::Answer {
            status: 401,
            headers: vec![("www-authenticate", "Basic realm=\"there\"".to_owned())],
            body: String::new(),
        }
    })
    .await;
    let front = moved_to(&there.proxy).await;
    let folder = tempfile::tempdir().expect("a folder");
    let moved = subscription(format!("http://{}/old.git", front.host));
    let found = discover(&repositories(folder.path()), &moved, Some(&login()), None).await;
    let error = found.expect_err("nobody may fetch there");
    assert!(told(&error).contains("failed to fetch"), "{}", told(&error));
    let (with_login, without) = there.visits();
    assert!(with_login.is_empty(), "{with_login:?}");
    assert!(without.len() >= 3, "{without:?}");
}

#[tokio::test]
async fn a_login_comes_along_where_a_redirect_stays_on_the_host() {
    let there = Watched::start(Access::Password, |asked| {
        match asked.target.strip_prefix("/old.git") {
            Some(rest) => Twist::Answer {
                status: 301,
                headers: vec![("location", format!("/acme/deploy.git{rest}"))],
                body: String::new(),
            },
            None => Twist::Pass,
        }
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let moved = subscription(format!("http://{}/old.git", there.proxy.host()));
    let found = discover(&repositories(folder.path()), &moved, Some(&login()), None).await;
    assert_eq!(subjects(&found.expect("commits"))[0], "Web two");
}
