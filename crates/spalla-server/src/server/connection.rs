//! One connection: HTTP/1 with bounded heads, and an orderly end.

use super::head_watch::HeadWatch;
use crate::state::App;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;
use tower::ServiceExt;

/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long a connection may be idle between two requests: longer than a worker's heartbeats are apart, so that it
/// keeps its connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Counts a connection while it lives.
struct Counted(App);

impl Counted {
    fn new(app: App) -> Self {
        app.connections.fetch_add(1, Ordering::Relaxed);
        Self(app)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves one connection until either side ends it.
pub(super) async fn serve(stream: TcpStream, app: App, routes: Router) {
    let counted = Counted::new(app);
    // Answers are small and written whole; waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let (stream, heads) = HeadWatch::new(stream);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        if let Some(fault) = heads.next_fault() {
            request.extensions_mut().insert(fault);
        }
        routes.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = counted.0.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended with an error");
    }
}
