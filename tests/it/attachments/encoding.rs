//! What a multipart body looks like.

use keystone_client::body::{Body, Content, Multipart};
use keystone_client::upload::Upload;
use proptest::prelude::*;

use super::form::{Seen, parts};

fn encoded(multipart: &Multipart) -> (String, Vec<u8>) {
    let body = multipart.encode().unwrap();
    let content_type = body.content_type().unwrap().to_str().unwrap().to_owned();
    (content_type, body.bytes().unwrap().to_vec())
}

fn decoded(multipart: &Multipart) -> Vec<Seen> {
    let (content_type, body) = encoded(multipart);
    parts(&content_type, &body)
}

#[test]
fn a_body_is_what_the_standard_says() {
    let form = Multipart::new().text("request", "7").file("file", Upload::bytes("ä.txt", "x\n"));
    let (content_type, body) = encoded(&form);
    assert_eq!(content_type, "multipart/form-data; boundary=keystone-client-0000000000000000");
    assert_eq!(
        String::from_utf8(body).unwrap(),
        "--keystone-client-0000000000000000\r\n\
         Content-Disposition: form-data; name=\"request\"\r\n\r\n\
         7\r\n\
         --keystone-client-0000000000000000\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"ä.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n\
         x\n\r\n\
         --keystone-client-0000000000000000--\r\n"
    );
    assert_eq!(encoded(&Multipart::new()).1, b"--keystone-client-0000000000000000--\r\n");
}

/// Names that a real 0.10.9 was seen to read back, as far as it keeps them: it drops control
/// characters and what comes before a backslash.
#[test]
fn file_names_arrive_whole() {
    let names = [
        "my report.pdf",
        "übung 😀 雪.pdf",
        "a\"b.pdf",
        "a\"b;c.pdf",
        "a;b.pdf",
        "\".pdf",
        "a'b'c%20d%22.pdf",
        "R&D <1> &copy; &amp;.pdf",
        "a\r\nContent-Type: text/html\r\n\r\n<x>.pdf",
        "a\nb\rc\td\0e.pdf",
        "a\\b.pdf",
        "a\\\".pdf",
        "quote at the end\".pdf\"",
        "backslash at the end\\",
        "a+b=c*.pdf",
        "../../etc/passwd.txt",
    ];
    for name in names {
        let form = Multipart::new().text("request", "7").file("file", Upload::bytes(name, "x"));
        let seen = decoded(&form.text("after", "8"));
        assert_eq!(seen.len(), 3, "{name:?}: {seen:?}");
        assert_eq!(seen[1].file_name.as_deref(), Some(name));
        assert_eq!((seen[1].name.as_str(), seen[1].content.as_slice()), ("file", &b"x"[..]));
    }
}

#[test]
fn no_boundary_is_in_what_it_bounds() {
    let (content_type, _) = encoded(&Multipart::new());
    let first = content_type.rsplit_once('=').unwrap().1;
    let second = first.replace("0000000000000000", "0000000000000001");
    let tricky = [
        format!("\r\n--{first}--\r\n"),
        format!("--{first}{second}"),
        format!("{second}{first}"),
        format!("{first}{}", &second[..second.len() - 1]),
        "keystone-client-keystone-client-0000000000000000".to_owned(),
    ];
    for content in &tricky {
        let as_file = Multipart::new().file("file", Upload::bytes("a.txt", content.clone()));
        assert_eq!(decoded(&as_file)[0].content, content.as_bytes());
        let as_text = Multipart::new().text("text", content);
        assert_eq!(decoded(&as_text)[0].content, content.as_bytes());
    }
    // Also not in names, and not where text and file make two of them.
    let form = Multipart::new()
        .text(format!("--{first}"), "")
        .file("file", Upload::bytes(format!("{second}.txt"), "x"));
    let seen = decoded(&form);
    assert_eq!(seen[0].name, format!("--{first}"));
    assert_eq!(seen[1].file_name.as_deref(), Some(format!("{second}.txt").as_str()));
    // A file made to have all of the first ones costs no more than another.
    let many: String = (0..50_000).map(|n| format!("keystone-client-{n:016}\n")).collect();
    let (content_type, _) = encoded(&Multipart::new().text("text", many));
    assert!(content_type.ends_with("keystone-client-0000000000050000"), "{content_type}");
}

#[test]
fn it_can_be_taken_apart_and_is_always_the_same() {
    let file = Upload::reader("a.csv", std::io::Cursor::new("1;2")).with_content_type("x/y; z=1");
    let form = Multipart::new().text("name", "N").file("file", file.clone());
    let whole = encoded(&form);
    assert_eq!(encoded(&form), whole);
    assert_eq!(encoded(&form.clone()), whole);
    assert_eq!(decoded(&form)[1].content_type.as_deref(), Some("x/y; z=1"));

    let [name, part] = form.parts() else { panic!() };
    assert_eq!((name.name(), part.name()), ("name", "file"));
    assert!(matches!(name.content(), Content::Text(text) if text == "N"));
    assert_eq!(part.as_file(), Some(&file));
    assert_eq!(form.files().count(), 1);
    assert_eq!(Body::from(form.clone()), Body::Multipart(form.clone()));
    assert_eq!(Body::from(form.clone()).bytes(), None);
    let shown = format!("{:?}", Body::from(form.text("password", "hunter2")));
    assert!(shown.contains("a.csv") && !shown.contains("hunter2") && !shown.contains("1;2"));
}

#[test]
fn names_that_the_server_would_not_read_are_refused() {
    let long = |letters: usize| {
        let name = format!("{}.pdf", "雪".repeat(letters));
        Multipart::new().file("file", Upload::bytes(name, "x")).encode()
    };
    long(250).unwrap();
    let error = long(330).unwrap_err();
    let expected = "the file name is longer than the server reads; give a shorter one";
    assert_eq!(error.to_string(), expected);
    let error = Multipart::new().text("x".repeat(1_000), "").encode().unwrap_err();
    assert!(error.to_string().starts_with("the name of a field is longer"), "{error}");
    for (name, content_type) in [("", "a/b"), ("x", "a/b\r\nX: y"), ("x", ""), ("x", "ä/b")] {
        let file = Upload::bytes(name, "x").with_content_type(content_type);
        Multipart::new().file("file", file).encode().unwrap_err();
    }
}

fn piece() -> impl Strategy<Value = String> {
    // Much of what could be taken for structure.
    let marks = "(keystone-client-0{15}[0-9]|[\"\\\\;'%&=*\r\n-]|\\PC|[a-z]| ){0,12}";
    proptest::string::string_regex(marks).unwrap()
}

proptest! {
    #[test]
    fn whatever_is_put_in_comes_out(
        texts in proptest::collection::vec((piece(), piece()), 0..4),
        file_name in piece(),
        content in proptest::collection::vec(piece(), 1..40),
    ) {
        let file_name = format!("{file_name}.txt");
        let content = format!("{}.", content.concat());
        let mut form = Multipart::new();
        let mut expected = Vec::new();
        for (name, value) in &texts {
            form = form.text(name, value);
            expected.push((name.clone(), None, value.clone().into_bytes()));
        }
        form = form.file("file", Upload::bytes(file_name.clone(), content.clone()));
        // The server decodes marks of HTML in file names only.
        let seen = decoded(&form).into_iter().map(|seen| (seen.name, seen.file_name, seen.content));
        expected.push(("file".to_owned(), Some(file_name), content.into_bytes()));
        prop_assert_eq!(seen.collect::<Vec<_>>(), expected);
    }
}
