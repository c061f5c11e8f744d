//! Trouble at Google: it passes, and nobody weaker acts meanwhile.

use anyhow::{Context as _, Result};
use credentials::google::Fallback;
use scenarios::PROJECT;
use testkit::google::{Effect, IAM_CREDENTIALS, METADATA, NotReady, account_of};

use crate::port::{FORGOTTEN, Port};

/// What is no answer to whether an account exists.
fn troubles() -> Vec<Effect> {
    vec![
        Effect::Unavailable,
        Effect::TooManyRequests { retry_after: None },
        Effect::TooManyRequests {
            retry_after: Some(1),
        },
        Effect::BadGatewayPage,
        Effect::ConnectionReset,
        Effect::NullBody,
        Effect::TruncatedJson,
        Effect::ServiceDisabled,
        Effect::Vpcsc {
            uid: "x1".to_owned(),
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_no_answer_and_the_controller_does_not_act() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "ControllerIdentity").await?;
    port.has_freight().await?;
    for effect in troubles() {
        let case = format!("{effect:?}");
        port.harbour.clock.advance(FORGOTTEN);
        port.google.inject(effect.on(IAM_CREDENTIALS));
        port.who_asked();
        port.refresh().await?;
        let message = port.identity("False", "IdentityUnavailable").await;
        let message = message.with_context(|| case.clone())?;
        assert!(message.contains("; next: "), "{case}: {message}");
        assert_eq!(port.times_asked(), 0, "{case}");
        port.google.mend();
        port.harbour.clock.advance(FORGOTTEN);
        port.refreshed().await.with_context(|| case.clone())?;
        port.identity("True", "ControllerIdentity").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metadata_server_that_is_late_is_waited_for() -> Result<()> {
    for how in [NotReady::NotFound, NotReady::Refuse, NotReady::ErrorText] {
        let port = Port::open(Fallback::Allow).await?;
        port.google.give_account(PROJECT)?;
        let late = Effect::MetadataNotReady { how };
        port.google.inject(late.on(METADATA).times(4));
        port.subscribe_to(PROJECT).await?;
        port.identity("True", "OwnServiceAccount").await?;
        port.has_freight().await?;
        assert_eq!(
            port.who_asked(),
            [format!("serviceAccount:{}", account_of(PROJECT))]
        );
    }
    Ok(())
}
