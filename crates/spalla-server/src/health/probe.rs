//! Looks at what is outside of the server: an address, a URL, and, by way of whoever may start processes, a program.

use axum::body::Body;
use axum::http::{Request, Uri, header};
use futures_util::future::{BoxFuture, join};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// The port of a URL that names none.
const HTTP_PORT: u16 = 80;

/// Starts programs for checks. The server itself starts none.
pub trait Runner: Send + Sync {
    /// Runs a program with its arguments; an error says why it did not leave with status 0 in time.
    fn run(&self, words: Vec<String>, timeout: Duration) -> BoxFuture<'static, Result<(), String>>;
}

/// Opens a connection and closes it.
pub(super) async fn tcp(address: &str) -> Result<(), String> {
    TcpStream::connect(address).await.map(drop).map_err(|error| format!("{address}: {error}"))
}

/// Asks for a URL. Nothing is sent along that the URL does not say, and no redirect is followed.
pub(super) async fn http(url: &str) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url:?} is no URL: {error}"))?;
    let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(format!("{url:?} is no http:// URL; this server looks at no other"));
    };
    let said = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let port = uri.port_u16().unwrap_or(HTTP_PORT);
    let stream =
        TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|error| said(&error))?;
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| said(&error))?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    let request = Request::get(target).header(header::HOST, authority).header(header::USER_AGENT, "spalla");
    let request = request.body(Body::empty()).map_err(|error| said(&error))?;
    let answer = async move { sender.send_request(request).await.map(|answer| answer.status()) };
    // The connection carries the answer and ends after it, since nobody asks for more.
    let (status, _) = join(answer, connection).await;
    match status.map_err(|error| said(&error))? {
        status if status.is_success() => Ok(()),
        status if status.is_redirection() => {
            Err(format!("{url} answers {status}; redirects are not followed"))
        }
        status => Err(format!("{url} answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn looked(answer: &'static str) -> (Result<(), String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ready?deep=1", listener.local_addr().unwrap());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 1_024];
            let read = stream.read(&mut head).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&head[..read]).into_owned()
        };
        tokio::join!(http(&url), serve)
    }

    #[tokio::test]
    async fn a_url_is_well_when_it_answers_and_a_redirect_is_not_followed() {
        let (result, asked) = looked("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(result, Ok(()));
        assert!(asked.starts_with("GET /ready?deep=1 HTTP/1.1\r\nhost: 127.0.0.1:"), "{asked}");
        let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        let error = looked(redirect).await.0.unwrap_err();
        assert!(error.ends_with("answers 302 Found; redirects are not followed"), "{error}");
        let error = looked("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").await.0.unwrap_err();
        assert!(error.contains("answers 500"), "{error}");
        assert!(looked("what").await.0.is_err());
    }

    #[tokio::test]
    async fn what_does_not_answer_or_is_no_url_is_named() {
        for (url, why) in [
            ("https://127.0.0.1/", "is no http:// URL"),
            ("/ready", "is no http:// URL"),
            ("http://127.0.0.1:1/", "refused"),
            ("", "is no URL"),
        ] {
            let error = http(url).await.unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert!(tcp("127.0.0.1:1").await.unwrap_err().contains("refused"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(tcp(&listener.local_addr().unwrap().to_string()).await, Ok(()));
    }
}
