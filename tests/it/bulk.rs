//! Many writes: in which jobs and calls they travel, and what is reported of each row.

mod pace;
mod sandbox;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use keystone_client::backend::BackendErrorKind;
use keystone_client::resources::{NewTeam, Team};
use keystone_client::testing::{Exchange, Fixture};
use keystone_client::{BulkProgress, BulkReport, ErrorKind, Id, RowOutcome};
use serde_json::{Value, json};

use crate::support::{both_colours, script};

fn team(id: u64, name: &str) -> Value {
    json!({ "id": id, "name": name, "slug": name, "is_active": true })
}

/// The steps of a job that creates teams of these names.
fn creates(names: &[&str]) -> Value {
    let actions: Vec<Value> = names
        .iter()
        .map(|name| json!({ "method": "POST", "path": "/users/teams/", "payload": { "name": name } }))
        .collect();
    json!({ "job": { "actions": actions } })
}

fn job(names: &[&str]) -> Exchange {
    Exchange::post("/batch/").with_json(creates(names))
}

/// A job that creates these teams, which get their places in the alphabet as keys.
fn created(names: &[&str]) -> Exchange {
    let results: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            json!({
                "ref": "", "index": place + 1, "method": "POST", "path": "/users/teams/",
                "status": 201, "body": team(key(name), name),
            })
        })
        .collect();
    job(names).reply_json(StatusCode::OK, &json!({ "results": results }))
}

fn key(name: &str) -> u64 {
    u64::from(name.as_bytes()[0] - b'a') + 1
}

/// A job that fails by this step, from 1, with this status.
fn refused(names: &[&str], step: usize, status: u16) -> Exchange {
    let body = json!({
        "detail": format!("Step #{step} (POST /users/teams/) failed with status {status}"),
        "step": step, "status": status,
        "body": { "name": ["team with this name already exists."] },
    });
    job(names).reply_json(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

fn call(name: &str) -> Exchange {
    Exchange::post("/users/teams/").with_json(json!({ "name": name }))
}

fn called(name: &str) -> Exchange {
    call(name).reply_json(StatusCode::CREATED, &team(key(name), name))
}

fn server_error(exchange: Exchange) -> Exchange {
    exchange.reply(StatusCode::INTERNAL_SERVER_ERROR, "<html>Server Error (500)</html>")
}

/// One letter for each row: done, failed, in doubt, or not attempted.
fn letters<T>(report: &BulkReport<T>) -> String {
    let letter = |row: &RowOutcome<T>| match row {
        RowOutcome::Done(_) => 'd',
        RowOutcome::Failed(_) => 'f',
        RowOutcome::InDoubt(_) => '?',
        _ => '-',
    };
    report.rows().iter().map(letter).collect()
}

fn new(names: &[&str]) -> Vec<NewTeam> {
    names.iter().map(|name| NewTeam::new(*name)).collect()
}

macro_rules! client_of {
    ($client:ident, $exchanges:expr) => {
        client_of!($client, $exchanges, "0.10.9")
    };
    ($client:ident, $exchanges:expr, $version:expr) => {
        $client!(script($exchanges), |builder| {
            builder.api_token("token").server_version($version)
        })
    };
}

both_colours! {
    fn rows_travel_in_jobs_and_one_alone_in_a_call() {
        let client = client_of!(client, [created(&["a", "b"]), created(&["c", "d"]), called("e")]);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let watch = move |progress: &BulkProgress| log.lock().unwrap().push(progress.done);
        let bulk = client.teams().create_many(new(&["a", "b", "c", "d", "e"]));
        let report = go!(bulk.chunk_size(2).on_progress(watch));
        assert_eq!(letters(&report), "ddddd");
        assert_eq!(*seen.lock().unwrap(), [2, 4, 5]);
        assert_eq!(report.to_string(), "5 of 5 rows done");
        let teams: Vec<Team> = report.into_result().unwrap();
        assert_eq!(teams.iter().map(|team| team.id.get()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    }

    fn nothing_is_sent_for_no_rows() {
        let client = client_of!(client, []);
        let report = go!(client.teams().create_many(Vec::new()));
        assert!(report.is_complete());
        assert!(report.into_result().unwrap().is_empty());
        let report = go!(client.teams().delete_many([]).all_or_nothing());
        assert_eq!(report.to_string(), "0 of 0 rows done");
    }

    fn a_refused_row_is_left_out_and_the_others_are_sent_again() {
        let names = ["a", "b", "c", "d", "e"];
        let client = client_of!(client, [
            refused(&names, 3, 400),
            created(&["a", "b"]),
            refused(&["d", "e"], 1, 400),
            called("e"),
        ]);
        let report = go!(client.teams().create_many(new(&names)));
        assert_eq!(letters(&report), "ddffd");
        let (row, error) = report.failed().next().unwrap();
        assert_eq!(row, 2);
        assert!(error.is_validation("name"));
        assert_eq!(
            error.to_string(),
            "create team: the server rejected the request (400): name: team with this name already \
             exists."
        );
        assert!(report.stopped_by().is_none());
        assert!(report.into_result().unwrap_err().is_validation("name"));
    }

    fn a_run_stops_at_a_failure_if_told_so() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let client = client_of!(client, [created(&["a", "b"]), refused(&["c", "d"], 2, 400)]);
        let bulk = client.teams().create_many(new(&names)).chunk_size(2).stop_at_failure();
        let report = go!(bulk);
        assert_eq!(letters(&report), "dd-f--");
        assert!(report.stopped_by().unwrap().is_validation("name"));
        assert_eq!(report.not_attempted().collect::<Vec<_>>(), [2, 4, 5]);
    }

    fn all_or_nothing_is_one_job() {
        let names = ["a", "b", "c", "d", "e"];
        let client = client_of!(client, [refused(&names, 5, 400), created(&names)]);
        let report = go!(client.teams().create_many(new(&names)).chunk_size(2).all_or_nothing());
        assert_eq!(letters(&report), "----f");
        assert!(report.stopped_by().is_some());
        let report = go!(client.teams().create_many(new(&names)).all_or_nothing().resume(report));
        assert_eq!(letters(&report), "ddddd");
    }

    /// Also for one row, which then counts for two calls: it is what was asked for.
    fn all_or_nothing_is_not_done_without_jobs() {
        let client = client_of!(client, [], "0.9.5");
        let report = go!(client.teams().create_many(new(&["a", "b"])).all_or_nothing());
        assert_eq!(letters(&report), "--");
        assert_eq!(report.stopped_by().unwrap().kind(), ErrorKind::Unsupported);
    }

    fn without_jobs_each_row_is_a_call() {
        let refused = call("b").reply_json(StatusCode::BAD_REQUEST, &json!({ "name": ["no"] }));
        let client = client_of!(client, [called("a"), refused, called("c")], "0.9.5");
        let report = go!(client.teams().create_many(new(&["a", "b", "c"])));
        assert_eq!(letters(&report), "dfd");
    }

    /// A server of unknown version shows by its answer that it has no jobs.
    fn a_server_without_jobs_is_asked_once() {
        let none = Exchange::post("/batch/").reply(StatusCode::NOT_FOUND, "<html>Not Found</html>");
        let version = Exchange::get("/version/").reply(StatusCode::OK, "0.9.5");
        let calls = ["a", "b", "c", "d"].map(called);
        let backend = script([none, version].into_iter().chain(calls));
        let client = client!(backend, |builder| builder.api_token("token"));
        let report = go!(client.teams().create_many(new(&["a", "b", "c", "d"])).chunk_size(2));
        assert_eq!(letters(&report), "dddd");
    }

    fn creates_in_doubt_are_not_repeated() {
        let lost = job(&["a", "b"]).fail(BackendErrorKind::Closed);
        let client = client_of!(client, [lost]);
        let report = go!(client.teams().create_many(new(&["a", "b", "c"])).chunk_size(2));
        assert_eq!(letters(&report), "??-");
        assert_eq!(report.stopped_by().unwrap().kind(), ErrorKind::Transport);
        assert!(report.to_string().starts_with("0 of 3 rows done, 2 in doubt, 1 not attempted; stopped"));
        // Nor when it goes on.
        let client = client_of!(client, [called("c")]);
        let report = go!(client.teams().create_many(new(&["a", "b", "c"])).resume(report));
        assert_eq!(letters(&report), "??d");
    }

    fn what_is_done_is_not_done_again() {
        let refused = refused(&["a", "b", "c"], 2, 400);
        let client = client_of!(client, [refused, called("a"), called("c"), called("d")]);
        let report = go!(client.teams().create_many(new(&["a", "b", "c"])));
        assert_eq!(letters(&report), "dfd");
        let report = go!(client.teams().create_many(new(&["a", "d", "c"])).resume(report));
        assert_eq!(letters(&report), "ddd");
        // A report on other rows is given back.
        let other = go!(client.teams().create_many(new(&["a"])).resume(report));
        assert_eq!(letters(&other), "ddd");
        assert_eq!(other.stopped_by().unwrap().kind(), ErrorKind::InvalidRequest);
    }

    /// The server does not say which step made it fail.
    fn a_failing_server_is_asked_in_halves() {
        let client = client_of!(client, [
            server_error(job(&["a", "b", "c", "d"])),
            created(&["a", "b"]),
            server_error(job(&["c", "d"])),
            server_error(call("c")),
            called("d"),
        ]);
        let report = go!(client.teams().create_many(new(&["a", "b", "c", "d"])));
        assert_eq!(letters(&report), "dd?d");
    }

    fn changes_in_doubt_are_made_again() {
        let gateway = || Exchange::post("/batch/").reply(StatusCode::BAD_GATEWAY, "<html>");
        let path = |id: u64| format!("/users/teams/{id}/");
        let patch = |id: u64| Exchange::new(http::Method::PATCH, path(id));
        let four = [gateway(), gateway(), gateway(), gateway()];
        let calls = [
            patch(1).reply_json(StatusCode::OK, &team(1, "a")),
            patch(2).reply_json(StatusCode::OK, &team(2, "b")),
        ];
        let client = client_of!(client, four.into_iter().chain(calls));
        let ids = [1, 2].map(Id::new);
        let report = go!(client.teams().update_many(ids, |id, t| (id, [t.is_active.set(true)])));
        assert_eq!(letters(&report), "dd");
    }

    /// A record that is gone after a delete of unknown fate is what was wanted.
    fn deletes_in_doubt_are_looked_after() {
        let path = |id: u64| format!("/users/teams/{id}/");
        let delete = |id: u64| Exchange::new(http::Method::DELETE, path(id));
        let gone = json!({ "detail": "No Team matches the given query." });
        let client = client_of!(client, [
            Exchange::post("/batch/").fail(BackendErrorKind::Closed),
            delete(1).reply_json(StatusCode::NOT_FOUND, &gone),
            delete(2).reply(StatusCode::NO_CONTENT, ""),
            // By itself.
            delete(3).fail(BackendErrorKind::Closed),
            delete(3).reply_json(StatusCode::NOT_FOUND, &gone),
            delete(4).reply_json(StatusCode::NOT_FOUND, &gone),
        ]);
        assert_eq!(letters(&go!(client.teams().delete_many([1, 2].map(Id::new)))), "dd");
        assert_eq!(letters(&go!(client.teams().delete_many([Id::new(3)]))), "d");
        assert_eq!(letters(&go!(client.teams().delete_many([Id::new(4)]))), "f");
    }

    /// The answer is lost, and then there is no server any more.
    fn what_is_in_doubt_stays_so_when_nobody_can_be_asked() {
        let lost = || Exchange::post("/batch/").fail(BackendErrorKind::Closed);
        let path = |id: u64| format!("/users/teams/{id}/");
        let gone = |id: u64| {
            let delete = Exchange::new(http::Method::DELETE, path(id));
            delete.reply_json(StatusCode::NOT_FOUND, &json!({ "detail": "No Team matches." }))
        };
        let away = || {
            Exchange::new(http::Method::DELETE, path(1)).fail(BackendErrorKind::Connect)
        };
        let backend = script([lost(), away(), gone(1), gone(2), gone(3)]);
        let client = client!(backend, |builder| {
            builder.api_token("token").server_version("0.10.9").retry(keystone_client::RetryPolicy::never())
        });
        let ids = || [1, 2, 3].map(Id::new);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let watch = move |progress: &BulkProgress| log.lock().unwrap().push(progress.in_doubt);
        let report = go!(client.teams().delete_many(ids()).on_progress(watch));
        assert_eq!(letters(&report), "???");
        assert_eq!(report.stopped_by().unwrap().kind(), ErrorKind::Connect);
        assert_eq!(*seen.lock().unwrap(), [3, 3]);
        // Those that are gone when it goes on are done.
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let watch = move |progress: &BulkProgress| {
            log.lock().unwrap().push((progress.done, progress.in_doubt));
        };
        let report = go!(client.teams().delete_many(ids()).resume(report).on_progress(watch));
        assert_eq!(letters(&report), "ddd");
        assert_eq!(*seen.lock().unwrap(), [(1, 2), (2, 1), (3, 0)]);
    }

    /// What is to be all or nothing cannot be looked after row by row.
    fn deletes_in_doubt_that_were_one_stay_in_doubt() {
        let lost = Exchange::post("/batch/").fail(BackendErrorKind::Closed);
        let client = client_of!(client, [lost]);
        let ids = || [1, 2].map(Id::new);
        let report = go!(client.teams().delete_many(ids()).all_or_nothing());
        assert_eq!(letters(&report), "??");
        let report = go!(client.teams().delete_many(ids()).all_or_nothing().resume(report));
        assert_eq!(letters(&report), "??");
    }

    /// The first attempt may have been carried out, so the refusal of the second proves nothing.
    fn a_refusal_after_a_lost_answer_leaves_doubt() {
        let lost = Exchange::post("/batch/").fail(BackendErrorKind::Closed);
        let denied = json!({
            "detail": "Step #2 (PATCH /users/teams/2/) failed with status 403",
            "step": 2, "status": 403, "body": { "detail": "You do not have permission." },
        });
        let second = Exchange::post("/batch/").reply_json(StatusCode::UNPROCESSABLE_ENTITY, &denied);
        let patch = |id: u64| Exchange::new(http::Method::PATCH, format!("/users/teams/{id}/"));
        let client = client_of!(client, [
            lost,
            second,
            patch(1).reply_json(StatusCode::OK, &team(1, "a")),
            patch(2).reply_json(StatusCode::FORBIDDEN, &json!({ "detail": "No." })),
        ]);
        let ids = [1, 2].map(Id::new);
        let report = go!(client.teams().update_many(ids, |id, t| (id, [t.is_active.set(true)])));
        assert_eq!(letters(&report), "df");
    }

    /// What a failing server says of the second attempt, it does not say of the first.
    fn a_failure_after_a_lost_answer_leaves_doubt() {
        let lost = Exchange::post("/batch/").fail(BackendErrorKind::Closed);
        let failed = server_error(Exchange::post("/batch/"));
        let patch = |id: u64| {
            let patch = Exchange::new(http::Method::PATCH, format!("/users/teams/{id}/"));
            patch.reply_json(StatusCode::OK, &team(id, "a"))
        };
        let client = client_of!(client, [lost, failed].into_iter().chain([1, 2, 3, 4].map(patch)));
        let ids = [1, 2, 3, 4].map(Id::new);
        let report = go!(client.teams().update_many(ids, |id, t| (id, [t.is_active.set(true)])));
        assert_eq!(letters(&report), "dddd");
    }

    /// A job that fails at once costs twice what a call does.
    fn rows_that_are_all_refused_go_over_to_calls() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let no = |name: &str| {
            call(name).reply_json(StatusCode::BAD_REQUEST, &json!({ "name": ["no"] }))
        };
        let client = client_of!(client, [
            refused(&names, 1, 400),
            refused(&names[1..], 1, 400),
            refused(&names[2..], 1, 400),
            no("d"), no("e"), no("f"),
        ]);
        let report = go!(client.teams().create_many(new(&names)));
        assert_eq!(letters(&report), "ffffff");
    }

    /// It is about the row, and not about jobs.
    fn a_row_that_the_server_is_too_old_for_fails_by_itself() {
        let grant = |id: u64| {
            let mut grant = serde_json::to_value(keystone_client::resources::Grant::fixture(id)).unwrap();
            grant["agency"] = "DOE".into();
            grant
        };
        let patch = |id: u64| {
            let patch = Exchange::new(http::Method::PATCH, format!("/research/grants/{id}/"));
            patch.reply_json(StatusCode::OK, &grant(id))
        };
        let results: Vec<Value> = [1, 2].iter().enumerate().map(|(place, id)| json!({
            "ref": "", "index": place + 1, "method": "PATCH", "path": "/", "status": 200,
            "body": grant(*id),
        })).collect();
        let both = Exchange::post("/batch/").reply_json(StatusCode::OK, &json!({ "results": results }));
        let client = client_of!(client, [both, patch(4)], "0.10.3");
        let report = go!(client.grants().update_many([1, 2, 3, 4], |id, g| {
            let plain = vec![g.agency.set("DOE")];
            let late = vec![g.pi.set("Ada")];
            (Id::new(id), if id == 3 { late } else { plain })
        }));
        assert_eq!(letters(&report), "ddfd");
        assert_eq!(report.failed().next().unwrap().1.kind(), ErrorKind::Unsupported);
    }

    /// What stands before the server takes no large bodies.
    fn jobs_that_are_too_large_are_halved() {
        let too_large = |exchange: Exchange| exchange.reply(StatusCode::PAYLOAD_TOO_LARGE, "<html>");
        let client = client_of!(client, [
            too_large(job(&["a", "b", "c"])),
            called("a"),
            too_large(job(&["b", "c"])),
            too_large(call("b")),
            called("c"),
        ]);
        let report = go!(client.teams().create_many(new(&["a", "b", "c"])));
        assert_eq!(letters(&report), "dfd");
    }

    fn options_hold_for_jobs_and_calls() {
        let id = keystone_client::uuid::Uuid::from_u128(7);
        let header = http::HeaderName::from_static("x-keystone-cid");
        let with_id = |exchange: Exchange| {
            exchange.with_header(header.clone(), id.to_string().parse().unwrap())
        };
        let lost = || with_id(job(&["a", "b"])).reply(StatusCode::SERVICE_UNAVAILABLE, "");
        let client = client_of!(client, [with_id(created(&["a", "b"])), with_id(called("c")), lost()]);
        let bulk = client.teams().create_many(new(&["a", "b", "c"])).chunk_size(2);
        let report = go!(bulk.correlation_id(id).timeout(Duration::from_secs(300)));
        assert!(report.is_complete());
        let bulk = client.teams().create_many(new(&["a", "b"]));
        let report = go!(bulk.correlation_id(id).retry(keystone_client::RetryPolicy::never()));
        assert_eq!(letters(&report), "??");
    }

    /// An answer that cannot be read is no failure of the row, and stops who wants to know.
    fn rows_of_which_the_answer_cannot_be_read_are_in_doubt() {
        let odd = |names: &[&str]| {
            let results: Vec<Value> = (1..=names.len()).map(|index| json!({
                "ref": "", "index": index, "method": "POST", "path": "/", "status": 201,
                "body": { "id": "odd" },
            })).collect();
            job(names).reply_json(StatusCode::OK, &json!({ "results": results }))
        };
        let client = client_of!(client, [odd(&["a", "b"]), called("c"), odd(&["a", "b"])]);
        let rows = || client.teams().create_many(new(&["a", "b", "c"])).chunk_size(2);
        assert_eq!(letters(&go!(rows())), "??d");
        assert_eq!(letters(&go!(rows().stop_at_failure())), "??-");
    }

    fn the_end_of_a_login_stops_a_run() {
        let denied = json!({ "detail": "Authentication credentials were not provided." });
        let ended = job(&["c", "d"]).reply_json(StatusCode::UNAUTHORIZED, &denied);
        let client = client_of!(client, [created(&["a", "b"]), ended]);
        let report = go!(client.teams().create_many(new(&["a", "b", "c", "d"])).chunk_size(2));
        assert_eq!(letters(&report), "dd--");
        assert_eq!(report.stopped_by().unwrap().kind(), ErrorKind::InvalidCredentials);
    }

    /// Within a job the server would take it for a reference.
    fn text_that_fits_into_no_job_travels_by_itself() {
        let text = "@ref{x.id}";
        let alone = call(text).reply_json(StatusCode::CREATED, &team(9, "x"));
        let client = client_of!(client, [alone, created(&["a", "b"])]);
        let report = go!(client.teams().create_many(new(&["a", text, "b"])));
        assert_eq!(letters(&report), "ddd");
        let client = client_of!(client, []);
        let report = go!(client.teams().create_many(new(&["a", text])).all_or_nothing());
        assert_eq!(letters(&report), "-f");
    }

    fn rows_that_are_no_calls_are_not_sent() {
        let client = client_of!(client, [
            Exchange::new(http::Method::PATCH, "/users/teams/1/")
                .reply_json(StatusCode::OK, &team(1, "a")),
        ]);
        let report = go!(client.teams().update_many([1, 2], |row, t| {
            let once = vec![t.is_active.set(true)];
            let twice = vec![t.is_active.set(true), t.is_active.set(false)];
            (Id::new(row), if row == 1 { once } else { twice })
        }));
        assert_eq!(letters(&report), "df");
        assert_eq!(report.failed().next().unwrap().1.kind(), ErrorKind::InvalidRequest);
    }
}
