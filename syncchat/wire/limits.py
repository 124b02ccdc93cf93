"""Sizes and times that both ends of a connection rely on, each with its reason."""

from __future__ import annotations

VERSION = 1
"""Protocol version that this code speaks; the relay's Hello names the range that it takes."""

FRAME_BYTES_MAX = 256 * 1024
"""One WebSocket message. Small enough that a slow link still shows progress every second or so."""

ENVELOPE_BYTES_MAX = 240 * 1024
"""Leaves room in a frame for what surrounds one envelope."""

UPDATE_BYTES_MAX = 1024 * 1024
"""A body after decompression; bounds what a hostile sender can make a receiver allocate."""

ENVELOPES_PER_PUSH_MAX = 256
"""Envelopes in one Push; the relay writes them in one transaction."""

PUSHES_IN_FLIGHT_MAX = 8
"""Pushes that a peer may have unacknowledged: enough to fill a link, few enough to bound memory."""

BLOB_BYTES_MAX = 255 * 1024
"""One sealed chunk of a file, so that a chunk is one frame, with room for what surrounds it."""

BLOB_NAMES_MAX = 4_000
"""Blobs that one frame names, of 32 bytes each."""

BLOBS_IN_FLIGHT_MAX = 160
"""Frames about blobs that a peer may have unanswered: enough that a relay's disk does not hold a
file up, few enough to bound its memory. What is sent beyond them is not stored."""

RECENT_ENVELOPES_MAX = 1_000
"""Of the newest envelopes of a room, how many a peer may want to see first."""

CONTENTS_IN_FLIGHT_MAX = 8
"""Snapshots of a room that a peer may have asked for and not got: a relay holds so many at once."""

ROOMS_PER_OPEN_MAX = 4_000
"""Rooms in one Open frame (about 45 bytes each); more rooms take more frames."""

ROOMS_PER_CONNECTION_MAX = 20_000
"""Rooms that one connection may have open at a relay."""

CHAINS_PER_FRAME_MAX = 4_000
"""Chain heads or device cursors in one frame."""

SIGNAL_BYTES_MAX = 1_024
"""What is said in passing: a line of text at most."""

HEARTBEAT_MS = 20_000
"""A peer that has heard nothing for this long asks for a Pong."""

SILENCE_MS_MAX = 40_000
"""A connection on which nothing arrives for this long is dead, whatever TCP says."""

HANDSHAKE_MS_MAX = 10_000
"""From the open socket to the first frame after Auth."""

NAME_BYTES_MAX = 255
"""Host name that a challenge is bound to."""

TOKEN_CHARS_MAX = 4_096
"""A token of an embedding app; a JWT with a signature of RSA is below 1,000."""

SUBJECT_CHARS_MAX = 255
"""What an embedding app calls a person, as in its tokens."""
