"""Trust: who signed what, in which order, and for whose eyes.

``keys`` holds device keys and the answer to a relay's challenge, ``chain`` the hash-linked,
signed chain of each device's envelopes, ``seal`` the encryption of bodies under a room key.
All crypto is PyNaCl's, here and nowhere else. The signed member logs will live here too.
"""
