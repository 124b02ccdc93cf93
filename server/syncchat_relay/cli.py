"""The command ``syncchat-relay``, which ``syncchat relay`` is too."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from syncchat.errors import SyncchatError, ValidationError
from syncchat.ports import SystemClock
from syncchat.wire.operator_link import encode_operator_link

from . import operator_secret
from .config import Admit, Config, Creators
from .handle import Relay, checked_name
from .log.revocations import Revocations
from .server import serve
from .stored import subject_until_ms
from .vouching import Verify

GIB = 1024**3
LOG_LEVELS = ("debug", "info", "warning", "error")
_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("syncchat-relay"),
    show_default=True,
    help="Folder of the log; made when missing. One relay at a time may use it.",
)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(name="relay", invoke_without_command=True, subcommand_metavar="[COMMAND]")
@_data_dir
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8765, show_default=True, help="0: any free."
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOSTNAME",
    help="Host name that peers dial; repeat for several. Needed beyond this machine.",
)
@click.option(
    "--admission",
    type=click.Choice([mode.value for mode in Admit]),
    default=Admit.ROOMS.value,
    show_default=True,
    help="Who comes in: any device, only those with a token, or (loopback only) all without rules.",
)
@click.option(
    "--create-rooms",
    type=click.Choice([who.value for who in Creators]),
    help="Who may create rooms.  [default: anyone on loopback, else members]",
)
@click.option("--tls-cert", type=_file, metavar="PEM", help="Certificate and its chain.")
@click.option("--tls-key", type=_file, metavar="PEM", help="The certificate's key.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front of the relay ends TLS.")
@click.option("--jwt-keys", type=_file, metavar="FILE", help="Who signs tokens: a JWK or JWKS.")
@click.option("--jwt-audience", metavar="TEXT", help="The audience that tokens must name.")
@click.option("--jwt-issuer", metavar="TEXT", help="The issuer that tokens must name.")
@click.option(
    "--files-max",
    type=click.FloatRange(min=0),
    default=64.0,
    show_default=True,
    metavar="GIB",
    help="What all files may take, in GiB; 0 takes none.",
)
@click.option(
    "--room-files-max",
    type=click.FloatRange(min=0),
    default=8.0,
    show_default=True,
    metavar="GIB",
    help="What the files of one room may take.",
)
@click.option(
    "--files-days",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="DAYS",
    help="How long files are kept; 0 for as long as there is room.",
)
@click.option("--log-level", type=click.Choice(LOG_LEVELS), default="warning", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print url, port and incarnation as JSON.")
@click.pass_context
def main(
    ctx: click.Context,
    /,
    log_level: str,
    as_json: bool,
    jwt_keys: Path | None,
    jwt_audience: str | None,
    jwt_issuer: str | None,
    admission: str,
    create_rooms: str | None,
    files_max: float,
    room_files_max: float,
    files_days: int,
    **settings: Any,
) -> None:
    """Run a relay: it stores and forwards what peers write, and cannot read it.

    Stops on SIGTERM or Ctrl-C after committing what it has in hand; SIGHUP reads the certificate
    again.
    """
    if ctx.invoked_subcommand is not None:
        given = click.core.ParameterSource.COMMANDLINE
        if any(ctx.get_parameter_source(name) is given for name in ctx.params):
            raise click.UsageError(f"options stand after '{ctx.invoked_subcommand}'", ctx)
        return
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    with _told():
        config = Config(
            admission=Admit(admission),
            create_rooms=Creators(create_rooms) if create_rooms else None,
            blob_bytes_max=round(files_max * GIB),
            room_blob_bytes_max=round(room_files_max * GIB),
            blob_days_max=files_days,
            **settings,
        )
        verify = _verifier(config, jwt_keys, jwt_audience, jwt_issuer)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve_until_signal(config, verify, as_json=as_json))


@main.command()
@_data_dir
@click.option("--subject", default="", metavar="TEXT", help="A person, as tokens name them.")
@click.option("--device", default="", metavar="ID", help="A device, by its id.")
@click.option("--for-good", is_flag=True, help="Do not forget a subject when tokens have expired.")
@click.option("--undo", is_flag=True, help="Let them in again.")
@click.option("--json", "as_json", is_flag=True, help="Print what was kept as JSON.")
def revoke(
    data_dir: Path, subject: str, device: str, for_good: bool, undo: bool, as_json: bool
) -> None:
    """Turn a person or a device away; a running relay does so within seconds.

    A subject is turned away until the tokens of before have expired, a device until --undo.
    """
    with _told():
        short, subject = checked_name(subject, device)
        revocations = Revocations(data_dir)
        try:
            until_ms = None
            if undo:
                revocations.take_back(device=short, subject=subject)
            else:
                if subject and not for_good:
                    until_ms = subject_until_ms(Config(), SystemClock())
                revocations.keep(device=short, subject=subject, until_ms=until_ms)
        finally:
            revocations.close()
    if as_json:
        kept = {"subject": subject, "device": device, "revoked": not undo, "untilMs": until_ms}
        click.echo(json.dumps(kept))
    else:
        click.echo(f"{'let in again' if undo else 'turned away'}: {subject or device}")


@main.command("operator-link")
@_data_dir
@click.option("--url", required=True, help="The relay's address, exactly as peers dial it.")
@click.option("--json", "as_json", is_flag=True, help="Print the link as JSON.")
def operator_link(data_dir: Path, url: str, as_json: bool) -> None:
    """Print the link that makes whoever has it an operator of this relay; keep it secret."""
    with _told():
        link = encode_operator_link(url.rstrip("/"), operator_secret.load(data_dir))
    click.echo(json.dumps({"link": link}) if as_json else link)


@contextmanager
def _told() -> Iterator[None]:
    """Turn errors into a line on standard error and an exit code."""
    try:
        yield
    except ValidationError as exc:
        raise click.UsageError(str(exc)) from exc
    except SyncchatError as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(1)


def _verifier(
    config: Config, keys: Path | None, audience: str | None, issuer: str | None
) -> Verify | None:
    given = (keys, audience, issuer)
    if config.admission != Admit.TOKEN:
        if any(given):
            raise ValidationError("--jwt-… options are for --admission token")
        return None
    if keys is None or not audience or not issuer:
        raise ValidationError("--admission token needs --jwt-keys, --jwt-audience and --jwt-issuer")
    try:
        from .jwt import JwtVerifier
    except ImportError as exc:
        raise ValidationError("--admission token needs: pip install 'syncchat[jwt]'") from exc
    return JwtVerifier(keys, audience=audience, issuer=issuer)


async def _serve_until_signal(config: Config, verify: Verify | None, *, as_json: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows: a handler of the old kind does
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with serve(config, verify=verify) as relay:
        if config.tls_cert is not None and sys.platform != "win32":
            loop.add_signal_handler(signal.SIGHUP, _reload, relay)
        click.echo(_announcement(relay, as_json=as_json))
        sys.stdout.flush()
        _tell_operator(relay, config)
        await stop.wait()


def _announcement(relay: Relay, *, as_json: bool) -> str:
    if not as_json:
        return f"relay listening on {relay.url}"
    return json.dumps(
        {"url": relay.url, "port": relay.port, "incarnation": relay.incarnation.hex()}
    )


def _tell_operator(relay: Relay, config: Config) -> None:
    """At the first start, show the operator link to a person, or say how to get it.

    It is a secret: where no person looks on, a service's log would keep it for ever.
    """
    if not relay.operator_link or not relay.is_first_start:
        return
    if sys.stderr.isatty():
        click.echo(
            "you are the operator of this relay; whoever has this link is, too. Use it on your "
            f"device, once: syncchat operator login '{relay.operator_link}'",
            err=True,
        )
    else:
        url = operator_secret.address_of(config, relay.port)
        command = f"operator-link --data-dir {shlex.quote(str(config.data_dir))} --url {url}"
        click.echo(f"for the operator's link, run: syncchat-relay {command}", err=True)


def _reload(relay: Relay) -> None:
    try:
        relay.reload_tls()
    except ValidationError as exc:
        click.echo(f"error: {exc}; the certificate stays as it was", err=True)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """Return uvloop where it is installed: it halves the CPU time of a delivery."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
