//! Whether tags are taken to stay where they are, so that a tag that is known need not be asked for again.

use resources::ImageSubscription;
use resources::subscription::ImageSelectionStrategy;

/// What the operator says about `cacheByTag` of image subscriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheByTagPolicy {
    /// It is taken to be off.
    Forbid,
    /// It holds where a subscription says so.
    #[default]
    Allow,
    /// A subscription without it is refused.
    Require,
    /// It is taken to be on.
    Force,
}

/// Says that a subscription has to take its tags to stay where they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cacheByTag of {repo_url:?} must be true: the operator requires it")]
pub struct CacheByTagRequired {
    pub repo_url: String,
}

impl CacheByTagRequired {
    /// Names the next thing to try.
    pub fn hint(&self) -> &'static str {
        "set cacheByTag: true in the subscription, if its tags never move; else ask the operator"
    }
}

impl CacheByTagPolicy {
    /// Says whether the tags of `subscription` are taken to stay where they are.
    ///
    /// Never those that are followed by their digest: that they move is what such a subscription is about.
    ///
    /// # Errors
    /// Where the policy requires what the subscription does not say.
    pub fn applies_to(self, subscription: &ImageSubscription) -> Result<bool, CacheByTagRequired> {
        match subscription.image_selection_strategy {
            ImageSelectionStrategy::Digest => return Ok(false),
            ImageSelectionStrategy::SemVer
            | ImageSelectionStrategy::Lexical
            | ImageSelectionStrategy::NewestBuild => {}
        }
        match (self, subscription.cache_by_tag) {
            (Self::Forbid, _) | (Self::Allow, false) => Ok(false),
            (Self::Allow | Self::Require, true) | (Self::Force, _) => Ok(true),
            (Self::Require, false) => Err(CacheByTagRequired {
                repo_url: subscription.repo_url.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        policy: CacheByTagPolicy,
        strategy: ImageSelectionStrategy,
        cache_by_tag: bool,
        expected: Option<bool>,
    ) {
        let subscription = ImageSubscription {
            repo_url: "ghcr.io/acme/web".to_owned(),
            image_selection_strategy: strategy,
            cache_by_tag,
            ..ImageSubscription::default()
        };
        let applies = policy.applies_to(&subscription).ok();
        assert_eq!(applies, expected, "{policy:?} {strategy:?} {cache_by_tag}");
    }

    #[test]
    fn the_policy_has_the_last_word_about_every_strategy_but_digest() {
        use CacheByTagPolicy as Policy;
        use ImageSelectionStrategy as Strategy;
        for strategy in [Strategy::SemVer, Strategy::Lexical, Strategy::NewestBuild] {
            check(Policy::Forbid, strategy, false, Some(false));
            check(Policy::Forbid, strategy, true, Some(false));
            check(Policy::Allow, strategy, false, Some(false));
            check(Policy::Allow, strategy, true, Some(true));
            check(Policy::Require, strategy, false, None);
            check(Policy::Require, strategy, true, Some(true));
            check(Policy::Force, strategy, false, Some(true));
            check(Policy::Force, strategy, true, Some(true));
        }
        for policy in [
            Policy::Forbid,
            Policy::Allow,
            Policy::Require,
            Policy::Force,
        ] {
            check(policy, Strategy::Digest, false, Some(false));
            check(policy, Strategy::Digest, true, Some(false));
        }
    }
}
