//! A listener that no single client can hold: so many connections, and so long for a request's head.

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

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

/// Serves connections until `stop` resolves, then finishes what has begun. `app` makes the service of one peer.
pub(crate) async fn serve(
    listener: TcpListener,
    limits: Limits,
    app: impl Fn(SocketAddr) -> Router,
    stop: impl Future<Output = ()> + Send,
) {
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
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = shutdown.watch(connection);
        tokio::spawn(async move {
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    shutdown.shutdown().await;
}
