"""The counter: two trained networks that count, to be fed strings and to be tampered with."""

from __future__ import annotations

from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from traitlets import Dict, Int, List, Unicode, validate

from lstm_lesson import trace
from lstm_lesson.engine.layers import LSTM, Linear
from lstm_lesson.figures import COLOURS, NAMES, TALL
from lstm_lesson.inspect.interventions import Hold, run
from lstm_lesson.pretrained import counting
from lstm_lesson.training.losses import log_softmax
from lstm_lesson.widgets.base import Choice, LessonWidget, WrongSetting, script, stylesheet

CHOSEN = {"a_n_b_n": (0, "ab"), "brackets": (1, "()")}  # which of the ten, and its symbols
STARTS = {"a_n_b_n": "aaaaaabbbbbb", "brackets": "(()(()))"}  # what each reads at first
COUNTS = 0.9  # a cell whose correlation with the depth is above this is said to count
LONGEST = 40  # symbols
DIGITS = 4  # of the weights


@cache
def _network(name: str) -> dict[str, Any]:
    """Return a trained network as lists, with what its cells' correlation with the depth is."""
    seed, symbols = CHOSEN[name]
    model = counting.trained(name)[seed]
    batch = counting.encode(counting.LANGUAGES[name](5, 200))
    inside = counting.inside(batch)
    c = trace(model.layer, batch.x, lengths=batch.lengths).c[inside]
    r = [np.corrcoef(c_k, counting.depth(batch)[inside])[0, 1] for c_k in c.T]
    weights = {
        key.removeprefix("layer.").removesuffix("_l0").replace("head.", "head_"): p
        for key, p in model.parameters().items()
    }
    lists = {key: np.round(p, DIGITS).tolist() for key, p in weights.items()}
    return {"symbols": symbols, "r": np.round(r, 2).tolist(), **lists}


class Counter(LessonWidget):
    """A network trained on a^n b^n and one trained on brackets, every cell of it at every symbol.

    Parameters
    ----------
    string : what the network reads after the end mark, at most 40 symbols: of "ab" or of "()".
    network : "a_n_b_n" or "brackets"; by default the one that knows the symbols.
    settings : traits to set differently: ``step``, the step that is shown, 0 for the end mark;
        ``unit`` and ``what`` ("i", "f", "g", "o", "c" or "h"), what is drawn; ``holds``, a list of
        dicts with the fields of `lstm_lesson.inspect.interventions.Hold`.

    Raises
    ------
    ValueError
        If, now or later, there is no such network, the string has other symbols than its network
        or too many, or a hold names what there isn't.
    traitlets.TraitError
        If a number is out of its range.
    """

    _esm = script(
        "counter",
        COUNTS=COUNTS,
        LONGEST=LONGEST,
        STARTS=STARTS,
        SYMBOLS={name: symbols for name, (_, symbols) in CHOSEN.items()},
        UNITS=counting.UNITS,
    )
    _css = stylesheet("counter")

    networks = Dict().tag(sync=True)
    network = Choice(tuple(CHOSEN), "a_n_b_n").tag(sync=True)
    string = Unicode().tag(sync=True)
    step = Int(0, min=0).tag(sync=True)
    unit = Int(0, min=0, max=counting.UNITS - 1).tag(sync=True)
    what = Choice(tuple(NAMES), "c").tag(sync=True)
    holds = List(Dict()).tag(sync=True)

    def __init__(
        self, string: str = STARTS["a_n_b_n"], network: str | None = None, **settings
    ) -> None:
        network = network or ("brackets" if set(string) & set("()") else "a_n_b_n")
        networks = {name: _network(name) for name in CHOSEN}
        settings = {"step": len(string)} | settings
        super().__init__(networks=networks, network=network, string=string, **settings)

    @validate("string", "network")
    def _of_its_network(self, proposal):
        """Refuse a string that the network can't read: either may be the one that is set."""
        text = proposal["value"] if proposal["trait"].name == "string" else self.string
        name = proposal["value"] if proposal["trait"].name == "network" else self.network
        symbols = CHOSEN[name][1]
        if set(text) - set(symbols) or len(text) > LONGEST:
            raise WrongSetting(
                f"string: expected at most {LONGEST} symbols of {symbols!r}, got {text!r}; "
                "for the other network set string to '' before"
            )
        return proposal["value"]

    @validate("holds")
    def _holds_of_this_layer(self, proposal):
        try:
            run(self._layer(), np.zeros((1, 1, 3)), [Hold(**hold) for hold in proposal["value"]])
        except (TypeError, ValueError) as error:
            raise WrongSetting(f"holds: {error}") from error
        return proposal["value"]

    def _layer(self) -> LSTM:
        net = self.networks[self.network]
        layer = LSTM(3, counting.UNITS, dtype=np.float64)
        for name in ("weight_ih", "weight_hh", "bias"):
            layer.parameters()[f"{name}_l0"][...] = net[name]
        return layer

    def compute(self) -> dict[str, list]:
        """Return every gate and state, (T, H), and probabilities (T, 3), as the script does."""
        net, head = self.networks[self.network], Linear(counting.UNITS, 3, dtype=np.float64)
        for name in ("weight", "bias"):
            head.parameters()[name][...] = net[f"head_{name}"]
        holds = [Hold(**hold) for hold in self.holds]
        ran = run(self._layer(), counting.encode([self.string]).x, holds)
        p = np.exp(log_softmax(head.forward(ran.h[:, 0])[0]))
        return {**{key: getattr(ran, key)[:, 0].tolist() for key in "ifgoch"}, "p": p.tolist()}

    def table(self) -> str:
        """Return depth, the counting cells and the prediction after each symbol, two decimals."""
        values, net = self.compute(), self.networks[self.network]
        counters = [k for k, r in enumerate(net["r"]) if abs(r) > COUNTS]
        opens, closes = net["symbols"]
        heads = [*(f"cell {k}" for k in counters), f"next {opens}", f"next {closes}", "next end"]
        lines = ["read  depth" + "".join(f"{head:>9}" for head in heads)]
        depth = 0
        for t, symbol in enumerate([" ", *self.string]):
            depth += {opens: 1, closes: -1}.get(symbol, 0)
            numbers = [values["c"][t][k] for k in counters] + values["p"][t]
            # Adding 0 turns a rounded -0 into 0.
            shown = "".join(f"{round(number, 2) + 0.0:9.2f}" for number in numbers)
            lines.append(f"{symbol:>4} {depth:6}{shown}")
        return "\n".join(lines)

    def figure(self) -> Figure:
        """Draw all cells over the string, those that count in colour, and the prediction below."""
        values, net = self.compute(), self.networks[self.network]
        steps = np.arange(len(self.string) + 1)
        figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=TALL)
        for r, cell in zip(net["r"], np.transpose(values["c"]), strict=True):
            upper.plot(steps, cell, color=COLOURS["c"] if abs(r) > COUNTS else "#999999")
        upper.set_ylabel("cell state $c_t$")
        inks = ("#BBBBBB", "#777777", "#222222")
        names = (*net["symbols"], "end")
        floor = np.zeros(len(steps))
        for p, ink, name in zip(np.transpose(values["p"]), inks, names, strict=True):
            lower.bar(steps, p, bottom=floor, color=ink, label=name)
            floor += p
        lower.set(ylabel="probability of the next", ylim=(0, 1))
        lower.set_xticks(steps, ["start", *self.string])
        lower.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        return figure
