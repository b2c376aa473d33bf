"""The actions and checks on real repositories, on disk and on servers."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from workstream import PluginError, SecretRef
from workstream_git import (
    CheckoutRequest,
    CleanRequest,
    CloneRequest,
    CloneResult,
    FetchRequest,
    GitCheckout,
    GitClean,
    GitClone,
    GitFetch,
    GitRef,
    RefRequest,
)

if TYPE_CHECKING:
    from conftest import Attempt, DeafServer, Perform, Repo

PASSWORD = SecretRef("env:X").resolved("abracadabra")


def text_in(tree: Path) -> str:
    return (tree / "a.txt").read_text()


# --- git.checkout -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("where", ["path", "file URL", "git daemon"])
def test_a_tree_is_cloned_moved_and_left(
    where: str, origin: Repo, tree: Path, perform: Perform, git_daemon: str
) -> None:
    """Whatever there is before, afterwards the tree is at exactly the commit."""
    urls = {"path": str(origin.path), "file URL": f"file://{origin.path}"}
    url = urls.get(where, git_daemon)
    first = origin.git("rev-parse", "HEAD~2")

    cloned = perform(
        GitCheckout(), CheckoutRequest(url=url, path=str(tree), revision=first)
    )
    assert (cloned.changed, cloned.commit, cloned.previous) == (True, first, "")
    assert text_in(tree) == "one"

    new = origin.commit(a="four")  # which the clone does not know yet
    request = CheckoutRequest(url=url, path=str(tree), revision=new.upper())
    moved, left = perform(GitCheckout(), request), perform(GitCheckout(), request)

    assert (moved.changed, moved.commit, moved.previous) == (True, new, first)
    assert (left.changed, left.commit, left.previous) == (False, new, new)
    assert text_in(tree) == "four"
    assert os.listdir(tree.parent) == ["tree"]


@pytest.mark.slow
def test_a_known_commit_needs_no_server(
    origin: Repo, tree: Path, perform: Perform
) -> None:
    """Where the revision is known by its id, nothing is asked of anybody."""
    second = origin.git("rev-parse", "HEAD~1")
    perform(
        GitCheckout(),
        CheckoutRequest(url=str(origin.path), path=str(tree), revision="main"),
    )
    away = origin.path.rename(origin.path.with_name("away"))

    moved = perform(
        GitCheckout(),
        CheckoutRequest(url=str(origin.path), path=str(tree), revision=second),
    )

    assert moved.commit == second
    assert away.exists()


@pytest.mark.slow
def test_names_are_looked_up_each_time(
    origin: Repo, tree: Path, perform: Perform
) -> None:
    """A branch or tag is what it is at the URL when the action runs, moved tags too."""
    second, third = origin.git("rev-parse", "HEAD~1"), origin.git("rev-parse", "HEAD")

    def check_out(revision: str) -> tuple[bool, str]:
        result = perform(
            GitCheckout(),
            CheckoutRequest(url=str(origin.path), path=str(tree), revision=revision),
        )
        return result.changed, result.commit

    assert check_out("v2") == (True, second)
    assert check_out("refs/tags/v2") == (False, second)
    assert check_out("main") == (True, third)
    new = origin.commit(a="four")
    origin.git("tag", "--force", "v2")
    assert check_out("refs/heads/main") == (True, new)
    assert check_out("v2") == (False, new)
    origin.git("branch", "v2", third)
    with pytest.raises(PluginError, match="a branch and a tag called 'v2'") as caught:
        check_out("v2")
    assert caught.value.permanent
    with pytest.raises(PluginError, match="has no branch or tag 'nothing'"):
        check_out("nothing")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["path", "git daemon"])
def test_history_may_be_cut(
    where: str, origin: Repo, tree: Path, perform: Perform, git_daemon: str
) -> None:
    """With a depth, no more than so many commits are fetched, whichever is wanted."""
    url = git_daemon if where == "git daemon" else str(origin.path)
    first, second = origin.git("rev-parse", "HEAD~2"), origin.git("rev-parse", "HEAD~1")
    request = CheckoutRequest(url=url, path=str(tree), revision=second, depth=1)

    perform(GitCheckout(), request)
    assert text_in(tree) == "two"
    perform(
        GitCheckout(),
        CheckoutRequest(url=url, path=str(tree), revision=first, depth=1),
    )

    assert text_in(tree) == "one"
    assert (tree / ".git" / "shallow").exists()


@pytest.mark.slow
def test_local_changes_are_not_lost_unawares(
    origin: Repo, tree: Path, perform: Perform
) -> None:
    """Changed files are an error that names them; ``discard`` gives them up."""
    first = origin.git("rev-parse", "HEAD~2")
    request = CheckoutRequest(url=str(origin.path), path=str(tree), revision="main")
    perform(GitCheckout(), request)
    (tree / "a.txt").write_text("mine")
    (tree / "unknown.txt").write_text("stays")

    for revision in ("main", first):
        with pytest.raises(PluginError, match=r"local changes: M a\.txt\.") as caught:
            perform(
                GitCheckout(),
                CheckoutRequest(
                    url=str(origin.path), path=str(tree), revision=revision
                ),
            )
        assert caught.value.permanent
        assert text_in(tree) == "mine"
    result = perform(
        GitCheckout(),
        CheckoutRequest(
            url=str(origin.path), path=str(tree), revision="main", discard=True
        ),
    )

    assert result.changed
    assert text_in(tree) == "three"
    assert (tree / "unknown.txt").read_text() == "stays"


@pytest.mark.slow
def test_a_branch_is_left_for_its_commit(
    origin: Repo, tree: Path, perform: Perform
) -> None:
    """HEAD is a commit afterwards, so that no later commit moves a branch."""
    perform(GitClone(), CloneRequest(url=str(origin.path), path=str(tree)))
    assert (tree / ".git" / "HEAD").read_text() == "ref: refs/heads/main\n"

    request = CheckoutRequest(url=str(origin.path), path=str(tree), revision="main")
    assert perform(GitCheckout(), request).changed

    assert (tree / ".git" / "HEAD").read_text().strip() == origin.git(
        "rev-parse", "HEAD"
    )
    assert not perform(GitCheckout(), request).changed


@pytest.mark.parametrize("what", ["file", "directory", "inner"])
def test_what_is_no_tree_is_left_alone(
    what: str, origin: Repo, tree: Path, perform: Perform
) -> None:
    """A file, a directory with something in it, and the inside of another tree."""
    request = CheckoutRequest(url=str(origin.path), path=str(tree), revision="main")
    if what == "file":
        tree.write_text("text")
    elif what == "directory":
        tree.mkdir()
        (tree / "file").write_text("text")
    else:
        perform(GitCheckout(), request)
        inner = tree / "inner"
        inner.mkdir()
        (inner / "file").write_text("text")
        request = CheckoutRequest(
            url=str(origin.path), path=str(inner), revision="main"
        )

    with pytest.raises(PluginError, match="is no git repository") as caught:
        perform(GitCheckout(), request)

    assert caught.value.permanent


@pytest.mark.slow
def test_the_tree_around_a_broken_one_is_left_alone(
    origin: Repo, tree: Path, perform: Perform
) -> None:
    """Git looks for the repository at the path alone, not in what the path is in."""
    around = CheckoutRequest(url=str(origin.path), path=str(tree), revision="main")
    perform(GitCheckout(), around)
    (tree / "inner" / ".git").mkdir(parents=True)
    request = CheckoutRequest(
        url=str(origin.path), path=str(tree / "inner"), revision="v2", discard=True
    )

    with pytest.raises(PluginError, match="not a git repository"):
        perform(GitCheckout(), request)

    assert text_in(tree) == "three"
    assert not perform(GitCheckout(), around).changed


@pytest.mark.slow
def test_an_empty_directory_and_missing_ones_are_no_obstacle(
    origin: Repo, tree: Path, perform: Perform
) -> None:
    """A tree can be put where there is an empty directory, or not even its parent."""
    tree.mkdir()
    for path in (tree, tree.parent / "b" / "c"):
        request = CheckoutRequest(url=str(origin.path), path=str(path), revision="main")
        assert perform(GitCheckout(), request).changed
        assert text_in(path) == "three"


@pytest.mark.slow
def test_a_link_to_a_tree_is_the_tree(
    origin: Repo, tree: Path, perform: Perform
) -> None:
    """A path that is a link stays one; what it leads to is brought to the revision."""
    link = tree.parent / "link"
    link.symlink_to("tree")

    for _ in range(2):
        request = CheckoutRequest(url=str(origin.path), path=str(link), revision="main")
        perform(GitCheckout(), request)

    assert link.is_symlink()
    assert text_in(tree) == "three"


@pytest.mark.slow
def test_a_commit_that_is_nowhere_leaves_nothing(
    origin: Repo, tree: Path, perform: Perform, context: Attempt
) -> None:
    """An unknown id is an error, in a clone and in a tree, which stays as it was."""
    request = CheckoutRequest(url=str(origin.path), path=str(tree), revision="ab" * 20)

    with pytest.raises(PluginError, match=f"origin does not give {'ab' * 20}: "):
        perform(GitCheckout(), request)
    assert os.listdir(tree.parent) == []
    perform(
        GitCheckout(),
        CheckoutRequest(url=str(origin.path), path=str(tree), revision="main"),
    )
    with pytest.raises(PluginError, match="does not give"):
        perform(GitCheckout(), request)

    assert text_in(tree) == "three"
    assert context.notes["git_changing"] is None


# --- what git is kept from ----------------------------------------------------------


def test_nobody_is_asked_for_a_password(
    tree: Path, https_server: str, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a login the clone fails at once, and no program is started to ask."""
    asked = tree.parent / "asked"
    script = tree.parent / "ask"
    script.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(asked))}\necho secret\n")
    script.chmod(0o755)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(script))

    with pytest.raises(
        PluginError, match=r"terminal prompts disabled|could not read"
    ) as caught:
        perform(GitClone(), CloneRequest(url=https_server, path=str(tree)))

    assert "to do: nobody is asked for a login: give user=" in caught.value.message
    assert not asked.exists()
    assert not tree.exists()


@pytest.mark.slow
def test_a_login_is_given_to_the_server_and_stored_nowhere(
    tree: Path, https_server: str, perform: Perform, context: Attempt
) -> None:
    """The password is neither in the clone, nor in what is reported or returned."""
    request = CheckoutRequest(
        url=https_server,
        path=str(tree),
        revision="v2",
        user="deploy",
        password=PASSWORD,
    )

    result = perform(GitCheckout(), request)

    assert text_in(tree) == "two"
    files = [path for path in tree.rglob("*") if path.is_file()]
    assert not [path for path in files if b"abracadabra" in path.read_bytes()]
    assert "abracadabra" not in repr(result) + repr(context)
    assert context.lines  # progress was told


@pytest.mark.slow
def test_a_wrong_password_is_not_told(
    tree: Path, https_server: str, perform: Perform, context: Attempt
) -> None:
    """The error names the server, not the login."""
    wrong = SecretRef("env:X").resolved("hocuspocus")
    request = RefRequest(
        repository=https_server, ref="main", user="deploy", password=wrong
    )

    with pytest.raises(PluginError, match="git ls-remote failed") as caught:
        perform(GitRef(), request)

    assert "Authentication failed" in caught.value.message
    assert "hocuspocus" not in repr(caught.value) + repr(context)


@pytest.mark.slow
def test_a_login_in_gits_own_settings_is_not_told(
    tree: Path, perform: Perform, context: Attempt, only_ours: Path
) -> None:
    """Git repeats URLs that its configuration has put a login into; messages do not."""
    rewrite = (
        '[url "http://me:abracadabra@127.0.0.1:1/"]\ninsteadOf = http://a.example/\n'
    )
    only_ours.write_text(rewrite)

    with pytest.raises(PluginError, match="127") as caught:
        perform(GitClone(), CloneRequest(url="http://a.example/b", path=str(tree)))

    assert "abracadabra" not in repr(caught.value) + repr(context)


@pytest.mark.slow
def test_hooks_and_the_like_are_not_run(
    origin: Repo, tree: Path, perform: Perform, only_ours: Path
) -> None:
    """Neither those of a template or a setting, nor those of the tree itself."""
    ran = tree.parent / "ran"
    hooks = tree.parent / "template" / "hooks"
    hooks.mkdir(parents=True)
    for name in ("post-checkout", "reference-transaction", "fsmonitor"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {shlex.quote(str(ran))}\n")
        (hooks / name).chmod(0o755)
    only_ours.write_text(
        f"[init]\ntemplateDir = {hooks.parent}\n[core]\nhooksPath = {hooks}\n"
        f"fsmonitor = {hooks / 'fsmonitor'}\n"
    )
    second = origin.git("rev-parse", "HEAD~1")

    for revision in ("main", second):
        perform(
            GitCheckout(),
            CheckoutRequest(url=str(origin.path), path=str(tree), revision=revision),
        )
        (tree / ".git" / "hooks").mkdir(exist_ok=True)
        (tree / ".git" / "hooks" / "post-checkout").write_text(
            (hooks / "post-checkout").read_text()
        )
        (tree / ".git" / "hooks" / "post-checkout").chmod(0o755)
    perform(GitClean(), CleanRequest(path=str(tree)))

    assert not ran.exists()


@pytest.mark.slow
def test_variables_that_would_mislead_git_are_dropped(
    origin: Repo, tree: Path, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that was started from a hook has these; git works on the tree all the same."""
    elsewhere = str(tree.parent / "elsewhere")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_TRACE"):
        monkeypatch.setenv(name, elsewhere)
    second = origin.path / ".git"

    result = perform(
        GitCheckout(), CheckoutRequest(url=str(second), path=str(tree), revision="v2")
    )

    assert result.changed
    assert os.listdir(tree.parent) == ["tree"]


@pytest.mark.slow
def test_ssh_asks_nothing_and_has_its_files(
    origin: Repo, tree: Path, perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transport is git's own; the program in the place of ssh keeps its arguments."""
    told = tree.parent / "told"
    program = tree.parent / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{shlex.quote(str(told))}\n'
        'for word; do last=$word; done\nexec sh -c "$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"{program} -v")
    keys = tree.parent / "keys"
    keys.mkdir()
    (keys / "my key").touch()
    (keys / "hosts").touch()
    request = CloneRequest(
        url=f"git@host.example:{origin.path}",
        path=str(tree),
        ssh_key_file=f"{keys}/my key",
        ssh_known_hosts_file=f"{keys}/hosts",
    )

    perform(GitClone(), request)

    assert text_in(tree) == "three"
    words = told.read_text()
    asks_nothing = "-v -o BatchMode=yes -o LogLevel=ERROR"
    key = f"-i {keys}/my key -o IdentitiesOnly=yes"
    assert words.startswith(f"{asks_nothing} {key}")
    assert f"UserKnownHostsFile={keys}/hosts" in words
    assert "StrictHostKeyChecking=yes" in words


# --- git.clone and git.fetch --------------------------------------------------------


def test_a_clone_is_made_once(origin: Repo, tree: Path, perform: Perform) -> None:
    """The second time it is there; of another URL it is an error."""
    head = origin.git("rev-parse", "HEAD")
    request = CloneRequest(url=str(origin.path), path=str(tree), branch="main")

    assert perform(GitClone(), request) == CloneResult(
        path=str(tree), changed=True, commit=head
    )
    assert perform(GitClone(), request) == CloneResult(
        path=str(tree), changed=False, commit=head
    )
    with pytest.raises(PluginError, match="is a repository already, of") as caught:
        perform(GitClone(), CloneRequest(url="https://b.example/c", path=str(tree)))
    assert caught.value.permanent


@pytest.mark.slow
def test_a_mirror_has_all_refs(origin: Repo, tree: Path, perform: Perform) -> None:
    """It has no working tree, can be fetched into, and is there the second time."""
    origin.git("update-ref", "refs/notes/x", "HEAD")
    request = CloneRequest(url=str(origin.path), path=str(tree), mirror=True)

    perform(GitClone(), request)
    assert not perform(GitClone(), request).changed
    origin.commit(a="four")
    origin.git("update-ref", "-d", "refs/notes/x")
    fetched = perform(GitFetch(), FetchRequest(path=str(tree), prune=True))
    again = perform(GitFetch(), FetchRequest(path=str(tree), prune=True))

    assert (tree / "refs").is_dir()
    assert fetched.refs == ("refs/heads/main", "refs/notes/x")
    assert not again.changed


@pytest.mark.slow
def test_refspecs_choose_what_is_fetched(
    origin: Repo, tree: Path, perform: Perform
) -> None:
    """And a remote that the repository does not have is named."""
    perform(GitClone(), CloneRequest(url=str(origin.path), path=str(tree)))
    origin.git("branch", "other")
    request = FetchRequest(path=str(tree), refspecs=("refs/heads/other:refs/heads/it",))

    assert perform(GitFetch(), request).refs == (
        "refs/heads/it",
        "refs/remotes/origin/other",
    )
    with pytest.raises(PluginError, match="no remote called 'upstream'"):
        perform(GitFetch(), FetchRequest(path=str(tree), remote="upstream"))
    with pytest.raises(PluginError, match="is no git repository"):
        perform(GitFetch(), FetchRequest(path=str(tree.parent)))


@pytest.mark.slow
def test_a_password_is_for_https_alone(
    origin: Repo, tree: Path, perform: Perform
) -> None:
    """Also where the URL is in the repository's configuration."""
    perform(GitClone(), CloneRequest(url=str(origin.path), path=str(tree)))
    request = FetchRequest(path=str(tree), password=PASSWORD)

    with pytest.raises(PluginError, match="is not given the password") as caught:
        perform(GitFetch(), request)

    assert caught.value.permanent


# --- checks -------------------------------------------------------------------------


@pytest.mark.slow
def test_refs_are_checked_here_and_there(
    origin: Repo, tree: Path, perform: Perform, git_daemon: str
) -> None:
    """A ref must be there, and be the commit that is asked for."""
    second = origin.git("rev-parse", "HEAD~1")
    for repository in (str(origin.path), git_daemon):
        found = perform(
            GitRef(), RefRequest(repository=repository, ref="v2", commit=second.upper())
        )
        assert (found.ref, found.commit) == ("refs/tags/v2", second)
        with pytest.raises(PluginError, match=f"HEAD of .* expected {second}"):
            perform(GitRef(), RefRequest(repository=repository, commit=second))
        with pytest.raises(PluginError, match="has no ref refs/heads/no"):
            perform(GitRef(), RefRequest(repository=repository, ref="refs/heads/no"))
    with pytest.raises(PluginError, match="git ls-remote failed"):
        perform(GitRef(), RefRequest(repository=str(tree)))


def test_changes_are_named(origin: Repo, perform: Perform) -> None:
    """Changed, added, renamed and unknown files; ignored ones do not count."""
    path = str(origin.path)
    origin.commit(b="to be moved " * 20)
    (origin.path / ".gitignore").write_text("ignored.txt\n")
    origin.git("add", ".gitignore")
    origin.git("commit", "--quiet", "--message", "ignore")
    head = origin.git("rev-parse", "HEAD")
    (origin.path / "ignored.txt").write_text("text")
    index = (origin.path / ".git" / "index").stat().st_mtime_ns

    assert perform(GitClean(), CleanRequest(path=path)).commit == head
    assert (origin.path / ".git" / "index").stat().st_mtime_ns == index
    (origin.path / "new file.txt").write_text("text")
    with pytest.raises(PluginError, match=r"is not clean: \?\? new file\.txt$"):
        perform(GitClean(), CleanRequest(path=path))
    perform(GitClean(), CleanRequest(path=path, untracked=False))
    (origin.path / "a.txt").write_text("mine")
    origin.git("mv", "b.txt", "c.txt")
    with pytest.raises(PluginError, match=r": M a\.txt, R c\.txt$"):
        perform(GitClean(), CleanRequest(path=path, untracked=False))
    for number in range(20):
        (origin.path / f"{number}.txt").write_text("text")
    with pytest.raises(PluginError, match=r"and 13 more$"):
        perform(GitClean(), CleanRequest(path=path))


# --- cancelling ---------------------------------------------------------------------


@pytest.mark.slow
def test_a_cancelled_clone_leaves_nothing(
    tree: Path, context: Attempt, deaf_server: DeafServer
) -> None:
    """Its processes are ended, what it has made is removed, and that is waited for."""

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                request = CloneRequest(url=deaf_server.url, path=str(tree))
                nursery.start_soon(GitClone().execute, context, request)
                await trio.to_thread.run_sync(deaf_server.reached.wait)
                assert len(os.listdir(tree.parent)) == 1
                nursery.cancel_scope.cancel()

    trio.run(main)

    assert os.listdir(tree.parent) == []
    assert not Path(f"/proc/{context.notes['pid']!r}").exists()
