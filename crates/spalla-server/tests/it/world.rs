//! A server with all that it needs, and the calls that most tests make.

use crate::answer::{Answer, document};
use crate::postgres_fixture::Cluster;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use spalla_domain::Timestamp;
use spalla_domain::fernet::KeyRing;
use spalla_domain::network::Networks;
use spalla_engine::{Engine, EngineHandle};
use spalla_scratchpad::{Quota, Scratchpads};
use spalla_server::{
    Access, Cors, Definitions, HealthOptions, NoRouting, NoSessions, Oidc, Options, Routing, Server,
    Sessions, Token, Vault, WebhookTrust,
};
use spalla_store::{Clock, Location, Randomness, Settings, Store};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The administrator's token in every test that has one.
pub(crate) const TOKEN: &str = "test-token";
/// The code of the start link.
pub(crate) const CODE: &str = "start-code";
/// What a worker shows to read answers.
pub(crate) const AGENT_SECRET: &str = "agent-secret";
/// The key that answers are encrypted with.
pub(crate) const SECRET_KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
/// When every test begins: 2023-11-14T22:13:20Z.
const BEGIN_MS: i64 = 1_700_000_000_000;

/// A clock that stands still until it is told to go on.
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    /// Moves the clock.
    pub(crate) fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}

/// Numbers that can be foreseen.
pub(crate) struct Counting(AtomicU64);

impl Randomness for Counting {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// Names the store of every test that does not name one itself: `memory`, which it is otherwise, `sqlite` or `postgres`.
const STORE_VARIABLE: &str = "SPALLA_TEST_STORE";

/// Makes the store that this run of the tests is about, with the folder that it needs.
fn store_of_this_run() -> (Location, Option<TempDir>) {
    match std::env::var(STORE_VARIABLE).as_deref() {
        Err(_) | Ok("memory") => (Location::Memory(spalla_store::Memory::default()), None),
        Ok("sqlite") => {
            let folder = tempfile::tempdir().unwrap();
            (Location::Sqlite(folder.path().join("spalla.db")), Some(folder))
        }
        Ok("postgres") => (Location::Postgres(Cluster::shared().create_database()), None),
        Ok(other) => panic!("{STORE_VARIABLE}: {other:?} is none of memory, sqlite and postgres"),
    }
}

/// Returns the scratchpads of a data folder; each is kept for an hour.
pub(crate) fn scratchpads_in(data: &Path) -> Scratchpads {
    let quota = Quota { bytes: 1 << 20, files: 100 };
    let (data, templates) = (data.to_owned(), vec![]);
    Scratchpads::new(spalla_scratchpad::Options { data, templates, retention_ms: 3_600_000, quota })
}

/// How a world is made.
pub(crate) struct Setup {
    pub(crate) access: Access,
    pub(crate) oidc: Option<Oidc>,
    /// None for the store that this run of the tests is about.
    pub(crate) location: Option<Location>,
    pub(crate) served_hosts: Vec<String>,
    pub(crate) cors: Cors,
    pub(crate) rate_limit_per_minute: u32,
    pub(crate) health: HealthOptions,
    pub(crate) grace: Duration,
    pub(crate) agent_secret: Option<&'static str>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) github: Option<spalla_server::GitHubHook>,
    pub(crate) routing: Arc<dyn Routing>,
    pub(crate) definitions: Definitions,
    pub(crate) queue_limit: u64,
    pub(crate) settings: Settings,
    pub(crate) webhook_networks: Networks,
    pub(crate) webhook_trust: WebhookTrust,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            access: Access::None,
            oidc: None,
            location: None,
            served_hosts: vec![],
            cors: Cors::None,
            rate_limit_per_minute: 0,
            health: HealthOptions::default(),
            grace: Duration::from_secs(5),
            agent_secret: Some(AGENT_SECRET),
            sessions: Arc::new(NoSessions),
            github: None,
            routing: Arc::new(NoRouting),
            definitions: Definitions::built_in(),
            queue_limit: 100_000,
            settings: Settings::default(),
            webhook_networks: Networks::default(),
            webhook_trust: WebhookTrust::default(),
        }
    }
}

/// A running server.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) randomness: Arc<Counting>,
    pub(crate) store: Store,
    pub(crate) engine: EngineHandle,
    pub(crate) options: Options,
    pub(crate) vault: Vault,
    pub(crate) people_sign_in: bool,
    pub(crate) shutdown: CancellationToken,
    pub(crate) server: JoinSet<()>,
    client: Client,
    token: Option<&'static str>,
    _engine: Engine,
    /// The data folder.
    pub(crate) data: TempDir,
    _folder: Option<TempDir>,
}

impl World {
    /// Starts a server that lets everybody in.
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// Starts a server over memory, for tests whose time is their own: no other store answers while it stands still.
    pub(crate) async fn in_memory() -> Self {
        let location = Some(Location::Memory(spalla_store::Memory::default()));
        Self::with(Setup { location, ..Setup::default() }).await
    }

    /// Starts a server on each store that needs no server of its own: in memory, and in a file.
    pub(crate) async fn on_both_stores() -> [Self; 2] {
        Self::on_both_stores_with(Setup::default).await
    }

    /// Starts such servers with further wishes.
    pub(crate) async fn on_both_stores_with(setup: impl Fn() -> Setup) -> [Self; 2] {
        let folder = tempfile::tempdir().unwrap();
        let location = Some(Location::Sqlite(folder.path().join("spalla.db")));
        let in_file = Self::with(Setup { location, ..setup() }).await;
        [Self::with(setup()).await, Self { _folder: Some(folder), ..in_file }]
    }

    /// Starts a server that wants the token; the calls below send it.
    pub(crate) async fn start_with_token() -> Self {
        Self::with(Setup { access: Access::Token(Token::new(TOKEN)), ..Setup::default() }).await
    }

    /// Starts a server.
    pub(crate) async fn with(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(BEGIN_MS)));
        let randomness = Arc::new(Counting(AtomicU64::new(1)));
        let (location, folder) = setup.location.map_or_else(store_of_this_run, |named| (named, None));
        let store = Store::open(spalla_store::Options {
            location,
            settings: setup.settings,
            clock: clock.clone(),
            randomness: randomness.clone(),
            gate: None,
        })
        .await
        .expect("the store opens");
        let engine = spalla_engine::Options { clock: clock.clone(), background_interval: None };
        let (handle, engine) = Engine::start(store.clone(), engine);
        let token = matches!(setup.access, Access::Token(_)).then_some(TOKEN);
        let people_sign_in = setup.oidc.is_some();
        let keys = KeyRing::parse(SECRET_KEY).unwrap();
        let vault = Vault::new(keys, store.clone(), clock.clone(), randomness.clone());
        let data = tempfile::tempdir().unwrap();
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            access: setup.access,
            oidc: setup.oidc,
            served_hosts: setup.served_hosts,
            cors: setup.cors,
            rate_limit_per_minute: setup.rate_limit_per_minute,
            health: setup.health,
            start_code: Some(Token::new(CODE)),
            version: "1.2.3".into(),
            clock: clock.clone(),
            randomness: randomness.clone(),
            vault: vault.clone(),
            limits_max: Default::default(),
            scratchpads: scratchpads_in(data.path()),
            agent_secret: setup.agent_secret.map(Token::new),
            sessions: setup.sessions,
            github: setup.github,
            routing: setup.routing,
            definitions: setup.definitions,
            queue_limit: setup.queue_limit,
            webhook_networks: setup.webhook_networks,
            webhook_trust: setup.webhook_trust,
            grace: setup.grace,
        };
        let server = Server::bind(options.clone(), handle.clone()).await.expect("the server binds");
        let (address, shutdown) = (server.local_addr(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(server.serve(shutdown.clone()));
        let options = Options { listen: address, ..options };
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self {
            address,
            clock,
            randomness,
            store,
            engine: handle,
            options,
            vault,
            people_sign_in,
            shutdown,
            server: tasks,
            client,
            token,
            _engine: engine,
            data,
            _folder: folder,
        }
    }

    /// Ends the server and starts another one at the same address, over the same store.
    pub(crate) async fn restart(&mut self) {
        self.shutdown.cancel();
        self.server.join_next().await;
        let server = Server::bind(self.options.clone(), self.engine.clone()).await.expect("the server binds");
        self.shutdown = CancellationToken::new();
        self.server.spawn(server.serve(self.shutdown.clone()));
    }

    /// Returns the address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Begins a request, with the token where there is one.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self.bare(method, path);
        self.token.map_or(request.try_clone().unwrap(), |token| request.bearer_auth(token))
    }

    /// Begins a request without a token.
    pub(crate) fn bare(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), self.url(path))
    }

    /// Sends a request and checks what every answer has to have.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let body = request.body().and_then(|body| body.as_bytes());
        let sent = body.and_then(|body| serde_json::from_slice::<Value>(body).ok());
        let response = self.client.execute(request).await.expect("the server answers");
        let answer = Answer::read(response).await;
        answer.check(&method, &path, sent.as_ref(), document(self).await);
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request("POST", path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request("PATCH", path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request("PUT", path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path)).await
    }

    /// Makes a project and returns its id.
    pub(crate) async fn project(&self) -> i64 {
        let project = self.post("/projects/", json!({"name": "app"})).await.json(201);
        project["id"].as_i64().unwrap()
    }

    /// Makes a work item with what the body adds, in a new project, and returns its id.
    pub(crate) async fn item(&self, body: Value) -> i64 {
        let mut item = json!({"project_id": self.project().await, "title": "build"});
        item.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        self.post("/work-items/", item).await.json(201)["id"].as_i64().unwrap()
    }

    /// Makes a work item and puts it into the queue.
    pub(crate) async fn queued(&self, body: Value) -> i64 {
        let id = self.item(body).await;
        self.enqueue(id).await;
        id
    }

    pub(crate) async fn enqueue(&self, id: i64) {
        self.post("/scheduler/enqueue", json!({"work_item_id": id})).await.json(201);
    }

    /// Makes a work item with a run that nobody holds, and returns the run's id.
    pub(crate) async fn pending_run(&self, body: Value) -> i64 {
        let item = self.queued(body).await;
        self.post(&format!("/work-items/{item}/start"), json!({})).await.json(201)["id"].as_i64().unwrap()
    }

    /// Makes a work item with a run that `w1` holds, and returns run and token.
    pub(crate) async fn claimed_run(&self, body: Value) -> (i64, i64) {
        let run = self.pending_run(body).await;
        let claimed =
            self.post(&format!("/work-items/runs/{run}/claim"), json!({"worker_id": "w1"})).await.json(200);
        (run, claimed["fencing_token"].as_i64().unwrap())
    }

    /// Ends a run well.
    pub(crate) async fn complete(&self, run: i64, token: i64) -> Value {
        let path = format!("/work-items/runs/{run}/complete?success=true");
        self.post(&path, json!({"fencing_token": token})).await.json(200)
    }

    /// Waits until the metrics have a line, and returns them.
    pub(crate) async fn until_metrics(&self, line: &str) -> String {
        for _ in 0..5_000 {
            let metrics = self.get("/metrics").await.text;
            if metrics.lines().any(|given| given == line) {
                return metrics;
            }
            tokio::task::yield_now().await;
        }
        panic!("the metrics never had {line}");
    }

    /// Waits until the server has so many connections, one of them for asking.
    pub(crate) async fn until_connections(&self, count: usize) {
        self.until_metrics(&format!("spalla_connections {count}")).await;
    }
}
