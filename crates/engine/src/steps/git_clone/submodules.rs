//! Submodules of a checkout, each under the same rules as the repository itself.

use artifacts::{
    child::GitAccess,
    work_tree::{Submodule, WorkTree},
};

use super::{StepContext, StepError};
use crate::context::Reach;

/// Most submodules of a checkout, with those of submodules.
const SUBMODULES_BOUND: usize = 1000;

/// Checks out the submodules and theirs, each from a host that may be spoken to, with the login of its own URL.
pub(super) async fn fetch_all(
    cx: &StepContext<'_>,
    tree: &WorkTree<'_>,
    insecure_skip_tls_verify: bool,
) -> Result<(), StepError> {
    let mut waiting = tree.submodules().await?;
    let mut count = 0;
    while let Some(submodule) = waiting.pop() {
        count += 1;
        if count > SUBMODULES_BOUND {
            let message = format!("there are more than {SUBMODULES_BOUND} submodules");
            return Err(StepError::Failed(message).with_next("leave recurseSubmodules out"));
        }
        let url = artifacts::child::shown(&submodule.url);
        let named = format!("submodule {:?} at {url:?}", submodule.path);
        let fetched = fetch(cx, tree, &submodule, insecure_skip_tls_verify).await;
        fetched.map_err(|error| error.about(&named))?;
        waiting.extend(tree.submodules_of(&submodule).await?);
    }
    Ok(())
}

async fn fetch(
    cx: &StepContext<'_>,
    tree: &WorkTree<'_>,
    submodule: &Submodule,
    insecure_skip_tls_verify: bool,
) -> Result<(), StepError> {
    let url = &submodule.url;
    let Reach { launcher, login } = cx.reach(url, url).await?;
    let access = GitAccess {
        url: url.clone(),
        login: login.clone(),
        insecure_skip_tls_verify,
    };
    match tree.fetch_submodule(submodule, &launcher, login).await {
        Err(error) if error.is_redirect() => {
            let place = cx.follow(&access).await?;
            let Reach { launcher, login } = cx.reach(url, &place).await?;
            let moved = submodule.clone().moved_to(place);
            Ok(tree.fetch_submodule(&moved, &launcher, login).await?)
        }
        fetched => Ok(fetched?),
    }
}
