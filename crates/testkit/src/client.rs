//! A client for servers on loopback, which speak plain http.

/// Builds on what is given; whoever builds a client of this kind has to have a crypto provider, used or not.
pub(crate) fn build(builder: reqwest::ClientBuilder) -> reqwest::Result<reqwest::Client> {
    // Another test of the same process may have been first.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    builder.no_proxy().build()
}
