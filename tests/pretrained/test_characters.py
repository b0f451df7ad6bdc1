"""The character model loads, reads, and is as good as its file says."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lstm_lesson.pretrained import characters
from lstm_lesson.pretrained import train_characters as training

TEXT = 'def f(a, b="(y"):\n    """Doc\'s\n    two."""\n    return [a, (b)]  # it\'s\n'


@pytest.fixture(scope="module")
def model():
    return characters.load()


@pytest.mark.slow
def test_model_reaches_the_loss_that_its_file_states(model):
    stated = model.about["nats_per_character"]
    assert model.loss(characters.sample()) == pytest.approx(stated["sample"]["model"], abs=5e-4)
    for losses in stated.values():
        assert losses["model"] < 0.5 * losses["bigram"] < losses["unigram"] < losses["uniform"]


def test_file_says_where_it_comes_from(model):
    about = model.about
    assert about["source"].startswith("networkx 3.6.1") and training.DIGEST in about["source"]
    assert about["licence"].startswith("BSD-3-Clause")
    licence = (characters.DATA / "characters_licence.txt").read_text(encoding="utf-8")
    assert "NetworkX Developers" in licence and "Redistributions" in licence
    assert set(about["versions"]) == {"python", "numpy", "torch"}
    assert model.layer.hidden_size == about["hidden_size"] >= 64


@pytest.mark.slow
def test_the_text_is_that_of_the_pinned_package_and_the_baselines_follow_from_it(model):
    pytest.importorskip("networkx")
    text = training.corpus()  # raises unless every byte is as it was
    stated = model.about["nats_per_character"]
    assert text.sample == characters.sample()
    assert len(text.train) == model.about["characters"]["train"]
    for part in ("held_out", "sample"):
        found = training.baselines(text.train, getattr(text, part))
        assert_allclose([found[k] for k in found], [stated[part][k] for k in found], atol=1e-4)
    for piece in (text.sample[:2000], text.sample[10_000:12_000]):
        assert piece not in text.train


def test_another_text_is_refused(monkeypatch):
    pytest.importorskip("networkx")
    monkeypatch.setattr(training, "DIGEST", "0" * 64)
    with pytest.raises(ValueError, match="expected the files of networkx"):
        training.corpus()
    monkeypatch.setattr(training, "PACKAGE", "no_such_package_here")
    with pytest.raises(ValueError, match="got none"):
        training.corpus()


def test_reading_shows_every_gate_and_the_next_character(model):
    reading = model.read(TEXT)
    parts = reading.trace[:6]
    assert all(part.shape == (len(TEXT), 128) for part in parts)
    i, f, g, o, c, h = parts
    assert_allclose(c[1:], f[1:] * c[:-1] + i[1:] * g[1:], rtol=1e-12, atol=1e-12)
    assert_allclose(h, o * np.tanh(c), rtol=1e-12, atol=1e-12)
    logits = reading.logits[:-1]
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    losses = -log_p[np.arange(len(TEXT) - 1), characters.encode(TEXT)[1:]]
    assert_allclose(model.loss(TEXT), losses.mean(), rtol=1e-10)


def test_untrained_control_differs_from_seed_to_seed(model):
    one, same, other = (characters.load(trained=False, rng=seed) for seed in (0, 0, 1))
    assert one.loss(TEXT) == same.loss(TEXT) != other.loss(TEXT)
    assert one.loss(TEXT) > 4 > model.loss(TEXT)


def test_encode():
    assert characters.encode("\n ~").tolist() == [0, 1, 95]
    assert characters.encode("é\t").tolist() == characters.encode("??").tolist()
    assert characters.one_hot("ab", np.float32).shape == (2, 96)
    for wrong in ("", None, b"ab"):
        with pytest.raises(ValueError, match="text"):
            characters.encode(wrong)


def test_plain_text_has_one_kind_of_line_end_and_no_tab():
    assert characters.plain("a\r\n\tb\r\r\n\n") == "a\n    b\n\n\n"
    with pytest.raises(TypeError, match="text: expected a str, got None"):
        characters.plain(None)


def test_properties_of_a_text():
    found = characters.properties(TEXT)
    assert tuple(found) == characters.PROPERTIES

    def where(name):
        return "".join(c for c, value in zip(TEXT, found[name], strict=True) if value)

    assert where("in quotes") == '"(y""""Doc\'s\n    two."""'
    assert where("in a comment") == "# it's"
    assert where("bracket depth") == '(a, b="(y"[a, (b)'
    assert found["bracket depth"].max() == 2
    lines = TEXT.split("\n")
    starts = np.cumsum([0] + [len(line) + 1 for line in lines[:-1]])
    for start, line in zip(starts, lines, strict=False):
        assert_array_equal(
            found["line position"][start : start + len(line)], range(1, len(line) + 1)
        )
        assert set(found["indentation"][start + 4 : start + len(line)]) <= {0, 4}
    assert found["space"].sum() == TEXT.count(" ") + TEXT.count("\n")
    assert found["word position"][:5].tolist() == [1, 2, 3, 0, 1]


@pytest.mark.slow
def test_training_lowers_the_loss_and_can_be_repeated():
    plan = training.Plan(hidden_size=16, steps=60, batch_size=8, length=20, lr=0.02)
    text = "for (a, b) in pairs:\n    print(a)\n" * 20
    said = []
    layer, head = training.train(plan, text, said.append)
    again, _ = training.train(plan, text)
    for name, p in layer.parameters().items():
        assert_array_equal(p, again.parameters()[name])
        assert_array_equal(p, p.astype(np.float16))
    model = characters.CharacterModel(layer, head, {})
    baseline = training.baselines(text, text)
    assert model.loss(text) < baseline["unigram"]
    assert baseline["bigram"] < baseline["unigram"] < baseline["uniform"]


def test_the_command_writes_what_load_reads(tmp_path, monkeypatch, capsys):
    text = "for (a, b) in pairs:\n    print(a)\n" * 20
    monkeypatch.setattr(training, "corpus", lambda: training.Corpus(text, text, text[:200]))
    path = tmp_path / "small.safetensors"
    training.main(["--output", str(path), "--steps", "2"])
    model = characters.load(path)
    stated = model.about["nats_per_character"]
    assert stated["sample"]["model"] == pytest.approx(model.loss(text[:200]), abs=5e-4)
    assert str(path) in capsys.readouterr().out
