//! A model's server outside, as far as attacks need one: it remembers what it was sent, and answers in one way.

use base64::Engine as _;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The server; its threads go with the tests.
pub(crate) struct Model {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

/// What bytes travel over.
trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

impl Model {
    /// Starts one that speaks plain HTTP; the answer is made of the request.
    pub(crate) fn start(
        answer: impl Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::speaking(None, answer)
    }

    /// Starts one that speaks TLS in somebody's name, and returns who vouches for it.
    pub(crate) fn start_as(name: &str) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let encoded = base64::engine::general_purpose::STANDARD.encode(made.cert.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
        (Self::speaking(Some(Arc::new(config)), |_, stream| stream.write_all(ANSWER)), pem)
    }

    fn speaking(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&heard), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer, tls) = (Arc::clone(&log), Arc::clone(&answer), tls.clone());
                // Who goes away meanwhile is no failure.
                thread::spawn(move || {
                    let mut stream = wrapped(stream, tls)?;
                    let request = request(&mut stream)?;
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
                    answer(&request, &mut stream)?;
                    stream.flush()
                });
            }
        });
        Self { port, heard }
    }

    /// Returns what it was sent, one text for each request.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What one says that has nothing particular to say.
pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\nthe model answered";

fn wrapped(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Box<dyn Stream>> {
    let Some(config) = tls else { return Ok(Box::new(stream)) };
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    Ok(Box::new(StreamOwned::new(connection, stream)))
}

/// Reads one request to the end of its body.
fn request(stream: &mut dyn Read) -> io::Result<String> {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let said = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let is_whole = match said {
            Some(length) => body.len() >= length.parse().unwrap(),
            None if head.contains("transfer-encoding: chunked") => body.ends_with("0\r\n\r\n"),
            None => true,
        };
        if is_whole {
            return Ok(text.into_owned());
        }
    }
}
