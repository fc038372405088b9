//! Many writes: in which jobs and calls they travel, and what is reported of each row.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use keystone_client::backend::BackendErrorKind;
use keystone_client::resources::{NewTeam, Team};
use keystone_client::testing::{Exchange, Scripted};
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
        let other = go!(client.teams().create_many(new(&["a"])).resume(report));
        assert_eq!(letters(&other), "-");
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

/// A backend that says how long was waited.
fn waits(backend: &Scripted) -> Vec<u64> {
    backend.sleeps().iter().map(Duration::as_secs).collect()
}

both_colours! {
    /// 300 calls a minute, of which each job is one more than its rows.
    fn the_pace_is_planned() {
        let names: Vec<String> = (0..25).map(|row| format!("{}{row}", char::from(b'a' + row))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let jobs = names.chunks(5).map(created);
        let backend = script(jobs);
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.10.9").requests_per_minute(12)
        });
        let report = go!(client.teams().create_many(new(&names)).chunk_size(5));
        assert!(report.is_complete(), "{report}");
        assert_eq!(waits(&backend), [60, 60]);
    }

    fn no_chunk_is_larger_than_what_goes_within_a_minute() {
        let names = ["a", "b", "c", "d", "e"];
        let backend = script([created(&names[..3]), created(&names[3..])]);
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.10.9").requests_per_minute(4)
        });
        let report = go!(client.teams().create_many(new(&names)).chunk_size(100));
        assert!(report.is_complete(), "{report}");
    }

    fn calls_in_place_of_jobs_keep_to_the_pace_too() {
        let names: Vec<String> = (0..310).map(|row| format!("a{row}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let backend = script(names.iter().map(|name| called(name)));
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.9.5")
        });
        let report = go!(client.teams().create_many(new(&names)));
        assert!(report.is_complete(), "{report}");
        assert_eq!(waits(&backend).iter().sum::<u64>(), 60);
    }

    /// Others send as the same user; the run goes on in smaller jobs, and as often as that helps.
    fn a_job_that_is_too_much_is_waited_out() {
        let names = ["a", "b", "c", "d"];
        let too_much = |names: &[&str]| {
            let body = json!({
                "detail": "Step #2 (POST /users/teams/) failed with status 429",
                "step": 2, "status": 429, "body": { "detail": "Request was throttled." },
            });
            job(names).reply_json(StatusCode::UNPROCESSABLE_ENTITY, &body)
        };
        let backend = script([
            too_much(&names), too_much(&names), created(&["a", "b"]), created(&["c", "d"]),
        ]);
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let report = go!(client.teams().create_many(new(&names)));
        assert!(report.is_complete(), "{report}");
        assert!(waits(&backend).iter().sum::<u64>() >= 120);
    }
}
