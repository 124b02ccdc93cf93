"""The commands that encrypt, decrypt, back up and restore, and how others find the key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import syncchat
from syncchat.apps.cli import cli, keys
from syncchat.apps.cli.options import _complete_room
from syncchat.storage.locks import Passphrase, lock_of
from tests.support.keys import WORDS, MemoryKeystore, make_guessing_cheap

Run = Callable[..., Result]
BOX = "the words of the backup"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_guessing_cheap(monkeypatch)


@pytest.fixture
def keychain(monkeypatch: pytest.MonkeyPatch) -> MemoryKeystore:
    """Stand in for the system's keychain."""
    import keyring

    store = MemoryKeystore()
    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(keyring, name, getattr(store, name))
    return store


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("DB", "RELAY", "DEBUG", "PASSPHRASE", "NEW_PASSPHRASE", "BACKUP_PASSPHRASE"):
        monkeypatch.delenv(f"SYNCCHAT_{name}", raising=False)
    monkeypatch.delenv("SYNCCHAT_KEY_FILE", raising=False)
    monkeypatch.setenv("SYNCCHAT_DB", str(tmp_path / "alice.db"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def go(*arguments: str, code: int = 0, **env: str) -> Result:
        variables = {f"SYNCCHAT_{name}": value for name, value in env.items()}
        done = CliRunner().invoke(cli, arguments, env=variables)
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return done

    return go


@pytest.fixture
def db(run: Run, tmp_path: Path) -> Path:
    """Give the plain database of Alice, with the room Team and one message."""
    run("init", "--name", "Alice")
    run("create", "Team")
    run("send", "Team", "hello")
    return tmp_path / "alice.db"


def fields(done: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def typing(monkeypatch: pytest.MonkeyPatch, *lines: str) -> list[str]:
    """Let a person sit at the terminal who types these lines; return the list of questions."""
    waiting, questions = list(lines), []

    def prompt(question: str, **options: Any) -> str:
        assert options["hide_input"] and options["err"]
        questions.append(question + (" (twice)" if options["confirmation_prompt"] else ""))
        return waiting.pop(0)

    monkeypatch.setattr(click, "prompt", prompt)
    monkeypatch.setattr(keys, "_is_somebody_there", lambda: True)
    return questions


def test_person_is_asked_for_the_passphrase_of_a_locked_database_without_any_option(
    run: Run, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = typing(monkeypatch, WORDS, WORDS, WORDS)
    run("encrypt")
    assert lock_of(db) is not None
    assert "hello" in run("history", "Team").stdout
    run("decrypt")
    assert questions == [
        "New passphrase (twice)",
        "Passphrase of alice.db",
        "Passphrase of alice.db",
    ]
    assert lock_of(db) is None
    assert "hello" in run("history", "Team").stdout


def test_program_gives_the_passphrase_through_the_environment(run: Run, db: Path) -> None:
    assert fields(run("encrypt", "--json", PASSPHRASE=WORDS)) == {
        "db": str(db),
        "encryptedAtRest": True,
        "lock": "passphrase",
    }
    assert "hello" in run("history", "Team", PASSPHRASE=WORDS).stdout
    assert "hello" in run("history", "Team", "--passphrase", PASSPHRASE=WORDS).stdout
    nobody = run("history", "Team", code=4)
    assert "set SYNCCHAT_PASSPHRASE" in nobody.stderr
    wrong = run("history", "Team", code=4, PASSPHRASE="something else")
    assert "does not open" in wrong.stderr
    assert WORDS not in wrong.stderr + nobody.stderr


def test_passphrase_in_the_environment_does_not_encrypt_unasked(run: Run, db: Path) -> None:
    run("rooms", PASSPHRASE=WORDS)
    assert lock_of(db) is None
    other = db.with_name("other.db")
    run("init", "--name", "Bob", "--db", str(other), PASSPHRASE=WORDS)
    assert lock_of(other) is None


def test_key_file_is_made_once_and_found_by_option_or_environment(
    run: Run, db: Path, tmp_path: Path
) -> None:
    key = tmp_path / "my.key"
    made = run("encrypt", "--key-file", str(key))
    assert f"made the key file {key}" in made.stderr
    assert key.stat().st_size == 32
    assert "hello" in run("history", "Team", "--key-file", str(key)).stdout
    assert "hello" in run("history", "Team", KEY_FILE=str(key)).stdout
    assert "--key-file PATH" in run("history", "Team", code=4).stderr
    gone = run("history", "Team", "--key-file", str(tmp_path / "gone"), code=4)
    assert "cannot be read" in gone.stderr
    assert not (tmp_path / "gone").exists()
    other = tmp_path / "other.db"
    again = run("init", "--name", "Bob", "--db", str(other), "--key-file", str(key))
    assert "key file" not in again.stderr


def test_keychain_opens_a_database_without_a_word(
    run: Run, db: Path, keychain: MemoryKeystore
) -> None:
    run("encrypt", "--keychain")
    assert len(keychain.kept) == 1
    assert "hello" in run("history", "Team").stdout
    assert "hello" in run("history", "Team", "--keychain").stdout
    keychain.kept.clear()
    assert "no key for" in run("history", "Team", code=4).stderr


def test_new_database_is_encrypted_at_once_where_that_is_asked_for(
    run: Run, tmp_path: Path
) -> None:
    run("init", "--name", "Alice", "--passphrase", PASSPHRASE=WORDS)
    run("create", "Canary", PASSPHRASE=WORDS)
    assert b"Canary" not in (tmp_path / "alice.db").read_bytes()
    short = run("init", "--name", "B", "--db", str(tmp_path / "b.db"), "--passphrase",
                code=2, PASSPHRASE="short")  # fmt: skip
    assert "8 to 1,000" in short.stderr
    assert not (tmp_path / "b.db").exists()


def test_option_that_does_not_fit_the_lock_is_told_without_asking(
    run: Run, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = typing(monkeypatch)
    plain = run("rooms", "--passphrase", code=4)
    assert "not encrypted" in plain.stderr
    run("encrypt", "--key-file", str(tmp_path / "key"))
    for option, name in (("--passphrase", "a passphrase"), ("--keychain", "the keychain")):
        done = run("rooms", option, code=4)
        assert f"locked with a key file, not with {name}" in done.stderr
    both = run("rooms", "--keychain", "--key-file", "x", code=2)
    assert "choose one of" in both.stderr
    assert questions == []


def test_lock_is_changed_from_any_to_any(
    run: Run, db: Path, tmp_path: Path, keychain: MemoryKeystore
) -> None:
    key = str(tmp_path / "key")
    run("encrypt", PASSPHRASE=WORDS)
    run("encrypt", PASSPHRASE=WORDS, NEW_PASSPHRASE="another that is long")
    run("history", "Team", code=4, PASSPHRASE=WORDS)
    run("encrypt", "--key-file", key, PASSPHRASE="another that is long")
    assert "--old-key-file" in run("encrypt", "--keychain", code=2).stderr
    run("encrypt", "--keychain", "--old-key-file", key)
    run("encrypt", NEW_PASSPHRASE=WORDS)
    assert "hello" in run("history", "Team", PASSPHRASE=WORDS).stdout
    assert fields(run("decrypt", "--json", PASSPHRASE=WORDS))["encryptedAtRest"] is False
    assert "is not encrypted" in run("decrypt", code=2).stderr


def test_doctor_says_plainly_whether_the_database_is_encrypted_and_finds_no_fault_in_it(
    run: Run, db: Path
) -> None:
    words = (
        "this database is not encrypted: whoever has the file can read it; see 'syncchat encrypt'"
    )
    assert words in run("doctor").stdout
    plain = fields(run("doctor", "--json"))
    assert (plain["encryptedAtRest"], plain["lock"], plain["faults"]) == (False, None, [])
    run("encrypt", PASSPHRASE=WORDS)
    told = run("doctor", PASSPHRASE=WORDS).stdout
    assert words not in told
    assert "encrypted, locked with: passphrase" in told
    locked = fields(run("doctor", "--json", PASSPHRASE=WORDS))
    assert (locked["encryptedAtRest"], locked["lock"], locked["faults"]) == (True, "passphrase", [])


def test_backup_is_restored_elsewhere_and_both_say_what_they_made(
    run: Run, db: Path, tmp_path: Path
) -> None:
    file, other = tmp_path / "alice.backup", tmp_path / "back.db"
    saved = fields(run("backup", str(file), "--json", BACKUP_PASSPHRASE=BOX))
    assert saved == {"file": str(file), "bytes": file.stat().st_size}
    assert str(file) in run("backup", str(file), BACKUP_PASSPHRASE=BOX).stdout
    done = run("restore", str(file), "--db", str(other), "--json", BACKUP_PASSPHRASE=BOX)
    assert fields(done) == {"db": str(other), "encryptedAtRest": False, "lock": None}
    assert "never open the database that the backup was made from" in done.stderr
    assert "hello" in run("history", "Team", "--db", str(other)).stdout


def test_restore_encrypts_the_new_database_where_that_is_asked_for(
    run: Run, db: Path, tmp_path: Path
) -> None:
    file, other = tmp_path / "alice.backup", tmp_path / "back.db"
    run("backup", str(file), BACKUP_PASSPHRASE=BOX)
    done = run("restore", str(file), "--db", str(other), "--passphrase",
               BACKUP_PASSPHRASE=BOX, PASSPHRASE=WORDS)  # fmt: skip
    assert "encrypted, locked with: passphrase" in done.stdout
    with syncchat.open(other, key=Passphrase(WORDS)) as peer:
        assert [m.text for m in peer.rooms()[0].messages()] == ["hello"]


def test_restore_makes_the_default_folder_and_keeps_what_is_there(
    run: Run, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "alice.backup"
    run("backup", str(file), BACKUP_PASSPHRASE=BOX)
    monkeypatch.delenv("SYNCCHAT_DB")
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "fresh"))
    run("restore", str(file), BACKUP_PASSPHRASE=BOX)
    assert "hello" in run("history", "Team").stdout
    run("send", "Team", "written later")
    again = run("restore", str(file), code=2, BACKUP_PASSPHRASE=BOX)
    assert "--overwrite" in again.stderr
    assert "written later" in run("history", "Team").stdout
    run("restore", str(file), "--overwrite", BACKUP_PASSPHRASE=BOX)
    assert "written later" not in run("history", "Team").stdout


def test_bad_backups_end_with_a_word_and_no_database(run: Run, db: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "alice.backup", tmp_path / "back.db"
    assert "SYNCCHAT_BACKUP_PASSPHRASE" in run("backup", str(file), code=4).stderr
    assert not file.exists()
    assert "no backup and stays" in run("backup", str(db), code=2, BACKUP_PASSPHRASE=BOX).stderr
    run("backup", str(file), BACKUP_PASSPHRASE=BOX)
    to = ("--db", str(other))
    assert "try again" in run("restore", str(file), *to, code=4, BACKUP_PASSPHRASE="no").stderr
    file.write_bytes(file.read_bytes()[:-1])
    assert "cut off" in run("restore", str(file), *to, code=1, BACKUP_PASSPHRASE=BOX).stderr
    gone = run("restore", str(tmp_path / "gone"), *to, code=3, BACKUP_PASSPHRASE=BOX)
    assert "no backup at" in gone.stderr
    assert not other.exists()


@pytest.mark.parametrize("arguments", [["encrypt"], ["decrypt"], ["backup", "x"]], ids=str)
def test_without_a_database_there_is_nothing_to_protect(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    assert "syncchat init" in run(*arguments, code=3).stderr
    assert list(tmp_path.iterdir()) == []


def test_completion_of_rooms_never_asks(
    run: Run, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = click.Command("send")
    context = click.Context(command)
    context.params["db"] = db
    parameter = click.Argument(["room"])
    assert [item.value for item in _complete_room(context, parameter, "T")] == ["Team"]
    run("encrypt", PASSPHRASE=WORDS)
    questions = typing(monkeypatch)
    assert _complete_room(context, parameter, "T") == []
    assert questions == []
