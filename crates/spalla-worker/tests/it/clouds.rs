//! Runs of work items that speak of a cloud: what they lack is asked once, reaches the steps, and is seen nowhere.

use crate::fake::{Wanted, recipe};
use crate::site::Site;
use spalla_domain::log::Stream;

#[tokio::test]
async fn the_keys_of_a_cloud_are_asked_for_once_and_seen_in_no_log() {
    let site = Site::new();
    let values = [
        ("AWS_ACCESS_KEY_ID", "AKIA-CANARY-1"),
        ("AWS_SECRET_ACCESS_KEY", "canary/secret+2"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
    ];
    let answers = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    site.fake.change(|state| state.answers = answers);
    let step = "printf '%s|%s|%s' $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_DEFAULT_REGION | cksum; \
                echo key $AWS_ACCESS_KEY_ID; printf '%s' $AWS_SECRET_ACCESS_KEY | base64 >&2";
    let run = site.fake.add(Wanted { title: "Deploy to AWS", ..recipe(&format!("steps: [{step:?}]")) });
    let mut worker = site.start();
    let completion = site.fake.ended(run).await;
    worker.stop().await;

    assert!(completion.success, "{completion:?}");
    let asked = site.fake.state().asked.clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1, values.map(|(name, _)| name));
    let (out, err) = (site.fake.lines(run, Stream::Stdout), site.fake.lines(run, Stream::Stderr));
    // The checksum says that the step had the values; what it printed of them is masked, also encoded.
    assert!(out[0].ends_with(" 42"), "{out:?}");
    assert_eq!(out[1], "key [redacted:AWS_ACCESS_KEY_ID]");
    assert_eq!(err, ["[redacted:AWS_SECRET_ACCESS_KEY]"]);
    let said = site.fake.lines(run, Stream::System).join("\n");
    assert!(said.contains("info request 1 asks for AWS_ACCESS_KEY_ID"), "{said}");
    assert!(!said.contains("canary") && !said.contains("CANARY"), "{said}");
}

#[tokio::test]
async fn a_key_that_is_a_file_is_in_the_memory_of_the_command_alone() {
    let site = Site::new();
    let answers = [("KUBECONFIG_CONTENT".to_owned(), "clusters: []".to_owned())].into();
    site.fake.change(|state| state.answers = answers);
    let step = "stat -c '%a' $KUBECONFIG; wc -c < $KUBECONFIG; echo $KUBECONFIG";
    let run = site.fake.add(Wanted { title: "roll out to k8s", ..recipe(&format!("steps: [{step:?}]")) });
    let mut worker = site.start();
    let completion = site.fake.ended(run).await;
    worker.stop().await;

    assert!(completion.success, "{completion:?}");
    let out = site.fake.lines(run, Stream::Stdout);
    assert_eq!(out[..2], ["600", "12"]);
    assert_eq!(out[2], "/run/spalla/secrets/KUBECONFIG_CONTENT");
    assert!(!std::path::Path::new(&out[2]).exists() && !site.data().join("credentials").exists());
}

#[tokio::test]
async fn a_run_that_speaks_of_no_cloud_asks_nothing() {
    let site = Site::new();
    let run = site.fake.add(Wanted { title: "draw laws", ..recipe("steps: ['true']") });
    let mut worker = site.start();
    assert!(site.fake.ended(run).await.success);
    worker.stop().await;
    assert_eq!(site.fake.state().asked.len(), 0);
}
