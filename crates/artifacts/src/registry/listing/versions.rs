//! The versions of an image by Artifact Registry's API: the newest first, a thousand at a time.
//!
//! The order is that of `update_time`, which an upload and a moved tag change; what follows a row was therefore uploaded
//! no later than it was updated. That deleting a tag changes it as well, and that a page in this order shifts by no more
//! than what is pushed meanwhile, is assumed (`docs/decisions/0136-newest-first-by-update-time.md`).
//!
//! Source: <https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.packages.versions/list>

use std::collections::HashSet;

use credentials::Login;
use credentials::google::{AccessToken, ImageAddress};
use domain::selection::{Listed, Rest};
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::registry::manifest::{check_digest, parse_time};
use crate::registry::reason::{self, said};
use crate::registry::tags::{Row, is_tag};
use crate::registry::token::bearer;
use crate::registry::{Reader, is_here, is_refusal};
use crate::sender::{Answer, Call, Fault};

/// Rows that are asked for at a time, which is the most there are.
const PAGE: usize = 1_000;
/// Tags of one version that are listed with it at most: there may be more.
const TAGS_BOUND: usize = 100;
/// Most pages, and most bytes of one.
const PAGES_BOUND: usize = 2_000;
const BYTES_BOUND: usize = 16 << 20;

/// How long before the newest row a row may have its time that was not there yet when that one was.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// Where the API is, unless the operator says otherwise.
pub(in crate::registry) fn artifact_registry() -> Url {
    Url::parse("https://artifactregistry.googleapis.com").expect("Google's address is a URL")
}

/// Lists versions.
#[derive(Debug)]
pub(super) struct Versions<'a> {
    reader: &'a Reader<'a>,
    url: Url,
    /// Leads to the next page; empty before the first.
    token: String,
    tokens: HashSet<String>,
    pages: usize,
    rows: usize,
    first: Option<Newest>,
    last: Option<Timestamp>,
    /// The row that was the newest when all were read: nothing is wanted of those long before it.
    since: Option<Newest>,
    /// Whether that row came again.
    has_met: bool,
}

/// The row that anything new would come before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Newest {
    version: String,
    updated: Timestamp,
}

/// Says why versions are not listed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Http(#[from] Fault),
    #[error("the API answered {status}{}", said(.reason))]
    Status {
        status: StatusCode,
        /// As Google names it; empty where it does not.
        reason: String,
    },
    #[error("the answer is not a list of versions")]
    Malformed(#[source] serde_json::Error),
    #[error("version {0:?} has no digest")]
    Digest(String),
    #[error("the versions are not in the order that was asked for")]
    Order,
    #[error("a version has more tags than are listed")]
    Tags,
    #[error("the pages have no end")]
    Pages,
}

impl Refusal {
    /// Says how long it is not worth asking again.
    pub(super) fn lasts(&self) -> SignedDuration {
        let is_passing = match self {
            Self::Http(_) => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Malformed(_) | Self::Digest(_) | Self::Order | Self::Tags | Self::Pages => false,
        };
        SignedDuration::from_mins(if is_passing { 1 } else { 10 })
    }

    /// Says whether other images would be refused as well, where one was asked for by its digest.
    pub(super) fn is_of_all(&self) -> bool {
        match self {
            Self::Http(_) => true,
            Self::Status { status, .. } => is_refusal(*status) || status.is_server_error(),
            Self::Malformed(_) | Self::Digest(_) | Self::Order | Self::Tags | Self::Pages => false,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    versions: Vec<Version>,
    #[serde(default)]
    next_page_token: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    name: String,
    #[serde(deserialize_with = "time")]
    create_time: Timestamp,
    #[serde(deserialize_with = "time")]
    update_time: Timestamp,
    #[serde(default)]
    related_tags: Vec<Tag>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
struct Tag {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    build_time: Option<String>,
}

fn time<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

impl<'a> Versions<'a> {
    /// Begins; none without a token of Google's, which is all that the API takes, or where any certificate would do.
    pub(super) fn start(reader: &'a Reader<'a>, address: &ImageAddress) -> Option<Self> {
        let login = reader.client.login()?;
        google_token(&login)?;
        if reader.client.scope.insecure {
            return None;
        }
        let mut url = reader.client.artifact_registry.clone();
        if login.is_simulated() && !is_here(&url) {
            return None;
        }
        let ImageAddress {
            repository, image, ..
        } = address;
        // A package is one component, and no component of an image holds anything else that means something in a URL.
        let package = image.replace('/', "%2F");
        let before = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!(
            "{before}/v1/{repository}/packages/{package}/versions"
        ));
        Some(Self {
            reader,
            url,
            token: String::new(),
            tokens: HashSet::new(),
            pages: 0,
            rows: 0,
            first: None,
            last: None,
            since: None,
            has_met: false,
        })
    }

    /// Stops before what was older than this row when it was the newest, by more than a row may come late.
    #[must_use]
    pub(super) fn since(self, newest: &Newest) -> Self {
        Self {
            since: Some(newest.clone()),
            ..self
        }
    }

    /// Asks for the newest row alone.
    pub(super) async fn newest(&self) -> Result<Newest, Refusal> {
        let page: Page = self.fetch(self.page("BASIC", 1)).await?;
        let newest = page.versions.first().map(Newest::of);
        Ok(newest.unwrap_or_else(Newest::none))
    }

    /// Gives the rows of the next page to `offer`.
    pub(super) async fn next(
        &mut self,
        offer: &mut (dyn FnMut(Row) + Send),
    ) -> Result<Rest, Refusal> {
        let page: Page = self.fetch(self.page("FULL", PAGE)).await?;
        self.pages += 1;
        self.rows += page.versions.len();
        if self.first.is_none() {
            let first = page.versions.first().map(Newest::of);
            self.first = Some(first.unwrap_or_else(Newest::none));
        }
        for version in page.versions {
            if self.last.is_some_and(|last| last < version.update_time) {
                return Err(Refusal::Order);
            }
            self.last = Some(version.update_time);
            if let Some(since) = &self.since {
                if version.update_time < since.reaches_back_to() {
                    return Ok(Rest::Nothing);
                }
                self.has_met |= version.name == since.version;
            }
            version.tell(offer)?;
        }
        if page.next_page_token.is_empty() {
            return Ok(Rest::Nothing);
        }
        if self.pages >= PAGES_BOUND || !self.tokens.insert(page.next_page_token.clone()) {
            return Err(Refusal::Pages);
        }
        self.token = page.next_page_token;
        Ok(self.last.map_or(Rest::Anything, Rest::UploadedUntil))
    }

    pub(super) fn first(&self) -> Option<&Newest> {
        self.first.as_ref()
    }

    /// Says that the row which was the newest has not come again, as one that is there does: with its time or a later one.
    pub(super) fn is_without_the_newest(&self) -> bool {
        self.since.is_some() && !self.has_met
    }

    pub(super) fn pages(&self) -> usize {
        self.pages
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Asks when an image was built that no list has named, by its digest; none where the API names no time.
    pub(super) async fn built_at(&self, digest: &str) -> Result<Option<Timestamp>, Refusal> {
        let mut url = self.url.clone();
        // Whoever asks has checked the digest: it has no character that means something in a URL.
        url.set_path(&format!("{}/{digest}", url.path()));
        url.query_pairs_mut().append_pair("view", "FULL");
        let version: Version = self.fetch(url).await?;
        Ok(version.metadata.built_at())
    }

    fn page(&self, view: &str, size: usize) -> Url {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("view", view)
            .append_pair("pageSize", &size.to_string())
            .append_pair("orderBy", "update_time desc");
        if !self.token.is_empty() {
            url.query_pairs_mut().append_pair("pageToken", &self.token);
        }
        url
    }

    async fn fetch<T: DeserializeOwned>(&self, url: Url) -> Result<T, Refusal> {
        let call = Call::get(url, BYTES_BOUND, self.reader.cost);
        let answer = send(self.reader, call).await?;
        if !answer.status.is_success() {
            return Err(Refusal::Status {
                status: answer.status,
                reason: reason::read(&answer.body),
            });
        }
        self.reader.let_in();
        serde_json::from_slice(&answer.body).map_err(Refusal::Malformed)
    }
}

impl Version {
    fn tell(self, offer: &mut (dyn FnMut(Row) + Send)) -> Result<(), Refusal> {
        let digest = last_part(&self.name);
        if check_digest(digest).is_err() {
            return Err(Refusal::Digest(digest.chars().take(100).collect()));
        }
        if self.related_tags.len() >= TAGS_BOUND {
            return Err(Refusal::Tags);
        }
        // As exact as the other list, so that one image is one however it was listed.
        let millisecond = |it: Timestamp| Timestamp::from_millisecond(it.as_millisecond()).ok();
        let built_at = self.metadata.built_at().and_then(millisecond);
        let media_type = self.metadata.media_type;
        let uploaded_at = millisecond(self.create_time);
        if self.related_tags.is_empty() {
            let digest = digest.to_owned();
            offer(Row::Untagged { digest, built_at });
        }
        let tags = self.related_tags.iter().map(|it| last_part(&it.name));
        for tag in tags.filter(|it| is_tag(it)) {
            offer(Row::Tag(Listed {
                tag: tag.to_owned(),
                digest: Some(digest.to_owned()),
                built_at,
                uploaded_at,
                media_type: media_type.clone(),
            }));
        }
        Ok(())
    }
}

impl Metadata {
    fn built_at(&self) -> Option<Timestamp> {
        parse_time(self.build_time.as_deref()?)
    }
}

impl Newest {
    fn of(version: &Version) -> Self {
        Self {
            version: version.name.clone(),
            updated: version.update_time,
        }
    }

    /// Says since when rows may have come that were not there when this one was the newest.
    fn reaches_back_to(&self) -> Timestamp {
        let back = self.updated.saturating_sub(LATE);
        back.unwrap_or(Timestamp::MIN)
    }

    /// Stands for a list without rows.
    pub(super) fn none() -> Self {
        Self {
            version: String::new(),
            updated: Timestamp::MIN,
        }
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// Makes the header of a login that holds an access token: an identity's, or one that somebody had for this.
fn google_token(login: &Login) -> Option<HeaderValue> {
    match login {
        Login::AccessToken(token) => bearer(token.password()),
        Login::Basic { username, password } if username == AccessToken::USERNAME => {
            bearer(password)
        }
        Login::Basic { .. } | Login::SshKey(_) => None,
    }
}

/// Sends a request once with the token of the login; where an identity's is turned down, once more with another of it.
///
/// There is another way to list, so nothing is waited for.
async fn send(reader: &Reader<'_>, call: Call) -> Result<Answer, Fault> {
    let client = &reader.client;
    let login = client.login();
    let with = |login: Option<&Login>| match login.and_then(google_token) {
        Some(header) => call.clone().header(AUTHORIZATION, header),
        None => call.clone(),
    };
    let answer = client.sender.send_paced(&with(login.as_ref())).await?;
    let Some(Login::AccessToken(token)) = &login else {
        return Ok(answer);
    };
    if !is_refusal(answer.status) {
        return Ok(answer);
    }
    let Some(renewed) = token.renewed().await.map(Login::AccessToken) else {
        return Ok(answer);
    };
    client.log_in_with(renewed.clone());
    client.tokens.forget_all();
    client.sender.send_paced(&with(Some(&renewed))).await
}
