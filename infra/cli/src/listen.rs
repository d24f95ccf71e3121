//! Listens at an address, or says what to do where that cannot be had.

use crate::Failure;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Listens at an address; `instead` says how another one is chosen.
pub async fn bind(address: SocketAddr, instead: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(format!("port {} on {} cannot be had: {error}", address.port(), address.ip()))
            .next(format!("stop what listens there, or choose another: {instead}"))
    })
}
