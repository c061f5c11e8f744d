//! One golden file per refusal of an exchange.

use super::*;
use crate::golden::{self, Row, row};

/// People who probe the service wrote the words down; see the assumptions `sts-words` and `sts-order`.
const PROBED: &str = "seen: by people who probe the service; assumed: sts-words";

const TROUBLE: &str =
    "documented: https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation";

fn rows() -> Vec<Row> {
    vec![
        row("target-invalid", PROBED, ExchangeRefusal::target_invalid()),
        row(
            "audience-malformed",
            PROBED,
            ExchangeRefusal::audience_malformed(),
        ),
        row("requested-type", PROBED, ExchangeRefusal::requested_type()),
        row(
            "wrong-audience",
            PROBED,
            ExchangeRefusal::wrong_audience("other"),
        ),
        row(
            "wrong-issuer",
            PROBED,
            ExchangeRefusal::wrong_issuer("https://a.example", "https://b.example"),
        ),
        row("stale", PROBED, ExchangeRefusal::stale("1772359200")),
        row("bad-signature", PROBED, ExchangeRefusal::bad_signature()),
        row(
            "issuer-unreachable",
            TROUBLE,
            ExchangeRefusal::issuer_unreachable(),
        ),
        row("last-second", PROBED, ExchangeRefusal::stumbled()),
        row(
            "condition-failed",
            "seen: https://github.com/circleci/circleci-docs/pull/8541",
            ExchangeRefusal::condition_failed(),
        ),
        row("throttled", TROUBLE, ExchangeRefusal::throttled()),
        row(
            "grant-type",
            "documented: https://www.rfc-editor.org/rfc/rfc6749#section-5.2",
            ExchangeRefusal::grant_type(),
        ),
        row(
            "subject-type",
            "assumed: sts-words",
            ExchangeRefusal::subject_type(),
        ),
        row(
            "not-a-jwt",
            "assumed: sts-words",
            ExchangeRefusal::not_a_jwt(),
        ),
        row(
            "subject-missing",
            "assumed: sts-words",
            ExchangeRefusal::subject_missing(),
        ),
        row(
            "subject-too-long",
            TROUBLE,
            ExchangeRefusal::subject_too_long(),
        ),
    ]
}

#[tokio::test]
async fn every_refusal_is_as_its_golden_file_says() {
    golden::check("sts", rows()).await;
}
