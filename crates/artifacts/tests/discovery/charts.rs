//! Charts in repositories with an index, served by nginx, and in Debian's docker-registry.

use std::sync::Arc;
use std::time::Duration;

use artifacts::chart::{self, Error, Found, Listed, Repositories};
use artifacts::egress::Policy;
use artifacts::registry::Registries;
use artifacts::{Cost, Limits};
use credentials::Login;
use resources::ChartSubscription;
use secret::Secret;
use testkit::servers::{Access, ChartRepository, PASSWORD, Registry, USER, wait};

use crate::{caller, told};

/// Writes one field of a subscription.
type Change = fn(&mut ChartSubscription);

const INDEX: &str = "\
apiVersion: v1
entries:
  web:
  - {name: web, version: 1.0.0}
  - {name: web, version: v1.2}
  - {name: web, version: 2.0.0-rc.1}
  - {name: web, version: newest}
  worker:
  - {name: worker, version: 0.1.0}
";

/// Both ways to charts, for one process.
pub(crate) struct Charts {
    repositories: Repositories,
    registries: Registries,
    pub(crate) cost: Cost,
}

impl Charts {
    pub(crate) fn new(policy: Policy, limits: &Limits) -> Self {
        let policy = Arc::new(policy);
        Self {
            repositories: Repositories::new(Arc::clone(&policy), limits.clone()),
            registries: Registries::new(policy, limits.clone()),
            cost: Cost::default(),
        }
    }

    pub(crate) fn here() -> Self {
        Self::new(Policy::new().with_loopback(), &Limits::default())
    }

    pub(crate) async fn find(
        &self,
        project: &str,
        login: Option<&Login>,
        subscription: &ChartSubscription,
    ) -> Result<Found, Error> {
        let caller = caller(project, login, &self.cost);
        chart::discover(&self.repositories, &self.registries, caller, subscription).await
    }

    async fn taken(&self, subscription: &ChartSubscription) -> Vec<String> {
        let found = self.find("acme", None, subscription).await;
        found.expect("versions").selected.taken
    }
}

pub(crate) fn in_index(repo_url: &str, name: &str) -> ChartSubscription {
    ChartSubscription {
        repo_url: repo_url.to_owned(),
        name: name.to_owned(),
        ..ChartSubscription::default()
    }
}

fn in_registry(registry: &Registry, repository: &str) -> ChartSubscription {
    in_index(&format!("oci://{}", registry.repository(repository)), "")
}

fn login(password: &str) -> Login {
    Login::Basic {
        username: USER.to_owned(),
        password: Secret::from(password),
    }
}

/// Waits until the server has logged so many answers, and gives their statuses.
fn answered(repository: &ChartRepository, count: usize) -> Vec<u16> {
    let logged = || {
        let statuses = repository.statuses()?;
        Ok((statuses.len() >= count).then_some(statuses))
    };
    wait("the log", Duration::from_secs(10), logged).expect("a log")
}

#[tokio::test]
async fn every_field_of_a_subscription_to_an_index_counts() {
    let repository = ChartRepository::start(Access::Open).expect("a repository");
    repository.publish(INDEX).expect("published");
    let charts = Charts::here();
    let cases: [(Change, &[&str]); 5] = [
        (|_| {}, &["2.0.0-rc.1", "v1.2", "1.0.0"]),
        (|it| it.name = "worker".to_owned(), &["0.1.0"]),
        (|it| it.semver_constraint = "~1.0".to_owned(), &["1.0.0"]),
        (|it| it.discovery_limit = 1, &["2.0.0-rc.1"]),
        (|it| it.repo_url.push('/'), &["2.0.0-rc.1", "v1.2", "1.0.0"]),
    ];
    for (change, expected) in cases {
        let mut subscription = in_index(&repository.url(), "web");
        change(&mut subscription);
        assert_eq!(
            charts.taken(&subscription).await,
            expected,
            "{subscription:?}"
        );
    }
}

#[tokio::test]
async fn a_chart_that_is_not_listed_is_no_error_but_is_told() {
    let repository = ChartRepository::start(Access::Open).expect("a repository");
    repository.publish(INDEX).expect("published");
    let (charts, url) = (Charts::here(), repository.url());
    for (name, constraint, listed, expected) in [
        (
            "wep",
            "",
            Listed::NotInIndex,
            format!("the index has no chart \"wep\"; next: helm show chart wep --repo {url}"),
        ),
        (
            "web",
            ">5",
            Listed::Yes,
            "none of 4 versions fits: 1.0.0 does not, since semverConstraint does not allow it; next: widen semverConstraint, or push another".to_owned(),
        ),
    ] {
        let subscription = ChartSubscription {
            semver_constraint: constraint.to_owned(),
            ..in_index(&url, name)
        };
        let found = charts.find("acme", None, &subscription).await.expect("an answer");
        assert_eq!((&found.selected.taken[..], found.listed), (&[][..], listed));
        assert_eq!(found.lack(&subscription), Some(expected));
    }
}

#[tokio::test]
async fn a_login_opens_a_private_repository_to_its_project_only() {
    let repository = ChartRepository::start(Access::Password).expect("a repository");
    repository.publish(INDEX).expect("published");
    let (charts, subscription) = (Charts::here(), in_index(&repository.url(), "web"));
    let right = login(PASSWORD);
    let found = charts.find("acme", Some(&right), &subscription).await;
    assert_eq!(found.expect("versions").selected.taken.len(), 3);
    // What was shown to one login is shown to nobody else.
    for (project, login, next) in [
        (
            "acme",
            None,
            "create a Secret with label kargo.akuity.io/cred-type=helm",
        ),
        ("other", None, "create a Secret"),
        ("acme", Some(login("wrong")), "is current and may read"),
    ] {
        let refused = charts.find(project, login.as_ref(), &subscription).await;
        let error = refused.expect_err("a private repository");
        let (text, url) = (told(&error), repository.url());
        assert!(
            text.contains("401 Unauthorized") && text.contains(&url),
            "{text}"
        );
        assert!(
            text.contains("GET 127.0.0.1:") && text.contains("/charts/index.yaml"),
            "{text}"
        );
        assert!(
            error.hint().contains(next) && error.hint().contains(&url),
            "{}",
            error.hint()
        );
    }
    assert_eq!(answered(&repository, 4), [200, 401, 401, 401]);
}

#[tokio::test]
async fn an_index_that_has_not_changed_is_not_sent_again() {
    let repository = ChartRepository::start(Access::Open).expect("a repository");
    repository.publish(INDEX).expect("published");
    let (charts, web) = (Charts::here(), in_index(&repository.url(), "web"));
    let worker = in_index(&repository.url(), "worker");
    assert_eq!(charts.taken(&web).await.len(), 3);
    assert_eq!(charts.taken(&worker).await, ["0.1.0"]);
    assert_eq!(charts.taken(&web).await.len(), 3);
    let more = format!("{INDEX}  - {{name: worker, version: 0.2.0}}\n");
    repository.publish(&more).expect("published");
    assert_eq!(charts.taken(&worker).await, ["0.2.0", "0.1.0"]);
    assert_eq!(charts.taken(&web).await.len(), 3);
    assert_eq!(answered(&repository, 5), [200, 304, 304, 200, 304]);
    let spent = charts.cost.spent();
    assert_eq!((spent.total(), spent.remembered), (5, 3));
}

#[tokio::test]
async fn fifty_warehouses_of_one_index_cost_one_download() {
    let repository = ChartRepository::start(Access::Open).expect("a repository");
    let index = |patch: usize| {
        let charts = (0..50).map(|it| format!("  chart{it}: [{{version: 1.{patch}.{it}}}]\n"));
        format!("entries:\n{}", charts.collect::<String>())
    };
    repository.publish(&index(9)).expect("published");
    let charts = Charts::here();
    let all = async |patch: usize| {
        let subscriptions: Vec<_> = (0..50)
            .map(|it| in_index(&repository.url(), &format!("chart{it}")))
            .collect();
        let asked = subscriptions.iter().map(|it| charts.taken(it));
        for (number, taken) in futures::future::join_all(asked).await.iter().enumerate() {
            assert_eq!(taken, &[format!("1.{patch}.{number}")]);
        }
    };
    all(9).await;
    let before = charts.cost.spent();
    assert!(
        before.total() <= 2,
        "asked together, answered together: {before:?}"
    );
    assert_eq!(before.total() + before.remembered, 51, "{before:?}");
    repository.publish(&index(10)).expect("published");
    all(10).await;
    let after = charts.cost.spent();
    let count = usize::try_from(after.total()).expect("few");
    let sent = answered(&repository, count)
        .iter()
        .filter(|it| **it == 200)
        .count();
    assert_eq!(sent, 2, "one for each change");
}

/// Writes a `Chart.yaml`.
fn chart(name: &str, version: &str, more: &str) -> String {
    format!("apiVersion: v2\nname: {name}\nversion: {version}\n{more}")
}

#[tokio::test]
async fn what_helm_packages_and_indexes_is_found() {
    let repository = ChartRepository::start(Access::Open).expect("a repository");
    let charts = Charts::here();
    let (web, worker) = (
        in_index(&repository.url(), "web"),
        in_index(&repository.url(), "worker"),
    );
    // One after another, so that Helm says of the lower version that it was created later.
    for (name, version, more) in [
        ("web", "1.2.0+build.7", ""),
        ("web", "1.10.0", "deprecated: true\n"),
        (
            "web",
            "1.3.0",
            "dependencies: []\ndescription: 'version: 9.9.9'\n",
        ),
        ("web", "v1.2", ""),
        ("worker", "0.1.0-rc.1", ""),
    ] {
        let chart = chart(name, version, more);
        repository.publish_charts(&[&chart]).expect("published");
    }
    let index = repository.index().expect("an index");
    assert!(
        index.contains("deprecated: true") && index.contains("created:"),
        "{index}"
    );
    // What is deprecated counts, and the order is that of versions, whenever they were created.
    let all = ["1.10.0", "1.3.0", "v1.2", "1.2.0+build.7"];
    assert_eq!(charts.taken(&web).await, all);
    assert_eq!(charts.taken(&worker).await, ["0.1.0-rc.1"]);
}

#[tokio::test]
async fn what_helm_pushes_into_a_registry_is_found() {
    let registry = Registry::start(Access::Password).expect("a registry");
    for (version, more) in [
        ("1.1.0+build.7", ""),
        ("1.10.0", "deprecated: true\n"),
        ("1.3.0", ""),
        ("v2.0.0", ""),
    ] {
        let chart = chart("web", version, more);
        registry
            .push_by_helm("acme/charts", &chart)
            .expect("pushed");
    }
    let (charts, right) = (Charts::here(), login(PASSWORD));
    let subscription = in_registry(&registry, "acme/charts/web");
    let found = charts.find("acme", Some(&right), &subscription).await;
    let selected = found.expect("versions").selected;
    assert_eq!(selected.taken, ["1.10.0", "1.3.0", "1.1.0+build.7"]);
    assert_eq!(selected.ruled_out[0].tags, ["v2.0.0"]);
}

#[tokio::test]
async fn charts_in_a_registry_are_discovered_by_their_tags() {
    let registry = Registry::start(Access::Password).expect("a registry");
    for version in ["1.0.0", "1.1.0+build.7", "v2.0.0", "1.2"] {
        registry
            .push_chart("acme/charts/web", version)
            .expect("pushed");
    }
    let (charts, right) = (Charts::here(), login(PASSWORD));
    let subscription = in_registry(&registry, "acme/charts/web");
    let taken = async |change: Change| {
        let mut subscription = subscription.clone();
        change(&mut subscription);
        let found = charts.find("acme", Some(&right), &subscription).await;
        found.expect("versions").selected.taken
    };
    assert_eq!(taken(|_| {}).await, ["1.1.0+build.7", "1.0.0"]);
    assert_eq!(
        taken(|it| it.semver_constraint = "1.0.x".to_owned()).await,
        ["1.0.0"]
    );
    assert_eq!(taken(|it| it.discovery_limit = 1).await, ["1.1.0+build.7"]);

    let url = &subscription.repo_url;
    for (project, login, subscription, next) in [
        (
            "acme",
            None,
            subscription.clone(),
            format!(
                "create a Secret with label kargo.akuity.io/cred-type=helm in the project's namespace, holding username, password and repoURL {url}"
            ),
        ),
        (
            "acme",
            Some(login("wrong")),
            subscription.clone(),
            format!("Secret for {url}"),
        ),
        (
            "acme",
            Some(right.clone()),
            in_registry(&registry, "acme/charts/nothing"),
            format!(
                "ends with the chart's name: skopeo list-tags docker://{}",
                registry.repository("acme/charts/nothing")
            ),
        ),
    ] {
        let error = charts.find(project, login.as_ref(), &subscription).await;
        let error = error.expect_err("nothing to see");
        assert!(
            told(&error).contains(&subscription.repo_url),
            "{}",
            told(&error)
        );
        assert!(error.hint().contains(&next), "{}", error.hint());
    }
}
