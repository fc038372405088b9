//! Servers on loopback sockets, with TLS and without, and the certificates for them.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A certificate authority that nobody knows.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this machine and its key.
    pub(crate) fn issue(&self) -> (String, String) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A server with a certificate of this authority, which asks its clients for one of `clients`.
    pub(crate) fn server(&self, clients: Option<&Self>) -> ServerConfig {
        let (certificate, key) = self.issue();
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        builder.with_single_cert(chain, key).unwrap()
    }
}

/// The port of a server that answers requests with `answer`, over TLS if configured.
pub(crate) fn serve(
    tls: Option<ServerConfig>,
    answer: impl Fn(http::Request<Bytes>) -> http::Response<Bytes> + Send + Sync + 'static,
) -> u16 {
    let (tls, answer) = (tls.map(Arc::new), Arc::new(answer));
    listen(move |stream| match &tls {
        Some(tls) => {
            let connection = ServerConnection::new(tls.clone()).unwrap();
            answer_all(StreamOwned::new(connection, stream), &*answer);
        }
        None => answer_all(stream, &*answer),
    })
}

/// The port of a server that gives each connection to `talk`, on a thread of its own.
pub(crate) fn listen(talk: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = Arc::new(talk);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, talk) = (stream.unwrap(), talk.clone());
            thread::spawn(move || talk(stream));
        }
    });
    port
}

/// Answers the requests of a connection until its end, or until it is no HTTP.
fn answer_all(
    stream: impl Read + Write,
    answer: &dyn Fn(http::Request<Bytes>) -> http::Response<Bytes>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream) {
        let response = answer(request);
        let mut head = format!("HTTP/1.1 {}\r\n", response.status());
        for (name, value) in response.headers() {
            write!(head, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
        }
        if !response.headers().contains_key("content-length") {
            write!(head, "content-length: {}\r\n", response.body().len()).unwrap();
        }
        head.push_str("\r\n");
        let reply = [head.as_bytes(), response.body()].concat();
        let stream = stream.get_mut();
        if stream.write_all(&reply).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

/// The next request, its target as it was sent.
pub(crate) fn read_request(stream: &mut impl BufRead) -> Option<http::Request<Bytes>> {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let mut request = http::Request::builder().method(words.next()?).uri(words.next()?);
    let mut length = 0;
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
        request = request.header(name, value);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(request.body(body.into()).unwrap())
}
