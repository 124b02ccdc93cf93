"""Measure: ``python -m benchmarks [name ...] [--smoke] [--json FILE] [--against RIVAL]``.

Runs every scenario, or those that are named; prints the machine, then each scenario's figures.
``--smoke`` runs them tiny, to see that they work. A single named scenario may take options of its
own: ``python -m benchmarks NAME --help`` lists them.

``--against`` measures rivals in the same run, in turn with ours; without a name, the scenarios that
have rivals are run. ``python -m benchmarks setup`` installs the rivals beside this package.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from . import machine, rivals
from .rivals import installing

SETUP = "setup"
FRAME = {"__main__", "machine", "plots"}


def scenarios() -> dict[str, ModuleType]:
    """Return the modules of this package that are scenarios, by their names."""
    found: dict[str, ModuleType] = {}
    for info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if info.name not in FRAME:
            module = importlib.import_module(f"{__package__}.{info.name}")
            if hasattr(module, "NAME"):
                found[module.NAME] = module
    return dict(sorted(found.items()))


def main(arguments: list[str] | None = None) -> int:
    """Run scenarios; return 2 for a name that is none, of a scenario or of a rival."""
    words = sys.argv[1:] if arguments is None else arguments
    if words == [SETUP]:
        return installing.install()
    known = scenarios()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_epilog(known),
    )
    parser.add_argument("names", nargs="*", metavar="name", help="scenarios; all when none")
    parser.add_argument("--smoke", action="store_true", help="run tiny, to see that they work")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="RIVAL",
        help="measure a rival too, or all; may be given several times",
    )
    alone = _only_name(words, known)
    own = _add_own_arguments(parser, known[alone]) if alone else ()
    options = parser.parse_args(words)
    unknown = [name for name in options.names if name not in known]
    if unknown:
        print(f"no scenario {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    try:
        found = rivals.chosen(options.against)
    except rivals.UnknownRival as exc:
        print(exc, file=sys.stderr)
        return 2
    chosen = {name: known[name] for name in options.names or known}
    against: list[str] = options.against
    if against and not options.names:
        chosen = {name: module for name, module in chosen.items() if hasattr(module, "RIVALS")}
    described = machine.describe() | _versions(found)
    print(_table(described))
    given = {name: getattr(options, name) for name in own}
    results = _run(chosen, options.smoke, given, against)
    if options.json is not None:
        report = {"machine": described, "smoke": options.smoke, "results": results}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _run(
    chosen: dict[str, ModuleType], smoke: bool, own: dict[str, Any], against: list[str]
) -> dict[str, dict[str, Any]]:
    results = {}
    for name, module in chosen.items():
        print(f"\n{name}: {module.SUMMARY}", flush=True)
        run: Callable[..., dict[str, Any]] = module.run
        if hasattr(module, "RIVALS"):
            results[name] = run(smoke=smoke, against=against, **own)
        else:
            results[name] = run(smoke=smoke, **own)
            results[name] |= rivals.ready(against, ())[1]
        print(_table(results[name]), flush=True)
    return results


def _epilog(known: dict[str, ModuleType]) -> str:
    lines = [f"{name:16} {module.SUMMARY}" for name, module in known.items()]
    lines += ["", "rivals:"]
    for rival in rivals.RIVALS.values():
        lines.append(f"{rival.name:16} {rival.what}. What it leaves out: {rival.lacks}")
    return "\n".join(lines)


def _versions(names: list[str]) -> dict[str, str]:
    """Return the versions of the packages of rivals that are there."""
    found: dict[str, str] = {}
    for name in names:
        versions = rivals.RIVALS[name].versions()
        found |= {f"{name}: {what}": version for what, version in versions.items() if version}
    if any(rivals.RIVALS[name].is_node for name in names):
        found["node"] = rivals.node_version()
    return found


def _only_name(words: list[str], known: dict[str, ModuleType]) -> str | None:
    named = [word for word in words if word in known]
    return named[0] if len(named) == 1 else None


def _add_own_arguments(parser: argparse.ArgumentParser, module: ModuleType) -> list[str]:
    """Let the module add its options; return the names under which they are parsed."""
    before = {action.dest for action in parser._actions}
    if hasattr(module, "add_arguments"):
        module.add_arguments(parser)
    return [action.dest for action in parser._actions if action.dest not in before]


def _table(figures: dict[str, Any]) -> str:
    width = max((len(name) for name in figures), default=0)
    return "\n".join(f"  {name:<{width}}  {_shown(value)}" for name, value in figures.items())


def _shown(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
        case _:
            return str(value)


if __name__ == "__main__":
    raise SystemExit(main())
