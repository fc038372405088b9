//! Certificates and keys, read from PEM.

#![cfg_attr(
    not(all(feature = "reqwest", feature = "ureq", feature = "rustls")),
    allow(dead_code, reason = "adapters differ in what they take")
)]

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pki_types::pem::{self, PemObject};
use pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};

use super::InvalidSetting;

/// Certificate authorities to trust beside those of the operating system.
///
/// ```no_run
/// use keystone_client::backend::{RootCertificates, TransportSettings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pem = std::fs::read("/etc/ssl/our-centre.pem")?;
/// let settings =
///     TransportSettings::default().with_root_certificates(RootCertificates::from_pem(&pem)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RootCertificates {
    certificates: Vec<CertificateDer<'static>>,
}

impl RootCertificates {
    /// The certificates in `pem`, one or many. Text around them is skipped.
    ///
    /// # Errors
    ///
    /// If there is none, or one that is no base64. Whether they are certificates is checked when
    /// they are put to use.
    ///
    /// ```
    /// use keystone_client::backend::RootCertificates;
    ///
    /// let error = RootCertificates::from_pem(b"certificate").unwrap_err();
    /// assert_eq!(error.to_string(), "root certificates: no PEM certificate in it");
    /// ```
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidSetting> {
        Self::default().and_pem(pem)
    }

    /// The same with those of another file.
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem).
    pub fn and_pem(mut self, pem: &[u8]) -> Result<Self, InvalidSetting> {
        self.certificates.extend(certificates(pem, "root certificates")?);
        Ok(self)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.certificates.iter()
    }
}

impl fmt::Debug for RootCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootCertificates({})", self.len())
    }
}

/// A certificate with its private key, for servers that ask who the client is (mutual TLS).
///
/// Neither `Debug` nor an error shows the key.
///
/// ```no_run
/// use keystone_client::backend::{Identity, TransportSettings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (certificate, key) = (std::fs::read("client.pem")?, std::fs::read("client.key")?);
/// let settings =
///     TransportSettings::default().with_identity(Identity::from_pem(&certificate, &key)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    /// In PEM, and nothing else in it.
    key: SecretString,
}

impl Identity {
    /// The certificate with those that sign it, and its key, unencrypted, in PKCS #8, PKCS #1 or
    /// SEC 1. Both may be the same file.
    ///
    /// # Errors
    ///
    /// If there is no certificate, or no such key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, InvalidSetting> {
        let chain = certificates(chain, "identity")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            InvalidSetting::new(match error {
                pem::Error::NoItemsFound => {
                    "identity: no PEM private key in it that is not encrypted"
                }
                _ => "identity: the private key is not PEM",
            })
        })?;
        let label = match &key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        Ok(Self { chain, key: encode(label, key.secret_der()).into() })
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn chain_pem(&self) -> String {
        self.chain.iter().map(|certificate| encode("CERTIFICATE", certificate)).collect()
    }

    pub(crate) fn key_pem(&self) -> &str {
        self.key.expose_secret()
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain && self.key_pem() == other.key_pem()
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .field("key", &"[REDACTED]")
            .finish()
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, InvalidSetting> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| InvalidSetting::new(format!("{what}: a certificate in it is not PEM")))?;
    if found.is_empty() {
        return Err(InvalidSetting::new(format!("{what}: no PEM certificate in it")));
    }
    Ok(found)
}

/// `der` in PEM, each item by itself: users' files hold more than the libraries expect.
fn encode(label: &str, der: &[u8]) -> String {
    const LINE: usize = 64;

    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = next;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
