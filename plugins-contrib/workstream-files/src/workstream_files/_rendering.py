"""Render a template in a process of its own, which can be killed. No part of the engine.

A template is a program: it can loop for ever, compute a number of a billion digits, or
fill the memory, and a thread that does so can be neither ended nor made to let others
run. So ``_templates`` hands this module's source to a Python interpreter. It reads what
to render from standard input, and writes what came out to standard output.
"""

import marshal
import os
import resource
import sys
from typing import Any

MOST_RENDERED = 64 * 1024 * 1024
MOST_MEMORY = 2 * 1024 * 1024 * 1024


def main() -> None:
    """Answer one order."""
    order = marshal.load(sys.stdin.buffer)
    sys.path[:] = order["path"]
    limit(resource.RLIMIT_AS, MOST_MEMORY)
    if order["seconds"]:  # nobody may be left to kill it
        limit(resource.RLIMIT_CPU, order["seconds"])
    marshal.dump(answer(order), sys.stdout.buffer)
    sys.stdout.buffer.flush()


def limit(which: int, most: int) -> None:
    """Set a limit, unless there is a lower one."""
    _, hard = resource.getrlimit(which)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(which, (most, hard))


def answer(order: dict[str, Any]) -> tuple[Any, ...]:
    """What was rendered, or why not: a kind, a text, and for some kinds a line."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    source, values = order["source"], order["values"]
    folder, name = os.path.split(source)
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        loader=jinja2.FileSystemLoader(folder) if source else None,
        cache_size=0,
    )
    try:
        if source:
            template = environment.get_template(name)
        else:
            template = environment.from_string(order["template"])
        return joined(template, values)
    except jinja2.UndefinedError as error:
        return "undefined", f"{error.message}{more(environment, order)}"
    except jinja2.TemplateNotFound as error:
        return "missing", os.path.join(folder, str(error.name or error.message))
    except jinja2.TemplateSyntaxError as error:
        return "syntax", error.message, error.filename or "", error.lineno
    except UnicodeDecodeError:
        return "failed", "is not UTF-8"
    except MemoryError:
        return "failed", f"needs more than {MOST_MEMORY // 2**30} GiB of memory"
    except OSError as error:
        return "file", str(error.filename or source), error.errno
    except Exception as error:
        # A template runs expressions, and these may raise anything.
        return "failed", f": {type(error).__name__}: {error}"


def joined(template: Any, values: dict[str, Any]) -> tuple[Any, ...]:
    """All of it, up to a limit."""
    rendered: list[str] = []
    size = 0
    for text in template.generate(values):
        rendered.append(text)
        size += len(text)
        if size > MOST_RENDERED:
            return "failed", f"gives more than {MOST_RENDERED:,} characters"
    return "rendered", "".join(rendered).encode()


def more(environment: Any, order: dict[str, Any]) -> str:
    """The names in the template itself that have no value: not only the first."""
    from jinja2 import meta

    text = order["template"]
    if order["source"]:
        name = os.path.basename(order["source"])
        text = environment.loader.get_source(environment, name)[0]
    used = meta.find_undeclared_variables(environment.parse(text))
    lacking = sorted(used - set(order["values"]) - set(environment.globals))
    if not lacking:
        return ""
    return f"; without a value in values or secrets: {', '.join(lacking)}"


if __name__ == "__main__":
    main()
