//! `/metrics`, in the text form that Prometheus reads.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Names whose identities are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Provider {
    pub(crate) provider: &'static str,
}

/// Says of each provider of identities that has to be waited for whether it has answered: 0 or 1.
pub(crate) type Ready = Family<Provider, Gauge>;

/// Registers the metric of [`Ready`].
pub(crate) fn ready(registry: &mut Registry) -> Ready {
    let ready = Ready::default();
    let help = "Whether what gives the controller its identity has answered since the start";
    registry.register("argosy_identity_ready", help, ready.clone());
    ready
}

/// The route of a registry's metrics.
pub(crate) fn route(registry: Registry) -> Router {
    let registry = Arc::new(registry);
    let answer = move || {
        let registry = Arc::clone(&registry);
        async move {
            let mut text = String::new();
            match encode(&mut text, &registry) {
                Ok(()) => {
                    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                    ([(header::CONTENT_TYPE, media_type)], text).into_response()
                }
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
    };
    Router::new().route("/metrics", get(answer))
}
