"""
The errors that a user can cause. Each message says what was asked, what was found and what to do.

A page or the shell catches `XTokenError` and nothing else; anything that isn't one is a bug of ours.
"""

MAX_CHARACTERS = 700


class XTokenError(ValueError):
    """A user's input can't be used; the message is one sentence or two for the user.

    A message may quote a file, and a file may hold anything: of a long one its beginning and its end stay.
    """

    def __init__(self, message: str) -> None:
        half = MAX_CHARACTERS // 2
        super().__init__(message if len(message) <= MAX_CHARACTERS else f"{message[:half]} … {message[-half:]}")


class TokenizerError(XTokenError):
    """A tokenizer can't be found, fetched or read."""


class TextError(XTokenError):
    """A text can't be read or is larger than a stated limit."""


class AlignmentError(XTokenError):
    """Two token sequences can't be aligned as asked."""


class ProjectionError(XTokenError):
    """A projection matrix can't be built as asked, read, or used with these tokenizers."""


class SearchError(XTokenError):
    """A query that finds tokens in a vocabulary can't be read."""


class ShapeError(XTokenError):
    """Logits, ids, masks or W don't fit each other."""


class LossError(XTokenError):
    """A loss was asked for with a value that it doesn't have."""
