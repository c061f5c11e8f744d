//! Asks one subscription what there is.

use domain::warehouse::{Failure, Found};
use resources::{RawSubscription, Warehouse};

use crate::Context;

/// Asks what a subscription finds; a failure names the repository.
pub(super) async fn ask(
    _cx: &Context,
    _warehouse: &Warehouse,
    subscription: &RawSubscription,
) -> Result<Found, Failure> {
    let message = "not discovered yet".to_owned();
    Err(Failure {
        subscription: subscription.0.to_string(),
        message,
    })
}
