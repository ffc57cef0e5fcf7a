"""What the packaged templates compile to, kept for all newsletters of a process of tests: compiling is most of a seal.

By language, since what does not change is worked out then. The operator's templates are compiled anew each time.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from newsletter.render import environment
from newsletter.render.sandbox import Sandbox


class _Kept(BytecodeCache):
    """Code by the text that it was compiled from."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill *bucket* where its template is known."""
        if known := self._code.get((bucket.key, bucket.checksum)):
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what is in *bucket*."""
        self._code[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


@contextmanager
def compiled_once() -> Iterator[None]:
    """Keep them meanwhile."""
    kept: dict[str, _Kept] = {}
    speak = environment._speak

    def remember(templates: environment.Templates) -> None:
        speak(templates)
        if not isinstance(templates, Sandbox):
            templates.bytecode_cache = kept.setdefault(templates.language.tag, _Kept())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "_speak", remember)
        yield
