"""Jinja templates: rendered strictly, in a sandbox.

Strictly: a name that stands for nothing is an error, wherever the template uses it; a
configuration file with a hole in it is worse than none. In a sandbox: a template is
often a file that more people may write than may run things as the engine does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workstream import PluginError

from ._requests import TemplateRequest
from ._threads import look_up

__all__ = ["render", "syntax_fault"]

MOST_RENDERED = 64 * 1024 * 1024
"""Characters: a loop that never ends must not fill the memory first."""


def syntax_fault(template: str) -> str | None:
    """Why a text is no template; None: it is one."""
    try:
        _environment(None).parse(template)
    except jinja2.TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    return None


def render(request: TemplateRequest) -> bytes:
    """The file that a template gives, as UTF-8. For use in a thread.

    Raises:
        PluginError: It cannot be read or rendered; all names without a value are named.
    """
    secrets = {name: ref.reveal() for name, ref in request.secrets.items()}
    values = {**request.values, **secrets}
    folder, name = os.path.split(request.source or "")
    environment = _environment(folder if request.source else None)
    what = request.source or "the template"
    try:
        if request.source:
            template = environment.get_template(name)
        else:
            template = environment.from_string(request.template or "")
        return _joined(template, values, what)
    except jinja2.UndefinedError as error:
        message = f"{what}: {error.message}{_more(environment, request, values)}"
        raise PluginError(message, permanent=True) from error
    except jinja2.TemplateNotFound as error:
        path = os.path.join(folder, str(error.name or error.message))
        message = f"the template {path} does not exist, or may not be read"
        raise PluginError(message) from error
    except jinja2.TemplateSyntaxError as error:
        where = error.filename or what
        message = f"{where}, line {error.lineno}: {error.message}"
        raise PluginError(message, permanent=True) from error
    except (OSError, PluginError):
        raise
    except UnicodeDecodeError as error:
        message = f"{what} is not UTF-8"
        raise PluginError(message, permanent=True) from error
    except Exception as error:
        # A template runs expressions, and these may raise anything.
        message = f"{what}: {type(error).__name__}: {error}"
        raise PluginError(message, permanent=True) from error


def _environment(folder: str | None) -> jinja2.Environment:
    return ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        loader=None if folder is None else jinja2.FileSystemLoader(folder),
        cache_size=0,
    )


def _joined(template: jinja2.Template, values: Mapping[str, Any], what: str) -> bytes:
    rendered: list[str] = []
    size = 0
    for text in template.generate(values):
        look_up()
        rendered.append(text)
        size += len(text)
        if size > MOST_RENDERED:
            message = f"{what} gives more than {MOST_RENDERED:,} characters"
            raise PluginError(message, permanent=True)
    return "".join(rendered).encode()


def _more(
    environment: jinja2.Environment, request: TemplateRequest, values: Mapping[str, Any]
) -> str:
    """The names in the template itself that have no value: not only the first."""
    text = request.template
    if text is None and environment.loader is not None:
        name = os.path.basename(request.source or "")
        text = environment.loader.get_source(environment, name)[0]
    used = meta.find_undeclared_variables(environment.parse(text or ""))
    lacking = sorted(used - set(values) - set(environment.globals))
    if not lacking:
        return ""
    return f"; without a value in values or secrets: {', '.join(lacking)}"
