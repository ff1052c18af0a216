//! Hosts that a run's proxy refused, as its worker reports them while the run goes on.

use crate::world::World;
use serde_json::{Value, json};

fn report(token: i64, hosts: &[(&str, u16)]) -> Value {
    let host = |(host, port): &(&str, u16)| json!({"host": host, "port": port, "reason": "not on the list"});
    json!({"fencing_token": token, "hosts": hosts.iter().map(host).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_report_of_hosts_that_does_not_fit_is_refused_by_its_name() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/refused-hosts");
    let mut odd = report(token, &[("a.test", 443)]);
    odd["hosts"][0]["port"] = json!(65_536);
    assert_eq!(world.post(&path, odd).await.invalid(), ["hosts[0].port"]);
    let many = vec![("a.test", 443); 257];
    world.post(&path, report(token, &many)).await.problem(422, "invalid");
    world.post("/work-items/runs/99/refused-hosts", report(token, &[])).await.problem(404, "not_found");
}
