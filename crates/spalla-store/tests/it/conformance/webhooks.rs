//! Webhooks: how many are kept, whoever makes them.

use crate::fixture::Fixture;
use futures_util::future::join_all;
use spalla_domain::EventSeq;
use spalla_domain::problem::Code;
use spalla_domain::webhook::{NewWebhook, Spec, WEBHOOKS_MAX};
use spalla_store::{Command, ExecuteError};

crate::fixture::claims!(no_more_are_kept_than_there_may_be_also_when_many_are_made_at_once);

fn make() -> Command {
    let spec = Spec {
        url: "http://hooks.example.org/".into(),
        events: vec!["*".into()],
        project_id: None,
        enabled: false,
        template: None,
        name: None,
    };
    let sealed_secret = "sealed".into();
    Command::CreateWebhook(Box::new(NewWebhook { spec, sealed_secret, after: EventSeq(0), made_with: None }))
}

async fn no_more_are_kept_than_there_may_be_also_when_many_are_made_at_once(f: Fixture) {
    let other = f.second_server().await;
    let wishes = (0..WEBHOOKS_MAX + 20).map(|n| {
        let store = if n % 2 == 0 { &f.store } else { &other };
        store.execute(make())
    });
    let answers = join_all(wishes).await;
    let refused = |answer: &Result<_, ExecuteError>| match answer {
        Ok(_) => false,
        Err(ExecuteError::Refused(refusal)) => refusal.code == Code::TooManyWebhooks,
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(answers.iter().filter(|answer| refused(answer)).count(), 20);
    assert_eq!(f.refused(make()).await, Code::TooManyWebhooks);
    f.granted(Command::RemoveWebhook { id: 1.into() }).await;
    f.granted(make()).await;
}
