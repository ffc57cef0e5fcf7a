"""Where the files that travel with the program lie: in a wheel inside the package, else beside it."""

from importlib.resources import files
from pathlib import Path

from newsletter.errors import NewsletterError


def packaged(name: str) -> Path:
    """Return the folder *name* (``templates`` or ``config``) of this installation.

    Raises NewsletterError where it is missing: the installation is not whole.
    """
    package = Path(str(files("newsletter")))
    for folder in (package / f"_{name}", package.parent / name):
        if folder.is_dir():
            return folder
    raise NewsletterError(f"{package / f'_{name}'}: missing from this installation; install the newsletter again")
