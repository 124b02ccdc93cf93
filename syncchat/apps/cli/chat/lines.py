"""Where typed lines come from: a terminal with an editor, or a pipe."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_BYTES_MAX = 1024 * 1024
"""A longer line of a pipe ends here; the library takes 64 KiB in one message, and says so."""

_LINES_AHEAD_MAX = 100
_READ_BYTES = 64 * 1024


class Lines(Protocol):
    """Gives typed lines, one after the other."""

    async def next(self) -> str | None:
        """Return the next line, or None at the end."""

    def refresh(self) -> None:
        """Show the state of things anew, where it is shown beside the input."""


class PipeLines:
    """Reads lines from a file descriptor, in a thread: a pipe, a file, anything.

    The thread reads ahead at most ``_LINES_AHEAD_MAX`` lines. It is a daemon and holds no lock
    while it waits, so that leaving never has to wait for whoever writes the pipe.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(_LINES_AHEAD_MAX)
        self._thread: threading.Thread | None = None

    async def next(self) -> str | None:
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._read, args=(loop,), daemon=True)
            self._thread.start()
        return await self._queue.get()

    def refresh(self) -> None:
        pass

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            for line in self._lines():
                asyncio.run_coroutine_threadsafe(self._queue.put(line), loop).result()
            asyncio.run_coroutine_threadsafe(self._queue.put(None), loop).result()
        except (RuntimeError, asyncio.CancelledError):
            return  # the loop has ended: the chat was left

    def _lines(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        rest = ""
        while True:
            try:
                raw = os.read(self._descriptor, _READ_BYTES)
            except OSError:
                raw = b""
            *whole, rest = (rest + decoder.decode(raw, final=not raw)).split("\n")
            yield from (line.removesuffix("\r") for line in whole)
            if len(rest) > LINE_BYTES_MAX:
                yield rest
                rest = ""
            if not raw:
                if rest:
                    yield rest
                return


class TerminalLines:
    """Reads lines with an editor; what is printed meanwhile appears above the line being typed.

    Ctrl-C clears a line that has text and leaves from an empty one, as Ctrl-D does.
    """

    def __init__(
        self,
        *,
        toolbar: Callable[[], str],
        typed: Callable[[str], None],
        back: Callable[[], None],
        commands: tuple[str, ...],
    ) -> None:
        """``typed`` is told the line whenever it changes; ``back`` is called for page up."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

        keys = KeyBindings()

        @keys.add("c-c")
        @keys.add("<sigint>")
        def _clear_or_leave(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.reset()
            else:
                event.app.exit(exception=EOFError())

        @keys.add("pageup")
        def _back(event: KeyPressEvent) -> None:
            back()

        self._session: PromptSession[str] = PromptSession(
            "> ",
            erase_when_done=True,
            bottom_toolbar=toolbar,
            key_bindings=keys,
            completer=WordCompleter(list(commands), sentence=True),
            complete_while_typing=False,
        )

        buffer = self._session.default_buffer
        buffer.on_text_changed += lambda _: typed(buffer.text)
        self._is_left = False

    async def next(self) -> str | None:
        self._heed_interrupts()
        if self._is_left:
            return None
        try:
            return await self._session.prompt_async()
        except EOFError:
            return None
        finally:
            self._heed_interrupts()  # the editor has its own handler, and takes it along

    def refresh(self) -> None:
        self._session.app.invalidate()

    def _heed_interrupts(self) -> None:
        """Leave on ctrl-c between two lines, where the terminal makes a signal of it."""
        if sys.platform != "win32":
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, self._leave)

    def _leave(self) -> None:
        self._is_left = True


@contextmanager
def above_the_input() -> Iterator[None]:
    """Print above the line being typed, for the length of the block."""
    from prompt_toolkit.patch_stdout import patch_stdout

    with patch_stdout(raw=True):
        yield


def is_terminal() -> bool:
    """Tell whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()
