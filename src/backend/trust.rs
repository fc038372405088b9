//! Trust stores for the libraries that know either the operating system's or one of ours.

use pki_types::CertificateDer;
use rustls::RootCertStore;

use super::{BackendError, RootCertificates, exchange};

/// The certificate authorities of the operating system, as they are now, and `extra`.
pub(crate) fn with_those_of_the_system(
    extra: &RootCertificates,
) -> Result<Vec<CertificateDer<'static>>, BackendError> {
    let mut all: Vec<_> = extra.iter().cloned().collect();
    if all.iter().any(|certificate| !is_root(certificate)) {
        return Err(exchange::refuse("one of `root_certificates` is no X.509 certificate"));
    }
    // Systems carry some that rustls does not take, and libcurl would refuse all because of one.
    all.extend(rustls_native_certs::load_native_certs().certs.into_iter().filter(is_root));
    Ok(all)
}

fn is_root(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}
