"""The house: who may import whom, what the domain may touch, and that the tables are what the migrations make."""

import ast
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlmodel import SQLModel

import newsletter.storage.tables  # noqa: F401 - registers the tables
from newsletter.storage.upgrade import HEAD, MIGRATIONS, upgrade

PACKAGE = Path(__file__).resolve().parents[1] / "newsletter"

# Each room, and the rooms that it may import. Everyone may import 'errors', 'packaged' and the package itself.
ROOMS = {
    "errors": set[str](),
    "packaged": set[str](),
    "domain": set[str](),
    "config": {"domain"},
    "storage": {"domain"},
    "sources": {"domain"},
    "render": {"domain"},
    "mail": {"domain"},
}
ROOMS["services"] = set(ROOMS)
ROOMS["app"] = set(ROOMS)
ROOMS["scheduler"] = ROOMS["web"] = ROOMS["lmtp"] = set(ROOMS)
ROOMS["demo"] = set(ROOMS)  # shows its inbox by the web's means
ROOMS["cli"] = set(ROOMS)
ROOMS["__main__"] = {"cli"}
EVERYONES = {"errors", "packaged", ""}

# What reaches outside, tells the time or draws lots; 'zoneinfo' is let in, since zones are facts.
IMPURE = set(
    """asyncio concurrent email.mime fcntl ftplib getpass glob http imaplib io logging multiprocessing os pathlib
    platform random secrets select selectors shutil signal smtplib socket sqlite3 ssl subprocess sys tempfile threading
    time urllib.request uuid""".split()  # noqa: SIM905 - thirty quoted words are harder to read
)
IMPURE_CALLS = {"open", "print", "input", "now", "today", "utcnow"}


def modules(folder: Path = PACKAGE) -> Iterator[tuple[str, ast.Module]]:
    """Return every module, by its path in the package."""
    for file in sorted(folder.rglob("*.py")):
        yield str(file.relative_to(PACKAGE)), ast.parse(file.read_text("utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """Return the full name of everything that is imported anywhere in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    """Return the room that ``newsletter.ROOM.…`` is in; '' for what the package itself holds."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""


def test_imports_run_one_way() -> None:
    """No room imports one that stands above it or beside it."""
    wrong = [
        f"{path} imports {name}"
        for path, tree in modules()
        for name in imports(tree)
        if name.split(".")[0] == "newsletter"
        and room(name) not in EVERYONES | ROOMS.get(here := Path(path).parts[0].removesuffix(".py"), set()) | {here}
    ]
    assert wrong == []


def test_every_room_is_known() -> None:
    """A new folder or module at the top says where it stands."""
    found = {Path(path).parts[0].removesuffix(".py") for path, _ in modules()} - {"__init__"}
    assert found <= set(ROOMS)


def test_the_domain_is_pure() -> None:
    """The domain imports nothing of others, reaches nothing outside, and asks no clock."""
    wrong = []
    for path, tree in modules(PACKAGE / "domain"):
        for name in imports(tree):
            top = name.split(".")[0]
            known = top in sys.stdlib_module_names and not any(f"{name}.".startswith(f"{i}.") for i in IMPURE)
            if not known and not name.startswith(("newsletter.domain.", "newsletter.errors.")):
                wrong.append(f"{path} imports {name}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if called in IMPURE_CALLS:
                    wrong.append(f"{path}:{node.lineno} calls {called}")
    assert wrong == []


def test_one_reader_of_the_environment_and_of_toml() -> None:
    """Settings come through config/, so that every mistake is told in one way."""
    readers = {
        path
        for path, tree in modules()
        for name in [*imports(tree), *(ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute))]
        if name in {"os.environ", "os.getenv"} or name.split(".")[0] == "tomllib"
    }
    # The demo reads nothing there either: it forgets the operator's variables. The live view asks what TERM can do.
    assert readers <= {"config/load.py", "config/settings.py", "demo/play.py", "cli/live.py"}


def test_rows_stay_in_storage() -> None:
    """What leaves storage is the domain's, or plain."""
    wrong = [
        f"{path} imports {name}"
        for path, tree in modules()
        for name in imports(tree)
        if name.startswith("newsletter.storage.tables") and not path.startswith("storage/")
    ]
    assert wrong == []


def test_the_clock_is_asked_at_the_edge() -> None:
    """Only the commands, the scheduler and the web ask what time it is, and sources told to wait; the rest is told."""
    wrong = [
        f"{path}:{node.lineno} asks the clock"
        for path, tree in modules()
        if not path.startswith(("cli/", "web/", "demo/", "scheduler.py", "sources/"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"datetime.now", "date.today", "datetime.utcnow"}
    ]
    assert wrong == []


def test_the_version_is_that_of_the_newest_migration() -> None:
    """There is one newest migration, and it is the one that an upgrade stops at."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    """A database that went through every migration has exactly the tables that the program believes in."""
    upgrade(tmp_path / "newsletter.db", datetime(2026, 7, 15, tzinfo=UTC))
    engine = create_engine(f"sqlite:///{tmp_path}/newsletter.db")
    with engine.connect() as connection:
        opts = {"compare_type": True, "render_as_batch": True, "include_name": _is_of_the_program}
        context = MigrationContext.configure(connection, opts=opts)
        with warnings.catch_warnings():  # of indexes of expressions, which it cannot compare: they are looked at below
            warnings.simplefilter("ignore")
            differences = compare_metadata(context, SQLModel.metadata)
        found = _indexes(connection)
    engine.dispose()
    assert differences == []
    made = create_engine("sqlite://")
    with made.connect() as connection:
        SQLModel.metadata.create_all(connection)
        assert found == _indexes(connection)
    made.dispose()


def _is_of_the_program(name: str | None, kind: str, _parents: object) -> bool:
    """Return whether a table is no part of SQLite's full-text indexes."""
    return kind != "table" or not (name or "").startswith(("search_words", "search_titles", "search_upvoted"))


def _indexes(connection: Connection) -> set[str]:
    return {sql for (sql,) in connection.execute(text("SELECT sql FROM sqlite_master WHERE type = 'index'")) if sql}


def test_no_two_files_of_tests_have_one_name() -> None:
    """Pytest takes the second of two for the first, and collects nothing more."""
    names = Counter(file.name for file in Path(__file__).parent.rglob("*.py") if file.name != "conftest.py")
    assert {name: times for name, times in names.items() if times > 1} == {}
