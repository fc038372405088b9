//! Login, work, logout: on sandboxes and real servers, over every transport, in both dialects and both colours.
//!
//! The journey is written once. In the tests over sockets the server's clock runs ahead of the
//! client's, so a token expires unforeseen; without sockets both read the same clock.

use std::time::Duration;

use jiff::civil::date;
use keystone_client::backend::{IsahcBackend, ReqwestBackend, UreqBackend};
use keystone_client::resources::{
    MembershipRole, NewAllocation, NewAllocationRequest, NewCluster, NewMembership, NewTeam,
    NewUser, RequestStatus, legacy,
};
use keystone_client::sandbox::{self, RecordedRequest, Sandbox};
use keystone_client::{ErrorKind, Id, KeystoneClient, RetryPolicy, blocking};

use crate::support::target::Target;
use crate::support::{awaited, finished};

/// How many requests a sandbox has got.
fn sent(server: &Target) -> Option<usize> {
    server.sandbox().map(|sandbox| sandbox.requests().len())
}

/// What works the same on servers of all generations.
macro_rules! common_journey {
    ($client:ident, $server:ident, $go:ident) => {
        assert!(!$client.is_authenticated());
        assert_eq!($go!($client.whoami()).unwrap(), None);
        let error = $go!($client.login($server.username(), "wrong")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
        $go!($client.login($server.username(), $server.password())).unwrap();
        assert!($client.is_authenticated());
        let admin = $go!($client.whoami()).unwrap().unwrap();
        assert_eq!(admin.username, $server.username());
        assert!(!$go!($client.version()).unwrap().is_empty());

        // Create, retrieve, update, replace, list, delete.
        let mut ids = Vec::new();
        let name = |text: &str| $server.name(text);
        for text in ["atlas", "borealis", "cygnus", "draco", "eridanus"] {
            let new = NewCluster::new(name(text)).description("CPU only");
            ids.push($go!($client.create_cluster(new)).unwrap().id);
        }
        let atlas = $go!($client.retrieve_cluster(ids[0])).unwrap();
        assert_eq!((&atlas.name, atlas.enabled), (&name("atlas"), true));
        assert_eq!($go!($client.retrieve(ids[0])).unwrap(), atlas);
        let atlas = $go!(
            $client.update_cluster(atlas.id, |c| [c.description.set(None), c.enabled.set(false),])
        )
        .unwrap();
        assert_eq!((atlas.description, atlas.enabled), (None, false));
        let replaced =
            $go!($client.clusters().replace(ids[1], NewCluster::new(name("boötes")))).unwrap();
        assert_eq!(replaced.name, name("boötes"));
        assert_eq!(replaced.description.as_deref(), Some("CPU only"), "PUT keeps what is left out");

        // Lists are complete whatever the page size, and filtered.
        let all = $go!($client.clusters().filter(|c| c.id.gte(ids[0])).page_size(2).all()).unwrap();
        assert_eq!(all.iter().map(|cluster| cluster.id).collect::<Vec<_>>(), ids);
        let some = $go!(
            $client
                .retrieve_clusters()
                .filter(|c| c.enabled.eq(true))
                .filter(|c| c.id.gt(ids[2]))
                .page_size(1)
                .all()
        );
        assert_eq!(some.unwrap().len(), 2);
        let listed = $go!(
            $client.clusters().filter(|c| c.name.is_in([name("boötes"), name("draco")])).all()
        );
        assert_eq!(listed.unwrap().len(), 2);
        let before = sent($server);
        let nothing = $client.clusters().filter(|c| c.id.is_in([] as [Id<_>; 0]));
        assert!($go!(nothing.all()).unwrap().is_empty());
        assert_eq!(sent($server), before, "no values need no request");

        // Mistakes have their kinds.
        let missing = $client.retrieve_cluster(Id::new(999_999));
        assert!($go!(missing.clone()).unwrap_err().is_not_found());
        assert_eq!($go!(missing.optional()).unwrap(), None);
        let unknown = $go!($client.http_get("no/such/path")).unwrap();
        assert_eq!(unknown.status(), 404);
        assert_eq!(unknown.error_for_status().unwrap_err().kind(), ErrorKind::UnknownEndpoint);
        let invalid = $go!($client.create_cluster(NewCluster::new(""))).unwrap_err();
        assert!(invalid.is_validation("name"), "{invalid}");

        for id in &ids {
            $go!($client.delete_cluster(*id)).unwrap();
        }
        let left = $client.clusters().filter(|c| c.id.is_in(ids));
        assert!($go!(left.all()).unwrap().is_empty());

        let new = NewUser::new(name("ada"), "correct-horse-battery").email("ada@example.edu");
        let ada = $go!($client.create_user(new)).unwrap();
        let ada = $go!($client.update_user(ada.id, |u| [u.first_name.set("Ada")])).unwrap();
        assert_eq!(ada.first_name.as_deref(), Some("Ada"));
        let by_name = $client.users().filter(|u| u.username.eq($server.name("ada")));
        assert_eq!($go!(by_name.all()).unwrap()[0].id, ada.id);
    };
}

macro_rules! session_journey {
    ($client:ident, $server:ident, $go:ident) => {{
        common_journey!($client, $server, $go);
        let name = |text: &str| $server.name(text);
        let ada = $go!($client.users().filter(|u| u.username.eq($server.name("ada"))).all())
            .unwrap()
            .remove(0);
        let cluster = $go!($client.create_cluster(NewCluster::new(name("atlas")))).unwrap();
        let team = $go!($client.create_team(NewTeam::new(name("Folding")))).unwrap();
        assert_eq!(team.slug, name("folding"));
        let member = NewMembership::new(ada.id, team.id, MembershipRole::Owner);
        let member = $go!($client.create_membership(member)).unwrap();
        let member =
            $go!($client.update_membership(member.id, |m| [m.role.set(MembershipRole::Admin)]))
                .unwrap();
        assert_eq!(member.user_summary.unwrap().username, name("ada"));

        let request = NewAllocationRequest::new("Title", "What for", ada.id, team.id)
            .expire(date(2027, 1, 31));
        let request = $go!($client.create_request(request)).unwrap();
        assert_eq!(request.status, RequestStatus::Pending);
        let allocation = NewAllocation::new(5000, cluster.id, request.id);
        let allocation = $go!($client.create_allocation(allocation)).unwrap();
        assert_eq!((allocation.requested, allocation.awarded), (5000, None));
        assert_eq!(allocation.cluster_summary.unwrap().name, name("atlas"));

        let expiring = $go!(
            $client
                .requests()
                .filter(|r| r.team.eq(team.id))
                .filter(|r| r.expire.lt(date(2027, 2, 1)))
                .order_by(|r| r.expire.asc())
                .all()
        )
        .unwrap();
        assert_eq!(expiring.len(), 1);
        assert_eq!(
            $go!($client.requests().filter(|r| r.team.eq(team.id)).page(10, 0)).unwrap().total,
            Some(1)
        );

        // The session ends; a new login goes on where it was.
        if let Some(sandbox) = $server.sandbox() {
            sandbox.expire_sessions();
            let error = $go!($client.delete_allocation(allocation.id)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SessionExpired);
            assert!(!$client.is_authenticated());
            $go!($client.login($server.username(), $server.password())).unwrap();
        }
        $go!($client.delete_allocation(allocation.id)).unwrap();
        $go!($client.delete_request(request.id)).unwrap();
        $go!($client.delete_membership(member.id)).unwrap();
        $go!($client.delete_team(team.id)).unwrap();
        $go!($client.delete_cluster(cluster.id)).unwrap();
        $go!($client.delete_user(ada.id)).unwrap();
        $go!($client.logout()).unwrap();
        assert_eq!($go!($client.whoami()).unwrap(), None);
    }};
}

macro_rules! jwt_journey {
    ($client:ident, $server:ident, $go:ident) => {{
        common_journey!($client, $server, $go);
        let name = |text: &str| $server.name(text);
        let ada = $go!($client.users().filter(|u| u.username.eq($server.name("ada"))).all())
            .unwrap()
            .remove(0);
        let ada: Id<legacy::User> = ada.id.cast();
        let group = legacy::NewResearchGroup::new(name("Folding"), ada).members([ada]);
        let group = $go!($client.create_research_group(group)).unwrap();
        let group = $go!($client.update_research_group(group.id, |g| [g.is_active.set(false)]));
        let group = group.unwrap();
        assert_eq!((group.is_active, group.members.len()), (false, 1));
        let requests = $client.legacy().requests();
        let request = legacy::NewAllocationRequest::new("Title", "What for", group.id);
        let request = $go!(requests.create(request.expire(date(2027, 1, 31)))).unwrap();
        let listed = requests.filter(|r| r.expire.lt(date(2027, 2, 1)).and(r.id.eq(request.id)));
        assert_eq!($go!(listed.all()).unwrap()[0], request);

        // What this server has not, or would ignore in silence, is not sent.
        let error = $go!($client.requests().list().all()).unwrap_err();
        assert!(error.to_string().contains("resources::legacy"), "{error}");
        let before = sent($server);
        for unsupported in [
            $go!($client.requests().list().all()).map(drop),
            $go!($client.teams().list().count()).map(drop),
            $go!($client.feed().list().all()).map(drop),
            $go!($client.config()).map(drop),
            $go!($client.grants().list().stats()).map(drop),
            $go!($client.users().order_by(|u| u.username.asc()).all()).map(drop),
            $go!($client.users().filter(|u| u.username.not_eq($server.name("ada"))).all())
                .map(drop),
            $go!($client.users().list().page(10, 0)).map(drop),
            $go!($client.users().list().search("ada").all()).map(drop),
        ] {
            assert_eq!(unsupported.unwrap_err().kind(), ErrorKind::Unsupported);
        }
        assert_eq!(sent($server), before);

        // Access tokens expire by the clock, and by decree.
        if let Some(sandbox) = $server.sandbox() {
            sandbox.advance(Duration::from_secs(301));
        }
        assert_eq!($go!(requests.retrieve(request.id)).unwrap(), request);
        if let Some(sandbox) = $server.sandbox() {
            sandbox.expire_access_tokens();
        }
        $go!(requests.delete(request.id)).unwrap();
        $go!($client.delete_research_group(group.id)).unwrap();
        $go!($client.delete_user(ada.cast())).unwrap();
        if let Some(sandbox) = $server.sandbox() {
            let refreshes = sandbox.requests();
            let refreshes = refreshes.iter().filter(|r| r.path().ends_with("/refresh/")).count();
            assert_eq!(refreshes, 2, "one for each expiry");

            // After a day only a new login helps.
            sandbox.advance(Duration::from_secs(86_401));
            let error = $go!($client.users().list().all()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SessionExpired);
            $go!($client.login($server.username(), $server.password())).unwrap();
        }
        $go!($client.logout()).unwrap();
        assert!(!$client.is_authenticated());
    }};
}

async fn walk(client: KeystoneClient, server: &Target) {
    match server.dialect() {
        sandbox::Dialect::Jwt => jwt_journey!(client, server, awaited),
        _ => session_journey!(client, server, awaited),
    }
}

fn walk_blocking(client: blocking::KeystoneClient, server: &Target) {
    match server.dialect() {
        sandbox::Dialect::Jwt => jwt_journey!(client, server, finished),
        _ => session_journey!(client, server, finished),
    }
}

fn server(dialect: sandbox::Dialect) -> Sandbox {
    Sandbox::builder()
        .dialect(dialect)
        .staff("admin", "admin-password")
        // A server behind a path, as many are.
        .path_prefix("/keystone")
        .build()
}

/// The real server, or a sandbox behind a path.
fn listening(dialect: sandbox::Dialect) -> Option<Target> {
    let target = Target::of(dialect)?;
    if target.sandbox().is_none() {
        return Some(target);
    }
    let target = Target::from_sandbox(&server(dialect), dialect);
    assert!(target.url().contains("/keystone"));
    Some(target)
}

macro_rules! over_sockets {
    ($($name:ident: $backend:expr, $build:ident;)+) => {
        $(mod $name {
            use super::*;

            #[test]
            fn session() {
                $build!($backend, sandbox::Dialect::Session);
            }

            #[test]
            fn jwt() {
                $build!($backend, sandbox::Dialect::Jwt);
            }
        })+
    };
}

macro_rules! async_client {
    ($backend:expr, $dialect:expr) => {{
        let Some(server) = listening($dialect) else {
            return;
        };
        let client = KeystoneClient::with_backend(&server.url(), $backend).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(walk(client, &server));
    }};
}

macro_rules! blocking_client {
    ($backend:expr, $dialect:expr) => {{
        let Some(server) = listening($dialect) else {
            return;
        };
        let client = blocking::KeystoneClient::with_backend(&server.url(), $backend).unwrap();
        walk_blocking(client, &server);
    }};
}

over_sockets! {
    reqwest_async: ReqwestBackend::new().unwrap(), async_client;
    reqwest_blocking: blocking::ReqwestBackend::new().unwrap(), blocking_client;
    isahc_async: IsahcBackend::new().unwrap(), async_client;
    isahc_blocking: IsahcBackend::new().unwrap(), blocking_client;
    ureq_blocking: UreqBackend::new().unwrap(), blocking_client;
}

/// What a request was, apart from values that differ from run to run.
fn fingerprint(request: &RecordedRequest) -> String {
    let mut headers: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
    headers.sort_unstable();
    let is_token = request.path().contains("/refresh/") || request.path().contains("/blacklist/");
    let body = if is_token { "a token".into() } else { String::from_utf8_lossy(request.body()) };
    format!(
        "{} {}?{} {headers:?} {body} -> {:?}",
        request.method(),
        request.path(),
        request.query().unwrap_or_default(),
        request.status().unwrap(),
    )
}

#[test]
fn both_colours_send_the_same_requests_and_no_two_runs_differ() {
    for dialect in [sandbox::Dialect::Session, sandbox::Dialect::Jwt] {
        let asynchronous = server(dialect);
        let target = Target::from_sandbox(&asynchronous, dialect);
        pollster::block_on(walk(asynchronous.client().unwrap(), &target));
        let blocking = server(dialect);
        let target = Target::from_sandbox(&blocking, dialect);
        walk_blocking(blocking.blocking_client().unwrap(), &target);

        let log = |sandbox: &Sandbox| -> Vec<String> {
            sandbox.requests().iter().map(fingerprint).collect()
        };
        let (asynchronous, blocking) = (log(&asynchronous), log(&blocking));
        assert!(asynchronous.len() > 40, "the journey is {} requests", asynchronous.len());
        for (left, right) in asynchronous.iter().zip(&blocking) {
            assert_eq!(left, right);
        }
        assert_eq!(asynchronous.len(), blocking.len());
    }
}

#[test]
fn both_colours_wait_the_same_times() {
    use crate::support::script;
    use http::StatusCode;
    use keystone_client::testing::Exchange;

    let policy = || RetryPolicy::default().without_jitter().with_max_attempts(6);
    let failing = || {
        let failure = |status| Exchange::get("/version/").reply(status, "");
        script([
            failure(StatusCode::BAD_GATEWAY),
            failure(StatusCode::TOO_MANY_REQUESTS)
                .reply_header(http::header::RETRY_AFTER, "7".parse().unwrap()),
            failure(StatusCode::SERVICE_UNAVAILABLE),
            Exchange::get("/version/").fail(keystone_client::backend::BackendErrorKind::Closed),
            Exchange::get("/version/").reply(StatusCode::OK, "0.10.9"),
        ])
    };
    let (left, right) = (failing(), failing());
    let client = KeystoneClient::builder("https://keystone.test").retry(policy());
    let client = client.backend(left.clone()).build().unwrap();
    pollster::block_on(client.version().send()).unwrap();
    let client = blocking::KeystoneClient::builder("https://keystone.test").retry(policy());
    let client = client.backend(right.clone()).build().unwrap();
    client.version().send().unwrap();
    assert_eq!(left.sleeps(), right.sleeps());
    assert_eq!(
        left.sleeps().iter().map(Duration::as_millis).collect::<Vec<_>>(),
        [250, 7000, 1000, 2000]
    );
}
