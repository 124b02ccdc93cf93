"""The bot of the documentation, as it stands there, killed again and again."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import syncchat_relay

import syncchat
from tests.e2e.programs import environment
from tests.e2e.support import until

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "write-a-bot.md"
KILLS = 4
MESSAGES_PER_LIFE = 5


def program() -> str:
    (found,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def start(folder: Path, link: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program(), link],
        cwd=folder,
        env=environment(),
    )


def test_bot_of_the_documentation_has_ten_lines() -> None:
    body = program().split("async def main", 1)[1].split("asyncio.run")[0]
    assert len(body.strip().splitlines()[1:]) == 10


@pytest.mark.timeout(180)
async def test_bot_that_is_killed_in_the_middle_answers_each_message_exactly_once(
    tmp_path: Path,
) -> None:
    async with syncchat_relay.serve() as relay:
        with syncchat.open(tmp_path / "alice.db", name="Alice") as alice:
            room = alice.create_room("Team", relay=relay.url)
            link = room.invite()
            async with alice.online():
                await room.synced()
                asked: list[str] = []
                bot = start(tmp_path, link)
                try:
                    kept = tmp_path / "echo.cursor"
                    await until(kept.exists, seconds=60)  # from then on it misses nothing
                    for life in range(KILLS):
                        for number in range(MESSAGES_PER_LIFE):
                            asked.append(room.send(f"message {life}-{number}").id)
                        # Killed while it is at it: after another number of answers each time.
                        await until(lambda: len(answers(room)) > len(asked) - 4, seconds=60)
                        bot.send_signal(signal.SIGKILL)
                        bot.wait()
                        asked.append(room.send(f"while it was dead {life}").id)
                        bot = start(tmp_path, link)
                    await until(lambda: set(answers(room)) >= set(asked), seconds=60)
                finally:
                    bot.kill()
                    await asyncio.to_thread(bot.wait)
            counted = Counter(answers(room))
            assert counted == dict.fromkeys(asked, 1)


def answers(room: syncchat.Room) -> list[str]:
    """Return which messages were answered, one for each answer."""
    shown = room.messages(limit=1_000)
    texts = {str(message.id): message.text for message in shown}
    found = [message for message in shown if not message.mine]
    assert all(texts[str(m.reply_to)] == m.text for m in found)
    return [str(message.reply_to) for message in found]
