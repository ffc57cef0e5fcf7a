"""A desk that is logged in: what a browser without scripts does, over HTTP."""

import re
from dataclasses import dataclass
from html import unescape

import httpx2
from served import Site

PASSWORD = "correct horse battery staple"


def set_password(site: Site, password: str = PASSWORD, name: str = "editor") -> None:
    """Set the password as the operator does."""
    site.room.run("desk", "password", "--name", name, "--stdin", typed=f"{password}\n")


@dataclass
class Visitor:
    """A browser of sorts at the desk: keeps cookies, follows redirects, and sends the forms that a page has."""

    site: Site
    client: httpx2.Client
    answer: httpx2.Response | None = None

    @property
    def page(self) -> str:
        """Return the page as it is now."""
        assert self.answer is not None
        return self.answer.text

    @property
    def said(self) -> str:
        """Return what the page says once, in text."""
        found = re.search(r'data-part="word">(.*?)</div>', self.page, re.DOTALL)
        return unescape(re.sub(r"<[^>]+>", "", found[1])).strip() if found else ""

    @property
    def token(self) -> str:
        """Return what the page's forms carry."""
        found = re.search(r'name="token" value="([^"]*)"', self.page)
        assert found, f"no form: {self.page[:400]}"
        return found[1]

    def get(self, path: str) -> httpx2.Response:
        """Go to a page."""
        self.answer = self._followed(self.client.get(path))
        return self.answer

    def post(self, path: str, **fields: str) -> httpx2.Response:
        """Send a form of the page, and follow where it leads."""
        self.answer = self._followed(
            self.client.post(path, data=fields if "token" in fields else {"token": self.token, **fields})
        )
        return self.answer

    def log_in(self, name: str = "editor", password: str = PASSWORD) -> httpx2.Response:
        """Log in by the form."""
        self.get("/desk/login")
        return self.post("/desk/login", name=name, password=password)

    def _followed(self, answer: httpx2.Response) -> httpx2.Response:
        while answer.is_redirect:
            location = answer.headers["Location"]
            assert location.startswith("/desk"), f"leads elsewhere: {location}"
            answer = self.client.get(location)
        return answer


def visitor(site: Site) -> Visitor:
    """Return a browser without a session."""
    return Visitor(site, httpx2.Client(base_url=site.url, trust_env=False, timeout=60))  # the machine may be busy
