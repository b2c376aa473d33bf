"""The command ``workstream ui``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("ui")
@click.option(
    "--store",
    metavar="DIR",
    help="The store's directory; by default that of WORKSTREAM_STORE, or else the "
    "platform's place for the state of programs.",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen at. Whoever reaches it can read every plan.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8787,
    show_default=True,
    help="The port to listen at; 0 takes a free one.",
)
@click.option(
    "--name",
    "names",
    metavar="HOST",
    multiple=True,
    help="A name that browsers may call this page by, besides the address and "
    "localhost: that of a proxy before it, with its port if it has one.",
)
@click.option(
    "--tokens",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Let those who have a token tell plans what to do. Each line of the file is "
    "NAME=TOKEN; only its owner may be able to read it. Without it, the lines of "
    "WORKSTREAM_UI_TOKENS; without these, nobody can change anything.",
)
def ui(
    store: str | None,
    host: str,
    port: int,
    names: tuple[str, ...],
    tokens: Path | None,
) -> int:
    """Show the plans of the store in a browser, as they run.

    The page lists all plans, finds them, and follows each one live: how far it has
    come, what runs, what failed and why, and the timeline. It works beside the
    processes that run the plans, which it does not slow down. Ctrl-C ends it; the
    plans go on.

    It imports no plugin package, and shows no secret.
    """
    from ._server import run  # here, as each call of the hook imports this module
    from ._tokens import tokens_from

    try:
        run(store, host, port, names, tokens_from(tokens))
    except OSError as error:
        message = f"{host}:{port} cannot be listened at: {error.strerror or error}"
        raise click.ClickException(message) from error
    return 0
