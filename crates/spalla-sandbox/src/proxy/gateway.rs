//! The gateway of a run: one door inside for each host of an injection. Behind it a request gets the host's credential,
//! and reaches that host alone. It speaks HTTP/1.1 with the command, and with the host TLS, or HTTP on this machine.
//!
//! Each request has connections of its own on both sides, so that none hides in another one, and nothing of one answer
//! is taken for another's.

mod answer;
mod head;
mod rules;
mod upstream;

pub(super) use head::judge_head;

use super::allow::{AllowList, Target};
use super::{CONNECTIONS_MAX, PATIENCE, Refusals};
use crate::credential::Credential;
use crate::injection::{Injection, Scheme};
use crate::refusal::{Error, doing};
use answer::{Answer, Mask};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rules::{Mark, Refused};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, Cursor};
use std::net::TcpListener as StdListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use upstream::{Trust, Unreached};

/// How long it waits for others to close what is used up, where no further connection can be opened.
const PAUSE: Duration = Duration::from_millis(20);

/// What a door answers: what the host said, or why it says nothing.
type Said = Response<Either<Answer, Full<Bytes>>>;

/// The gateway of one run, in a thread of its own; it ends when it is dropped.
pub(crate) struct Gateway {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The way from the doors of one host to the host.
struct Route {
    target: Target,
    scheme: Scheme,
    allow: AllowList,
    /// By what authorities a request may name it.
    names: Vec<String>,
    mark: Mark,
    credential: Credential,
    trust: Arc<Trust>,
    refusals: Refusals,
}

impl Gateway {
    /// Starts to serve the sockets that came from inside, in the order of the injections. A host of an injection is
    /// allowed; its address is judged by the list of the proxy all the same.
    pub(crate) fn serve(
        mut sockets: impl Iterator<Item = OwnedFd>,
        (inject, allow): (&[Injection], &[String]),
        outside: &BTreeMap<String, String>,
        refusals: Refusals,
    ) -> Result<Self, Error> {
        let starting = || doing("starting the gateway");
        let trust = Arc::new(Trust::of(outside));
        let mut doors = Vec::new();
        for injection in inject {
            let route = Route::new(injection, allow, outside, (&trust, &refusals))?;
            let route = Arc::new(route);
            for (_, socket) in injection.listen.iter().zip(sockets.by_ref()) {
                let listener = StdListener::from(socket);
                listener.set_nonblocking(true).map_err(starting())?;
                doors.push((listener, Arc::clone(&route)));
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(starting())?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    // Nobody hears of an end of its own but by the silence of its doors.
                    _ = receive(doors) => {}
                }
            });
            // Whoever still looks for a host is not waited for.
            runtime.shutdown_background();
        });
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Route {
    fn new(
        injection: &Injection,
        allow: &[String],
        outside: &BTreeMap<String, String>,
        (trust, refusals): (&Arc<Trust>, &Refusals),
    ) -> Result<Self, Error> {
        let credential = Credential::read(injection, outside)?;
        let made = injection.target().zip(Mark::new(injection, &credential));
        // Both were looked at before anything was started.
        let unusable = || Error::policy(format!("{} is no host", injection.host), "name another one");
        let (target, mark) = made.ok_or_else(unusable)?;
        let mut names: Vec<String> = injection.listen.iter().map(ToString::to_string).collect();
        if injection.scheme == Scheme::Http {
            // Inside it has the URL that it has outside.
            names.push(injection.host.clone());
        }
        let entries: Vec<String> = allow.iter().cloned().chain([target.authority(0)]).collect();
        Ok(Self {
            target,
            scheme: injection.scheme,
            allow: AllowList::new(&entries),
            names,
            mark,
            credential,
            trust: Arc::clone(trust),
            refusals: refusals.clone(),
        })
    }

    /// Answers one request.
    async fn pass(self: Arc<Self>, request: Request<Incoming>) -> Said {
        match self.fetch(request).await {
            Ok(answer) => answer.map(Either::Left),
            Err(Refused(status, reason)) => refusal(status, &reason).map(Full::from).map(Either::Right),
        }
    }

    async fn fetch(self: &Arc<Self>, request: Request<Incoming>) -> Result<Response<Answer>, Refused> {
        let (mut parts, body) = request.into_parts();
        rules::outward(&mut parts, &self.names, &self.mark)?;
        let stream = upstream::reach(self).await.map_err(|unreached| match unreached {
            Unreached::Refused(reason) => {
                self.refusals.note(&self.target, &reason);
                Refused(StatusCode::FORBIDDEN, reason.into())
            }
            Unreached::Failed(reason) => Refused(StatusCode::BAD_GATEWAY, reason.into()),
        })?;
        let host = &self.target.host;
        let broken = |reason: &dyn std::fmt::Display| {
            Refused(StatusCode::BAD_GATEWAY, format!("{host} broke off: {reason}").into())
        };
        let exchanged = upstream::exchange(stream, Request::from_parts(parts, body)).await;
        let (response, line) = exchanged.map_err(|error| broken(&error))?;
        let (mut parts, body) = response.into_parts();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(broken(&"it wants to speak another protocol"));
        }
        rules::inward(&mut parts, &self.credential);
        let mask = Mask::new(self.credential.clone());
        Ok(Response::from_parts(parts, Answer::new(body, line, mask)))
    }
}

/// Receives clients at all doors, as long as it is polled.
async fn receive(doors: Vec<(StdListener, Arc<Route>)>) -> io::Result<()> {
    let open = |(listener, route)| Ok((TcpListener::from_std(listener)?, route));
    let doors = doors.into_iter().map(open).collect::<io::Result<Vec<_>>>()?;
    // What is served ends with this.
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = clients.join_next() => {}
            // More than these wait at the doors.
            client = next_client(&doors), if clients.len() < CONNECTIONS_MAX => match client {
                Ok((stream, route)) => drop(clients.spawn(serve(stream, route))),
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
        }
    }
}

async fn next_client(doors: &[(TcpListener, Arc<Route>)]) -> io::Result<(TcpStream, Arc<Route>)> {
    poll_fn(|context| {
        for (listener, route) in doors {
            if let Poll::Ready(came) = listener.poll_accept(context) {
                return Poll::Ready(came.map(|(stream, _)| (stream, Arc::clone(route))));
            }
        }
        Poll::Pending
    })
    .await
}

/// Serves the one request of a connection.
async fn serve(mut stream: TcpStream, route: Arc<Route>) {
    // Events are to flow as they come.
    let _ = stream.set_nodelay(true);
    let head = match tokio::time::timeout(PATIENCE, head::read(&mut stream)).await {
        Ok(Ok(Ok(head))) => head,
        Ok(Ok(Err(reason))) => {
            return head::refuse(&mut stream, refusal(StatusCode::BAD_REQUEST, reason)).await;
        }
        // Whoever says nothing is told nothing.
        Ok(Err(_)) | Err(_) => return,
    };
    let (reader, writer) = stream.into_split();
    let whole = TokioIo::new(tokio::io::join(Cursor::new(head).chain(reader), writer));
    let service = service_fn(|request| {
        let route = Arc::clone(&route);
        async move { Ok::<_, Infallible>(route.pass(request).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    // A client that goes away is nobody's failure.
    let _ = server.keep_alive(false).max_headers(head::HEADERS_MAX).serve_connection(whole, service).await;
}

/// Says why a request gets no further.
fn refusal(status: StatusCode, reason: &str) -> Response<String> {
    let mut response = Response::new(format!("spalla: {reason}\n"));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    response
}
