"""What is told of a statement without asking the server."""

from __future__ import annotations

import pytest
from quickly import one_in

from workstream_postgres._sql import bare, placeholder_faults, psql_faults


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("SELECT 'a;b', 1", "SELECT      , 1"),
        ("SELECT 'it''s' x", "SELECT         x"),
        (r"SELECT e'a\'b' x", "SELECT e       x"),
        (r"SELECT 'a\' x", "SELECT      x"),
        ('SELECT "a b" x', "SELECT       x"),
        ("SELECT $$a'b$$ x", "SELECT         x"),
        ("SELECT $f$a$$b$f$ x", "SELECT            x"),
        ("SELECT a$b$c$b$ x", "SELECT a$b$c$b$ x"),
        ("SELECT 1 -- a\nx", "SELECT 1     \nx"),
        ("/* a /* b */ c */ x", "                  x"),
        ("x /* never ends", "x              "),
        ("x 'never ends", "x            "),
    ],
)
def test_texts_and_comments_are_no_sql(sql: str, left: str) -> None:
    """Whatever is quoted or a comment is blank; nothing moves."""
    assert bare(sql) == left
    assert len(bare(sql)) == len(sql)


@pytest.mark.parametrize(
    "quote", one_in(4, ["'", '"', "$$", "/*", "*/", "--", "e'\\", "$a$b"])
)
def test_a_long_statement_takes_no_longer_than_it_is(quote: str) -> None:
    """A statement made to be slow is read once."""
    sql = quote * 100_000

    assert len(bare(sql)) == len(sql)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        (
            "CREATE TABLE a (b int);\nCOPY a (b) FROM stdin;\n1\n\\.\n",
            "line 2 copies FROM STDIN, which a plan has none of",
        ),
        ("copy a\nto  STDOUT", "line 2 copies TO STDOUT, which a plan has none of"),
        (
            "\\restrict x\nSELECT 1;",
            "line 1 is the command \\restrict of psql, not SQL",
        ),
        ("SELECT 1;\n  \\connect shop", "line 2 is the command \\connect of psql"),
    ],
)
def test_files_for_psql_are_known(sql: str, fault: str) -> None:
    """What only psql could carry out is named by its line, with the way to do it."""
    (found,) = psql_faults(sql)

    assert found.startswith(fault)
    assert found.endswith(
        "run the file by psql, as command.run of workstream-command can"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "COPY a FROM '/srv/a.csv'",
        "COPY a TO PROGRAM 'gzip'; SELECT 1 FROM stdin",
        "SELECT 'COPY a FROM STDIN'",
        "SELECT '\n\\connect x'",
        "SELECT $$\n\\d\n$$",
        "-- \\d\nSELECT 1",
    ],
)
def test_what_the_server_can_do_is_left_to_it(sql: str) -> None:
    """Copies between files of the server, and texts that look like commands, pass."""
    assert list(psql_faults(sql)) == []


@pytest.mark.parametrize(
    ("sql", "params", "names", "fault"),
    [
        ("x LIKE 'a%' AND y = %s", 1, "", '"%\'" is no placeholder: write %% for'),
        ("%s", 2, "", "it has 1 placeholders %s, and params has 2 values"),
        ("%s, %s", 1, "", "it has 2 placeholders %s, and params has 1 values"),
        ("%(a)s", 1, "", "it has placeholders with names, so give the values as named"),
        ("%s", 0, "a", "it has placeholders without names, so give the values as"),
        ("%(a)s, %(b)s", 0, "a", "named has no value for %(b)s"),
        ("%(a)d", 0, "a", "'%(a)d' is no placeholder"),
        ("100%", 1, "", "'%' is no placeholder"),
        ("%s, 5%%, %b, %t", 3, "", None),
        ("%(a)s, %(a)b", 0, "ab", None),
        ("5 % 2", 0, "", None),
    ],
)
def test_placeholders_are_counted(
    sql: str, params: int, names: str, fault: str | None
) -> None:
    """Values that do not fit their placeholders are found at submit, in our words."""
    found = list(placeholder_faults(sql, (1,) * params, frozenset(names)))

    assert len(found) == (fault is not None)
    assert fault is None or found[0].startswith(fault)
