"""The interactive line mode, ``syncchat chat``.

``loop`` joins three things: lines that come from the keyboard or a pipe (``lines``), what they
mean (``commands``), and what is printed (``screen``, with the states of own messages in
``states``). Nothing here keeps history: what was printed is printed, the room is in the database.
"""
