//! A certificate and its key, from files, for the listener of doors and read API.

use platform::private::{self, PrivateError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

/// Why there can be no TLS. It quotes nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The file of the certificate cannot be read, or has none.
    #[error("{path} holds no certificate: give the certificate and those above it, as PEM", path = .0.display())]
    NoCertificate(PathBuf),
    /// The file of the key cannot be read, or others can read it.
    #[error("the certificate's key {0}")]
    UnreadKey(PrivateError),
    /// The file of the key has none.
    #[error("{path} holds no private key: give it as PEM, without a passphrase", path = .0.display())]
    NoKey(PathBuf),
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("the certificate {certificate} and the key {key} cannot be used together", certificate = .0.display(), key = .1.display())]
    NoPair(PathBuf, PathBuf),
}

/// Speaks TLS with a certificate.
///
/// # Errors
/// [`TlsError`].
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let none = || TlsError::NoCertificate(certificate.to_owned());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(|certificates| certificates.collect::<Result<_, _>>())
        .map_err(|_| none())?;
    if chain.is_empty() {
        return Err(none());
    }
    let text = private::read(key).map_err(TlsError::UnreadKey)?;
    let secret =
        PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| TlsError::NoKey(key.to_owned()))?;
    let no_pair = |_| TlsError::NoPair(certificate.to_owned(), key.to_owned());
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(no_pair)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(no_pair)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
