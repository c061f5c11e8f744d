//! Artifact Registry, simulated: its lists and its API, both as far away as everything else.
//!
//! What a look costs there is promised, in the book's page on discovery: here the promise is kept, or the benchmark fails.

use anyhow::{Context as _, Result, ensure};
use artifacts::registry::Registries;
use credentials::Login;
use jiff::Timestamp;
use resources::subscription::ImageSelectionStrategy;
use testkit::google::{Clock, Google, HOST, account_of, image_of};
use testkit::proxy::{self, Proxy};
use url::Url;

use crate::{AWAY, Looked, PROJECT, Peer, UPSTREAM_RATE, as_float, by, limits, look, policy, tags};

/// Tags on a page.
const PAGE: usize = 10_000;
/// Images that are taken.
const LIMIT: usize = 20;
/// Of one image: its manifest, and its config, which a redirect leads to.
const IMAGE: usize = 3;
/// A first request in vain, and one for a token.
const LOGIN: usize = 2;
/// How many times as many tags a large repository has.
const TIMES_AS_MANY: usize = 100;
/// What is pushed: the newest, and of the highest version.
const PUSHED: &str = "2.0.0";

/// A repository, and what is wanted of it.
struct Case {
    tags: usize,
    strategy: ImageSelectionStrategy,
}

/// How many requests the three looks may cost.
struct Promise {
    cold: usize,
    unchanged: usize,
    pushed: usize,
}

pub(crate) async fn measure() -> Result<()> {
    let (few, many) = (tags().min(PAGE), tags() * TIMES_AS_MANY + 1);
    for case in [
        Case::of(few, ImageSelectionStrategy::NewestBuild),
        Case::of(many, ImageSelectionStrategy::NewestBuild),
        Case::of(many, ImageSelectionStrategy::SemVer),
    ] {
        case.measure().await?;
    }
    Ok(())
}

impl Case {
    fn of(tags: usize, strategy: ImageSelectionStrategy) -> Self {
        Self { tags, strategy }
    }

    fn promise(&self) -> Promise {
        let taken = IMAGE * LIMIT.min(self.tags);
        let is_newest_first = self.strategy == ImageSelectionStrategy::NewestBuild;
        // A full page does not say that it is the last.
        let (listed, after) = match (self.tags < PAGE, is_newest_first) {
            (true, _) => (1, 1),
            (false, true) => (2, 2),
            (false, false) => (2 + self.tags.div_ceil(PAGE), 2),
        };
        Promise {
            cold: LOGIN + listed + taken,
            unchanged: 1,
            pushed: after + IMAGE,
        }
    }

    async fn measure(&self) -> Result<()> {
        // The last of them is built and uploaded well before now.
        let world = format!(
            "[{{name: web, generate: {{tags: {}, every: 30}}}}]",
            self.tags
        );
        let google = Google::start_holding(Clock::of_the_machine(), &[(PROJECT, &world)]).await?;
        google.give_account(PROJECT)?;
        let login = login(&google)?;
        let (registry, api) = (
            Proxy::start(&address(&google.registry()?), AWAY, proxy::pass).await?,
            Proxy::start(&address(&google.apis()?), AWAY, proxy::pass).await?,
        );
        let there = |proxy: &Proxy| format!("http://{}", proxy.host()).parse::<Url>();
        let registries = Registries::new(policy(), limits())
            .with_endpoints([(HOST.to_owned(), there(&registry)?)].into())
            .with_artifact_registry(there(&api)?);
        let subscription = by(self.strategy, &image_of(PROJECT));
        let promise = self.promise();

        let cold = look(&registries, &subscription, Some(&login)).await?;
        self.tell("cold", &cold, promise.cold)?;
        let unchanged = look(&registries, &subscription, Some(&login)).await?;
        ensure!(unchanged.best == cold.best, "{}", unchanged.best);
        self.tell("unchanged", &unchanged, promise.unchanged)?;
        let now = Timestamp::now();
        let pushed =
            serde_json::json!({"name": "web", "tags": [PUSHED], "built": now, "uploaded": now});
        google.push(PROJECT, &serde_json::from_value(pushed)?);
        let pushed = look(&registries, &subscription, Some(&login)).await?;
        ensure!(pushed.best == PUSHED, "{}", pushed.best);
        self.tell("after a push", &pushed, promise.pushed)?;

        // What was counted is what went over the wire, to the one and to the other.
        let counted = [&cold, &unchanged, &pushed].map(|it| it.spent.total());
        let (lists, rows) = (registry.count(), api.count());
        ensure!(counted.iter().sum::<u64>() == (lists + rows) as u64);
        ensure!(
            (rows > 0) == (self.tags >= PAGE),
            "{rows} requests to the API"
        );
        Ok(())
    }

    fn tell(&self, when: &str, looked: &Looked, promised: usize) -> Result<()> {
        let requests = 2.0 * as_float(self.tags);
        let peer = Peer {
            name: "tag by tag at 20/s, computed",
            requests,
            seconds: requests / UPSTREAM_RATE,
        };
        let what = format!(
            "Artifact Registry, {} by {:?}, {when}",
            self.tags, self.strategy
        );
        looked.tell(&what, &peer);
        let cost = looked.spent.total();
        ensure!(
            cost == promised as u64,
            "{what}: {cost} requests rather than {promised}: {:?}",
            looked.spent
        );
        Ok(())
    }
}

/// Logs in as the Project's account would.
fn login(google: &Google) -> Result<Login> {
    let member = format!("serviceAccount:{}", account_of(PROJECT));
    Ok(Login::Basic {
        username: "oauth2accesstoken".to_owned(),
        password: google.token_of(&member).context("a token")?.into(),
    })
}

/// Gives host and port.
fn address(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port().unwrap_or_default()
    )
}
