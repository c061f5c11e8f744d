//! Stores the progress of a Promotion, so that a crash cannot make it forget a step.

use std::time::Duration;

use engine::{Progress, RecordError, Recorder};
use futures::lock::Mutex;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use resources::{Promotion, PromotionPhase, PromotionStatus};
use serde_json::json;

use crate::{queue::Key, writes::difference};

/// How often storing is tried before the step is put off, and how long to wait after the first attempt.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Stores the progress of one Promotion while its task runs.
pub(super) struct Log {
    api: Api<Promotion>,
    key: Key,
    /// What has been stored last.
    stored: Mutex<PromotionStatus>,
}

impl Log {
    /// Goes on from `stored`, which the API has already.
    pub(super) fn new(api: Api<Promotion>, key: Key, stored: PromotionStatus) -> Self {
        Self {
            api,
            key,
            stored: Mutex::new(stored),
        }
    }
}

#[async_trait::async_trait]
impl Recorder for Log {
    async fn record(&self, progress: &Progress) -> Result<(), RecordError> {
        let mut stored = self.stored.lock().await;
        let mut next = stored.clone();
        progress.write_to(&mut next);
        // Ending a Promotion is the loop's to say, with all that belongs to it.
        next.phase = Some(PromotionPhase::Running);
        let value = |status: &PromotionStatus| {
            serde_json::to_value(status).expect("a status has text keys only")
        };
        let Some(change) = difference(&value(&stored), &value(&next)) else {
            return Ok(());
        };
        let patch = Patch::Merge(json!({ "status": change }));
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self
                .api
                .patch_status(&self.key.name, &PatchParams::default(), &patch)
                .await
            {
                // Its end was decided elsewhere.
                Ok(answer) if answer.is_terminal() => return Err(RecordError::Gone),
                Ok(_) => break,
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    return Err(RecordError::Gone);
                }
                Err(kube::Error::Api(status)) if matches!(status.code, 400 | 413 | 422) => {
                    return Err(RecordError::Rejected(status.message.clone()));
                }
                Err(error) if attempt == ATTEMPTS => {
                    return Err(RecordError::Unavailable(error.to_string()));
                }
                Err(error) => {
                    tracing::debug!(promotion = %self.key, %error, "progress could not be stored, trying again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
        *stored = next;
        Ok(())
    }
}
