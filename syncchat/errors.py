"""Every error that syncchat raises, in one tree.

::

    SyncchatError
    ├── ValidationError (ValueError)      an argument cannot be used; nothing was written
    │   └── PhraseError                   a recovery phrase was not typed as it was shown
    │       ├── PhraseLengthWrong         it has too few or too many words
    │       ├── PhraseWordUnknown         a word is not in the list
    │       └── PhraseChecksumWrong       every word is in the list, but they do not fit
    ├── NotFoundError (LookupError)       no such room or message here
    │   ├── FileAway                      a file's bytes are not here; they can be fetched
    │   └── FileGone                      a file's bytes cannot be had
    ├── NotAllowedError                   this member may not do that
    ├── DecodeError (ValueError)          bytes from outside are not what they should be
    │   ├── InviteError                   an invite link is damaged or of another version
    │   └── UpdateRefused                 the strict reader refused a foreign update
    ├── TrustError                        a signature, a chain or a seal does not hold
    │   ├── SignatureInvalid
    │   ├── ChainBroken
    │   └── SealBroken
    │       └── KeyMissing                the key is not here yet; what it opens waits
    ├── StorageError                      the database cannot be used
    │   ├── DatabaseNewer                 written by a later syncchat; left untouched
    │   ├── DatabaseDamaged               not a syncchat database, or corrupt; left untouched
    │   ├── DatabaseBusy                  another process held the write lock for too long
    │   ├── DatabaseLocked                encrypted, and not opened; left untouched
    │   │   ├── KeyNeeded                 no key was given, or it is not where it should be
    │   │   └── KeyWrong                  the key that was given does not open it
    │   ├── NotEncrypted                  a key was given for a plain database; left untouched
    │   ├── ExtraMissing                  an optional part of syncchat is not installed
    │   ├── DiskFull                      nothing of the transaction was written
    │   ├── FilesFull                     a file does not fit within the peer's own limit
    │   ├── LeaseLost                     another process took over syncing; nothing was written
    │   └── BackupRefused                 a backup cannot be used; nothing was written
    │       ├── BackupDamaged             not a backup, cut off or changed
    │       ├── BackupNewer               made by a later syncchat
    │       └── BackupLocked              the passphrase is wrong
    ├── TransportError                    the network pipe failed; syncing retries by itself
    │   ├── ConnectFailed
    │   ├── NotConnected                  what was asked for is at a relay that is not reached
    │   ├── ConnectionLost
    │   └── TokenMissing                  the app gave no token for a relay
    └── RelayRefused                      the relay said no, with a code of ``syncchat.wire.codes``

Being offline is a state, never an error of a local call.
"""

from __future__ import annotations


class SyncchatError(Exception):
    """Is the root of every error raised on purpose."""


class ValidationError(SyncchatError, ValueError):
    """An argument cannot be used; nothing was written."""


class PhraseError(ValidationError):
    """A recovery phrase was not typed as it was shown."""


class PhraseLengthWrong(PhraseError):
    """A recovery phrase has too few or too many words; ``count`` says how many."""

    def __init__(self, count: int, *, expected: int) -> None:
        super().__init__(
            f"a recovery phrase has {expected} words and this has {count}; "
            "type all of them in their order"
        )
        self.count = count


class PhraseWordUnknown(PhraseError):
    """A word of a recovery phrase is not in the list.

    ``position`` counts from 1; ``suggestions`` are like words, the likeliest first. The text
    names the word: it is for the person who typed it and not for a log.
    """

    def __init__(self, word: str, position: int, suggestions: tuple[str, ...]) -> None:
        meant = f"did you mean {' or '.join(suggestions)}?" if suggestions else "look it up again"
        super().__init__(f"word {position}, {word!r}, is not in the list of words; {meant}")
        self.word = word
        self.position = position
        self.suggestions = suggestions


class PhraseChecksumWrong(PhraseError):
    """Every word of a recovery phrase is in the list, but together they are none."""

    def __init__(self) -> None:
        super().__init__(
            "these words do not belong together; at least one is wrong or in another's place, "
            "so compare each with what you wrote down"
        )


class NotFoundError(SyncchatError, LookupError):
    """There is no such room or message in this database."""


class FileAway(NotFoundError):
    """A file's bytes are not here, or were damaged; fetch it."""


class FileGone(NotFoundError):
    """A file's bytes are not here and cannot be had; the text says why."""


class NotAllowedError(SyncchatError):
    """This member may not do that, for example edit another's message."""


class DecodeError(SyncchatError, ValueError):
    """Bytes from outside are not what they should be."""


class InviteError(DecodeError):
    """An invite link is damaged, incomplete or of another version."""


class UpdateRefused(DecodeError):
    """A foreign update is not what our own writer emits."""


class TrustError(SyncchatError):
    """A signature, a chain or a seal does not hold."""


class SignatureInvalid(TrustError):
    """The signature was not made by the device that is named."""


class ChainBroken(TrustError):
    """An envelope does not follow the one before it."""


class SealBroken(TrustError):
    """A body does not open under the room's key."""


class KeyMissing(SealBroken):
    """The room key that a body is sealed under is not here yet; it opens when the key comes."""


class StorageError(SyncchatError):
    """The database cannot be used."""


class DatabaseNewer(StorageError):
    """The database was written by a later syncchat; it was left untouched."""


class DatabaseDamaged(StorageError):
    """The file is not a syncchat database, or it is corrupt; it was left untouched."""


class DatabaseBusy(StorageError):
    """Another process held the write lock for too long; try again."""


class DatabaseLocked(StorageError):
    """The database is encrypted and was not opened; it was left untouched."""


class KeyNeeded(DatabaseLocked):
    """No key was given for an encrypted database, or it is not where it should be."""


class KeyWrong(DatabaseLocked):
    """The key that was given does not open the database."""


class NotEncrypted(StorageError):
    """A key was given for a database that is not encrypted; it was left untouched."""


class ExtraMissing(StorageError):
    """An optional part of syncchat is needed and not installed."""


class DiskFull(StorageError):
    """The disk is full; nothing of the transaction was written."""


class FilesFull(StorageError):
    """A file does not fit within this peer's own limit for files; nothing was written."""


class LeaseLost(StorageError):
    """Another process took over syncing this database; nothing was written."""


class BackupRefused(StorageError):
    """A backup cannot be used; nothing was written."""


class BackupDamaged(BackupRefused):
    """The file is not a backup, or it was cut off or changed."""


class BackupNewer(BackupRefused):
    """The backup was made by a later syncchat."""


class BackupLocked(BackupRefused):
    """The passphrase does not open the backup."""


class TransportError(SyncchatError):
    """The network pipe failed; syncing retries by itself."""


class ConnectFailed(TransportError):
    """No connection could be made."""


class NotConnected(TransportError):
    """What was asked for is at a relay that is not reached now."""


class ConnectionLost(TransportError):
    """The connection ended, by either side or by the network."""


class TokenMissing(TransportError):
    """The app that embeds this peer gave no token for a relay."""


class RelayRefused(SyncchatError):
    """The relay said no.

    ``code`` is one of ``syncchat.wire.codes.ErrorCode``; ``retry_after_ms`` is 0 where trying
    again does not help.
    """

    def __init__(self, code: int, text: str, *, retry_after_ms: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.retry_after_ms = retry_after_ms
