"""The trained character model that ships with the book: an LSTM that reads Python source.

It was trained by ``python -m lstm_lesson.pretrained.train_characters`` on the source files of
networkx, which are free under the BSD licence beside the weights. Introduced in chapter 12.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import files
from lstm_lesson.engine.layers import LSTM, Linear
from lstm_lesson.inspect.tracing import LSTMTrace, trace
from lstm_lesson.training.losses import softmax_cross_entropy

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))  # V = 96
PROPERTIES = (  # of a character, by `properties`
    "line position",  # characters since the line began
    "indentation",  # spaces that the line began with
    "bracket depth",
    "in quotes",  # 1 or 0, as the next two
    "in a comment",
    "word position",  # letters, digits and underscores since the word began
    "space",
)
DATA = Path(__file__).with_name("data")
WEIGHTS, SAMPLE = DATA / "characters.safetensors", DATA / "characters_sample.txt"


class Reading(NamedTuple):
    """What a model did with a text of T characters."""

    trace: LSTMTrace  # gates and states, each (T, H)
    logits: np.ndarray  # scores of the next character after each, (T, V)


class CharacterModel(NamedTuple):
    """One LSTM layer over one-hot characters and a linear head."""

    layer: LSTM  # D = V = 96
    head: Linear
    about: dict  # source, licence, versions and losses, from the file's metadata

    def read(self, text: str) -> Reading:
        """Return the gates at each character of a text, from a zero state, and the guesses."""
        x = one_hot(text, self.layer.dtype)[:, None]  # (T, 1, V)
        traced = trace(self.layer, x)
        parts = LSTMTrace(*(part[:, 0] for part in traced[:6]))  # (T, H) each
        return Reading(parts, self.head.forward(parts.h)[0])

    def loss(self, text: str) -> float:
        """Return the mean loss, nats a character, over all characters of a text but the first."""
        output, _, _ = self.layer.forward(one_hot(text[:-1], self.layer.dtype)[:, None])
        return softmax_cross_entropy(self.head.forward(output[:, 0])[0], encode(text[1:]))[0]


def plain(text: str) -> str:
    """Return a text with "\\n" at each end of a line, and four spaces for each tab."""
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, got {text!r}")
    return re.sub(r"\r\n?", "\n", text).replace("\t", "    ")


def encode(text: str) -> np.ndarray:
    """Return the place of each character in `ALPHABET`, (T,); others count as question marks.

    So do tabs and "\\r": a text that may have them goes through `plain` first.
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"text: expected at least one character, got {text!r}")
    unknown = ALPHABET.index("?")
    places = {character: n for n, character in enumerate(ALPHABET)}
    return np.array([places.get(character, unknown) for character in text])


def one_hot(text: str, dtype=np.float64) -> np.ndarray:
    """Return a text as vectors, (T, V)."""
    return np.eye(len(ALPHABET), dtype=dtype)[encode(text)]


def load(path=WEIGHTS, *, trained: bool = True, dtype=np.float64, rng=0) -> CharacterModel:
    """Return the model in a file, by default the one that ships with the book.

    Parameters
    ----------
    path : a file that ``python -m lstm_lesson.pretrained.train_characters`` wrote.
    trained : without it, the same model before training, as a control.
    dtype : of the model, float32 or float64; the file holds float16.
    rng : seed or generator of the initial values, if not trained.

    Raises FileNotFoundError or ValueError if the file is missing or isn't such a file.
    """
    arrays, about = files.load(path)
    H = int(about.get("hidden_size", 0))
    rng = np.random.default_rng(rng)
    layer = LSTM(len(ALPHABET), H, dtype=dtype, rng=rng)
    head = Linear(H, len(ALPHABET), dtype=dtype, rng=rng)
    parameters = names(layer, head)
    files.check_arrays(path, arrays, {k: p.shape for k, p in parameters.items()}, np.float16)
    if trained:
        for name, p in parameters.items():
            p[...] = arrays[name]
    return CharacterModel(layer, head, about)


def names(layer: LSTM, head: Linear) -> dict[str, np.ndarray]:
    """Return the arrays of both parts under the names that the file has."""
    return {
        "weight_ih": layer.parameters()["weight_ih_l0"],
        "weight_hh": layer.parameters()["weight_hh_l0"],
        "bias": layer.parameters()["bias_l0"],
        "head_weight": head.parameters()["weight"],
        "head_bias": head.parameters()["bias"],
    }


def properties(text: str) -> dict[str, np.ndarray]:
    """Return what can be said of each character of a text by counting, (T,) a property.

    Quotes are read as Python reads them, also triple ones, and brackets count where they stand
    neither in quotes nor in a comment.
    """
    found = {name: np.zeros(len(text)) for name in PROPERTIES}
    line = indent = word = depth = 0
    quote, comment, skip, blank = "", False, 0, True
    for n, character in enumerate(text):
        inside = quote != "" or skip > 0  # also for the quote that ends a text in quotes
        if skip:
            skip -= 1
        elif quote:
            if character == "\\":
                skip = 1
            elif text.startswith(quote, n):
                skip, quote = len(quote) - 1, ""
            elif character == "\n" and len(quote) == 1:
                quote = ""
        elif not comment and character in "\"'":
            quote = character * (3 if text.startswith(character * 3, n) else 1)
            skip, inside = len(quote) - 1, True
        elif not comment and character == "#":
            comment = True
        elif not comment:
            depth = max(0, depth + (character in "([{") - (character in ")]}"))
        comment = comment and character != "\n"
        line = 0 if character == "\n" else line + 1
        blank = character == "\n" or (blank and character == " ")
        indent = line if blank else indent
        word = word + 1 if character.isalnum() or character == "_" else 0
        values = (line, indent, depth, inside, comment, word, character in " \n")
        for name, value in zip(PROPERTIES, values, strict=True):
            found[name][n] = value
    return found


def sample() -> str:
    """Return text that the model was not trained on: whole files of the held-out tenth."""
    return SAMPLE.read_text(encoding="ascii")
