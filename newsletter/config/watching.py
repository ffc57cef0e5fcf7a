"""The tables that say where the service writes about itself: ``[logging]`` and ``[metrics]``."""

from typing import Literal

from newsletter.config.sending import Section
from newsletter.config.values import Flag, OptionalFile, Positive


class LoggingSettings(Section):
    """``[logging]``: a log of its own, beside what is said on standard error. Without a path there is none."""

    path: OptionalFile = None
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    max_mb: Positive = 10
    keep: Positive = 5


class MetricsSettings(Section):
    """``[metrics]``: counts in Prometheus' text format, as a file after each run and from the pages at /metrics."""

    path: OptionalFile = None
    serve: Flag = True
