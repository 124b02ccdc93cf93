"""The commands about files, without a network: what they print, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import syncchat
from syncchat.apps.cli import cli
from syncchat.apps.cli.sizes import Size, size_words
from syncchat.core.attachments import Attachment
from syncchat.core.files import FileState
from syncchat.storage import files as rows
from tests.support.files import content, small_chunks
from tests.unit.media.samples import sound

Run = Callable[..., Result]
AWAY = Attachment("away.bin", "application/octet-stream", 250, bytes(32), bytes(32), "file")


@pytest.fixture(autouse=True)
def chunks() -> Iterator[None]:
    with small_chunks():
        yield


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "alice.db"
    with syncchat.open(path, name="Alice") as peer:
        peer.create_room("Team")
    return path


@pytest.fixture
def run(db: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command line for Alice, in a folder of her own."""
    monkeypatch.setenv("SYNCCHAT_DB", str(db))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def go(*arguments: str, code: int = 0, stdin: bytes | None = None) -> Result:
        done = CliRunner().invoke(cli, arguments, input=stdin)
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return done

    return go


def printed(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def attached(run: Run, *names: str, options: tuple[str, ...] = ()) -> str:
    """Send files that are made here, and return the message's id."""
    for number, name in enumerate(names):
        Path(name).write_bytes(content(250, number))
    return run("attach", "Team", *names, *options).stdout.strip()


def test_attach_prints_the_message(run: Run) -> None:
    Path("report.pdf").write_bytes(content(250))
    done = run("attach", "Team", "report.pdf", "--text", "look")
    assert len(done.stdout.strip()) == 26
    (message,) = printed(run("history", "Team", "--json"))
    assert (message["id"], message["content"]) == (done.stdout.strip(), "look")
    (said,) = message["attachments"]
    assert (said["name"], said["size"], said["type"]) == ("report.pdf", 250, "application/pdf")


def test_attach_takes_what_it_is_told_about_a_file(run: Run) -> None:
    Path("x").write_bytes(b"content")
    first = attached(run, "first.txt")
    told = ("--name", "y.txt", "--kind", "video", "--type", "text/x-odd", "--reply-to", first[:12])
    (message,) = printed(run("attach", "Team", "x", *told, "--thread", first[:12], "--json"))
    (said,) = message["attachments"]
    assert (said["name"], said["type"], said["kind"]) == ("y.txt", "text/x-odd", "video")
    assert (message["replyTo"], message["thread"]) == (first, first)


def test_attach_reads_standard_input_under_a_name(run: Run) -> None:
    assert "--name" in run("attach", "Team", "-", code=2, stdin=b"bytes").stderr
    message = run("attach", "Team", "-", "--name", "piped.txt", stdin=content(300)).stdout.strip()
    assert run("download", "Team", message, "--to", "-").stdout_bytes == content(300)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("Team", "nothing.txt"), 3, "no file 'nothing.txt'"),
        (("Team", "."), 3, "a folder cannot be sent, pack it first"),
        (("Team", "/dev/null"), 3, "is no file"),
        (("Nowhere", "real.txt"), 3, "no room"),
        (("Team", "real.txt", "--wait", "1"), 2, "no relay to wait for"),
        (("Team", "real.txt", "real.txt", "--name", "x"), 2, "attach it alone"),
        (("Team", "real.txt", "--kind", "folder"), 2, "'folder' is not one of"),
        (("Team",), 2, "Missing argument 'FILE...'"),
    ],
)
def test_attach_says_what_is_wrong(
    run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    Path("real.txt").write_text("text")
    assert words in run("attach", *arguments, code=code).stderr
    assert run("history", "Team", "--json").stdout == ""


def test_voice_sends_a_recording_and_says_what_is_none(run: Run) -> None:
    sound(Path("memo.wav"), seconds=1)
    id_ = run("voice", "Team", "memo.wav", "--text", "listen").stdout.strip()
    (message,) = printed(run("history", "Team", "--json"))
    assert (message["id"], message["type"], message["content"]) == (id_, "audio", "listen")
    assert message["metadata"]["voice"] is True
    (said,) = message["attachments"]
    assert (said["duration_ms"], said["name"]) == (1_000, "memo.wav")
    assert said["waveform"]
    piped = Path("memo.wav").read_bytes()
    assert "--name" in run("voice", "Team", "-", code=2, stdin=piped).stderr
    (again,) = printed(
        run("voice", "Team", "-", "--name", "x.wav", "--reply-to", id_, "--json", stdin=piped)
    )
    assert again["replyTo"] == id_
    Path("real.txt").write_text("text")
    assert "is no sound" in run("voice", "Team", "real.txt", code=2).stderr
    assert "no relay to wait for" in run("voice", "Team", "memo.wav", "--wait", "1", code=2).stderr


def test_attach_says_what_to_do_when_the_limit_is_reached(run: Run) -> None:
    run("file-limits", "--cache", "300")
    attached(run, "a.bin")
    Path("b.bin").write_bytes(content(250))
    assert "syncchat file-limits" in run("attach", "Team", "b.bin", code=1).stderr


def test_files_are_listed_with_where_they_are(run: Run, db: Path) -> None:
    mine = attached(run, "mine.bin", "other.bin")
    away = of_somebody(db)
    text = run("files", "Team").stdout.splitlines()
    assert [line.split()[:2] for line in text] == [[mine, "0"], [mine, "1"], [away, "0"]]
    assert ["250 bytes" in line for line in text] == [True, True, True]
    assert "fetching" in text[2] and "away.bin" in text[2]
    found = printed(run("files", "Team", "--message", mine[:12], "--json"))
    assert [(file["place"], file["name"]) for file in found] == [(0, "mine.bin"), (1, "other.bin")]
    assert found[0]["size"] == 250
    assert len(printed(run("files", "Team", "--before", away, "--json"))) == 2
    assert len(printed(run("files", "Team", "--after", mine, "--json"))) == 1
    assert len(printed(run("files", "Team", "-n", "1", "--json"))) == 1


def test_files_of_all_rooms_are_those_on_their_way(run: Run, db: Path) -> None:
    away = of_somebody(db)
    attached(run, "mine.bin")
    assert [line.split()[0] for line in run("files").stdout.splitlines()].count(away) == 1
    assert "say in which room" in run("files", "--message", away, code=2).stderr


def test_names_of_files_cannot_write_on_the_terminal(run: Run, db: Path) -> None:
    of_somebody(db, name="\x1b[2J\u202eevil\nname")
    done = run("files", "Team").stdout
    assert "\x1b" not in done and "\u202e" not in done
    assert len(done.splitlines()) == 1


def test_download_saves_what_is_here_and_overwrites_nothing_by_itself(run: Run) -> None:
    message = attached(run, "a.bin", "b.bin")
    done = run("download", "Team", message)
    assert done.stdout.splitlines() == ["a (1).bin", "b (1).bin"]
    assert Path("a (1).bin").read_bytes() == content(250)
    assert Path("b (1).bin").read_bytes() == content(250, 1)
    Path("to").mkdir()
    (one,) = printed(run("download", "Team", message, "--place", "1", "--to", "to", "--json"))
    assert (one["path"], one["state"]) == (str(Path("to/b.bin")), "sending")
    assert run("download", "Team", message, "--place", "1", "--to", "-").stdout_bytes == content(
        250, 1
    )
    path = ("--place", "0", "--to", "b.bin")
    assert "b.bin" in run("download", "Team", message, *path, code=2).stderr
    run("download", "Team", message, *path, "--overwrite")
    assert Path("b.bin").read_bytes() == content(250)


def test_download_says_what_is_wrong(run: Run, db: Path) -> None:
    message = attached(run, "a.bin", "b.bin")
    assert "need a folder" in run("download", "Team", message, "--to", "x.bin", code=2).stderr
    assert "need a folder" in run("download", "Team", message, "--to", "-", code=2).stderr
    assert "no attachment 5" in run("download", "Team", message, "--place", "5", code=3).stderr
    assert "no message" in run("download", "Team", "0" * 26, code=3).stderr
    text = run("send", "Team", "words").stdout.strip()
    assert "no file that could be fetched" in run("download", "Team", text, code=3).stderr
    away = of_somebody(db)
    done = run("download", "Team", away, "--timeout", "0.1", code=5)
    assert "not all of it came; what did is kept" in done.stderr


def test_cancel_stops_a_file_and_undo_starts_it_again(run: Run, db: Path) -> None:
    away = of_somebody(db)
    assert run("cancel", "Team", away).stdout == "away.bin: away\n"
    assert run("files").stdout == ""
    (now,) = printed(run("cancel", "Team", away, "--place", "0", "--undo", "--json"))
    assert (now["state"], now["name"]) == ("fetching", "away.bin")


def test_limits_are_shown_and_changed(run: Run, db: Path) -> None:
    assert "come by themselves up to 8.4 MB" in run("file-limits").stdout
    (told,) = printed(run("file-limits", "--automatic", "20MB", "--cache", "10 GiB", "--json"))
    assert (told["automaticBytesMax"], told["cacheBytesMax"]) == (20_000_000, 10 * 2**30)
    with syncchat.open(db) as peer:
        assert peer.files.limits.automatic_bytes_max == 20_000_000
    assert "'lots' is not a size" in run("file-limits", "--cache", "lots", code=2).stderr


def test_free_removes_what_can_be_fetched_again(run: Run, db: Path) -> None:
    message = attached(run, "mine.bin")
    assert "removed: 0 bytes" in run("file-limits", "--free").stdout
    with syncchat.open(db) as peer:
        (file,) = rows.all_files(peer._db)
        with peer._db.atomic():
            rows.note_all_sent(peer._db, file)
    assert "removed: 250 bytes" in run("file-limits", "--free").stdout
    assert printed(run("files", "Team", "--json"))[0]["state"] == FileState.AWAY.value
    assert message in run("files", "Team").stdout


def test_doctor_says_how_much_of_files_there_is_and_finds_what_is_damaged(
    run: Run, db: Path
) -> None:
    attached(run, "mine.bin")
    (found,) = printed(run("doctor", "--json"))
    assert found["fileBytes"] == 250
    assert "MB of files" in run("doctor").stdout
    (pack,) = db.with_name(db.name + ".files").iterdir()
    pack.write_bytes(b"")
    assert "3 of 3 chunks are damaged or gone" in run("doctor", code=3).stdout
    run("doctor", "--rebuild")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500", 500),
        ("20MB", 20_000_000),
        ("1.5 GiB", 3 * 2**29),
        ("3k", 3 * 1024),
        ("7kB", 7_000),
        ("2TiB", 2**41),
    ],
)
def test_sizes_are_read_as_people_type_them(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "-1", "MB", "1XB", "1e9", "1,5 GB", "9" * 16])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a size"):
        Size().convert(text, None, None)


@pytest.mark.parametrize(
    ("octets", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1_000, "1.0 kB"), (10**12, "1.0 TB")],
)
def test_sizes_are_told_in_words(octets: int, words: str) -> None:
    assert size_words(octets) == words


def of_somebody(db: Path, *, name: str = AWAY.name) -> str:
    """Have a message with a file in Team whose bytes are not here, and return its id."""
    said = AWAY.to_value() | {"name": name}
    with syncchat.open(db) as peer:
        message = peer.rooms()[0].send("a file", attachments=[said])
        peer.rooms()[0].fetch(message.id)
    return message.id
