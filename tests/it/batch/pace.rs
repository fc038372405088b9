//! What jobs cost of the calls that go within a minute.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use keystone_client::backend::{BackendError, Now};
use keystone_client::blocking::{HttpBackend, KeystoneClient};
use keystone_client::resources::NewTeam;
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::Exchange;
use serde_json::{Value, json};

use crate::support::{both_colours, script};

fn done(steps: usize) -> Exchange {
    let results: Vec<Value> = (1..=steps)
        .map(|index| {
            json!({
                "ref": "", "index": index, "method": "POST", "path": "/", "status": 201,
                "body": { "id": index, "name": "a", "slug": "a", "is_active": true },
            })
        })
        .collect();
    Exchange::post("/batch/").reply_json(StatusCode::OK, &json!({ "results": results }))
}

macro_rules! job {
    ($client:expr, $steps:expr) => {{
        let mut job = $client.batch();
        for number in 0..$steps {
            job.add($client.teams().create(NewTeam::new(format!("team {number}"))));
        }
        job.run()
    }};
}

both_colours! {
    /// The job and the step that was refused, and nothing behind it.
    fn a_job_that_fails_costs_what_was_carried_out() {
        let body = json!({ "detail": "…", "step": 1, "status": 400, "body": {} });
        let refused = Exchange::post("/batch/").reply_json(StatusCode::UNPROCESSABLE_ENTITY, &body);
        let backend = script([refused, done(7)]);
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.10.9").requests_per_minute(10)
        });
        go!(job!(client, 8)).unwrap_err();
        go!(job!(client, 7)).unwrap();
        assert!(backend.sleeps().is_empty());
    }

    fn a_job_that_is_none_costs_one_call() {
        let body = json!({ "actions": ["This field is required."] });
        let invalid = Exchange::post("/batch/").reply_json(StatusCode::BAD_REQUEST, &body);
        let backend = script([invalid, done(8)]);
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.10.9").requests_per_minute(10)
        });
        go!(job!(client, 8)).unwrap_err();
        go!(job!(client, 8)).unwrap();
        assert!(backend.sleeps().is_empty());
    }

    fn a_job_costs_all_its_steps() {
        let backend = script([done(5), done(4)]);
        let client = client!(backend.clone(), |builder| {
            builder.api_token("token").server_version("0.10.9").requests_per_minute(10)
        });
        go!(job!(client, 5)).unwrap();
        go!(job!(client, 4)).unwrap();
        assert_eq!(backend.sleeps(), [Duration::from_secs(60)]);
    }
}

/// A server of which somebody else of the same program asks much while a job waits.
struct Busy {
    sandbox: Sandbox,
    client: Arc<OnceLock<KeystoneClient>>,
    has_asked: AtomicBool,
}

impl HttpBackend for Busy {
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        HttpBackend::execute(&self.sandbox, request)
    }

    fn sleep(&self, duration: Duration) {
        HttpBackend::sleep(&self.sandbox, duration / 2);
        if !self.has_asked.swap(true, Ordering::Relaxed) {
            let client = self.client.get().unwrap();
            for _ in 0..150 {
                client.http_get("users/teams").send().unwrap();
            }
        }
        HttpBackend::sleep(&self.sandbox, duration / 2);
    }

    fn now(&self) -> Now {
        HttpBackend::now(&self.sandbox)
    }
}

/// Single calls are not held up, so there may be no room any more when the job's turn has come.
#[test]
fn a_job_waits_on_when_others_have_used_up_the_room() {
    let sandbox = Sandbox::builder().staff("admin", "admin-password").default_rate_limits().build();
    let own = Arc::new(OnceLock::new());
    let backend = Busy {
        sandbox: sandbox.clone(),
        client: Arc::clone(&own),
        has_asked: AtomicBool::new(false),
    };
    let client = KeystoneClient::builder(crate::support::BASE)
        .retry(crate::support::retry().with_total(Duration::from_secs(300)))
        .backend(backend)
        .build()
        .unwrap();
    own.set(client.clone()).unwrap();
    client.login("admin", "admin-password").unwrap();
    let work = |steps: usize| {
        let mut job = client.batch();
        for _ in 0..steps {
            job.add(client.teams().list().count());
        }
        job.run().send().unwrap();
    };
    work(100);
    work(250);
    let requests = sandbox.requests();
    let jobs = requests.iter().filter(|request| request.path() == "/batch/");
    assert_eq!(
        jobs.map(|request| request.status().unwrap().as_u16()).collect::<Vec<_>>(),
        [200, 200]
    );
}
