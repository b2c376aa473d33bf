"""The body of an answer, read as far as it is wanted, and as text.

httpx2 cannot be left in the middle of a body: some of the generators it stacks upon
each other are then not closed, but left to the garbage collector. So the reading is
cancelled instead of broken off, which ends all of them.

It decompresses within the generators too. Here that is done outside of them, and no
further than the limit: a small body may become a thousand times its size.
"""

from __future__ import annotations

import codecs
import zlib

import httpx2
import trio

# What Python calls the charsets that servers name. Not every codec of Python's is
# one, and some take time that grows with the square of what a server sends.
_CHARSETS = frozenset(
    codecs.lookup(name).name
    for name in (
        *("ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"),
        *("latin-1", "iso8859-2", "iso8859-9", "iso8859-15"),
        *("cp1250", "cp1251", "cp1252", "cp1254", "koi8-r"),
        *("shift_jis", "euc_jp", "euc_kr", "big5", "gbk", "gb18030"),
    )
)


class BodyError(Exception):
    """A body cannot be decompressed; the message is the end of a sentence."""


async def read(answer: httpx2.Response, limit: int) -> tuple[bytes, bool]:
    """The body, decompressed, and whether it goes on behind ``limit`` bytes.

    Raises:
        BodyError: It cannot be decompressed.
        httpx2.HTTPError: The connection broke.
    """
    if limit == 0:
        return b"", False
    body = _Body(answer.headers.get("content-encoding", "identity"), limit)
    with trio.CancelScope() as scope:
        async for piece in answer.aiter_raw():
            # After the cancellation come the pieces that were received already.
            if not body.is_over:
                body.add(piece)
                if body.is_over:
                    scope.cancel()
    if body.error is not None:
        raise body.error
    return bytes(body.data[:limit]), len(body.data) > limit


class _Body:
    """What was read so far: at most one byte more than the limit."""

    def __init__(self, encoding: str, limit: int) -> None:
        self.data = bytearray()
        self.error: BodyError | None = None
        self._wanted = limit + 1
        self._encoding = encoding.strip().lower()
        self._decompress = None
        if self._encoding in ("gzip", "x-gzip", "deflate"):
            # 32: which of the two it is, is read from the body itself.
            self._decompress = zlib.decompressobj(zlib.MAX_WBITS | 32)

    @property
    def is_over(self) -> bool:
        """Whether no more of the body is wanted."""
        if self.error is not None or len(self.data) >= self._wanted:
            return True
        # zlib keeps all that comes behind the end, however much it is.
        return self._decompress is not None and self._decompress.eof

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        wanted = self._wanted - len(self.data)
        if self._decompress is not None:
            try:
                self.data += self._decompress.decompress(piece, wanted)
            except zlib.error as error:
                self.error = BodyError(f"that cannot be decompressed: {error}")
        elif self._encoding in ("identity", ""):
            self.data += piece[:wanted]
        else:
            self.error = BodyError(
                f"compressed as {self._encoding!r}, which was not asked for: only gzip "
                "and deflate can be decompressed"
            )


def decoded(data: bytes, charset: str | None, *, cut: bool) -> tuple[str, bool]:
    """``data`` as text, and whether bytes that are no text had to be replaced.

    Args:
        data: What was received.
        charset: What the server calls its charset; UTF-8 is taken for an unknown one.
        cut: Whether more followed: a character that is cut in two is then left out.
    """
    try:
        name = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        name = "utf-8"
    if name not in _CHARSETS:
        name = "utf-8"
    make_decoder = codecs.getincrementaldecoder(name)
    try:
        return make_decoder("strict").decode(data, final=not cut), False
    except UnicodeError:
        return make_decoder("replace").decode(data, final=not cut), True
