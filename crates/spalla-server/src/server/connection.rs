//! One connection: HTTP/1 with bounded heads, and an orderly end.

use super::head_watch::HeadWatch;
use crate::state::App;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tower::ServiceExt;

/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long a connection may be idle between two requests: longer than a worker's heartbeats are apart, so that it
/// keeps its connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Serves one connection until either side ends it.
pub(super) async fn serve(stream: TcpStream, from: IpAddr, app: App, routes: Router) {
    let _counted = app.count_connection();
    // Answers are small and written whole; waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let (stream, heads) = HeadWatch::new(stream);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(from));
        if let Some(fault) = heads.next_fault() {
            request.extensions_mut().insert(fault);
        }
        routes.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = app.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended with an error");
    }
}
