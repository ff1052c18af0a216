//! What runs do behind the walls, what is attested of it, and what is refused.

use crate::fake::{Wanted, recipe};
use crate::site::Site;
use spalla_domain::claim::Completion;
use spalla_domain::limits::{Limit, Limits, Said, Source};
use spalla_domain::log::Stream;
use spalla_domain::retry::ErrorClass;
use spalla_domain::sandbox::{Attested, LayerState};
use spalla_domain::work_item::Executor;
use spalla_sandbox::{HostCredentials, Injection, Network, Policy, Preset};
use spalla_worker::{Options, Supervisor};

/// Runs one recipe to its end on a worker with changed options.
async fn ended(wanted: Wanted, change: impl FnOnce(&mut Options)) -> (Site, Completion) {
    let site = Site::new();
    let run = site.fake.add(wanted);
    let mut worker = site.start_with(change);
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    (site, completion)
}

fn attested(completion: &Completion) -> &Attested {
    completion.sandbox.as_deref().unwrap()
}

#[tokio::test]
async fn a_step_sees_its_workspace_and_nothing_else_of_the_machine() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "x").unwrap();
    let step = format!(
        "test ! -e {0} && test ! -e \"$PWD/../..\"/repositories && test \"$HOME\" = /run/spalla/home && \
         test ! -e /var/lib && ! (echo x > /etc/spalla-trial) 2>/dev/null && pwd > made",
        secret.display()
    );
    let (site, completion) = ended(recipe(&format!("steps: [{step:?}]")), |_| {}).await;
    assert!(completion.success, "{completion:?}");
    let workspace = site.data().join("scratchpads/item-1/run-1-1");
    let made = std::fs::read_to_string(workspace.join("made")).unwrap();
    assert_eq!(made.trim(), workspace.canonicalize().unwrap().to_str().unwrap(), "the same path inside");
}

#[tokio::test]
async fn a_run_attests_which_walls_stood_around_its_steps() {
    let (_, completion) = ended(recipe("steps: ['true', 'true']"), |_| {}).await;
    let walls = attested(&completion);
    assert_eq!((walls.preset.as_str(), walls.policy_hash.len()), ("strict", 64));
    let names: Vec<&str> = walls.layers.iter().map(|layer| layer.layer.as_str()).collect();
    assert_eq!(names, ["namespaces", "landlock", "seccomp", "privileges", "cgroup", "disk"]);
    assert_eq!(walls.layers[0].state, LayerState::Enforced);
    assert_eq!(walls.others, []);
    let policy = walls.policy.as_ref().unwrap();
    assert_eq!((policy.hash(), walls.check()), (walls.policy_hash.clone(), Ok(())));
    let told: Policy = serde_json::from_str(&policy.canonical()).unwrap();
    assert_eq!((told.preset, told.network), (Preset::Strict, Network::None));
}

#[tokio::test]
async fn a_step_has_network_only_where_its_tool_says_so() {
    let yaml = "tools: [{name: git, network: true}]\n\
                steps: [{run: 'readlink /proc/self/ns/net', uses: [git]}, {run: 'readlink /proc/self/ns/net'}]";
    let (site, completion) = ended(recipe(yaml), |_| {}).await;
    assert!(completion.success, "{completion:?}");
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let seen = site.fake.lines(1.into(), Stream::Stdout);
    assert_eq!(seen[0], own.display().to_string());
    assert_ne!(seen[1], own.display().to_string());
    let walls = attested(&completion);
    assert_eq!(walls.preset, "open-net", "the weakest counts");
    assert_eq!(walls.others.len(), 1, "{walls:?}");
    assert_eq!(walls.others[0].preset, "strict");
}

#[tokio::test]
async fn what_commands_used_of_the_machine_stands_beside_their_walls() {
    let counts = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; head -c 3000000 /dev/zero > big";
    let (_, completion) = ended(recipe(&format!("steps: ['{counts}', '{counts}2']")), |_| {}).await;
    assert!(completion.success, "{completion:?}");
    let used = attested(&completion).used.unwrap();
    assert!(used.cpu_ms.is_some_and(|ms| ms > 0), "{used:?}");
    assert!(used.memory_bytes.is_some_and(|bytes| bytes > 100_000), "{used:?}");
    assert!(used.disk_bytes.is_some(), "{used:?}");
}

#[tokio::test]
async fn a_refused_host_stands_in_the_log_and_in_the_result() {
    let yaml = "tools: [{name: git, network: true}]\nsteps: ['git ls-remote http://refused.test/x.git']";
    let (site, completion) =
        ended(recipe(yaml), |options| options.sandbox.hosts = vec!["allowed.test".into()]).await;
    assert!(!completion.success);
    let said = site.fake.lines(1.into(), Stream::System).join("\n");
    assert!(said.contains("step 1 was refused a host: refused.test:80"), "{said}");
    let result: serde_json::Value = serde_json::from_str(completion.result.as_ref().unwrap().get()).unwrap();
    assert!(
        result["steps"][0]["refused_hosts"][0].as_str().unwrap().starts_with("refused.test:80"),
        "{result}"
    );
    let walls = attested(&completion);
    assert_eq!((walls.preset.as_str(), walls.refused_hosts.len()), ("build", 1));
}

#[tokio::test]
async fn a_refused_host_is_told_of_while_the_run_goes_on_and_once() {
    let site = Site::new();
    let asks = "git ls-remote http://refused.test/x.git || true";
    let yaml = format!(
        "tools: [{{name: git, network: true}}]\nsteps: ['{asks}; {asks}', '{asks}; until test -e on; do sleep 0.01; done']"
    );
    let run = site.fake.add(recipe(&yaml));
    let mut worker = site.start_with(|options| options.sandbox.hosts = vec!["allowed.test".into()]);
    site.fake.until("the host is told of", |state| state.refused_hosts.first().map(|_| ())).await;
    assert!(site.fake.state().runs[&run].completion.is_none(), "the run goes on");
    let workspace = site.data().join("scratchpads/item-1/run-1-1");
    std::fs::write(workspace.join("on"), "").unwrap();
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    assert!(completion.success, "{completion:?}");
    let told: Vec<_> =
        site.fake.state().refused_hosts.iter().map(|(run, host)| (*run, host.name())).collect();
    assert_eq!(told, [(run, "refused.test:80".to_owned())]);
}

#[tokio::test]
async fn a_host_gets_the_credential_that_a_step_behind_a_proxy_never_holds() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let (mut client, _) = listener.accept().unwrap();
        let lines = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        client.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
        head
    });
    let yaml = format!(
        "tools: [{{name: git, network: true}}]\n\
         steps: [{{run: 'git ls-remote http://{at}/x.git || echo \"$SPALLA_TRIAL_KEY\"', uses: [git]}}, \
         {{run: 'echo \"none: $SPALLA_TRIAL_KEY\"'}}]"
    );
    let secret = ("SPALLA_TRIAL_KEY".to_owned(), "sk-what-nobody-may-know".to_owned());
    let (site, completion) = ended(recipe(&yaml), |options| {
        let words = [format!("{at}=SPALLA_TRIAL_KEY")];
        options.sandbox.inject = Injection::read_all(&words, &mut Vec::new()).unwrap();
        options.sandbox.credentials = HostCredentials::of(&options.sandbox.inject, [secret]);
    })
    .await;
    assert!(completion.success, "{completion:?}");
    let heard = heard.join().unwrap();
    assert!(heard.contains(&"authorization: Bearer sk-what-nobody-may-know".to_owned()), "{heard:?}");
    // A step without network has nobody to show it to, and not even the placeholder.
    assert_eq!(site.fake.lines(1.into(), Stream::Stdout), ["spalla-injected", "none: "]);
    let attested = serde_json::to_string(attested(&completion)).unwrap();
    let told = format!("a gateway to {at} with the credential of SPALLA_TRIAL_KEY");
    assert!(attested.contains(&told) && !attested.contains("sk-what"), "{attested}");
}

#[tokio::test]
async fn without_walls_a_run_says_so_and_is_still_ended_whole() {
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("file");
    let step = format!("echo x > {}; (setsid sleep 1000 &); true", file.display());
    let none = |options: &mut Options| options.sandbox.preset = Some(Preset::None);
    let (site, completion) = ended(recipe(&format!("steps: [{step:?}]")), none).await;
    assert!(completion.success && file.exists(), "{completion:?}");
    let walls = attested(&completion);
    assert_eq!(walls.preset, "none");
    assert!(walls.layers.iter().all(|layer| layer.state == LayerState::Off), "{walls:?}");
    let said = site.fake.lines(1.into(), Stream::System).join("\n");
    assert!(said.contains("a process that it left behind was ended"), "{said}");
}

#[tokio::test]
async fn a_wall_that_can_not_stand_ends_the_run_with_its_name_and_what_to_do() {
    // What a supervisor tells on a kernel without Landlock.
    let word = r#"{"refused":{"layer":"landlock","reason":"the kernel does not have it","mend":"use a newer kernel"}}"#;
    let lacking = Supervisor {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), format!("echo '{word}' >&0; cat >&2")],
    };
    let (site, completion) = ended(recipe("steps: [echo ran]"), |options| options.supervisor = lacking).await;
    let error = completion.error.clone().unwrap();
    assert_eq!(error.class, ErrorClass::Validation, "it is not tried again");
    for words in
        ["the layer landlock of the sandbox is missing", "use a newer kernel", "sandbox.allow_degraded"]
    {
        assert!(error.message.contains(words), "{error:?}");
    }
    assert_eq!(site.fake.lines(1.into(), Stream::Stdout), Vec::<String>::new());
    let walls = attested(&completion);
    assert_eq!((walls.layers[0].layer.as_str(), walls.layers[0].state), ("landlock", LayerState::Off));
}

#[tokio::test]
async fn walls_that_hold_nothing_are_not_relied_on() {
    let distrust = |options: &mut Options| drop(options.distrust.set("escapes that worked: tcp4".into()));
    let (_, completion) = ended(recipe("steps: [echo ran]"), distrust).await;
    let error = completion.error.unwrap();
    assert!(
        error.class == ErrorClass::Validation && error.message.contains("escapes that worked: tcp4"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_step_that_reaches_a_limit_fails_by_its_name() {
    let step = "for i in 1 2 3 4; do head -c 7000000 /dev/zero > large-$i; done; sleep 60";
    let small = |options: &mut Options| options.sandbox.limits.disk_mb = 8;
    let (_, completion) = ended(recipe(&format!("steps: [{step:?}]")), small).await;
    let error = completion.error.unwrap();
    assert!(error.message.contains("reached its limit of disk: 8 MiB"), "{error:?}");
}

#[tokio::test]
async fn of_all_who_limit_a_run_the_smallest_holds_and_the_record_says_whose_it_is() {
    let limits = |said: &[(Limit, u64)]| Limits(said.iter().copied().collect());
    let said = vec![
        Said {
            source: Source::Project,
            limits: limits(&[(Limit::Processes, 40), (Limit::MemoryMb, 9_000), (Limit::OutputBytes, 300)]),
        },
        Said { source: Source::Item, limits: limits(&[(Limit::Processes, 30), (Limit::LineBytes, 256)]) },
    ];
    let yaml = "steps: ['head -c 1000 /dev/zero | tr \\\\0 x; echo', 'seq 1000']";
    let wanted = Wanted { limits: said, ..recipe(yaml) };
    let (site, completion) = ended(wanted, |options| options.sandbox.limits.memory_mb = 512).await;
    assert!(completion.success, "{completion:?}");
    let out = site.fake.lines(1.into(), Stream::Stdout);
    assert!(out[0].len() <= 256 && out[0].contains("at most 256 are kept"), "{out:?}");
    let system = site.fake.lines(1.into(), Stream::System).join("\n");
    assert!(system.contains("a run keeps at most 300 bytes"), "{system}");
    assert!(system.contains("limits: memory_mb 512 (operator), processes 30 (item)"), "{system}");
    let walls = attested(&completion);
    let told: Policy = serde_json::from_str(&walls.policy.as_ref().unwrap().canonical()).unwrap();
    assert_eq!((told.limits.processes, told.limits.memory_mb), (30, 512));
    let whose = |limit: Limit| walls.limits.0[&limit].source;
    assert_eq!(
        [Limit::Processes, Limit::MemoryMb, Limit::OutputBytes].map(whose),
        [Source::Item, Source::Operator, Source::Project,]
    );
}

#[tokio::test]
async fn what_the_operator_says_of_an_agent_limits_its_runs_alone() {
    let limits = || Limits([(Limit::Processes, 30)].into());
    let change = |options: &mut Options| {
        options.sandbox.agent_limits = [("surveyor".to_owned(), limits())].into();
    };
    let wanted = Wanted { executor: Executor::Agent, agent: Some("surveyor"), ..Wanted::default() };
    let (_, completion) = ended(wanted, change).await;
    let of_agent = completion.sandbox.as_deref().map(|walls| walls.limits.0[&Limit::Processes].source);
    assert_eq!(of_agent.unwrap_or(Source::Agent), Source::Agent, "{completion:?}");
    let (_, completion) = ended(recipe("steps: ['ulimit -u']"), change).await;
    assert_eq!(attested(&completion).limits.0[&Limit::Processes].source, Source::Operator);
}
