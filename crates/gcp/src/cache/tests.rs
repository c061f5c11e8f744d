//! Callers at once, and requests that outlive them.

use std::sync::atomic::{AtomicUsize, Ordering};

use secret::Secret;
use tokio::sync::Notify;

use super::*;
use crate::loopback::{Hands, start};
use crate::token::Identity;

fn token(name: &str) -> Token {
    Token {
        access_token: Secret::from(name),
        identity: Identity::Federated("principal://x".to_owned()),
        expires: start() + jiff::SignedDuration::from_hours(1),
        doubt: None,
    }
}

fn cache() -> Arc<TokenCache> {
    Arc::new(TokenCache::new(Hands::new().clock()))
}

#[tokio::test]
async fn a_thousand_callers_cost_one_request() {
    let (cache, asked, gate) = (
        cache(),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Notify::new()),
    );
    let callers = (0..1_000).map(|_| {
        let (cache, asked, gate) = (Arc::clone(&cache), Arc::clone(&asked), Arc::clone(&gate));
        tokio::spawn(async move {
            let fetch = || async move {
                asked.fetch_add(1, Ordering::Relaxed);
                gate.notified().await;
                Ok(token("a"))
            };
            cache.get("web", fetch).await
        })
    });
    let callers: Vec<_> = callers.collect();
    tokio::task::yield_now().await;
    gate.notify_one();
    let mut tokens = Vec::new();
    for caller in callers {
        tokens.push(caller.await.expect("no panic").expect("a token"));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(tokens.iter().all(|it| Arc::ptr_eq(it, &tokens[0])));
}

#[tokio::test]
async fn a_request_outlives_the_caller_who_started_it() {
    let (cache, gate) = (cache(), Arc::new(Notify::new()));
    let held = Arc::clone(&gate);
    let first = cache.get("web", || async move {
        held.notified().await;
        Ok(token("a"))
    });
    // It is polled once, which starts the request, and dropped.
    assert!(first.now_or_never().is_none());
    gate.notify_one();
    let second = cache.get("web", || async { panic!("asked a second time") });
    assert_eq!(second.await.expect("a token").access_token.expose(), "a");
}

#[tokio::test]
async fn a_request_that_panics_is_an_error_and_the_next_caller_asks_again() {
    let cache = cache();
    let broken = cache.get("web", || async { panic!("on purpose") });
    assert!(matches!(broken.await, Err(TokenError::Abandoned)));
    let next = cache.get("web", || async { Ok(token("a")) });
    assert!(next.await.is_ok());
}

#[tokio::test]
async fn keys_share_nothing_and_a_token_is_forgotten_wherever_it_is() {
    let cache = cache();
    let web = cache
        .get("web", || async { Ok(token("a")) })
        .await
        .expect("a token");
    let api = cache
        .get("api", || async { Ok(token("b")) })
        .await
        .expect("a token");
    assert_ne!(web.access_token.expose(), api.access_token.expose());
    assert!(cache.invalidate(&web));
    assert!(!cache.invalidate(&web));
    let web = cache
        .get("web", || async { Ok(token("c")) })
        .await
        .expect("a token");
    let same = cache
        .get("api", || async { Ok(token("d")) })
        .await
        .expect("a token");
    assert_eq!(web.access_token.expose(), "c");
    assert_eq!(same.access_token.expose(), "b");
}

/// Has so many other keys asked for, in vain; what is remembered of that is forgotten after five minutes.
async fn crowd(cache: &TokenCache, name: &str, count: usize) {
    for number in 0..count {
        let key = format!("{name}-{number}");
        let refused = cache.get(&key, || async { Err(absent()) }).await;
        assert!(refused.is_err());
    }
}

fn absent() -> TokenError {
    TokenError::Absent {
        account: "a".to_owned(),
        why: crate::error::Absence::NotFound,
    }
}

async fn refused(cache: &TokenCache, key: &str) -> &'static str {
    let refused = cache.get(key, || async { Err(absent()) }).await;
    refused.expect_err("it is refused").label()
}

#[tokio::test]
async fn that_a_refusal_is_the_first_is_not_forgotten_in_a_crowd() {
    let hands = Hands::new();
    let cache = TokenCache::new(hands.clock());
    for key in ["had", "struck"] {
        let token = cache.get(key, || async { Ok(token("a")) }).await;
        assert!(token.is_ok());
    }
    // The token is over, and Google has refused another once.
    hands.advance(3_600);
    assert_eq!(refused(&cache, "struck").await, "unconfirmed");
    hands.advance(31);
    crowd(&cache, "one", BOUND).await;
    // None of the crowd is believed any more, so the next new key makes room.
    hands.advance(600);
    crowd(&cache, "two", 1).await;
    assert!(cache.entries.read().len() < 10, "the crowd is gone");
    assert_eq!(
        refused(&cache, "had").await,
        "unconfirmed",
        "it is the first refusal since there was a token"
    );
    assert_eq!(
        refused(&cache, "struck").await,
        "absent",
        "it is the second, more than half a minute after the first"
    );
}

#[tokio::test]
async fn of_a_crowd_that_all_had_tokens_the_older_half_is_forgotten() {
    let hands = Hands::new();
    let cache = TokenCache::new(hands.clock());
    for number in 0..BOUND {
        if number == BOUND / 2 {
            hands.advance(1);
        }
        let key = number.to_string();
        let token = cache.get(&key, || async { Ok(token("a")) }).await;
        assert!(token.is_ok());
    }
    hands.advance(7_200);
    crowd(&cache, "new", 1).await;
    let left = cache.entries.read().len();
    assert!((2..=BOUND / 2 + 1).contains(&left), "{left}");
    assert_eq!(
        refused(&cache, &(BOUND - 1).to_string()).await,
        "unconfirmed"
    );
    assert_eq!(refused(&cache, "0").await, "absent");
}
