//! Jobs that fail on the way, and when they are sent again.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use keystone_client::backend::BackendErrorKind;
use keystone_client::request::{Operation, Request, Response};
use keystone_client::resources::{NewAttachment, NewTeam, Team};
use keystone_client::testing::Exchange;
use keystone_client::upload::Upload;
use keystone_client::{Error, ErrorKind, Id};
use serde_json::{Value, json};
use std::time::Duration;

use crate::support::{both_colours, script};

fn team(id: u64, name: &str) -> Value {
    json!({ "id": id, "name": name, "slug": name, "is_active": true })
}

fn result(index: usize, method: &str, status: u16, body: &Value) -> Value {
    json!({ "ref": "", "index": index, "method": method, "path": "/", "status": status, "body": body })
}

fn answered(results: &[Value]) -> Exchange {
    Exchange::post("/batch/").reply_json(StatusCode::OK, &json!({ "results": results }))
}

/// The answer to a job, to the letter.
fn written(answer: String) -> Exchange {
    let json = HeaderValue::from_static("application/json");
    Exchange::post("/batch/").reply(StatusCode::OK, answer).reply_header(CONTENT_TYPE, json)
}

fn throttled(step: usize) -> Exchange {
    let body = json!({
        "detail": format!("Step #{step} (POST /users/teams/) failed with status 429"),
        "step": step, "status": 429,
        "body": { "detail": "Request was throttled. Expected available in 37 seconds." },
    });
    Exchange::post("/batch/").reply_json(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

both_colours! {
    /// The server does not say how long to wait, and has rolled everything back.
    fn a_step_too_many_is_waited_out() {
        let done = answered(&[result(1, "POST", 201, &team(1, "a"))]);
        let backend = script([throttled(1), done]);
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let mut job = client.batch();
        let step = job.add(client.teams().create(NewTeam::new("a")));
        let outcome = go!(job.run()).unwrap();
        assert_eq!(outcome.get(step).unwrap().name, "a");
        assert_eq!(backend.sleeps(), [Duration::from_secs(60)]);
    }

    /// A job that never fits is not tried again and again, or not at all if the client knows.
    fn a_job_beyond_the_limit_is_not_repeated() {
        let backend = script([throttled(300)]);
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let mut job = client.batch();
        for number in 0..300 {
            job.add(client.teams().create(NewTeam::new(format!("team {number}"))));
        }
        let error = go!(job.run()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Throttled);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
        assert!(backend.sleeps().is_empty());

        let client = client!(script([]), |builder| {
            builder.api_token("token").server_version("0.10.9").requests_per_minute(4)
        });
        let mut job = client.batch();
        for name in ["a", "b", "c", "d"] {
            job.add(client.teams().create(NewTeam::new(name)));
        }
        let error = go!(job.run()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("counts for 5 calls"), "{error}");
    }

    /// The server ends a job at the first step that is not a success.
    fn a_record_that_may_be_missing_has_to_be_there_within_a_job() {
        let body = json!({
            "detail": "Step #1 (GET /users/teams/9/) failed with status 404", "step": 1, "status": 404,
            "body": { "detail": "No Team matches the given query." },
        });
        let missing = Exchange::post("/batch/").reply_json(StatusCode::UNPROCESSABLE_ENTITY, &body);
        let client = client!(script([missing]), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let mut job = client.batch();
        job.add(client.teams().retrieve(Id::new(9)).optional());
        assert!(go!(job.run()).unwrap_err().is_not_found());
    }

    fn a_refused_step_that_the_job_has_not_got_is_not_believed() {
        for step in [0, 2] {
            let refused = Exchange::post("/batch/").reply_json(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({ "detail": "…", "step": step, "status": 400, "body": {} }),
            );
            let client = client!(script([refused]), |builder| {
                builder.api_token("token").server_version("0.10.9")
            });
            let mut job = client.batch();
            job.add(client.teams().create(NewTeam::new("a")));
            let error = go!(job.run()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
            assert!(error.to_string().contains("nothing was kept"), "{error}");
        }
    }

    /// The first attempt may have been carried out.
    fn a_refusal_after_a_lost_answer_does_not_say_that_nothing_was_kept() {
        let lost = Exchange::post("/batch/").fail(BackendErrorKind::Closed);
        let body = json!({
            "detail": "…", "step": 1, "status": 403, "body": { "detail": "You do not have permission." },
        });
        let denied = Exchange::post("/batch/").reply_json(StatusCode::UNPROCESSABLE_ENTITY, &body);
        let client = client!(script([lost, denied]), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let mut job = client.batch();
        job.add(client.teams().update(Id::new(1), |t| [t.is_active.set(true)]));
        let error = go!(job.run().idempotent(true)).unwrap_err();
        assert!(error.is_denied() && error.may_have_been_sent(), "{error}");
        assert!(!error.to_string().contains("rolled back"), "{error}");
    }

    /// A filter that the server would ignore in silence is found out before the job is sent.
    fn steps_that_read_by_late_fields_ask_for_the_version() {
        let version = Exchange::get("/version/").reply(StatusCode::OK, "0.10.3");
        let client = client!(script([version]), |builder| builder.api_token("token"));
        let mut job = client.batch();
        let grant = job.add(client.grants().filter(|g| g.pi.eq("Ada")).first());
        job.add(client.grants().delete(grant.record()));
        let error = go!(job.run()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("`pi` came with Keystone 0.10.6"), "{error}");
    }

    fn jobs_that_write_are_not_repeated_when_in_doubt() {
        let lost = Exchange::post("/batch/").fail(BackendErrorKind::Closed);
        let client = client!(script([lost]), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let mut job = client.batch();
        job.add(client.teams().create(NewTeam::new("a")));
        let error = go!(job.run()).unwrap_err();
        assert!(error.may_have_been_sent(), "{error}");
        assert_eq!(error.attempts(), 1);
        assert!(!error.to_string().contains("rolled back"), "{error}");
    }

    fn jobs_that_read_and_dry_runs_are_repeated() {
        let lost = || Exchange::post("/batch/").fail(BackendErrorKind::Closed);
        let read = answered(&[result(1, "GET", 200, &team(1, "a"))]);
        let tried = answered(&[result(1, "POST", 201, &team(1, "a"))]);
        let client = client!(script([lost(), read, lost(), tried]), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let mut job = client.batch();
        job.add(client.teams().retrieve(Id::new(1)));
        go!(job.run()).unwrap();
        let mut job = client.batch();
        job.add(client.teams().create(NewTeam::new("a")));
        assert!(go!(job.dry_run()).unwrap().is_dry_run());
    }

    /// The server does not take files back.
    fn dry_runs_with_files_are_not_repeated() {
        let config = Exchange::get("/config/").reply(StatusCode::NOT_FOUND, "<html>");
        let lost = Exchange::post("/batch/").fail(BackendErrorKind::Closed);
        let client = client!(script([config, lost]), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let mut job = client.batch();
        let file = Upload::bytes("plan.txt", "x");
        job.add(client.attachments().create(NewAttachment::new(Id::new(1), file)));
        let error = go!(job.dry_run()).unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Transport, 1), "{error}");
    }

    /// The job was carried out, and the error says so.
    fn answers_that_tell_of_other_steps_are_not_believed() {
        let first = || result(1, "POST", 201, &team(1, "a"));
        for results in [
            vec![],
            vec![first()],
            vec![first(), first()],
            vec![first(), result(2, "GET", 200, &team(1, "a"))],
            vec![first(), result(2, "POST", 201, &team(2, "b")), result(3, "GET", 200, &json!({}))],
        ] {
            let client = client!(script([answered(&results)]), |builder| {
                builder.api_token("token").server_version("0.10.9")
            });
            let mut job = client.batch();
            job.add(client.teams().create(NewTeam::new("a")));
            job.add(client.teams().create(NewTeam::new("b")));
            let error = go!(job.run()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
            assert!(error.may_have_been_sent());
            assert!(error.to_string().contains("has carried out the job"), "{error}");
        }
    }

    /// One answer that cannot be read does not hide the others.
    fn each_answer_is_read_by_itself() {
        let results = [
            result(1, "POST", 201, &json!({ "id": "not a number" })),
            result(2, "POST", 201, &team(2, "b")),
        ];
        let client = client!(script([answered(&results)]), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let mut job = client.batch();
        let first = job.add(client.teams().create(NewTeam::new("a")));
        let second = job.add(client.teams().create(NewTeam::new("b")));
        let outcome = go!(job.run()).unwrap();
        let error = outcome.get(first).unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Decode, 201));
        assert!(error.to_string().starts_with("create team: "), "{error}");
        let second: Team = outcome.get(second).unwrap();
        assert_eq!(second.id, Id::new(2));
    }

    /// In whatever form the server writes them.
    fn answers_are_found_in_any_form() {
        let bodies = [
            json!({ "a": "}],{\"index\":7,\"body\":{}}", "b": [[{ "body": [] }]] }),
            json!([1, [2, "]"], {}]),
            json!("text [1]"),
            json!(1.5),
            json!([]),
            json!({}),
            json!(false),
        ];
        let mut results: Vec<Value> =
            (1..).zip(&bodies).map(|(index, body)| result(index, "GET", 200, body)).collect();
        for result in &mut results {
            result["aside"] = json!({ "body": [{}] });
        }
        let answer = json!({ "aside": [[{}]], "results": results, "other": { "a": { "b": [] } } });
        for answer in [answer.to_string(), format!("{answer:#}")] {
            let client = client!(script([written(answer)]), |builder| {
                builder.api_token("token").server_version("0.10.9")
            });
            let mut job = client.batch();
            let steps = bodies.clone().map(|body| (job.add(client.http_get("site/doors")), body));
            let outcome = go!(job.run()).unwrap();
            for (step, body) in steps {
                let response = outcome.clone().get(step).unwrap();
                assert_eq!(response.json::<Value>().unwrap(), body);
                assert_eq!(response.headers()["content-type"], "application/json");
                assert_eq!(outcome.status(step), Some(StatusCode::OK));
            }
        }
    }

    fn steps_of_one_type_are_read_each_in_its_own_way() {
        #[derive(serde::Deserialize)]
        struct Doors {
            open: u64,
            shut: u64,
        }
        let answer = json!({ "open": 1, "shut": 2 });
        let results: Vec<Value> =
            (1..=4).map(|index| result(index, "GET", 200, &answer)).collect();
        let client = client!(script([written(json!({ "results": results }).to_string())]), |builder| {
            builder.api_token("token").server_version("0.10.9")
        });
        let operation = Operation::new("count", "doors");
        type Read = fn(Response) -> Result<u64, Error>;
        let open: Read = |response| response.json::<Doors>().map(|doors| doors.open);
        let shut: Read = |response| response.json::<Doors>().map(|doors| doors.shut);
        let mut job = client.batch();
        let steps = [open, shut, shut, open].map(|read| {
            let request = Request::new(operation, Method::GET, "site/doors/", read);
            job.add(client.request(request))
        });
        let outcome = go!(job.run()).unwrap();
        assert_eq!(steps.map(|step| outcome.get(step).unwrap()), [1, 2, 2, 1]);
    }

    fn answers_that_are_no_json_are_not_believed() {
        let good = team(2, "b").to_string();
        let two = |first: &str| {
            format!(
                r#"{{"results":[{{"index":1,"method":"POST","status":201,"body":{first}}},
                {{"index":2,"method":"POST","status":201,"body":{good}}}]}}"#
            )
        };
        for answer in [
            two(r#"{"id":1,"name":}"#),
            two(r#"{"id":[1}"#),
            two(r#"{"id":1]"#),
            two(r#"{"id":1"#),
            two("\"a"),
            two("{}}"),
            two("{}").replace("201", "\"201\""),
            two("{}").trim_end_matches("]}").to_owned(),
        ] {
            let client = client!(script([written(answer.clone())]), |builder| {
                builder.api_token("token").server_version("0.10.9")
            });
            let mut job = client.batch();
            job.add(client.teams().create(NewTeam::new("a")));
            job.add(client.teams().create(NewTeam::new("b")));
            let error = go!(job.run()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains("column"), "{source}");
        }
    }

    fn old_servers_are_not_asked() {
        let client = client!(script([]), |builder| {
            builder.api_token("token").server_version("0.9.5")
        });
        let mut job = client.batch();
        job.add(client.teams().create(NewTeam::new("a")));
        let error = go!(job.run()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("0.10.0"), "{error}");
    }
}
