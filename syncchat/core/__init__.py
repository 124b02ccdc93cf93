"""The core: what a room's history is, as pure functions over journals.

``clock`` stamps, ``values`` says what an entry may hold, ``journal`` writes own volumes with
pycrdt, ``reader`` reads foreign updates without it, ``fold`` turns entries into what a room
shows, ``digest`` condenses that into one number that is equal on every converged peer.
"""
