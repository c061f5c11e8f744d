//! Faults by name, over the admin listener and from Rust.

use std::time::Duration;

use anyhow::{Context as _, Result};
use gcp_sim::{Clock, ConsumerReason, Effect, ResourceName};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::talk::{API, Reply, Talk, WEB, send};

const CREDENTIALS: &str = "iamcredentials.googleapis.com";

#[tokio::test]
async fn a_burst_of_429_ends_and_says_when_to_come_back() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let burst = Effect::TooManyRequests {
        retry_after: Some(7),
    };
    talk.google().inject(burst.on(CREDENTIALS).times(1));
    let reply = talk.mint(&token, WEB).await?;
    assert_eq!(
        (reply.status.as_u16(), reply.reason()),
        (429, "RATE_LIMIT_EXCEEDED".to_owned())
    );
    assert_eq!(reply.headers["retry-after"], "7");
    assert_eq!(talk.mint(&token, WEB).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn every_refusal_can_be_had_by_name() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    for (effect, status, reason) in [
        (
            Effect::Unavailable,
            503,
            "The service is currently unavailable.",
        ),
        (Effect::Internal, 500, "Internal error encountered."),
        (
            Effect::DeadlineExceeded,
            504,
            "Deadline expired before operation could complete.",
        ),
        (
            Effect::ConsumerRefused {
                reason: ConsumerReason::BillingDisabled,
            },
            403,
            "BILLING_DISABLED",
        ),
        (Effect::ServiceDisabled, 403, "SERVICE_DISABLED"),
        (Effect::GsaDenied, 403, "IAM_PERMISSION_DENIED"),
        (
            Effect::Vpcsc {
                uid: "u-1".to_owned(),
            },
            403,
            "SECURITY_POLICY_VIOLATED",
        ),
    ] {
        let fault = talk.google().inject(effect.on(CREDENTIALS));
        let reply = talk.mint(&token, WEB).await?;
        assert_eq!(
            (reply.status.as_u16(), reply.reason().as_str()),
            (status, reason)
        );
        talk.google().mend(fault);
    }
    assert_eq!(talk.mint(&token, WEB).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn an_api_is_off_only_where_the_fault_says_so() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let off = || Effect::ServiceDisabled.on(CREDENTIALS);
    for (fault, status) in [
        (off().where_path_has("kargo-project-api@"), 200),
        (off().where_path_has("kargo-project-web@"), 403),
        (off().where_path_has("acme-prod"), 403),
    ] {
        let number = talk.google().inject(fault);
        assert_eq!(talk.mint(&token, WEB).await?.status, status);
        talk.google().mend(number);
    }
    let mut by_method = off();
    by_method.scope.method = Some("signJwt".to_owned());
    talk.google().inject(by_method);
    assert_eq!(talk.mint(&token, WEB).await?.status, 200);
    let mut by_project = off();
    by_project.scope.project = Some("acme-prod".to_owned());
    talk.google().inject(by_project);
    assert_eq!(talk.mint(&token, WEB).await?.reason(), "SERVICE_DISABLED");
    Ok(())
}

#[tokio::test]
async fn a_binding_is_revoked_after_a_while_and_old_tokens_stay_good() -> Result<()> {
    let start = "2026-03-01T10:00:00Z".parse()?;
    let talk = Talk::at(Clock::standing_at(start)).await?;
    let token = talk.pod_token("controller").await?;
    let revoked = Effect::BindingRevoked { after_seconds: 90 };
    talk.google().inject(revoked.everywhere());
    talk.google().clock().advance(SignedDuration::from_secs(89));
    let minted = talk.mint(&token, WEB).await?.json()?;
    let minted = minted["accessToken"].as_str().context("a token")?;
    talk.google().clock().advance(SignedDuration::from_secs(1));
    assert_eq!(
        talk.mint(&token, WEB).await?.reason(),
        "IAM_PERMISSION_DENIED"
    );
    assert!(talk.google().bearer(minted).is_ok());
    Ok(())
}

#[tokio::test]
async fn replicas_disagree_until_a_grant_has_spread() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let spread = Effect::PropagationDelay {
        grant_seconds: 3600,
        revoke_seconds: 3600,
        flapping: true,
    };
    let fault = talk.google().inject(spread.everywhere());
    grant(&talk)?;
    let mut found = Vec::new();
    for _ in 0..4 {
        found.push(talk.mint(&token, API).await?.status.as_u16());
    }
    assert!(found.contains(&200) && found.contains(&403), "{found:?}");
    talk.google().mend(fault);
    assert_eq!(talk.mint(&token, API).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn answers_can_be_late_in_parts() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let fault = talk
        .google()
        .inject(Effect::SlowBody { milliseconds: 600 }.on(CREDENTIALS));
    let start = std::time::Instant::now();
    let url = format!(
        "http://{}/v1/projects/-/serviceAccounts/{WEB}:generateAccessToken",
        talk.simulator.apis
    );
    let body = json!({"scope": ["https://www.googleapis.com/auth/cloud-platform"]});
    let response = talk
        .http
        .post(url)
        .bearer_auth(&token)
        .json(&body)
        .send()
        .await?;
    let head = start.elapsed();
    let start = std::time::Instant::now();
    response.text().await?;
    let body = start.elapsed();
    assert!(body >= Duration::from_millis(300), "{head:?}, {body:?}");
    talk.google().mend(fault);
    Ok(())
}

#[tokio::test]
async fn answers_can_be_malformed() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let mut malformed = Vec::new();
    for effect in [
        Effect::BadGatewayPage,
        Effect::TruncatedJson,
        Effect::NullBody,
        Effect::BadContentType,
    ] {
        let fault = talk.google().inject(effect.on(CREDENTIALS));
        let reply = talk.mint(&token, WEB).await?;
        let content_type = reply.headers["content-type"].to_str()?.to_owned();
        malformed.push((reply.status.as_u16(), content_type, reply.json().is_ok()));
        talk.google().mend(fault);
    }
    let json = "application/json".to_owned();
    let expected = [
        (502, "text/html; charset=UTF-8".to_owned(), false),
        (200, format!("{json}; charset=UTF-8"), false),
        (200, json, true),
        (200, "text/plain; charset=UTF-8".to_owned(), true),
    ];
    assert_eq!(malformed, expected);
    talk.google()
        .inject(Effect::ConnectionReset.on(CREDENTIALS).times(1));
    talk.mint(&token, WEB)
        .await
        .expect_err("the connection ends");
    Ok(())
}

/// What time an answer says it is.
fn date(reply: &Reply) -> Result<Timestamp> {
    let date = reply.headers["date"].to_str()?;
    Ok(jiff::fmt::rfc2822::parse(date)?.timestamp())
}

/// Stands still at a time that no machine shows.
fn standing() -> Result<Clock> {
    Ok(Clock::standing_at("2026-03-01T10:00:00Z".parse()?))
}

#[tokio::test]
async fn the_clock_of_google_can_differ_where_the_fault_says_so() -> Result<()> {
    let talk = Talk::at(standing()?).await?;
    let token = talk.pod_token("controller").await?;
    let right = talk.google().now();
    let ahead = right + SignedDuration::from_hours(2);
    let skew = Effect::ClockSkew { seconds: 7_200 };
    let fault = talk.google().inject(skew.on(CREDENTIALS));
    let minted = talk.mint(&token, WEB).await?;
    // The token that was shown has expired by that clock.
    assert_eq!((minted.status.as_u16(), date(&minted)?), (401, ahead));
    assert_eq!(date(&talk.get("", "tokeninfo").await?)?, right);
    assert_eq!(talk.google().now(), right, "our clock is right");
    talk.google().mend(fault);
    let minted = talk.mint(&token, WEB).await?;
    assert_eq!((minted.status.as_u16(), date(&minted)?), (200, right));
    Ok(())
}

#[tokio::test]
async fn even_what_is_for_no_api_is_dated_by_a_clock_that_differs() -> Result<()> {
    let talk = Talk::at(standing()?).await?;
    let skew = Effect::ClockSkew { seconds: -90 };
    talk.google().inject(skew.everywhere());
    let nowhere = talk.get("", "no/such/route").await?;
    assert_eq!(nowhere.status, 404);
    let behind = talk.google().now() - SignedDuration::from_secs(90);
    assert_eq!(date(&nowhere)?, behind);
    let late = talk.metadata("controller", "project/project-id").await?;
    assert_eq!(date(&late)?, behind);
    Ok(())
}

#[tokio::test]
async fn a_clock_is_right_again_once_the_fault_has_run_out() -> Result<()> {
    let talk = Talk::at(standing()?).await?;
    let right = talk.google().now();
    let skew = || Effect::ClockSkew { seconds: -3_600 }.everywhere();
    let behind = right - SignedDuration::from_hours(1);
    talk.google().inject(skew().times(2));
    let mut found = Vec::new();
    for _ in 0..3 {
        found.push(date(&talk.get("", "tokeninfo").await?)?);
    }
    assert_eq!(found, [behind, behind, right], "it was to hit two requests");

    let mut fault = skew();
    fault.until = Some(right + SignedDuration::from_mins(1));
    talk.google().inject(fault);
    talk.google().clock().advance(SignedDuration::from_secs(59));
    let last = date(&talk.get("", "tokeninfo").await?)?;
    assert_eq!(last, behind + SignedDuration::from_secs(59));
    talk.google().clock().advance(SignedDuration::from_secs(1));
    assert!(talk.google().faults().is_empty(), "its time is over");
    let after = date(&talk.get("", "tokeninfo").await?)?;
    assert_eq!(after, right + SignedDuration::from_mins(1));
    Ok(())
}

#[tokio::test]
async fn time_that_has_passed_meanwhile_is_not_lost_with_the_skew() -> Result<()> {
    let talk = Talk::start().await?;
    let skew = Effect::ClockSkew { seconds: -90 };
    let fault = talk.google().inject(skew.everywhere());
    talk.google().clock().advance(SignedDuration::from_hours(2));
    talk.google().mend(fault);
    let ahead = date(&talk.get("", "tokeninfo").await?)?.duration_since(Timestamp::now());
    assert!(ahead > SignedDuration::from_mins(119), "{ahead}");
    Ok(())
}

/// Lets the controller act as the account of `api`, which it may not in the world.
fn grant(talk: &Talk) -> Result<()> {
    let member = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/\
        acme-prod.svc.id.goog/subject/ns/argosy/sa/controller";
    let account = ResourceName::service_account("acme-prod", API);
    let role = "roles/iam.workloadIdentityUser";
    Ok(talk.google().grant(role, member, &account)?)
}

#[tokio::test]
async fn policies_count_at_once_again_once_the_fault_has_run_out() -> Result<()> {
    let delay = || Effect::PropagationDelay {
        grant_seconds: 3_600,
        revoke_seconds: 3_600,
        flapping: false,
    };
    let talk = Talk::at(standing()?).await?;
    let token = talk.pod_token("controller").await?;
    talk.google().inject(delay().on(CREDENTIALS).times(2));
    grant(&talk)?;
    let mut found = Vec::new();
    for _ in 0..3 {
        found.push(talk.mint(&token, API).await?.status.as_u16());
    }
    assert_eq!(found, [403, 403, 200], "it was to hit two requests");

    let talk = Talk::at(standing()?).await?;
    let token = talk.pod_token("controller").await?;
    let mut fault = delay().everywhere();
    fault.until = Some(talk.google().now() + SignedDuration::from_mins(1));
    talk.google().inject(fault);
    grant(&talk)?;
    talk.google().clock().advance(SignedDuration::from_secs(59));
    assert_eq!(talk.mint(&token, API).await?.status, 403);
    talk.google().clock().advance(SignedDuration::from_secs(1));
    assert_eq!(talk.mint(&token, API).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn the_admin_listener_injects_mends_and_tells() -> Result<()> {
    let talk = Talk::start().await?;
    let token = talk.pod_token("controller").await?;
    let admin = format!("http://{}", talk.simulator.admin);
    let fault = json!({"fault": "gsa_missing", "scope": {"service": CREDENTIALS}});
    let added = send(talk.http.post(format!("{admin}/faults")).json(&fault))
        .await?
        .json()?;
    assert_eq!(talk.mint(&token, WEB).await?.status, 404);
    let number = added["number"].as_u64().context("a number")?;
    let mended = send(talk.http.delete(format!("{admin}/faults/{number}"))).await?;
    assert_eq!(mended.status, 204);
    assert_eq!(talk.mint(&token, WEB).await?.status, 200);
    let assumed = send(talk.http.get(format!("{admin}/assumptions")))
        .await?
        .json()?;
    assert_eq!(assumed[0]["assumption"], "disabled-account");
    let order = json!({"member": "user:ops@acme.example"});
    let token = send(talk.http.post(format!("{admin}/tokens")).json(&order))
        .await?
        .json()?;
    let operator = token["accessToken"].as_str().context("a token")?;
    assert_eq!(
        talk.get(operator, "v3/projects/acme-prod").await?.status,
        200
    );
    Ok(())
}
