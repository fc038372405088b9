//! What becomes of the bodies of steps: forms, files, secrets.

use keystone_client::Id;
use keystone_client::body::{Body, Multipart};
use keystone_client::resources::{NewAttachment, NewTeam};
use keystone_client::upload::Upload;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Job;
use super::references::{client, problem};

keystone_client::resource! {
    /// Something with a secret of its own.
    struct Door("door", "site/doors");
    fields DoorFields;
    new NewDoor;
    verbs [Retrieve];

    read_only {
        /// Primary key.
        id: Id<Door>,
    }
    write_only {
        /// What opens it.
        pin: String,
    }
}

#[test]
fn secrets_of_steps_are_not_shown() {
    let (client, _) = client();
    let mut job = client.batch();
    job.add(client.resource::<Door>().create(NewDoor::new("the-pin")));
    let shown = job.run().explain().unwrap();
    assert!(shown.contains("site/doors") && !shown.contains("the-pin"), "{shown}");
    let file = Upload::bytes("plan.txt", "x");
    job.add(client.attachments().create(NewAttachment::new(Id::new(1), file)));
    let shown = job.run().explain().unwrap();
    assert!(shown.contains("plan.txt") && !shown.contains("the-pin"), "{shown}");
}

/// A field that comes several times is a list, which is how forms say it.
#[test]
fn forms_become_payloads() {
    let (client, _) = client();
    let form = Multipart::new().text("users", "1").text("name", "x").text("users", "2");
    let mut job = client.batch();
    let form = form.text("users", "3");
    job.add(client.http_post("site/doors").multipart(form.clone()));
    job.add(
        client.http_post("site/doors").multipart(form.file("plan", Upload::bytes("a.txt", "a"))),
    );
    let request = job.run().into_request().unwrap();
    let Body::Multipart(sent) = request.body() else { panic!("{request:?}") };
    let text: Value = serde_json::from_str(sent.parts()[0].as_text().unwrap()).unwrap();
    let fields = json!({ "users": ["1", "2", "3"], "name": "x" });
    assert_eq!(text["actions"][0]["payload"], fields);
    let mut with_file = fields.clone();
    with_file["plan"] = "@file{file1}".into();
    assert_eq!(text["actions"][1]["payload"], with_file);

    let (client, sent) = super::references::client();
    let file = || Upload::bytes("a.txt", "a");
    for form in [
        Multipart::new().file("file", file()).file("file", file()),
        Multipart::new().text("file", "x").file("file", file()),
    ] {
        let mut job = client.batch();
        job.add(client.http_post("site/doors").multipart(form));
        let (_, problem) = problem(&job, &sent);
        assert!(problem.contains("the name of another part"), "{problem}");
    }
}

/// The payloads of a job, to the letter.
fn payloads(job: &Job) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Envelope {
        job: Actions,
    }
    #[derive(serde::Deserialize)]
    struct Actions {
        actions: Vec<Action>,
    }
    #[derive(serde::Deserialize)]
    struct Action {
        payload: Box<RawValue>,
    }
    let request = job.run().into_request().unwrap();
    let sent: Envelope = serde_json::from_slice(&request.body().bytes().unwrap()).unwrap();
    sent.job.actions.into_iter().map(|action| action.payload.get().to_owned()).collect()
}

fn with_payload(job: &mut Job, client: &keystone_client::blocking::KeystoneClient, json: &str) {
    let body = Body::Json(json.to_owned().into());
    job.add(client.http_post("site/doors").body(body));
}

/// To the letter, unless there is a reference beside it; then it means the same.
#[test]
fn payloads_travel_as_they_were_written() {
    let (client, sent) = client();
    let members = [
        r#""price": 12345678901234567890123456789.10"#,
        r#""more":1e400,"less":-0.0"#,
        r#""text":"a\"\\\\\/\n\u0040b\ud83d\ude00 😀 {\"@ref\": \"}\"}","mail":"a@b.c""#,
        r#""@ref{step1.id}":{"@file{x}" : [ [], {}, [ "@ref" , null, true ]]}"#,
        "\"b\":1,\n \"a\":2,\"b\":3",
    ];
    for members in members {
        let mut job = client.batch();
        let team = job.add(client.teams().create(NewTeam::new("Folding")));
        let name = team.field(|t| t.name);
        let plain = format!("{{{members}}}");
        with_payload(&mut job, &client, &plain);
        let refers = |name: &str| {
            format!(r#"{{"of":"{name}",{members},"to":[{{"a":["\"{name}\" {name}é@"]}}]}}"#)
        };
        assert_eq!(payloads(&job)[1..], [plain]);

        with_payload(&mut job, &client, &refers(&name.to_string()));
        match serde_json::from_str::<Value>(&refers("@ref{step1.name}")) {
            Ok(value) => {
                let payload: Value = serde_json::from_str(&payloads(&job)[2]).unwrap();
                assert_eq!(payload, value);
            }
            // A number that nobody can hold.
            Err(_) => {
                let (index, problem) = problem(&job, &sent);
                assert_eq!(index, 2);
                assert!(problem.contains("number out of range"), "{problem}");
            }
        }
    }
}

/// The server reads them before it looks for references.
#[test]
fn references_are_none_the_less_for_escapes() {
    let (client, sent) = client();
    for text in [r"\u0040ref{step1.id}", r"@\u0072ef\u007bstep1.id\u007d", r"\\@file\u007Bx}"] {
        let mut job = client.batch();
        job.add(client.teams().create(NewTeam::new("Folding")));
        with_payload(&mut job, &client, &format!(r#"{{"a":[{{"b":"{text}"}}]}}"#));
        let (index, problem) = problem(&job, &sent);
        assert_eq!(index, 1);
        assert!(problem.contains("for a reference of its own"), "{problem}");
    }
    for body in [r#"{"a":"\u0040\ud800"}"#, r#"{"a":1"#, "[1]", r#"{"a":1}}"#, "{\"a\":\"\n\"}"] {
        let mut job = client.batch();
        job.add(client.teams().create(NewTeam::new("Folding")));
        with_payload(&mut job, &client, body);
        let (index, problem) = problem(&job, &sent);
        assert_eq!(index, 1);
        assert!(problem.contains("within a job"), "{problem}");
    }
}

/// Values with references in some of their texts, and the same as the server is to read them.
fn value() -> impl Strategy<Value = (Value, Value)> {
    let same = |value: Value| (value.clone(), value);
    let text = |pieces: Vec<usize>| {
        let known = ["REFERENCE", "\"", "\\", "é", "@", "ref{", "x}", "\u{7}", ":", "😀"];
        let text: String = pieces.into_iter().map(|piece| known[piece]).collect();
        let sent = text.replace("REFERENCE", "@ref{step1.name}");
        (text.into(), sent.into())
    };
    let leaf = prop_oneof![
        any::<i64>().prop_map(move |number| same(number.into())),
        Just(same(Value::Null)),
        prop::collection::vec(0_usize..10, 0..6).prop_map(text),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let names = "[a-z\"\\\\]{0,3}(@ref\\{a\\})?";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| {
                let (items, sent): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (items.into(), sent.into())
            }),
            prop::collection::btree_map(names, inner, 0..5).prop_map(|members| {
                let (items, sent) = members
                    .into_iter()
                    .map(|(name, (value, sent))| ((name.clone(), value), (name, sent)))
                    .unzip();
                (Value::Object(items), Value::Object(sent))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn payloads_say_what_they_said((value, expected) in value(), pretty in any::<bool>()) {
        let (client, _) = client();
        let mut job = client.batch();
        let team = job.add(client.teams().create(NewTeam::new("Folding")));
        let body = json!({ "value": value });
        let body = if pretty { format!("{body:#}") } else { body.to_string() };
        let name = team.field(|t| t.name).to_string();
        with_payload(&mut job, &client, &body.replace("REFERENCE", &name));
        // What only looks like a reference is refused.
        prop_assume!(job.run().into_request().is_ok());
        let sent: Value = serde_json::from_str(&payloads(&job)[1]).unwrap();
        prop_assert_eq!(&sent["value"], &expected);
    }
}
