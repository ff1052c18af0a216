//! What another turn of a living process costs beside the first turn of a new one: processor time of the whole tree, with the
//! same task and nothing of the turn before in the context.

use crate::world::World;
use crate::{CLIS, Work, is_over, opening, ways};
use serde_json::json;
use spalla_adapter::command_line::Guard;
use spalla_adapter::heard::{Heard, TurnEnd};

/// How many processes are begun.
const PROCESSES: u32 = 3;
/// How many further turns each of them takes.
const TURNS: u32 = 5;
/// In which the kernel counts for everybody outside of it, in milliseconds.
const TICK_MS: u64 = 10;

/// Returns the processor time of a process, of all that it started, and of those that are gone, in milliseconds.
fn cpu_ms(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name stands in brackets and may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let own: u64 = fields.iter().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|ids| ids.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect();
    own * TICK_MS + children.into_iter().map(cpu_ms).sum::<u64>()
}

async fn take_turn(work: &mut Work, name: &str) {
    work.heard.clear();
    work.say().await;
    assert!(work.until(is_over).await, "{name}");
    assert_eq!(work.heard.last(), Some(&Heard::Over(TurnEnd::Completed)), "{name}: {:?}", work.heard);
}

#[tokio::test]
async fn another_turn_of_a_living_process_takes_less_than_the_first_of_a_new_one() {
    for name in CLIS {
        let acts = json!([
            { "write": { "path": "hello.txt", "text": "hello\n", "replaces": true } },
            { "say": "It is written." },
        ]);
        let world = World::of_acts(acts);
        let ways = ways(&world, name).await;
        let (mut cold, mut warm) = (0, 0);
        for _ in 0..PROCESSES {
            let mut work = Work::begin(&world, &ways[0], Guard::Bypass);
            let id = work.child.id().unwrap();
            take_turn(&mut work, name).await;
            let first = cpu_ms(id);
            for _ in 0..TURNS {
                let _ = std::fs::remove_file(world.work().join("hello.txt"));
                work.listener.speak(opening(&world, Guard::Bypass, "Do it."));
                take_turn(&mut work, name).await;
            }
            cold += first;
            warm += cpu_ms(id) - first;
            work.end(&world).await;
        }
        let (cold, warm) = (
            f64::from(u32::try_from(cold).unwrap()) / f64::from(PROCESSES),
            f64::from(u32::try_from(warm).unwrap()) / f64::from(PROCESSES * TURNS),
        );
        println!("{name}: cold {cold:.0} ms, warm {warm:.0} ms, {:.1}x", cold / warm);
        assert!(warm * 1.25 < cold, "{name}: cold {cold} ms, warm {warm} ms");
    }
}
