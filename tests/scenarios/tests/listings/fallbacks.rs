//! What is done where Google's own ways to list are refused, or do not say what they should.

use anyhow::Result;
use resources::subscription::ImageSelectionStrategy;
use testkit::google::{Effect, IAM_CREDENTIALS, REGISTRY};

use crate::stand::{Stand, by, newest, tags};

const IMAGE: u64 = 3;
const LIMIT: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn all_tags_are_listed_where_the_api_is_refused() -> Result<()> {
    // A 403 could be about the token, so another is tried.
    let refusals = [
        (forbidden(), 2),
        (Effect::TooManyRequests { retry_after: None }, 1),
        (Effect::NullBody, 1),
        (Effect::TruncatedJson, 1),
        (Effect::BadGatewayPage, 1),
    ];
    for (effect, times) in refusals {
        let what = format!("{effect:?}");
        let stand = Stand::open("[{name: web, generate: {tags: 12000}}]").await?;
        stand.refuse_versions(effect);
        let (found, cost) = stand.found(&newest()).await?;
        assert_eq!(tags(&found)[0], "1.1011.1999", "{what}");
        // A page, the refusal, and both pages.
        assert_eq!(cost, 1 + times + 2 + IMAGE * LIMIT, "{what}");
        assert_eq!(stand.versions_asked() as u64, times, "{what}");
        // The API is left alone for a while, and then asked again.
        assert_eq!(stand.found(&newest()).await?.1, 2, "{what}");
        assert_eq!(stand.versions_asked(), 0);
        stand.google.mend();
        stand.clock.advance(601);
        let (_, cost) = stand.found(&newest()).await?;
        assert_eq!((cost, stand.versions_asked()), (1, 1), "{what}");
    }
    Ok(())
}

/// A 403, whoever asks.
fn forbidden() -> Effect {
    Effect::Vpcsc {
        uid: "uid".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_api_turns_down_is_dropped_and_asked_for_once_more() -> Result<()> {
    // To a clock that is ahead the token has expired, which is a 401.
    for refusal in [Effect::ClockSkew { seconds: 7_200 }, forbidden()] {
        let what = format!("{refusal:?}");
        let stand = Stand::open("[{name: web, generate: {tags: 12000}}]").await?;
        let fault = refusal
            .on(REGISTRY)
            .where_path_has("/packages/web/versions");
        stand.google.inject(fault.times(1));
        stand.found(&newest()).await?;
        let asked = stand.google.google().take_asked();
        let versions = asked.iter().filter(|it| it.path.contains("/versions"));
        assert!(versions.count() >= 2, "{what}: {asked:?}");
        let minted = asked.iter().filter(|it| it.service == IAM_CREDENTIALS);
        assert_eq!(minted.count(), 2, "{what}: {asked:?}");
        let pages = asked.iter().filter(|it| it.path.contains("/tags/list"));
        assert_eq!(pages.count(), 1, "{what}: the API has answered after all");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_alone_are_enough() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 30}}]").await?;
    let plain = Effect::TagsWithoutExtension.on(REGISTRY);
    stand.google.inject(plain);
    let (found, cost) = stand.found(&newest()).await?;
    assert_eq!(tags(&found)[..2], ["1.1000.1029", "1.1000.1028"]);
    assert_eq!(found.taken[0].uploaded_at, None);
    assert_eq!(cost, 1 + IMAGE * 30, "every image has to be looked at");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_cut_without_a_word_is_made_whole() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 12000}}]").await?;
    stand.google.inject(Effect::TagsWithoutLink.on(REGISTRY));
    for strategy in [
        ImageSelectionStrategy::SemVer,
        ImageSelectionStrategy::Lexical,
        ImageSelectionStrategy::NewestBuild,
    ] {
        let (found, _) = stand.found(&by(strategy)).await?;
        assert_eq!(tags(&found)[0], "1.1011.1999", "{strategy:?}");
    }
    stand.refuse_versions(Effect::Unavailable);
    stand.clock.advance(3_601);
    let (found, _) = stand.found(&by(ImageSelectionStrategy::SemVer)).await?;
    assert_eq!(tags(&found)[0], "1.1011.1999");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_only_pull_is_enough() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 12000}}]").await?;
    let hidden = vec!["artifactregistry.versions.list".to_owned()];
    let only_pull = Effect::PartialPermissions {
        permissions: hidden,
    };
    stand.google.inject(only_pull.everywhere());
    let (found, cost) = stand.found(&newest()).await?;
    assert_eq!(tags(&found)[0], "1.1011.1999");
    assert_eq!(cost, 1 + 2 + 2 + IMAGE * LIMIT);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_may_not_be_read_is_an_error_that_names_the_grant() -> Result<()> {
    let stand = Stand::open("[{name: web, generate: {tags: 12000}}]").await?;
    let account = testkit::google::account_of(scenarios::PROJECT);
    let member = format!("serviceAccount:{account}");
    stand.found(&newest()).await?;
    stand.google.forbid_to_read(&member, scenarios::PROJECT)?;
    let (outcome, _) = stand.look(&newest()).await?;
    let Err(error) = outcome else {
        anyhow::bail!("what was remembered is not shown to whom it is forbidden");
    };
    assert!(error.hint().contains("add-iam-policy-binding"), "{error}");
    Ok(())
}
