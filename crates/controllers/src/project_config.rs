//! Keeps the status of `ProjectConfigs`.

use std::sync::Arc;

use kube::Api;
use resources::ProjectConfig;

use crate::{
    World,
    error::Error,
    queue::{Key, Next},
    writes,
};

pub(crate) async fn look(world: Arc<World>, key: Key) -> Result<Next, Error> {
    let Some(config) = world.stores.configs.get(&key) else {
        return Ok(Next::OnChange);
    };
    if config.is_terminating() {
        return Ok(Next::OnChange);
    }
    let status = domain::project_config::decide(&config, world.cx.now());
    let api: Api<ProjectConfig> = Api::namespaced(world.cx.management.clone(), &key.namespace);
    writes::status(
        &api,
        &world.stores.configs,
        &key.name,
        config.status.as_ref(),
        &status,
    )
    .await?;
    Ok(Next::OnChange)
}
