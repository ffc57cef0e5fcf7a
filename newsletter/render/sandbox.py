"""Jinja's sandbox, in which a template that would never end, or fill the memory, is an error at the line where it is.

Counted is what a template does: the rounds of its loops, its calls, the templates that it includes, and the length of
whatever these, its filters, its tests and its operators are given and give, and of what it writes. Not here: the
counting (``effort``); what a single operation may give (``room``); where templates are, and how an error is told
(``environment``).
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import wraps
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame, operators
from jinja2.environment import Environment, Template
from jinja2.exceptions import SecurityError
from jinja2.filters import make_attrgetter
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import soft_str

from newsletter.render.effort import MOST, counting, endless, spend, weigh
from newsletter.render.room import joinable, look_at_call, look_at_format

_ROUND, _CALL, _TEMPLATE = 5, 20, 200  # what they take beside a character
# These give more than they get.
_WIDENING = ("batch", "center", "indent", "pad", "replace", "round", "slice", "tojson", "urlize", "wordwrap", "wrap")
_TRANSLATING = frozenset({"_gettext_alias", "gettext", "ngettext", "npgettext", "pgettext"})
# Python compares with these as many characters as both texts have together, multiplied; some thousands at once.
_COMPARING = frozenset({"lstrip", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "strip"})
_COMPARED = 8192
_SIZED = (str, list, tuple, range)
_OFTEN = re.compile(r"email/(card|group|line)\.")  # made for every paper
_A_PAPER = 40  # has this part of what a mail has
_OF_JINJA = (Context, EvalContext, Environment)


class _Counting(CodeGenerator):
    """Compiles templates so that the environment hears of loops, and of what operators take and give."""

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        rounds = nodes.Call(nodes.EnvironmentAttribute("rounds"), [node.iter], [], None, None)
        node.iter = rounds.set_lineno(node.lineno).set_environment(self.environment)
        super().visit_For(node, frame)

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:  # noqa: N802
        self.write("environment.measured(")
        super().visit_Filter(node, frame)
        self.write(")")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        safe = "markup_join" if frame.eval_ctx.autoescape else "str_join"
        joins = "(markup_join if context.eval_ctx.volatile else str_join)" if frame.eval_ctx.volatile else safe
        self.write(f"environment.measured({joins}((")
        for one in node.nodes:
            self._weighed(one, frame)
            self.write(", ")
        self.write(")))")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        weighed = nodes.EnvironmentAttribute("weighed")
        for pair in node.items:
            pair.key = nodes.Call(weighed, [pair.key], [], None, None)
            pair.key.set_lineno(node.lineno).set_environment(self.environment)
        super().visit_Dict(node, frame)

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802
        self.write("(")
        self._weighed(node.expr, frame)
        for op in node.ops:
            self.visit(op, frame)
        self.write(")")

    def visit_Operand(self, node: nodes.Operand, frame: Frame) -> None:  # noqa: N802
        self.write(f" {operators[node.op]} ")
        self._weighed(node.expr, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        self.write("environment.measured(" if isinstance(node.arg, nodes.Slice) else "(")
        super().visit_Getitem(node, frame)
        self.write(")")

    def _weighed(self, node: nodes.Expr, frame: Frame) -> None:
        self.write("environment.weighed(")
        self.visit(node, frame)
        self.write(")")


class _Countable(Context):
    """What a template is given to know. Each that is included gets one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        spend(_TEMPLATE)
        super().__init__(*args, **kwargs)


class Sandbox(ImmutableSandboxedEnvironment):
    """Templates that know only what they are given, and come to an end."""

    code_generator_class = _Counting
    context_class = _Countable
    most = MOST
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, finalize=self.weighed)
        del self.globals["lipsum"]

    def watch(self) -> None:
        """Count what the filters and tests do that there are by now."""
        self.filters |= {name: _modest(name, self.filters[name]) for name in _WIDENING}
        self.filters |= {"join": _modest_join(self.filters["join"]), "format": _modest_format(self.filters["format"])}
        self.filters = {name: _weighing(does) for name, does in self.filters.items()}
        self.tests = {name: _weighing(does) for name, does in self.tests.items()}

    def counted(self, template: Template, variables: dict[str, Any]) -> str:
        """Return *template* rendered. Raises SecurityError for one that does more than ``most``."""
        with counting(self.most // _A_PAPER if _OFTEN.match(template.name or "") else self.most):
            return template.render(variables)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Return what two operands give. Raises SecurityError for what could take too much room."""
        if operator == "**" or (operator == "*" and not (_small(left) and _small(right))):
            raise SecurityError(f"{operator} is for small numbers only")
        if operator == "%" and isinstance(left, str | bytes):
            look_at_format(left, right)
        weigh((left, right))
        return self.measured(super().call_binop(context, operator, left, right))

    def call(self, context: Context, called: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what a call from a template gives."""
        if isinstance(called, LoopContext):  # loop(…), in a loop that is recursive
            spend(_TEMPLATE)
            args = tuple(map(self.rounds, args))
        else:
            args = _modest_arguments(called, args, kwargs)
        return self.measured(super().call(context, called, *args, **kwargs), _CALL)

    def rounds(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield *items*, for a loop."""
        for item in items:
            spend(_ROUND)
            yield item

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item or attribute, also for filters that take the name of one."""
        spend(_ROUND)
        weigh(argument)
        return super().getitem(obj, argument)

    def measured(self, value: Any, effort: int = 1) -> Any:
        """Return *value*, that something gave."""
        spend(effort + len(value) if isinstance(value, _SIZED) else effort)
        return self.rounds(value) if isinstance(value, Generator) else value

    def weighed(self, value: Any) -> Any:
        """Return *value*, that something takes."""
        weigh(value)
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
                pieces.throw(endless())  # so that it names the line that wrote too much
            raise endless()
        yield piece


def _weighing(does: Any) -> Callable[..., Any]:
    """Return a filter or test that counts what it is given."""

    @wraps(does)
    def weighing(*given: Any, **named: Any) -> Any:
        spend(_ROUND)
        for one in (*given, *named.values()):
            spend(len(one) if isinstance(one, str) else 0)
            weigh(one)
        return does(*given, **named)

    return weighing


def _modest(name: str, widen: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(widen)
    def modestly(*given: Any, **named: Any) -> Any:
        subject, *others = (one for one in given if not isinstance(one, _OF_JINJA))
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
    weigh((subject, *given))
    if name in _TRANSLATING:
        look_at_format("".join(one for one in args if isinstance(one, str)), given)
    elif isinstance(subject, str | bytes) and name in {"format", "format_map"}:
        look_at_format(subject, given)
    elif isinstance(subject, str | bytes) and name == "join":
        return (*(list(joinable(one, subject)) for one in args),)
    elif isinstance(subject, str | bytes | int):
        look_at_call(name, subject, given)
        _weigh_search(name, subject, given)
    return args


def _weigh_search(name: str, subject: Any, given: Iterable[Any]) -> None:
    """Count what Python's methods take that look for a text from its end, or for each character of one."""
    if name in _COMPARING and isinstance(subject, str | bytes):
        spend(max((len(subject) * len(one) for one in given if isinstance(one, str | bytes)), default=0) // _COMPARED)


def _small(number: Any) -> bool:
    return isinstance(number, int | float) and abs(number) < 2**63
