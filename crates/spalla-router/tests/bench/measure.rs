//! Time, work and memory of this process, as the system tells them.

use std::time::Instant;

/// What many calls took.
pub(crate) struct Taken {
    /// Processor time of one call, in microseconds.
    pub(crate) cpu_us: f64,
    /// Of the calls, the middle one and the 99th of a hundred, in microseconds.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Calls something so many times, after a tenth of it to warm up.
pub(crate) fn measure(times: usize, mut call: impl FnMut(usize)) -> Taken {
    (0..times / 10).for_each(&mut call);
    let mut each = Vec::with_capacity(times);
    let before = cpu_ns();
    for number in 0..times {
        let started = Instant::now();
        call(number);
        each.push(started.elapsed().as_nanos() as f64 / 1e3);
    }
    let cpu_us = (cpu_ns() - before) as f64 / 1e3 / times as f64;
    each.sort_by(f64::total_cmp);
    Taken { cpu_us: round(cpu_us), p50_us: round(each[times / 2]), p99_us: round(each[times * 99 / 100]) }
}

/// Calls something so many times between two looks at the clock, for what is shorter than a look.
pub(crate) fn measure_together(times: usize, mut call: impl FnMut(usize)) -> f64 {
    (0..times / 10).for_each(&mut call);
    let mut rounds: Vec<f64> = (0..9)
        .map(|_| {
            let before = cpu_ns();
            (0..times).for_each(&mut call);
            (cpu_ns() - before) as f64 / 1e3 / times as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    round(rounds[4])
}

pub(crate) fn round(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

/// Returns the processor time of this thread, in nanoseconds.
pub(crate) fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the scheduler's figures");
    text.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}

/// Returns how much memory this process has now, and had at most, in MB.
pub(crate) fn memory_mb() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/self/status").expect("this process");
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).expect("a field");
        let kb: f64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
        round(kb * 1024.0 / 1e6)
    };
    (field("VmRSS:"), field("VmHWM:"))
}

pub(crate) fn say(figure: &serde_json::Value) {
    println!("{figure}");
}
