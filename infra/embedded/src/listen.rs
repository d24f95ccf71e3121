//! A listener that no single client can hold: so many connections, and so long for a handshake and a request's head.

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections there are at once; further ones wait until one ends.
    pub connections: usize,
    /// How long a request's head may take, and how long a connection may be idle.
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connections: 256, head: Duration::from_secs(20) }
    }
}

/// How long to wait before another connection is taken where the machine gives none.
const PAUSE: Duration = Duration::from_millis(50);

/// Where connections come in, and what is taken from them.
#[derive(Clone, Default)]
pub struct Front {
    /// What the listener allows.
    pub limits: Limits,
    /// Speaks TLS, where a certificate is given.
    pub tls: Option<TlsAcceptor>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub proxies: Arc<[IpAddr]>,
}

impl From<Limits> for Front {
    fn from(limits: Limits) -> Front {
        Front { limits, ..Front::default() }
    }
}

/// Serves connections until `stop` resolves, then finishes what has begun. `app` makes the service of one peer.
pub(crate) async fn serve(
    listener: TcpListener,
    front: &Front,
    app: impl Fn(SocketAddr) -> Router,
    stop: impl Future<Output = ()> + Send,
) {
    let limits = front.limits;
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
    let places = Arc::new(Semaphore::new(limits.connections));
    let shutdown = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of files, say; the next may be better.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let service = TowerToHyperService::new(app(peer));
        let (builder, watcher, tls) = (builder.clone(), shutdown.watcher(), front.tls.clone());
        tokio::spawn(async move {
            if let Some(stream) = opened(stream, tls, limits.head).await {
                let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
                let _ = watcher.watch(connection).await;
            }
            drop(place);
        });
    }
    drop(listener);
    shutdown.shutdown().await;
}

/// A connection, with TLS or without.
type Opened = Box<dyn Duplex>;

/// What is read and written.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection as it is spoken over; nothing where its handshake fails or takes too long.
async fn opened(stream: TcpStream, tls: Option<TlsAcceptor>, time: Duration) -> Option<Opened> {
    let Some(tls) = tls else { return Some(Box::new(stream)) };
    let stream = tokio::time::timeout(time, tls.accept(stream)).await.ok()?.ok()?;
    Some(Box::new(stream))
}
