//! TLS before a stub: an authority of this run, a certificate of its for this machine, and a listener that counts
//! handshakes.

use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Whom the certificate is for.
pub const HOST: &str = "localhost";

/// What a server needs to speak TLS, and whom its clients are to trust.
pub struct Tls {
    /// The authority's certificate, in PEM.
    pub authority: String,
    acceptor: TlsAcceptor,
    handshakes: Arc<AtomicUsize>,
}

impl Tls {
    /// A chain as SQS has it: an authority, one between, the server.
    ///
    /// # Panics
    /// Where the machine has no random numbers.
    pub fn new() -> Tls {
        let (root, root_issuer) = authority("Postledger's tests", None);
        let (between, issuer) = authority("Postledger's tests, servers", Some(&root_issuer));
        let key = KeyPair::generate().expect("random numbers");
        let params = CertificateParams::new([HOST.to_owned()]).expect("a name");
        let leaf = params.signed_by(&key, &issuer).expect("a certificate");
        let chain: Vec<CertificateDer<'static>> = vec![leaf.der().clone(), between.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a key of the certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Tls { authority: root.pem(), acceptor, handshakes: Arc::default() }
    }

    /// How many connections have been opened.
    pub fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// A listener that speaks TLS before it hands a connection on.
    pub fn before(&self, listener: TcpListener) -> Over {
        Over { listener, acceptor: self.acceptor.clone(), handshakes: self.handshakes.clone() }
    }
}

impl Default for Tls {
    fn default() -> Tls {
        Tls::new()
    }
}

fn authority(name: &str, by: Option<&Issuer<'_, KeyPair>>) -> (rcgen::Certificate, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().expect("random numbers");
    let mut params = CertificateParams::new([]).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = match by {
        Some(by) => params.signed_by(&key, by),
        None => params.self_signed(&key),
    };
    (certificate.expect("a certificate"), Issuer::new(params, key))
}

/// A listener over TLS.
pub struct Over {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: Arc<AtomicUsize>,
}

impl Listener for Over {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            let _ = stream.set_nodelay(true);
            if let Ok(stream) = self.acceptor.accept(stream).await {
                self.handshakes.fetch_add(1, Ordering::Relaxed);
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
