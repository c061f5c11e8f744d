//! What a `ProjectConfig` needs next: to be told that it is in force.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{
    ConfigStatus, ProjectConfig,
    condition::{self, FALSE, READY, RECONCILING, TRUE},
    names::annotation,
};

use crate::message::with_next;

/// Decides what the status of a `ProjectConfig` is.
///
/// Policies are read whenever a Stage is looked at, so they are in force as soon as they are stored. Inbound webhooks are
/// not served yet, and a config that asks for them is told so.
pub fn decide(config: &ProjectConfig, now: Timestamp) -> ConfigStatus {
    let mut status = config.status.clone().unwrap_or_default();
    let generation = config.metadata.generation;
    status.observed_generation = generation.unwrap_or_default();
    if let Some(refresh) = config.annotation(annotation::REFRESH) {
        refresh.clone_into(&mut status.last_handled_refresh);
    }
    let (ready, reason, message) = if config.spec.webhook_receivers.is_empty() {
        (TRUE, "Synced", in_force(config))
    } else {
        let message = "policies are in force, but webhook receivers are not served yet; remove spec.webhookReceivers";
        (FALSE, "SyncWebhookReceiversFailed", message.to_owned())
    };
    condition::set(
        &mut status.conditions,
        condition::new(READY, ready, reason, &message, generation, Time(now)),
    );
    condition::remove(&mut status.conditions, RECONCILING);
    status
}

/// Says that the config is in force, and which of its fields nobody acts on.
fn in_force(config: &ProjectConfig) -> String {
    let windows = !config.spec.promotion_windows.is_empty();
    let rollback = (config.spec.promotion_policies.iter()).any(|it| it.auto_rollback.is_some());
    let idle: Vec<&str> = [
        windows.then_some("promotionWindows"),
        rollback.then_some("autoRollback"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if idle.is_empty() {
        return "the configuration is in force".to_owned();
    }
    with_next(
        format!(
            "the configuration is in force, but nothing acts on {} yet",
            idle.join(" and ")
        ),
        "set autoPromotionEnabled to false for Stages that are not to move by themselves",
    )
}

#[cfg(test)]
mod tests {
    use resources::{
        AutoRollback, ProjectConfigSpec, PromotionPolicy, PromotionWindow, WebhookReceiver,
    };

    use super::*;

    fn config(receivers: usize) -> ProjectConfig {
        let spec = ProjectConfigSpec {
            webhook_receivers: vec![WebhookReceiver::default(); receivers],
            ..ProjectConfigSpec::default()
        };
        let mut config = ProjectConfig {
            spec,
            ..ProjectConfig::default()
        };
        config.metadata.generation = Some(3);
        config
    }

    #[test]
    fn a_config_is_in_force_once_seen() {
        let status = decide(&config(0), Timestamp::UNIX_EPOCH);
        assert_eq!(status.observed_generation, 3);
        assert!(condition::is_true(&status.conditions, READY));
    }

    #[test]
    fn receivers_that_nobody_serves_are_said_to_be_missing() {
        let status = decide(&config(1), Timestamp::UNIX_EPOCH);
        assert!(condition::is_false(&status.conditions, READY));
    }

    #[test]
    fn fields_that_nobody_acts_on_are_named() {
        let mut config = config(0);
        let message = |config: &ProjectConfig| {
            let status = decide(config, Timestamp::UNIX_EPOCH);
            condition::find(&status.conditions, READY).map(|it| it.message.clone())
        };
        assert_eq!(
            message(&config).as_deref(),
            Some("the configuration is in force")
        );
        config.spec.promotion_windows = vec![PromotionWindow::default()];
        config.spec.promotion_policies = vec![PromotionPolicy {
            auto_rollback: Some(AutoRollback::default()),
            ..PromotionPolicy::default()
        }];
        let message = message(&config).expect("it is looked at");
        assert!(
            message.contains("nothing acts on promotionWindows and autoRollback yet; next: "),
            "{message}"
        );
    }

    #[test]
    fn the_same_config_gives_the_same_status() {
        let mut config = config(0);
        config.status = Some(decide(&config, Timestamp::UNIX_EPOCH));
        assert_eq!(Some(decide(&config, Timestamp::MAX)), config.status);
    }
}
