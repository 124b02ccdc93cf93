"""The command ``simulate``: random schedules in the convergence kit's world, until one fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import DecodeError
from ...ports import SystemClock
from .failures import Exit
from .options import json_option, print_json, say

if TYPE_CHECKING:
    from ...testing import Fault, Report, Schedule
    from ...testing.playing import Outcome

RUNS = 200
"""Schedules that are played unless told otherwise: half a minute on two cores."""

TELL_EVERY = 100
"""After how many schedules it is told, where there is no terminal, how far it is."""

TRACE_LINES = 6
"""How much of an unexpected error's traceback is shown."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Is what to play."""

    seed: int
    runs: int | None
    peers: int
    steps: int
    faults: tuple[Fault, ...]
    minutes: float | None
    jobs: int

    def command(self, seed: int) -> str:
        """Return the command that plays one seed of this plan again."""
        from ...testing.schedule import ALL_FAULTS

        faults = "all" if set(self.faults) == set(ALL_FAULTS) else ",".join(self.faults) or "none"
        return (
            f"syncchat simulate --seed {seed} --runs 1 --peers {self.peers} --steps {self.steps} "
            f"--faults {faults}"
        )


def _faults(ctx: click.Context, param: click.Parameter, value: str) -> tuple[Fault, ...]:
    from ...testing.schedule import ALL_FAULTS, Fault

    if value in ("all", "none"):
        return ALL_FAULTS if value == "all" else ()
    chosen = []
    for name in value.split(","):
        if name.strip() not in set(Fault):
            known = ", ".join(Fault)
            raise click.BadParameter(f"no fault is called {name.strip()!r}; there are: {known}")
        chosen.append(Fault(name.strip()))
    return tuple(sorted(set(chosen)))


@click.command()
@click.option("--seed", type=int, default=0, show_default=True, help="The first schedule's seed.")
@click.option(
    "--runs", type=click.IntRange(min=1), metavar="N", help=f"Schedules to play.  [default: {RUNS}]"
)
@click.option(
    "--peers", type=click.IntRange(2, 50), default=5, show_default=True, help="Peers in each."
)
@click.option(
    "--steps", type=click.IntRange(1, 10_000), default=60, show_default=True, help="Steps of each."
)
@click.option(
    "--faults",
    default="all",
    show_default=True,
    metavar="LIST",
    callback=_faults,
    help="Kinds of faults, with commas between; or all, or none.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="M",
    help="Play for so long, or until --runs are played.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Worker processes; the result does not depend on it.  [default: one for each core]",
)
@click.option(
    "--save",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write the shortest failing schedule there.",
)
@click.option(
    "--replay",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Play the schedule that --save wrote, and nothing else.",
)
@json_option
@click.pass_context
def simulate(
    ctx: click.Context,
    seed: int,
    runs: int | None,
    peers: int,
    steps: int,
    faults: tuple[Fault, ...],
    minutes: float | None,
    jobs: int | None,
    save: Path | None,
    replay: Path | None,
    as_json: bool,
) -> None:
    """Search for a schedule of faults after which peers differ.

    \b
      syncchat simulate --runs 200 --faults all
      syncchat simulate --minutes 30 --seed 5000 --save failed.json
      syncchat simulate --faults offline,kill,relay --peers 3
      syncchat simulate --replay failed.json

    Each run is a small world with its own time: real peers and a real relay, and a network,
    disks and clocks that fail as its seed says. At the end everything is healed, and every peer
    must show what everybody wrote. The same seed is the same run on every machine. Exits with 3
    at the first run that fails, and tells how to play it again.
    """
    from ...testing.workers import cores

    if replay is not None:
        _refuse_beside_replay(ctx)
        sys.exit(_replayed(replay, as_json=as_json))
    if runs is None and minutes is None:
        runs = RUNS
    plan = Plan(seed, runs, peers, steps, faults, minutes, jobs or cores())
    sys.exit(_played(plan, save, as_json=as_json))


def _played(plan: Plan, save: Path | None, *, as_json: bool) -> int:
    """Play a plan, tell how it went, and return the exit code."""
    from ...testing import minimise
    from ...testing.playing import simulate as play_seeds

    clock = SystemClock()
    started = clock.monotonic()
    held = 0

    def played(outcome: Outcome) -> None:
        nonlocal held
        held += not outcome.failure
        advance()

    try:
        with _progress(plan) as advance:
            report = play_seeds(
                _seeds(plan, clock, started),
                peers=plan.peers,
                steps=plan.steps,
                faults=plan.faults,
                played=played,
                jobs=plan.jobs if plan.runs is None else min(plan.jobs, plan.runs),
            )
    except KeyboardInterrupt:
        say(f"interrupted: {held:,} schedules held, from seed {plan.seed} on")
        raise
    seconds = clock.monotonic() - started
    found = _figures(plan, report, seconds)
    if not report.failures:
        if as_json:
            print_json(found)
        else:
            _print_figures(found)
        return Exit.DONE
    failed = report.failures[0]
    found |= {"failure": failed.failure, "failedSeed": failed.schedule.seed}
    found["replay"] = plan.command(failed.schedule.seed)
    if not as_json:
        _print_failure(found, failed)
    with _shrinking(len(failed.schedule.steps)) as tried:
        shortest = minimise(failed.schedule, tried=tried)
    if save is not None:
        _write(save, shortest)
        found["saved"] = str(save)
    found |= _told(shortest)
    if as_json:
        print_json(found)
    else:
        _print_story(found, before=len(failed.schedule.steps))
        _print_figures(found)
    return Exit.NOT_FOUND


def _replayed(path: Path, *, as_json: bool) -> int:
    """Play a saved schedule, tell what happens in it, and return the exit code."""
    schedule = _read(path)
    found = {"ok": True, **_told(schedule)}
    found["ok"] = not found["shortFailure"]
    if as_json:
        print_json(found)
    else:
        for line in found["story"]:
            click.echo(line)
        if found["ok"]:
            click.echo("it holds: every peer shows what everybody wrote")
        else:
            click.echo(f"FAILED: {found['shortFailure']}")
    return Exit.DONE if found["ok"] else Exit.NOT_FOUND


def _seeds(plan: Plan, clock: SystemClock, started: float) -> Iterator[int]:
    """Yield seeds until there are enough, or the time is over."""
    for seed in count(plan.seed):
        if plan.runs is not None and seed - plan.seed >= plan.runs:
            return
        if plan.minutes is not None and clock.monotonic() - started > plan.minutes * 60:
            return
        yield seed


def _figures(plan: Plan, report: Report, seconds: float) -> dict[str, Any]:
    """Return what was played, for people and programs alike."""
    return {
        "ok": not report.failures,
        "seed": plan.seed,
        "schedules": report.schedules,
        "peers": plan.peers,
        "steps": plan.steps,
        "deeds": report.deeds,
        "faults": {str(fault): report.faults[fault] for fault in plan.faults},
        "faultPairsMet": len(report.pairs),
        "faultPairs": len(plan.faults) * (len(plan.faults) - 1) // 2,
        "crashesSurvived": report.crashes,
        "events": report.events,
        "seconds": round(seconds, 3),
        "schedulesPerSecond": round(report.schedules / max(seconds, 0.001), 2),
        "jobs": plan.jobs,
    }


def _told(schedule: Schedule) -> dict[str, Any]:
    """Play a schedule once more; return it with its story and with how it ended."""
    from ...testing.report import story

    outcome, lines = story(schedule)
    return {
        "shortFailure": outcome.failure,
        "story": lines,
        "schedule": schedule.to_json(),
    }


def _print_figures(found: dict[str, Any]) -> None:
    last = found["seed"] + found["schedules"] - 1
    faults = ", ".join(f"{name} {number:,}" for name, number in found["faults"].items())
    rows = {
        "schedules": f"{found['schedules']:,} of {found['peers']} peers and {found['steps']} "
        f"steps, seeds {found['seed']} to {last}",
        "deeds": f"{found['deeds']:,}",
        "faults": f"{sum(found['faults'].values()):,}" + (f": {faults}" if faults else ""),
        "fault pairs": f"{found['faultPairsMet']} of {found['faultPairs']} met in one schedule",
        "crashes": f"{found['crashesSurvived']:,} at a commit, survived",
        "rate": f"{found['schedulesPerSecond']:,.1f} schedules a second, {found['seconds']:,.1f} s",
    }
    if found["ok"]:
        click.echo("all hold: after every schedule, every peer showed what everybody wrote")
    for name, words in rows.items():
        click.echo(f"  {name:<12} {words}")


def _print_failure(found: dict[str, Any], failed: Outcome) -> None:
    click.echo(f"FAILED: seed {found['failedSeed']}: {failed.failure}")
    if f"Divergence: {failed.failure}" not in failed.trace:  # then the code itself fell over
        for line in failed.trace.rstrip().splitlines()[-TRACE_LINES:]:
            click.echo(f"  {line}", err=True)
    click.echo(f"play it again with: {found['replay']}")


def _print_story(found: dict[str, Any], *, before: int) -> None:
    steps, peers = len(found["schedule"]["steps"]), found["schedule"]["peers"]
    click.echo(f"cut down from {before} to {steps} steps of {peers} peers:")
    for line in found["story"]:
        click.echo(line)
    click.echo(f"then: {found['shortFailure']}")
    if "saved" in found:
        click.echo(f"play only this again with: syncchat simulate --replay {found['saved']}")
    else:
        click.echo("(with --save FILE this short schedule is kept, for --replay FILE)")


def _write(path: Path, schedule: Schedule) -> None:
    fields = schedule.to_json()
    steps = ",\n".join("  " + json.dumps(step) for step in fields.pop("steps"))
    head = json.dumps(fields)[:-1]
    try:
        path.write_text(f'{head}, "steps": [\n{steps}\n]}}\n', encoding="utf-8")
    except OSError as exc:
        raise click.FileError(str(path), exc.strerror) from exc


def _read(path: Path) -> Schedule:
    from ...testing import Schedule

    try:
        return Schedule.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (DecodeError, ValueError, RecursionError) as exc:
        raise click.BadParameter(f"{path}: {exc}", param_hint="--replay") from exc


def _refuse_beside_replay(ctx: click.Context) -> None:
    """Refuse options that a saved schedule has already decided."""
    for name in ("seed", "runs", "peers", "steps", "faults", "minutes", "jobs", "save"):
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--replay plays one saved schedule; leave --{name} away")


@contextmanager
def _progress(plan: Plan) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal while schedules are played; what is yielded moves it on."""
    if not sys.stderr.isatty():
        many = f"{plan.minutes:g} minutes of" if plan.runs is None else f"{plan.runs:,}"
        say(f"playing {many} schedules, {plan.jobs} at a time …")
        played = count(1)

        def tell() -> None:
            number = next(played)
            if number % TELL_EVERY == 0:
                say(f"{number:,} schedules played")

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=plan.runs)
        yield lambda: bar.advance(task)


@contextmanager
def _shrinking(steps: int) -> Iterator[Callable[[Schedule], None] | None]:
    """Show on a terminal how short the failing schedule has become."""
    if not sys.stderr.isatty():
        say("looking for the shortest schedule that fails …")
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("looking for the shortest schedule that fails") as status:
        yield lambda shortest: status.update(
            f"looking for the shortest schedule that fails: {len(shortest.steps)} of {steps} steps"
        )
