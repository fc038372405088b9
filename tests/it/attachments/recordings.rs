//! Recorded exchanges about attachments: the same requests come from calls, and calls read the answers.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use keystone_client::body::Multipart;
use keystone_client::resources::{Attachment, NewAttachment};
use keystone_client::testing::from_fn;
use keystone_client::upload::Upload;
use keystone_client::{Call, Error, ErrorKind, Id, blocking};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

use super::form::parts;
use crate::support::BASE;

const REQUEST: u64 = 1224;

fn recording(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/v0.10.9");
    let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn sent_content(part: &Value) -> String {
    match &part["content_repeat"] {
        Value::Null => part["content"].as_str().unwrap().to_owned(),
        repeat => repeat[0].as_str().unwrap().repeat(repeat[1].as_u64().unwrap() as usize),
    }
}

/// Compares a request with the recorded one. The media type of a file is left out of account, which
/// the server ignores, where `any_type` says so.
fn compare(request: &Request<Bytes>, recorded: &Value, any_type: bool) {
    let recorded = &recorded["request"];
    assert_eq!(request.method().as_str(), recorded["method"]);
    assert_eq!(request.uri().path(), recorded["path"]);
    let content_type = request.headers().get("content-type").map(|it| it.to_str().unwrap());
    let Some(expected) = recorded["body"].get("$multipart") else {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        assert_eq!(body, recorded["body"]);
        return;
    };
    let seen = parts(content_type.unwrap(), request.body());
    let seen: Vec<Value> = seen
        .into_iter()
        .map(|part| match part.file_name {
            None => {
                let value = String::from_utf8(part.content).unwrap();
                json!({ "name": part.name, "value": value })
            }
            Some(file_name) => json!({
                "name": part.name, "filename": file_name, "content_type": part.content_type,
                "content": String::from_utf8(part.content).unwrap(),
            }),
        })
        .collect();
    let expected = expected.as_array().unwrap();
    assert_eq!(seen.len(), expected.len());
    for (mut seen, expected) in seen.into_iter().zip(expected) {
        let mut expected = expected.clone();
        if expected.get("filename").is_some() {
            expected["content"] = sent_content(&expected).into();
            expected.as_object_mut().unwrap().remove("content_repeat");
        }
        if any_type {
            expected.as_object_mut().unwrap().remove("content_type");
            seen.as_object_mut().unwrap().remove("content_type");
        }
        assert_eq!(seen, expected);
    }
}

/// Sends a call to a server that gives the recorded answer, and the request that came.
fn play<T>(
    name: &str,
    call: impl FnOnce(&blocking::KeystoneClient) -> Call<T, blocking::KeystoneClient>,
) -> (Value, Request<Bytes>, Result<T, Error>) {
    let recorded = recording(name);
    let answer = recorded["response"].clone();
    let seen = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&seen);
    let backend = from_fn(move |request: Request<Bytes>| {
        if request.uri().path() == "/config/" {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
        *kept.lock().unwrap() = Some(request);
        let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
        let content_type = answer["headers"]["content-type"].as_str().unwrap_or_default();
        let body = match &answer["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        let response = Response::builder().status(status).header("content-type", content_type);
        Ok(response.body(Bytes::from(body)).unwrap())
    });
    let client =
        blocking::KeystoneClient::builder(BASE).api_token("t").backend(backend).build().unwrap();
    let result = call(&client).send();
    let request = seen.lock().unwrap().take().expect("a request");
    (recorded, request, result)
}

/// The file of a recording.
fn file(recorded: &Value) -> Upload {
    let mut parts = recorded["request"]["body"]["$multipart"].as_array().unwrap().iter();
    let part = parts.find(|part| part.get("filename").is_some()).unwrap();
    let upload = Upload::bytes(part["filename"].as_str().unwrap().to_owned(), sent_content(part));
    // Types that do not follow from the name are stated.
    match part["content_type"].as_str().unwrap() {
        "application/x-msdownload" => upload.with_content_type("application/x-msdownload"),
        _ => upload,
    }
}

fn new(recorded: &Value) -> NewAttachment {
    let new = NewAttachment::new(Id::new(REQUEST), file(recorded));
    let mut parts = recorded["request"]["body"]["$multipart"].as_array().unwrap().iter();
    match parts.find(|part| part["name"] == "name") {
        Some(part) => new.name(part["value"].as_str().unwrap()),
        None => new,
    }
}

fn agrees(attachment: &Attachment, recorded: &Value) {
    let body = &recorded["response"]["body"];
    assert_eq!(serde_json::to_value(attachment).unwrap(), *body);
}

#[test]
fn files_are_attached_as_recorded() {
    let names = [
        "attachments-create",
        "attachments-create-exact-limit",
        "attachments-create-path-in-file-name",
        "attachments-create-same-file-name",
        "attachments-create-type-from-extension-only",
        "attachments-create-with-name",
    ];
    for name in names {
        let (recorded, request, result) =
            play(name, |client| client.create_attachment(new(&recording(name))));
        compare(&request, &recorded, false);
        agrees(&result.unwrap(), &recorded);
    }
}

#[test]
fn refusals_are_read_by_field() {
    for (name, expected) in [
        ("attachments-create-disallowed-type", "File type 'application/x-msdos-program' is not"),
        ("attachments-create-unknown-type", "File type could not be resolved."),
        ("attachments-create-too-large", "File size should not exceed 2.50 MB."),
    ] {
        let (recorded, request, result) =
            play(name, |client| client.create_attachment(new(&recording(name))));
        compare(&request, &recorded, true);
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation);
        assert!(
            error.field_errors().any(|(field, complaints)| {
                field == "file" && complaints[0].starts_with(expected)
            })
        );
        assert!(!error.may_have_been_sent(), "a refusal is certain");
    }
    let name = "attachments-create-outsider-forbidden";
    let (recorded, request, result) =
        play(name, |client| client.create_attachment(new(&recording(name))));
    compare(&request, &recorded, false);
    assert!(result.unwrap_err().is_denied());
}

#[test]
fn attachments_are_changed_as_recorded() {
    let id = Id::new(1268);
    let name = "attachments-put-multipart";
    let (recorded, request, result) =
        play(name, |client| client.attachments().replace(id, new(&recording(name))));
    compare(&request, &recorded, false);
    agrees(&result.unwrap(), &recorded);

    let name = "attachments-patch-multipart-file";
    let (recorded, request, result) =
        play(name, |client| client.attachments().update_file(id, file(&recording(name))));
    compare(&request, &recorded, false);
    agrees(&result.unwrap(), &recorded);

    let name = "attachments-patch-json-name";
    let (recorded, request, result) =
        play(name, |client| client.update_attachment(id, |a| [a.name.set("Renamed")]));
    compare(&request, &recorded, false);
    agrees(&result.unwrap(), &recorded);

    let name = "attachments-patch-owner-forbidden";
    let (recorded, request, result) =
        play(name, |client| client.update_attachment(id, |a| [a.name.set("x")]));
    compare(&request, &recorded, false);
    assert!(result.unwrap_err().is_denied());

    let name = "attachments-delete";
    let (recorded, request, result) = play(name, |client| client.delete_attachment(id));
    compare(&request, &recorded, false);
    result.unwrap();
}

#[test]
fn attachments_are_read_as_recorded() {
    let (recorded, request, result) =
        play("attachments-retrieve", |client| client.retrieve_attachment(Id::new(1267)));
    compare(&request, &recorded, false);
    agrees(&result.unwrap(), &recorded);
    let (recorded, request, result) =
        play("attachments-retrieve-forbidden", |client| client.retrieve_attachment(Id::new(1)));
    compare(&request, &recorded, false);
    assert!(result.unwrap_err().is_denied());
}

/// What the typed calls do not let anybody do, by the generic ones.
#[test]
fn incomplete_forms_are_refused_as_recorded() {
    let list = "allocations/attachments";
    let fields = |name: &str| {
        let recorded = recording(name);
        let parts = recorded["request"]["body"]["$multipart"].as_array().unwrap().clone();
        parts.into_iter().fold(Multipart::new(), |form, part| {
            form.text(part["name"].as_str().unwrap(), part["value"].as_str().unwrap())
        })
    };
    for name in [
        "attachments-create-file-as-text",
        "attachments-create-missing-all-staff",
        "attachments-create-missing-file",
    ] {
        let (recorded, request, result) =
            play(name, |client| client.http_post(list).multipart(fields(name)));
        compare(&request, &recorded, false);
        let response = result.unwrap();
        let body: Value = response.json().unwrap();
        assert_eq!(body, recorded["response"]["body"]);
        let error = response.error_for_status().unwrap_err();
        assert!(error.is_validation("file"), "{error}");
    }
    for name in ["attachments-create-json", "attachments-put-json-rejected"] {
        let recorded = recording(name);
        let body = recorded["request"]["body"].clone();
        let path = recorded["request"]["path"].as_str().unwrap().to_owned();
        let (recorded, request, result) = play(name, |client| match name {
            "attachments-create-json" => client.http_post(&path).json(&body),
            _ => client.http_put(&path).json(&body),
        });
        compare(&request, &recorded, false);
        assert!(result.unwrap().error_for_status().unwrap_err().is_validation("file"));
    }
}

/// The recordings that no call can make are those of an empty file, which is never sent, and of a
/// body without a boundary; lists are tested with the other lists.
#[test]
fn no_recording_is_left_out() {
    let here = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/attachments/recordings.rs"),
    )
    .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/v0.10.9");
    let excepted = [
        "attachments-create-bad-boundary",
        "attachments-create-empty-file",
        "attachments-list-member",
        "attachments-list-staff",
        "attachments-media-url-not-served",
    ];
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.trim_end_matches(".json");
        if name.starts_with("attachments-") {
            seen += 1;
            assert!(here.contains(&format!("\"{name}\"")), "{name}");
        }
    }
    assert_eq!(seen - excepted.len(), 22);
}
