"""Trust: who signed what, in which order, and for whose eyes.

``keys`` holds device keys and the answer to a relay's challenge, ``chain`` the hash-linked,
signed chain of each device's envelopes, ``seal`` the encryption of bodies under a room key,
``phrase`` the words that a root key is made from, ``safety`` what people compare.
All crypto is PyNaCl's, here and nowhere else. The signed member logs will live here too.
"""
