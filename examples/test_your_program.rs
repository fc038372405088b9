//! A small program and its tests, in one file: tells teams once that an award ends within 30 days.
//!
//! ```text
//! cargo run --example test_your_program
//! cargo test --features full --example test_your_program
//! ```
//!
//! The second command runs the tests below. What makes them possible is that the work is done by a
//! function that takes its client and the day, so that a test can give it others.

use std::env;

use clap::Parser;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::jiff::{ToSpan, Zoned};
use keystone_client::resources::{NewComment, RequestStatus};
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::{Error, KeystoneClient};

/// Comments on the approved requests that end within 30 days, once on each.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre in memory, in which it is 1 June 2026.
#[derive(Parser)]
struct Options {
    /// The day from which to look, if not today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
}

/// By its text a reminder is known again.
const REMINDER: &str = "This award ends within 30 days. Please ask for a new one in time.";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (client, today) = connect()?;
    let reminded = remind(&client, options.today.unwrap_or(today)).await?;
    for title in &reminded {
        println!("Reminded: {title}");
    }
    println!("Reminders written: {}", reminded.len());
    Ok(())
}

/// Writes the reminders that are missing, and returns the titles of their requests.
async fn remind(client: &KeystoneClient, today: Date) -> Result<Vec<String>, Error> {
    let last = today.saturating_add(30.days());
    let ending = client
        .requests()
        .filter(|r| r.status.eq(RequestStatus::Approved))
        .filter(|r| r.expire.gt(today).and(r.expire.lte(last)))
        .all()
        .await?;
    let mut reminded = Vec::new();
    for request in ending {
        if request.comment_summaries.iter().any(|comment| comment.content == REMINDER) {
            continue;
        }
        client.create_comment(NewComment::new(REMINDER, request.id)).await?;
        reminded.push(request.title);
    }
    Ok(reminded)
}

/// The server of the environment and today, or a centre in memory and its day.
fn connect() -> anyhow::Result<(KeystoneClient, Date)> {
    if let Ok(url) = env::var("KEYSTONE_URL") {
        let client = KeystoneClient::builder(&url).credentials(Environment::new()).build()?;
        return Ok((client, Zoned::now().date()));
    }
    let today = date(2026, 6, 1);
    let centre = Sandbox::builder()
        .start_at(today.to_zoned(TimeZone::UTC)?.into())
        .staff("admin", "admin-password")
        .population(Population::new(1).users(60))
        .build();
    let client = KeystoneClient::builder("https://keystone.example.edu")
        .credentials(Credentials::new("admin", "admin-password"))
        .backend(centre)
        .build()?;
    Ok((client, today))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keystone_client::ErrorKind;
    use keystone_client::http::{Method, Response, StatusCode};
    use keystone_client::resources::{AllocationRequest, Comment, MembershipRole};
    use keystone_client::sandbox::{Fault, FaultRule};
    use keystone_client::serde_json::json;
    use keystone_client::testing::{Exchange, Fixture, Scripted, from_fn, page};

    use super::*;

    const URL: &str = "https://keystone.example.edu";
    const TODAY: Date = date(2026, 6, 1);

    /// A server in memory with three awards, of which one ends soon, and a client of it.
    async fn centre() -> (Sandbox, KeystoneClient) {
        let sandbox =
            Sandbox::builder().staff("admin", "admin-password").user("ada", "a-password").build();
        sandbox.insert_team("Folding", &[("ada", MembershipRole::Owner)]).unwrap();
        for (title, expire) in
            [("Over", "2026-05-31"), ("Soon", "2026-07-01"), ("Late", "2026-07-02")]
        {
            let request = json!({
                "title": title, "description": "…", "status": "AP", "expire": expire,
                "submitter": 2, "team": 1,
            });
            sandbox.insert("allocations/requests", request).unwrap();
        }
        let client = sandbox.client().unwrap();
        client.login("admin", "admin-password").await.unwrap();
        (sandbox, client)
    }

    #[tokio::test]
    async fn each_is_reminded_once() {
        let (_, client) = centre().await;
        assert_eq!(remind(&client, TODAY).await.unwrap(), ["Soon"]);
        assert!(remind(&client, TODAY).await.unwrap().is_empty());
        let comments = client.comments().list().all().await.unwrap();
        assert_eq!(comments.len(), 1);
        assert!(!comments[0].private, "the team can read it");
    }

    #[tokio::test]
    async fn what_is_sent() {
        let script = Scripted::new([
            Exchange::get("/allocations/requests/")
                .with_query("status", "AP")
                .with_query("expire__gt", "2026-06-01")
                .with_query("expire__lte", "2026-07-01")
                .with_any_query() // how lists are paged is not the point
                .reply_json(StatusCode::OK, &page([AllocationRequest::fixture_json(7)])),
            Exchange::post("/allocations/comments/")
                .with_json(json!({ "content": REMINDER, "request": 7 }))
                .reply_json(StatusCode::CREATED, &Comment::fixture_json(1)),
        ]);
        let client = KeystoneClient::with_backend(URL, script.clone()).unwrap();
        assert_eq!(remind(&client, TODAY).await.unwrap(), [AllocationRequest::fixture(7).title]);
        script.verify();
    }

    #[tokio::test]
    async fn a_lost_answer_is_no_second_reminder() {
        let (sandbox, client) = centre().await;
        let lost = FaultRule::new(Fault::disconnect().after_execution());
        sandbox.inject(lost.method(Method::POST).path("/allocations/comments/").nth(1));

        let error = remind(&client, TODAY).await.unwrap_err();
        assert!(error.may_have_been_sent());
        assert!(remind(&client, TODAY).await.unwrap().is_empty());
        assert_eq!(client.comments().list().count().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_server_that_restarts_is_waited_for() {
        let (sandbox, client) = centre().await;
        // By the clock of the sandbox, on which waiting takes no time.
        let restart = FaultRule::new(Fault::unavailable(Duration::from_secs(20)));
        let restart = sandbox.inject(restart.path("/allocations/requests/").times(2));
        assert_eq!(remind(&client, TODAY).await.unwrap(), ["Soon"]);
        assert_eq!(restart.count(), 2);
    }

    #[tokio::test]
    async fn another_page_is_no_empty_list() {
        let portal = from_fn(|_| Ok(Response::new("<html>Welcome to our portal</html>".into())));
        let client = KeystoneClient::with_backend(URL, portal).unwrap();
        let error = remind(&client, TODAY).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
}
