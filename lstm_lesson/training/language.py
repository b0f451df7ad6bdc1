"""Text as numbers, and layers that predict the next: how surprised they are, what they write.

A symbol is a whole number below V, which is also the layer's input size and the head's output size.
Those of the book's texts are the characters of `ALPHABET`. Introduced in chapters 12 and 19.
"""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.arguments import check_number, check_rng, check_size
from lstm_lesson.training.losses import log_softmax

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))  # V = 96


def encode(text: str) -> np.ndarray:
    """Return the place of each character in `ALPHABET`, (T,); others count as question marks.

    So do tabs and "\\r", which `lstm_lesson.pretrained.characters.plain` replaces beforehand.
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"text: expected at least one character, got {text!r}")
    unknown = ALPHABET.index("?")
    places = {character: n for n, character in enumerate(ALPHABET)}
    return np.array([places.get(character, unknown) for character in text])


def one_hot(text: str, dtype=np.float64) -> np.ndarray:
    """Return a text as vectors, (T, V)."""
    return np.eye(len(ALPHABET), dtype=dtype)[encode(text)]


def known(text: str) -> str:
    """Return a text with a question mark for each character that the model doesn't know."""
    return "".join(ALPHABET[n] for n in encode(text)) if text else ""


def surprise(layer, head, symbols: np.ndarray, *, piece: int = 1000) -> np.ndarray:
    """Return minus the log probability of each symbol but the first, given all before it.

    Parameters
    ----------
    layer, head : a recurrent layer, one direction, time first, and a `Linear` that reads it.
    symbols : (T,), T at least 2.
    piece : steps that are run at once; the state is carried from one piece to the next, so that
        this changes the memory that is needed and nothing else.

    Returns
    -------
    (T - 1,), in nats; divided by ``log(2)``, in bits. The exponential of the mean is the
    perplexity.
    """
    symbols, vectors = check_symbols(symbols, layer, 2), np.eye(layer.input_size, dtype=layer.dtype)
    found, state = np.empty(len(symbols) - 1), None
    for start in range(0, len(found), check_size("piece", piece)):
        read = symbols[start : start + piece + 1]
        output, state, _ = layer.forward(vectors[read[:-1], None], state, keep=False)
        log_p = log_softmax(head.forward(output[:, 0])[0])
        found[start : start + piece] = -log_p[np.arange(len(log_p)), read[1:]]
    return found


def generate(
    layer, head, beginning: np.ndarray, length: int, *, temperature: float = 1.0, rng=0
) -> np.ndarray:
    """Return symbols drawn one after another, each from the prediction after all before it.

    Parameters
    ----------
    layer, head : as for `surprise`.
    beginning : (T,), T at least 1, read first; it isn't part of what is returned.
    length : how many to draw.
    temperature : by which the scores are divided before the softmax. Below 1, likely symbols become
        likelier; at 0, the likeliest is always taken.
    rng : a generator or an integer seed.

    Returns
    -------
    (length,).
    """
    beginning, rng = check_symbols(beginning, layer, 1), check_rng(rng)
    temperature = check_number("temperature", temperature, 0)
    vectors = np.eye(layer.input_size, dtype=layer.dtype)
    drawn = np.empty(check_size("length", length), np.int64)
    output, state, _ = layer.forward(vectors[beginning, None], keep=False)
    for n in range(length):
        z = head.forward(output[-1, 0])[0].astype(float)  # (V,)
        if temperature:
            # The largest of scores with Gumbel noise is a draw from their softmax.
            z = z / temperature + rng.gumbel(size=z.shape)
        drawn[n] = z.argmax()
        output, state, _ = layer.forward(vectors[drawn[n : n + 1], None], state, keep=False)
    return drawn


def check_symbols(symbols, layer, least: int) -> np.ndarray:
    """Return `symbols` if they are at least so many whole numbers that the layer reads, (T,)."""
    symbols = np.asarray(symbols)
    if symbols.dtype.kind not in "iu" or symbols.ndim != 1:
        raise TypeError(
            f"symbols: expected whole numbers, (T,), got {symbols.dtype} of shape {symbols.shape}"
        )
    if len(symbols) < least:
        raise ValueError(f"symbols: expected at least {least}, got {len(symbols)}")
    if symbols.min() < 0 or symbols.max() >= layer.input_size:
        raise ValueError(
            f"symbols: expected 0 to {layer.input_size - 1}, got {symbols.min()} to {symbols.max()}"
        )
    return symbols
