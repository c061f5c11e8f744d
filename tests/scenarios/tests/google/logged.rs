//! What the log says of who acts: one line for each change, with fields that a program can read, and never a token.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use credentials::google::Fallback;
use scenarios::PROJECT;
use testkit::google::{Effect, IAM_CREDENTIALS, account_of};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use crate::leaks::watch::{check, look_for_all_kinds};
use crate::port::{FORGOTTEN, Port, WAREHOUSE};

/// What tells lines about identities from all others.
const FIELD: &str = "outcome";

type Line = BTreeMap<String, String>;

/// Keeps the lines about identities, by field.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    fn read(&self) -> Vec<Line> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clone()
    }

    /// Gives the line that was written last, of so many.
    fn last_of(&self, count: usize) -> Line {
        let mut lines = self.read();
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines.pop().expect("one of them")
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().fields().field(FIELD).is_none() {
            return;
        }
        let mut fields = Fields(Line::new());
        event.record(&mut fields);
        let level = event.metadata().level().to_string();
        fields.0.insert("level".to_owned(), level);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(fields.0);
    }
}

struct Fields(Line);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

/// Compares all of a line but why and what next, which are returned.
fn check_line(mut line: Line, level: &str, message: &str, who: (&str, &str)) -> (String, String) {
    let mut take = |field: &str| line.remove(field).unwrap_or_default();
    let said = (take("why"), take("next"));
    let (identity, outcome) = who;
    let expected = [
        ("level", level),
        ("message", message),
        ("provider", "google"),
        ("project", PROJECT),
        ("warehouse", WAREHOUSE),
        ("identity", identity),
        ("outcome", outcome),
    ];
    let expected: Line = expected
        .map(|(field, value)| (field.to_owned(), value.to_owned()))
        .into();
    assert_eq!(line, expected);
    said
}

/// How often it was looked who acts, and nobody might.
fn refusals(port: &Port) -> Result<u32> {
    let labels = r#"{provider="google",identity="none",outcome="refused"}"#;
    let line = format!("argosy_registry_identity_total{labels} ");
    let metrics = port.harbour.metrics()?;
    let count = metrics.lines().find_map(|it| it.strip_prefix(&line));
    Ok(count.with_context(|| metrics.clone())?.parse()?)
}

/// Waits for two more looks that come to the same: when there is the second, the first was told of.
async fn looked(port: &Port) -> Result<()> {
    let before = refusals(port)?;
    for more in 1..=2 {
        port.refresh().await?;
        let is_counted = async || Ok((refusals(port)? >= before + more).then_some(()));
        port.harbour
            .until("it was looked again", is_counted)
            .await?;
    }
    Ok(())
}

// All tasks run on the thread of the test, which is the one that is listened to.
#[tokio::test]
async fn every_change_of_who_acts_is_one_line_and_nothing_else_is() -> Result<()> {
    look_for_all_kinds();
    let lines = Lines::default();
    let listener = tracing_subscriber::registry().with(lines.clone());
    let _listening = tracing::subscriber::set_default(listener);
    let port = Port::open(Fallback::Deny).await?;
    port.subscribe_to(PROJECT).await?;
    port.identity("False", "IdentityRefused").await?;
    let nobody = ("WARN", "no identity acts at a registry");
    let refused = ("none", "IdentityRefused");
    let (why, next) = check_line(lines.last_of(1), nobody.0, nobody.1, refused);
    assert!(why.contains("there is no service account"), "{why}");
    assert!(why.contains("the policy deny"), "{why}");
    assert!(
        next.starts_with("gcloud iam service-accounts create"),
        "{next}"
    );
    looked(&port).await?;
    lines.last_of(1);

    port.google.give_account(PROJECT)?;
    port.harbour.clock.advance(FORGOTTEN);
    port.identity("True", "OwnServiceAccount").await?;
    let member = format!("serviceAccount:{}", account_of(PROJECT));
    let acts = ("INFO", "the identity at registries changed");
    let own = (member.as_str(), "OwnServiceAccount");
    let said = check_line(lines.last_of(2), acts.0, acts.1, own);
    assert_eq!(said, ("it is the Project's own".to_owned(), String::new()));
    for _ in 0..3 {
        port.harbour.clock.advance(60);
        port.refreshed().await?;
    }
    lines.last_of(2);

    // Half of an answer with a token in it: the token is at hand while the line is written.
    port.harbour.clock.advance(3600 + FORGOTTEN);
    port.google
        .inject(Effect::TruncatedJson.on(IAM_CREDENTIALS));
    port.refresh().await?;
    port.identity("False", "IdentityUnavailable").await?;
    let open = ("none", "IdentityUnavailable");
    let (why, next) = check_line(lines.last_of(3), nobody.0, nobody.1, open);
    assert!(why.contains("not JSON"), "{why}");
    assert!(!next.is_empty());
    port.google.mend();
    port.harbour.clock.advance(FORGOTTEN);
    port.refreshed().await?;
    check_line(lines.last_of(4), acts.0, acts.1, own);

    check("the log", &format!("{:?}", lines.read()))
}
