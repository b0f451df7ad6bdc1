"""The command `lstm-lesson experiments`: what it prints and what it refuses."""

import pytest
from coins import COINS, coins

from lstm_lesson import cli
from lstm_lesson.experiments.specs import EXPERIMENTS


@pytest.mark.slow
def test_the_command_lists_runs_and_reports(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "coins", COINS)
    folder = ["--folder", str(tmp_path)]
    base = ["experiments", "run", "coins", "--jobs", "2", "--quiet", *folder]
    assert cli.main([*base, "--seeds", "0", "1"]) == 0
    assert f"{tmp_path / 'coins.csv'}: 2 runs added" in capsys.readouterr().out
    assert cli.main(["experiments", "list", *folder]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("coins"))
    assert line.split()[:3] == ["coins", "60", "2"]
    _, _, _, hours, short, *_ = line.split()
    assert hours == short
    with pytest.raises(SystemExit) as error:
        cli.main(["experiments", "run", "dice", *folder])
    assert error.value.code == 2
    assert "expected one of" in capsys.readouterr().err


@pytest.mark.slow
def test_long_lags_can_be_left_out(tmp_path, capsys, monkeypatch):
    short = [spec._replace(T=9) for spec in COINS.specs[:3]]
    long = [spec._replace(T=10) for spec in COINS.specs[:5]]
    both = COINS._replace(specs=(*long, *short), long_lag=10, minutes=48)
    assert both.chosen(short=True) == short
    monkeypatch.setitem(EXPERIMENTS, "coins", both)
    folder = ["--folder", str(tmp_path)]
    assert cli.main(["experiments", "list", *folder]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("coins"))
    assert line.split()[3:5] == ["0.80", "0.30"]
    assert cli.main(["experiments", "run", "coins", "--short", "--quiet", *folder]) == 0
    assert list(coins(tmp_path).rows()) == short
    monkeypatch.setitem(EXPERIMENTS, "coins", both._replace(long_lag=9))  # nothing is short
    assert cli.main(["experiments", "list", *folder]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("coins"))
    assert line.split()[4] == "0.00"
    with pytest.raises(ValueError, match="no run has T=10; T is 9, the long lags left out"):
        both.chosen(only=["T=10"], short=True)


def test_status_counts_runs_of_each_arm(tmp_path, capsys):
    assert cli.main(["experiments", "status", "start_it_well", "--folder", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[0].endswith("forget bias 0: 0 of 35 runs, 0 diverged, 0 solved")  # of tuning


@pytest.mark.parametrize("command", [["list"], ["status"], ["status", "start_it_well"], ["plot"]])
def test_a_folder_that_is_not_there_is_named(tmp_path, capsys, command):
    with pytest.raises(SystemExit) as error:
        cli.main(["experiments", *command, "--folder", str(tmp_path / "typo")])
    assert error.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"there is no folder {tmp_path / 'typo'}; see" in err


@pytest.mark.slow
def test_a_choice_that_some_experiments_lack_passes_them_over(tmp_path, capsys, monkeypatch):
    others = tuple(spec._replace(arm="die") for spec in COINS.specs)
    both = {"dice": COINS._replace(name="dice", specs=others), "coins": COINS}
    monkeypatch.setattr("lstm_lesson.experiments.specs.EXPERIMENTS", both)
    base = ["experiments", "run", "all", "--quiet", "--folder", str(tmp_path), "--seeds", "0"]
    assert cli.main([*base, "--only", "arm=penny"]) == 0
    assert not [*tmp_path.glob("dice*")]
    assert len(coins(tmp_path).rows()) == 1
    with pytest.raises(SystemExit):
        cli.main([*base, "--only", "arm=pound"])
    assert "no run has arm=pound; arm is die" in capsys.readouterr().err
