"""What `lstm-lesson kit check` says: a table, what is wrong where, JUnit XML and TAP."""

from __future__ import annotations

from xml.etree import ElementTree

from lstm_lesson.interop.kit.cases import CASES
from lstm_lesson.interop.kit.check import TOLERANCES, Result
from lstm_lesson.interop.kit.diagnosis import Diagnosis, likely


def table(results: list[Result], diagnoses: dict[str, Diagnosis]) -> str:
    """Return a line per case, under each failure where it starts, and the likely causes."""
    causes = likely(results, diagnoses)
    width = max(len(r.id) for r in results)
    lines = [f"{'case':{width}}  verdict   dtype    largest error"]
    for r in results:
        size = f"{r.largest:13.1e}" if r.errors else " " * 13
        lines.append(f"{r.id:{width}}  {r.verdict:8}  {r.dtype:7}  {size}".rstrip())
        if r.verdict != "PASS":
            lines += [f"    {text}" for text in explain(r, diagnoses.get(r.id))]
    lines.append(summary(results))
    if causes:
        lines += ["likely cause:", *(f"  {cause}" for cause in causes)]
    return "\n".join(lines)


def summary(results: list[Result]) -> str:
    """Return one line: how many of each verdict, and the tolerances."""
    counts = {verdict: 0 for verdict in ("PASS", "FAIL", "UNUSABLE")}
    for r in results:
        counts[r.verdict] += 1
    bounds = ", ".join(f"{d} {TOLERANCES[d]:.0e}" for d in sorted({r.dtype for r in results}))
    return (
        f"{counts['PASS']} of {len(results)} pass, {counts['FAIL']} fail, "
        f"{counts['UNUSABLE']} unusable; tolerance {bounds}"
    )


def explain(result: Result, diagnosis: Diagnosis | None) -> list[str]:
    """Return what is wrong with one case, a line each."""
    lines = [result.reason]
    if result.id in CASES:
        lines.append(f"exercises {CASES[result.id].exercises}; {CASES[result.id].bug}")
    if diagnosis is not None:
        lines += diagnosis.where
        if diagnosis.causes:
            lines.append(f"the numbers are those of: {' | '.join(diagnosis.causes)}")
    return [_printable(line) for line in lines]


def junit(results: list[Result], diagnoses: dict[str, Diagnosis]) -> str:
    """Return the results as JUnit XML."""
    failed = [r for r in results if r.verdict != "PASS"]
    counts = {"tests": str(len(results)), "failures": str(len(failed)), "errors": "0"}
    suite = ElementTree.Element("testsuite", {"name": "lstm-lesson kit", **counts})
    for r in results:
        case = ElementTree.SubElement(suite, "testcase", {"classname": r.dtype, "name": r.id})
        if r.verdict != "PASS":
            lines = explain(r, diagnoses.get(r.id))
            about = {"type": r.verdict, "message": lines[0]}
            ElementTree.SubElement(case, "failure", about).text = "\n".join(lines)
    ElementTree.indent(suite)
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return head + ElementTree.tostring(suite, encoding="unicode") + "\n"


def tap(results: list[Result], diagnoses: dict[str, Diagnosis]) -> str:
    """Return the results as TAP, version 13."""
    lines = ["TAP version 13", f"1..{len(results)}"]
    for n, r in enumerate(results, 1):
        lines.append(f"{'ok' if r.verdict == 'PASS' else 'not ok'} {n} - {r.id}")
        if r.verdict != "PASS":
            lines += [f"# {text}" for text in explain(r, diagnoses.get(r.id))]
    return "\n".join(lines) + "\n"


def _printable(text: str) -> str:
    """Return text on one line that XML and a terminal can show, whatever a file held."""
    return "".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in text)
