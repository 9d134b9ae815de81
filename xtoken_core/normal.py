"""
Unicode's normal form C: composed characters, é and not e with an accent behind it.

From the `tokenizers` library and not from Python's unicodedata: that sorts a run of combining marks in time that grows
with the square of its length, while nothing else in the process can run.
"""

from tokenizers import normalizers

_NFC = normalizers.NFC()


def nfc(text: str) -> str:
    """The text in normal form C.

    >>> len(nfc("e\\u0301"))
    1
    """
    return text if text.isascii() else str(_NFC.normalize_str(text))
