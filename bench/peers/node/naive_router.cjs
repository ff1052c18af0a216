// The plain way to match triggers, as a Node tool would write it: `includes` for each keyword and a fresh RegExp for each pattern
// and prompt; and the same with expressions that are compiled once. naive_router.cjs COUNT…
// DUMP=FOLDER keeps the agents there, so that others measure over the same.
const fs = require("node:fs");

const WORDS =
  "fix test deploy docker auth login parse schema index cache react rust async retry queue stream token image form button query invoice order user admin report metric trace config kernel lint format merge branch release backup secret proxy socket thread".split(
    " ",
  );
const PROMPTS = [
  "Fix the failing login test in tests/auth_test.py and explain the cause",
  "Write a Dockerfile for the billing service, then deploy0 the image to staging",
  "Add rate limiting to the POST /orders endpoint and document the retry policy for clients",
  "Upgrade react18 and rewrite the form fixa1 file with hooks; keep the public API",
  "In src/net/client.rs the reconnect loop sleeps forever after the third failure. Please find the reason, fix it, and add a regression test that fails without the fix",
];

let seed = 42;
function below(end) {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % end;
}
const word = () => WORDS[below(WORDS.length)] + below(997).toString(36);

function makeAgents(count) {
  return Array.from({ length: count }, () => ({
    kw: Array.from({ length: 8 }, (_, place) => (place < 6 ? word() : `${word()} ${word()}`)),
    re: [`\\b${word()}\\s+(the\\s+)?${WORDS[below(WORDS.length)]}\\b`, `${word()}[-_ ]?(v\\d+|file|service)`],
  }));
}

function best(agents, expressions, prompt) {
  const text = prompt.toLowerCase();
  let found = -1;
  let score = 0;
  agents.forEach((agent, number) => {
    let own = 0;
    for (const keyword of agent.kw) if (text.includes(keyword)) own += 1;
    for (const expression of expressions(number, agent)) if (expression.test(prompt)) own += 2;
    if (own > score) [score, found] = [own, number];
  });
  return found;
}

function measure(agents, peer, expressions) {
  const rounds = agents.length >= 20000 ? 4 : agents.length >= 2000 ? 12 : 60;
  for (const prompt of PROMPTS) best(agents, expressions, prompt);
  const before = process.cpuUsage();
  const times = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const prompt of PROMPTS) {
      const start = process.hrtime.bigint();
      best(agents, expressions, prompt);
      times.push(Number(process.hrtime.bigint() - start) / 1e3);
    }
  }
  const used = process.cpuUsage(before);
  times.sort((one, other) => one - other);
  const at = (share) => Math.round(times[Math.floor(times.length * share)] * 10) / 10;
  const cpu = Math.round(((used.user + used.system) / times.length) * 10) / 10;
  const figure = { metric: "router", peer, agents: agents.length, cpu_mean_us: cpu, p50_us: at(0.5), p99_us: at(0.99) };
  console.log(JSON.stringify(figure));
}

for (const count of process.argv.slice(2).map(Number)) {
  const agents = makeAgents(count);
  if (process.env.DUMP) fs.writeFileSync(`${process.env.DUMP}/agents_${count}.json`, JSON.stringify(agents));
  const compiled = agents.map((agent) => agent.re.map((pattern) => new RegExp(pattern, "i")));
  measure(agents, "node-naive", (_, agent) => agent.re.map((pattern) => new RegExp(pattern, "i")));
  measure(agents, "node-precompiled", (number) => compiled[number]);
}
