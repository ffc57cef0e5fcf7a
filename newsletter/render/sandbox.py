"""Jinja's sandbox, in which a template that would never end, or fill the memory, is an error at the line where it is.

Counted is what a template does: the rounds of its loops, its calls, the templates that it includes, and the length of
whatever these, its filters and its operators give. No clock is asked: on a busy machine templates mean what they mean
on any other. Not here: what a single operation may give (``room``); where templates are, and how an error is told
(``environment``).
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import Environment, Template
from jinja2.exceptions import SecurityError
from jinja2.filters import make_attrgetter
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import soft_str

from newsletter.render.room import joinable, look_at_call, look_at_format

MOST = 5_000_000  # of ours, the page with every time zone in the world takes most: a fiftieth
_ROUND, _CALL, _TEMPLATE = 5, 20, 200  # what they take beside a character
_WIDENING = ("batch", "center", "indent", "replace", "slice", "tojson", "urlize", "wordwrap")  # give more than they get
_TRANSLATING = frozenset({"_gettext_alias", "gettext", "ngettext", "npgettext", "pgettext"})
_SIZED = (str, list, tuple, range)
_left: ContextVar[list[int]] = ContextVar("left")


class _Counting(CodeGenerator):
    """Compiles templates so that the environment hears of loops, and of what filters and ``~`` give."""

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        rounds = nodes.Call(nodes.EnvironmentAttribute("rounds"), [node.iter], [], None, None)
        node.iter = rounds.set_lineno(node.lineno).set_environment(self.environment)
        super().visit_For(node, frame)

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:  # noqa: N802
        self.write("environment.measured(")
        super().visit_Filter(node, frame)
        self.write(")")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.measured(")
        super().visit_Concat(node, frame)
        self.write(")")


class _Countable(Context):
    """What a template is given to know. Each that is included gets one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _spend(_TEMPLATE)
        super().__init__(*args, **kwargs)


class Sandbox(ImmutableSandboxedEnvironment):
    """Templates that know only what they are given, and come to an end."""

    code_generator_class = _Counting
    context_class = _Countable
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.filters |= {name: _modest(name, self.filters[name]) for name in _WIDENING}
        self.filters |= {"join": _modest_join(self.filters["join"]), "format": _modest_format(self.filters["format"])}
        del self.globals["lipsum"]

    def counted(self, template: Template, variables: dict[str, Any]) -> str:
        """Return *template* rendered. Raises SecurityError for one that does more than ``MOST``."""
        before = _left.set([MOST])
        try:
            return template.render(variables)
        finally:
            _left.reset(before)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Return what two operands give. Raises SecurityError for what could take too much room."""
        if operator == "**" or (operator == "*" and not (_small(left) and _small(right))):
            raise SecurityError(f"{operator} is for small numbers only")
        if operator == "%" and isinstance(left, str | bytes):
            look_at_format(left, right)
        return self.measured(super().call_binop(context, operator, left, right))

    def call(self, context: Context, called: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what a call from a template gives."""
        if isinstance(called, LoopContext):  # loop(…), in a loop that is recursive
            _spend(_TEMPLATE)
            args = tuple(map(self.rounds, args))
        else:
            args = _modest_arguments(called, args, kwargs)
        return self.measured(super().call(context, called, *args, **kwargs), _CALL)

    def rounds(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield *items*, for a loop."""
        for item in items:
            _spend(_ROUND)
            yield item

    def measured(self, value: Any, effort: int = 1) -> Any:
        """Return *value*."""
        _spend(effort + len(value) if isinstance(value, _SIZED) else effort)
        return value

    def concat(self, pieces: Iterable[str]) -> str:
        """Return the text that a template gives in *pieces*."""
        return "".join(_written(pieces))


def _written(pieces: Iterable[str]) -> Iterator[str]:
    room = MOST
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            if isinstance(pieces, Generator):
                pieces.throw(_endless())  # so that it names the line that wrote too much
            raise _endless()
        yield piece


def _modest(name: str, widen: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(widen)
    def modestly(*given: Any, **named: Any) -> Any:
        subject, *others = (one for one in given if not isinstance(one, EvalContext | Environment))
        look_at_call(name, subject, (*others, *named.values()))
        return widen(*given, **named)

    return modestly


def _modest_join(join: Callable[..., str]) -> Callable[..., str]:
    @wraps(join)
    def modestly(context: EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        items = value if attribute is None else map(make_attrgetter(context.environment, attribute), value)
        return join(context, list(joinable(items, d)), d)

    return modestly


def _modest_format(fill: Callable[..., str]) -> Callable[..., str]:
    @wraps(fill)
    def modestly(value: str, *args: Any, **named: Any) -> str:
        look_at_format(soft_str(value), (*args, *named.values()))
        return fill(value, *args, **named)

    return modestly


def _modest_arguments(called: Any, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """Return the arguments for *called*. Raises SecurityError for a method of Python's that would give too much."""
    method = getattr(called, "__wrapped__", called)  # str.format is wrapped by Jinja
    subject, name, given = getattr(method, "__self__", None), getattr(method, "__name__", ""), (*args, *named.values())
    if name in _TRANSLATING:
        look_at_format("".join(one for one in args if isinstance(one, str)), given)
    elif isinstance(subject, str | bytes) and name in {"format", "format_map"}:
        look_at_format(subject, given)
    elif isinstance(subject, str | bytes) and name == "join":
        return (*(list(joinable(one, subject)) for one in args),)
    elif isinstance(subject, str | bytes | int):
        look_at_call(name, subject, given)
    return args


def _small(number: Any) -> bool:
    return isinstance(number, int | float) and abs(number) < 2**63


def _spend(much: int) -> None:
    left = _left.get()
    left[0] -= much
    if left[0] < 0:
        raise _endless()


def _endless() -> SecurityError:
    return SecurityError("this never seems to end, or is far too long")
