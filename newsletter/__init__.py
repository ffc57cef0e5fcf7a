"""A newsletter service for research papers."""

__version__ = "0.1.0"
