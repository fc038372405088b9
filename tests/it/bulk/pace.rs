//! How fast many rows are written.

use std::time::Duration;

use http::StatusCode;
use keystone_client::ErrorKind;
use keystone_client::testing::Scripted;
use serde_json::json;

use super::{call, called, created, job, new};
use crate::support::{both_colours, script};

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

    /// The server's word is believed for a minute.
    fn nobody_waits_for_a_day() {
        let throttled = || {
            let answer = call("a").reply_json(StatusCode::TOO_MANY_REQUESTS, &json!({ "detail": "…" }));
            answer.reply_header(http::header::RETRY_AFTER, http::HeaderValue::from_static("86400"))
        };
        let backend = script([throttled(), throttled(), called("a")]);
        let client = client!(backend.clone(), |builder| builder.api_token("token").server_version("0.9.5"));
        let report = go!(client.teams().create_many(new(&["a"])));
        assert!(report.is_complete(), "{report}");
        assert!(waits(&backend).iter().all(|wait| *wait <= 60), "{:?}", waits(&backend));
    }

    /// As long as it goes on at all.
    fn refusals_are_counted_in_a_row_only() {
        let names: Vec<String> = (0..6).map(|row| format!("a{row}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let never = keystone_client::RetryPolicy::never;
        let body = json!({ "detail": "Request was throttled." });
        let calls = names.iter().flat_map(|name| {
            [call(name).reply_json(StatusCode::TOO_MANY_REQUESTS, &body), called(name)]
        });
        let client = client!(script(calls), |builder| {
            builder.api_token("token").server_version("0.9.5").retry(never())
        });
        let report = go!(client.teams().create_many(new(&names)));
        assert!(report.is_complete(), "{report}");

        let pairs: Vec<String> = (0..12).map(|row| format!("a{row}")).collect();
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        let jobs = pairs.chunks(2).flat_map(|names| {
            let refused = job(names).reply_json(StatusCode::TOO_MANY_REQUESTS, &body);
            [refused, called(names[0]), called(names[1])]
        });
        let client = client!(script(jobs), |builder| {
            builder.api_token("token").server_version("0.10.9").retry(never())
        });
        let report = go!(client.teams().create_many(new(&pairs)).chunk_size(2));
        assert!(report.is_complete(), "{report}");

        let refused = (0..5).map(|_| call("a").reply_json(StatusCode::TOO_MANY_REQUESTS, &body));
        let client = client!(script(refused), |builder| {
            builder.api_token("token").server_version("0.9.5").retry(never())
        });
        let report = go!(client.teams().create_many(new(&["a"])));
        assert!(report.stopped_by().unwrap().is_throttled(), "{report}");
    }

    fn a_job_that_never_fits_is_given_up() {
        let names: Vec<String> = (0..400).map(|row| format!("a{row}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let body = json!({
            "detail": "Step #300 (POST /users/teams/) failed with status 429",
            "step": 300, "status": 429, "body": { "detail": "Request was throttled." },
        });
        let backend = script([job(&names).reply_json(StatusCode::UNPROCESSABLE_ENTITY, &body)]);
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let report = go!(client.teams().create_many(new(&names)).all_or_nothing());
        assert_eq!(report.not_attempted().count(), 400);
        assert!(report.stopped_by().unwrap().is_throttled());
        assert!(waits(&backend).is_empty());
        // Nor is it tried where the client knows better.
        let client = client!(script([]), |builder| {
            builder.api_token("token").server_version("0.10.9").requests_per_minute(300)
        });
        let report = go!(client.teams().create_many(new(&names)).all_or_nothing());
        assert_eq!(report.stopped_by().unwrap().kind(), ErrorKind::InvalidRequest);
    }

    /// A client with a short total waits all the same, and does not take it for a refusal.
    fn what_the_client_itself_finds_too_early_is_waited_for() {
        let names: Vec<String> = (0..12).map(|row| format!("{}{row}", char::from(b'a' + row))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let backend = script(names.chunks(2).map(created));
        let client = client!(backend.clone(), |builder| {
            let retry = crate::support::retry().with_total(Duration::from_secs(20));
            builder.api_token("token").server_version("0.10.9").requests_per_minute(3).retry(retry)
        });
        let report = go!(client.teams().create_many(new(&names)).chunk_size(2));
        assert!(report.is_complete(), "{report}");
        assert!(waits(&backend).iter().sum::<u64>() >= 300, "{:?}", waits(&backend));
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
