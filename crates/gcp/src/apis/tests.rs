//! What an answer or a refusal becomes.

use serde_json::{Value, json};

use super::*;
use crate::facts::Reason;
use crate::loopback::{Loopback, Reply};

const PATH: &str = "/v1/projects/acme-gke/serviceAccounts";

fn apis(server: &Loopback) -> Apis {
    Apis::new(server.endpoints(), Secret::from("t"))
}

#[tokio::test]
async fn a_refusal_keeps_its_reason_and_names_google_rather_than_where_it_was_asked() {
    let server = Loopback::start().await;
    let body = json!({"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED", "details": [{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED",
        "metadata": {"permission": "iam.serviceAccounts.list"}}]}});
    server.answer(PATH, [Reply::new(403, &body.to_string())]);
    let reading: Reading<Value> = apis(&server).get(Service::Iam, PATH).await;
    assert_eq!(
        reading.source.request,
        format!("GET https://iam.googleapis.com{PATH}")
    );
    let Seen::Denied(denial) = reading.seen else {
        panic!("it was denied");
    };
    assert_eq!(denial.reason, Reason::MissingPermission);
    assert_eq!(
        denial.permission.as_deref(),
        Some("iam.serviceAccounts.list")
    );
}

#[tokio::test]
async fn every_page_of_a_list_is_read() {
    let server = Loopback::start().await;
    let first = json!({"accounts": ["a", "b"], "nextPageToken": "x y"});
    let second = json!({"accounts": ["c"]});
    server.answer(
        PATH,
        [first, second].map(|it| Reply::new(200, &it.to_string())),
    );
    let list = apis(&server);
    let list: Reading<Vec<String>> = list.list(Service::Iam, PATH, "accounts").await;
    assert_eq!(list.known().expect("a list"), &["a", "b", "c"]);
}

#[tokio::test]
async fn an_empty_list_is_known_to_be_empty() {
    let server = Loopback::start().await;
    server.answer(PATH, [Reply::new(200, "{}")]);
    let list = apis(&server);
    let list: Reading<Vec<String>> = list.list(Service::Iam, PATH, "accounts").await;
    assert_eq!(list.known().expect("a list").len(), 0);
}

#[tokio::test]
async fn trouble_that_passes_is_waited_for() {
    let server = Loopback::start().await;
    server.answer(PATH, [Reply::new(503, ""), Reply::new(200, "{}")]);
    let reading: Reading<Value> = apis(&server).get(Service::Iam, PATH).await;
    assert_eq!(reading.known(), Ok(&json!({})));
}
