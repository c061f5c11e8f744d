//! What is logged of a service once its reads are, for forms that say all of it at once.

use crate::policy::AuditLog;

/// What to do where it was not read what is logged today.
pub(super) const UNREAD_LOGS: &str =
    "What is logged of the service today was not read: add it here, or it is switched off.";

/// Adds reads to what is logged today, with the members for whom nothing is.
pub(super) fn all_logs(logged: Option<&[AuditLog]>) -> Vec<AuditLog> {
    let reads = AuditLog {
        log_type: "DATA_READ".to_owned(),
        exempted_members: Vec::new(),
    };
    let today = logged.unwrap_or_default();
    let mut all = today.to_vec();
    if !today.iter().any(|it| it.log_type == reads.log_type) {
        all.push(reads);
    }
    all
}
