"""One run of chapter 19: a network learns to predict a text, and where its bits go.

A run reads the King James Bible by truncated backpropagation through time: 32 places of the text
side by side, a piece of each at a step, the state carried from one piece to the next. Now and then
a place moves and starts from zeros, as the test does; without that, many networks fail from zeros.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice
from lstm_lesson.engine.layers import GRU, LSTM, RNN, Linear
from lstm_lesson.tasks.datasets import Split, bible, by_book, by_chapter
from lstm_lesson.training.batches import Stream
from lstm_lesson.training.language import ALPHABET, encode, surprise
from lstm_lesson.training.loop import Run
from lstm_lesson.training.losses import softmax_cross_entropy
from lstm_lesson.training.models import Batch, SequenceModel
from lstm_lesson.training.optim import Adam, CosineSchedule

LAYERS = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}
SPLITS = {"chapters": by_chapter, "books": by_book}  # what is held out whole
BATCH, CLIP = 32, 1.0
READ = 60_000  # characters at the beginning of the training and validation texts that are measured
CHECKS = 8  # validations in a run


class SpecText(NamedTuple):
    """All that decides the outcome of a run, on one processor to the last digit."""

    arm: str  # what is compared, by name
    task: str  # what is held out whole, "chapters" or "books"
    layer: str  # a name in `LAYERS`
    hidden_size: int
    num_layers: int
    dropout: float  # between layers
    forget_bias: float  # initial bias of an LSTM's forget gate; others have none
    share: float  # of the training text, from its beginning, that is used
    restart: float  # share of the places that move and start from zeros, at each step
    lr: float  # of Adam at the start; falls to zero along half a cosine
    T: int  # characters of a piece
    steps: int
    seed: int


class OutcomeText(NamedTuple):
    """What a run came to; losses are in bits a character, of the network after its last step."""

    parameters: int
    status: str  # "ok", or "diverged" if a loss or gradient was no longer finite
    sequences: int  # characters read in training, counted each time
    train: float  # on the first `READ` characters of the training text
    validation_loss: float  # and of the validation text
    test: float
    first: float  # on the test text, by kind of the character that is predicted
    later: float
    space: float
    bracket: float
    digit: float
    other: float
    curve: str  # validation at each eighth of the run, spaces between

    @property
    def solved_at(self) -> int:
        """Return 0, for never: a text is not solved, and runs are ranked by their losses alone."""
        return 0

    @property
    def solved(self) -> bool:
        """Return False: see `solved_at`."""
        return False


def kinds(text: str) -> dict[str, np.ndarray]:
    """Return which characters of a text are of each kind, (T,) bools; each is of one.

    First and later letters of words, spaces and ends of lines, closing square brackets, digits, and
    all others.
    """
    letter = np.array([c.isalpha() for c in text])
    after_letter = np.concatenate([[False], letter[:-1]])
    found = {
        "first": letter & ~after_letter,
        "later": letter & after_letter,
        "space": np.array([c in " \n" for c in text]),
        "bracket": np.array([c == "]" for c in text]),
        "digit": np.array([c.isdigit() for c in text]),
    }
    return found | {"other": ~np.any([*found.values()], axis=0)}


def by_kind(bits: np.ndarray, text: str) -> dict[str, float]:
    """Return the mean of (T - 1,) bits, of all characters of a text but the first, by kind."""
    return {kind: float(bits[which[1:]].mean()) for kind, which in kinds(text).items()}


@functools.cache
def texts(held_out: str) -> Split:
    """Return the Bible, of which chapters or whole books are held out."""
    return SPLITS[check_choice("task", held_out, SPLITS)](bible())


def generators(spec: SpecText) -> list[np.random.Generator]:
    """Return where the first weights, the places that are read and dropout come from."""
    return [np.random.default_rng(seed) for seed in np.random.SeedSequence(spec.seed).spawn(3)]


def untrained(spec: SpecText) -> SequenceModel:
    """Return the network of a run before its first step, in float32."""
    rng, V = generators(spec)[0], len(ALPHABET)
    kind = LAYERS[check_choice("layer", spec.layer, LAYERS)]
    options = {"num_layers": spec.num_layers, "dropout": spec.dropout}
    options |= {"forget_bias": spec.forget_bias} if kind is LSTM else {}
    layer = kind(V, spec.hidden_size, dtype=np.float32, rng=rng, **options)
    head = Linear(spec.hidden_size, V, dtype=np.float32, rng=rng)
    return SequenceModel(layer, head, softmax_cross_entropy)


def bits(model: SequenceModel, text: str) -> np.ndarray:
    """Return the bits of each character of a text but the first, (T - 1,), the state carried.

    Of a network whose numbers have overflowed they are infinite.
    """
    found = surprise(model.layer, model.head, encode(text)) / math.log(2)
    return np.where(np.isnan(found), np.inf, found)


def train(spec: SpecText) -> tuple[SequenceModel, bool, list[float]]:
    """Return the trained network, whether all was finite, and the validation losses on the way."""
    text, model, (_, places, dropout) = texts(spec.task), untrained(spec), generators(spec)
    read, vectors = encode(text.train), np.eye(len(ALPHABET), dtype=np.float32)
    if not 0 < spec.share <= 1:
        raise ValueError(f"share: expected above 0 and at most 1, got {spec.share}")
    source = Stream(
        read[: int(spec.share * len(read))],
        lambda piece: Batch(vectors[piece[:-1]], piece[1:]),  # (T, N, V) and (T, N)
        batch_size=BATCH, length=spec.T, restart=spec.restart, rng=places,
    )  # fmt: skip
    run = Run(
        model, source, optimiser=Adam(spec.lr), steps=spec.steps, clip=CLIP, may_diverge=True,
        rng=dropout, schedule=CosineSchedule(spec.lr, spec.steps),
        validate_every=-(-spec.steps // CHECKS),
        validation=lambda model: float(bits(model, text.validation[:READ]).mean()),
    )  # fmt: skip
    with np.errstate(all="ignore"):
        run.train()
    return model, not run.diverged, run.losses


def run(spec: SpecText) -> OutcomeText:
    """Train and test one network; a run whose numbers overflow is an outcome, not an error."""
    text = texts(spec.task)
    model, finite, losses = train(spec)
    with np.errstate(all="ignore"):
        tested = bits(model, text.test)
        train_bits = float(bits(model, text.train[:READ]).mean())
    return OutcomeText(
        parameters=model.layer.num_parameters + model.head.num_parameters,
        status="ok" if finite else "diverged",
        sequences=BATCH * spec.T * spec.steps,
        train=train_bits,
        validation_loss=losses[-1] if finite else math.inf,
        test=float(tested.mean()),
        **by_kind(tested, text.test),
        curve=" ".join(f"{loss:.4f}" for loss in losses),
    )
