"""A verdict for machines and people: JSON, JUnit XML, markdown, GitHub annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from vbench.report.gate import Finding, Verdict, shown


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Return the object that `vbench check --json` prints."""
    return {
        "schema": 1,
        "suite": verdict.suite,
        "clips": verdict.clips,
        "passed": verdict.passed,
        "tolerance": verdict.rule.tolerance,
        "confidence": verdict.rule.confidence,
        "findings": [_finding(finding) for finding in verdict.findings],
        "new": list(verdict.new),
        "not_run": list(verdict.not_run),
    }


def as_junit(verdict: Verdict) -> str:
    """Write JUnit XML: one test case a method and metric."""
    failures = sum(finding.fails for finding in verdict.findings)
    suite = ElementTree.Element(
        "testsuite",
        name=f"vbench check {verdict.suite}",
        tests=str(len(verdict.findings)),
        failures=str(failures),
    )
    for finding in verdict.findings:
        case = ElementTree.SubElement(
            suite, "testcase", classname=finding.method, name=finding.metric
        )
        if finding.fails:
            message = _line(finding)
            ElementTree.SubElement(case, "failure", message=message, type=finding.verdict)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, "unicode")


def as_markdown(verdict: Verdict) -> str:
    """Write a table for a pull request."""
    word = "passed" if verdict.passed else "**failed**"
    lines = [
        f"`vbench check` {word}: {verdict.suite}, {verdict.clips} clips, tolerance "
        f"{verdict.rule.tolerance * 100:g} points at {verdict.rule.confidence:.0%} confidence",
        "",
        "| method | metric | reference | now | difference | verdict |",
        "| --- | --- | --: | --: | --: | --- |",
    ]
    for f in verdict.findings:
        mark = f"**{f.verdict}**: {f.why}" if f.fails else f.verdict
        lines.append(
            f"| {f.method} | {f.metric} | {shown(f.metric, f.then)} | {shown(f.metric, f.now)} "
            f"| {f.now - f.then:+.4f} | {mark} |"
        )
    notes = [f"- {name}: new, no reference yet" for name in verdict.new]
    notes += [f"- {name}: in the reference, not in this run" for name in verdict.not_run]
    # Without an empty line a list would be taken for a row of the table.
    return "\n".join([*lines, *(["", *notes] if notes else []), ""])


def as_annotations(verdict: Verdict) -> Iterator[str]:
    """Write GitHub workflow commands, one a failure."""
    for finding in verdict.findings:
        if finding.fails:
            text = _line(finding).replace("%", "%25").replace("\n", "%0A")
            yield f"::error title=vbench {finding.verdict}::{text}"


def _line(f: Finding) -> str:
    then, now = shown(f.metric, f.then), shown(f.metric, f.now)
    return f"{f.method} {f.metric} {then} -> {now}: {f.why}"


def _finding(finding: Finding) -> dict[str, Any]:
    found = {k: v for k, v in vars(finding).items() if k != "test"}
    if finding.test is not None:
        found |= {"difference": finding.test.mean, "difference_most": finding.test.most}
        found |= {"smallest_visible_drop": finding.test.visible, "clips": finding.test.clips}
    return found
