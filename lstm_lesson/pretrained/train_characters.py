"""Train the book's character model: ``python -m lstm_lesson.pretrained.train_characters``.

Ten minutes on one core. The text is the source of the pinned networkx, tests left out; of its files
a tenth is held out, chosen by a digest of their names. Introduced in chapter 12.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import platform
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_lesson import interop
from lstm_lesson.engine import files
from lstm_lesson.engine.layers import LSTM, Linear
from lstm_lesson.pretrained import characters

PACKAGE, VERSION, LICENCE = "networkx", "3.6.1", "BSD-3-Clause"
DIGEST = "ba4c765f7d4dd22789d4c586c6c8bdcaea2a0b0df65698afa4bde8a5fb0b86c1"
SAMPLE = (
    "algorithms/bridges.py",
    "algorithms/isomorphism/tree_isomorphism.py",
    "utils/union_find.py",
)


class Corpus(NamedTuple):
    """The text, by use."""

    train: str
    held_out: str
    sample: str  # the part of what is held out that ships with the book


class Plan(NamedTuple):
    """How the model is trained."""

    hidden_size: int = 128
    steps: int = 9000
    batch_size: int = 32  # places of the text that are read side by side
    length: int = 100  # characters between two updates; the state is carried on
    restart: float = 0.05  # share of the states that start again from zero at an update
    lr: float = 4e-3  # at the start; falls to zero along half a cosine
    clip: float = 1.0
    seed: int = 0


def corpus() -> Corpus:
    """Return the text; raise ValueError if it isn't that of the version that is pinned."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise ValueError(f"expected {PACKAGE} {VERSION}, got none: pip install {PACKAGE}")
    root, parts = Path(spec.origin).parent, {True: [], False: []}
    digest, sample = hashlib.sha256(), []
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        if "tests" in name.split("/"):
            continue
        data = path.read_bytes()
        digest.update(name.encode() + b"\0" + data)
        text = _known(data.decode())
        parts[hashlib.sha256(name.encode()).digest()[0] % 10 == 0].append(text)
        sample += [text] if name in SAMPLE else []
    if digest.hexdigest() != DIGEST:
        raise ValueError(
            f"{root}: expected the files of {PACKAGE} {VERSION}, sha256 {DIGEST}, "
            f"got {digest.hexdigest()}"
        )
    return Corpus(*("".join(texts) for texts in (parts[False], parts[True], sample)))


def _known(text: str) -> str:
    """Return a text with a question mark for each character that the model doesn't know."""
    return "".join(characters.ALPHABET[n] for n in characters.encode(text)) if text else ""


def baselines(train: str, text: str) -> dict[str, float]:
    """Return nats a character of `text` by counts of single characters and of pairs in `train`.

    To every count is added 1 for a character and 0.1 for a pair.
    """
    V, a, b = len(characters.ALPHABET), characters.encode(train), characters.encode(text)
    single = np.bincount(a, minlength=V) + 1.0
    pairs = np.bincount(V * a[:-1] + a[1:], minlength=V * V).reshape(V, V) + 0.1
    log_p, log_pair = np.log(single / single.sum()), np.log(pairs / pairs.sum(1, keepdims=True))
    return {
        "uniform": float(np.log(V)),
        "unigram": float(-log_p[b[1:]].mean()),
        "bigram": float(-log_pair[b[:-1], b[1:]].mean()),
    }


def train(plan: Plan, text: str, report=print) -> tuple[LSTM, Linear]:
    """Return a layer and a head trained on a text, with their numbers rounded to float16."""
    import torch

    torch.set_num_threads(1)
    rng, V = np.random.default_rng(plan.seed), len(characters.ALPHABET)
    layer = LSTM(V, plan.hidden_size, dtype=np.float32, rng=rng)
    head = Linear(plan.hidden_size, V, dtype=np.float32, rng=rng)
    lstm, linear = interop.to_torch(layer), torch.nn.Linear(plan.hidden_size, V)
    with torch.no_grad():
        for name, p in head.parameters().items():
            getattr(linear, name).copy_(torch.from_numpy(p))
    lstm.bias_hh_l0.requires_grad_(False)  # only ever added to the other: one is enough
    codes = torch.from_numpy(characters.encode(text))
    eye, N, T = torch.eye(V), plan.batch_size, plan.length
    trained = [p for p in (*lstm.parameters(), *linear.parameters()) if p.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=plan.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, plan.steps)
    at = torch.from_numpy(rng.integers(len(codes), size=N))  # where each reads
    state = (torch.zeros(1, N, plan.hidden_size), torch.zeros(1, N, plan.hidden_size))
    losses = []
    for step in range(1, plan.steps + 1):
        again = torch.from_numpy(rng.random(N) < plan.restart)
        at = torch.where(again, torch.from_numpy(rng.integers(len(codes), size=N)), at)
        state = tuple(part * ~again[:, None] for part in state)
        window = codes[(at + torch.arange(T + 1)[:, None]) % len(codes)]  # (T + 1, N)
        output, state = lstm(eye[window[:-1]], state)
        logits = linear(output).reshape(-1, V)
        loss = torch.nn.functional.cross_entropy(logits, window[1:].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, plan.clip)
        optimiser.step()
        schedule.step()
        at, state = at + T, tuple(part.detach() for part in state)
        losses.append(loss.item())
        if step % 500 == 0:
            report(f"step {step}: {np.mean(losses[-500:]):.4f} nats a character")
    layer = interop.from_torch(lstm)
    for name, p in head.parameters().items():
        p[...] = getattr(linear, name).detach().numpy()
    for p in characters.names(layer, head).values():
        p[...] = p.astype(np.float16)
    return layer, head


def main(argv: list[str] | None = None) -> None:
    """Train the model, measure it on text it hasn't seen, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", default=characters.WEIGHTS, help="default: the shipped file")
    parser.add_argument("--steps", type=int, default=Plan().steps, help="default %(default)s")
    args = parser.parse_args(argv)
    plan, text, start = Plan(steps=args.steps), corpus(), time.perf_counter()
    layer, head = train(plan, text.train)
    minutes = (time.perf_counter() - start) / 60
    model, losses = characters.CharacterModel(layer, head, {}), {}
    for part in ("held_out", "sample"):
        own = getattr(text, part)
        scores = {"model": model.loss(own)} | baselines(text.train, own)
        losses[part] = {name: round(value, 4) for name, value in scores.items()}
    import torch

    versions = {"python": platform.python_version(), "numpy": np.__version__}
    about = {
        "source": f"{PACKAGE} {VERSION}, its Python files without tests, sha256 {DIGEST}",
        "licence": f"{LICENCE}, see characters_licence.txt",
        "characters": {"train": len(text.train), "held_out": len(text.held_out)},
        "nats_per_character": losses,
        "versions": versions | {"torch": torch.__version__.split("+")[0]},
        **plan._asdict(),
    }
    arrays = characters.names(layer, head)
    files.save(args.output, {k: p.astype(np.float16) for k, p in arrays.items()}, about)
    print(f"{args.output}: {losses}, {minutes:.1f} minutes")


if __name__ == "__main__":
    main()
