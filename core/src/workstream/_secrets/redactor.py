"""Taking secrets out of what a plugin is about to cut."""

from __future__ import annotations

from collections.abc import Iterable

from .filling import texts_to_hide
from .forms import forms, hide, hide_end


class Redactor:
    """Takes the secrets of a request out of texts, for plugins that cut texts.

    The engine takes them out of all that a plugin gives: errors, responses, notes and
    lines (CL-8). But of a secret that was cut in two it may not know the pieces. So what
    is to be shortened goes through this first::

        redactor = Redactor(request)
        raise PluginError(f"it answered {redactor.redact(body)[:200]}")
    """

    def __init__(self, request: object, also: Iterable[str] = ()) -> None:
        """Make one.

        Args:
            request: The request that ``execute`` was given, or a part of it: the values
                of its ``SecretRef`` and SECURE fields are taken out, in the forms in
                which they turn up.
            also: More texts to take out likewise, such as parts of a secret URL.
        """
        self._texts = texts_to_hide(request).union(*map(forms, also))

    def __bool__(self) -> bool:
        """Whether there is anything to take out."""
        return bool(self._texts)

    def redact(self, text: str, *, cut: bool = False) -> str:
        """The text with ``"[secret hidden]"`` in the place of each secret.

        Args:
            text: What may hold secrets.
            cut: Whether it was cut off at its end already: then what may be the
                beginning of a secret there, of at least four characters, is taken out.
        """
        text = hide(text, self._texts)
        return hide_end(text, self._texts) if cut else text
