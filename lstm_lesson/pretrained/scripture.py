"""An LSTM that reads the King James Bible, one character a step, and predicts the next.

The text is that of `lstm_lesson.tasks.datasets`, of which one chapter in ten is held out. It is in
the public domain, except in the United Kingdom. The trained model comes with the package, and needs
no text; the command

    python -m lstm_lesson.pretrained.scripture

trains it again, in some minutes on one core. Introduced in chapter 19.
"""

from __future__ import annotations

import functools
import re

import numpy as np

from lstm_lesson.pretrained import characters
from lstm_lesson.tasks.datasets import FILES, bible, by_chapter

FILE = characters.DATA / "scripture.safetensors"
PLAN = characters.Plan(steps=5000, lr=1e-2)

load = functools.partial(characters.load, FILE)


def properties(text: str) -> dict[str, np.ndarray]:
    """Return what can be said of each character of a text by counting, (T,) a property.

    In brackets and in the number of a verse, 1 or 0; characters since the last such number; letters
    since the word began; and whether a letter is a capital, 1 or 0. A bracket that opens is inside
    and one that closes isn't, as a network knows it that has read them.
    """
    found = {name: np.zeros(len(text)) for name in ("in brackets", "in a verse number")}
    for name, pattern in (("in brackets", r"\[[^\]]*"), ("in a verse number", r"\b\d+\.? ?")):
        for match in re.finditer(pattern, text):
            found[name][match.start() : match.end()] = 1
    for name, of in (("verse position", r"[^\d]"), ("word position", r"[A-Za-z]")):
        count, place = 0, np.zeros(len(text))
        for n, character in enumerate(text):
            count = count + 1 if re.match(of, character) else 0
            place[n] = count
        found[name] = place
    return found | {"capital": np.array([float(c.isupper()) for c in text])}


def main(path=FILE, steps: int = PLAN.steps) -> None:
    """Train the model, measure it on the chapters that are held out, and write it."""
    plan, text = PLAN._replace(steps=steps), by_chapter(bible())
    model = characters.train(plan, text.train)
    losses = {part: round(model.loss(getattr(text, part)), 4) for part in ("validation", "test")}
    file = FILES["bible"]
    origin = f"{file.source}: {file.distribution} {file.version}"
    about = {
        "source": f"{origin}, sha256 {file.digest}",
        "licence": file.licence,
        "characters": {part: len(t) for part, t in text._asdict().items()},
        "nats_per_character": losses,
    }
    characters.write(path, model, plan, about)


if __name__ == "__main__":
    main()
