"""What a reader asks for by mail, done one command at a time, and said in their language.

Not here: who may ask, and the answer as a mail (``commands``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from newsletter.domain.calendar import local_date
from newsletter.domain.command import Command, Verb, pause_end
from newsletter.domain.subscriber import Status, Subscriber
from newsletter.domain.taste import Said
from newsletter.errors import NewsletterError
from newsletter.render.language import Language
from newsletter.services import joining, subscribe
from newsletter.services.dispatch import Dispatch
from newsletter.services.reactions import react
from newsletter.services.records import papers_of
from newsletter.storage import deliveries, papers

_SAYS = {Verb.SAVE: Said.SAVE, Verb.MORE: Said.MORE, Verb.LESS: Said.LESS}


def known(language: Language) -> list[tuple[str, str]]:
    """Return the commands as readers are told of them, each with what it does."""
    gettext = language.gettext
    return [
        (gettext("stop"), gettext("no more mail comes")),
        (gettext("pause 2 weeks"), gettext("nothing comes for so long; also days, months, or until a date")),
        (gettext("resume"), gettext("the pause ends")),
        (gettext("topics diffusion; -survey"), gettext("what you look for, in the place of your topics")),
        (gettext("save 3"), gettext("keep the third paper of the mail that you answer")),
        (gettext("more 2"), gettext("more papers like that one")),
        (gettext("less 1"), gettext("fewer papers like that one")),
        (gettext("help"), gettext("this list")),
    ]


@dataclass
class Doer:
    """Does what one reader asks for, and says in their language what was done."""

    dispatch: Dispatch
    reader: Subscriber
    delivery: int
    now: datetime
    understood: bool = True

    @property
    def _language(self) -> Language:
        return self.dispatch.look(self.reader.preferences.language)[0].language

    def do(self, asked: Command) -> str:
        """Return what was done, or that it could not be."""
        try:
            return _DOES[asked.verb](self, asked)
        except NewsletterError:
            self.understood = False
            return self._language.gettext("“%(command)s” could not be done.", command=asked.said[:100])

    def subscribe(self, asked: Command) -> str:
        """Confirm: who has the signed address owns the mailbox."""
        if self.reader.status is Status.PAUSED:
            return self.resume(asked)
        newsletter = self.dispatch.settings.newsletter
        self.reader = joining.confirm(self.dispatch.database, newsletter, self.reader.id, self.now)
        return self._language.gettext("You are subscribed to %(newsletter)s.", newsletter=newsletter.name)

    def unsubscribe(self, _asked: Command) -> str:
        """End it."""
        self.reader = subscribe.unsubscribe(self.dispatch.database, self.reader.id, self.now)
        name = self.dispatch.settings.newsletter.name
        return self._language.gettext("No more mail from %(newsletter)s comes to you.", newsletter=name)

    def pause(self, asked: Command) -> str:
        """Send nothing for a while."""
        newsletter, database = self.dispatch.settings.newsletter, self.dispatch.database
        today = local_date(self.now, subscribe.rhythm_of(self.reader.preferences, newsletter).zone)
        until = pause_end(asked, today)
        self.reader = subscribe.pause(database, newsletter, self.reader.id, until, self.now)
        if until is None:
            return self._language.gettext("Nothing comes until you write “resume”.")
        return self._language.gettext("Nothing comes until %(day)s.", day=self._language.dated(until))

    def resume(self, _asked: Command) -> str:
        """End the pause."""
        newsletter, database = self.dispatch.settings.newsletter, self.dispatch.database
        self.reader = subscribe.resume(database, newsletter, self.reader.id, self.now)
        return self._language.gettext("Your mails come again.")

    def topics(self, asked: Command) -> str:
        """Replace the topics."""
        newsletter, database = self.dispatch.settings.newsletter, self.dispatch.database
        self.reader = subscribe.edit(database, newsletter, self.reader.id, {"topics": asked.text}, self.now)
        chosen = "; ".join(self.reader.preferences.topics)
        return self._language.gettext("Your topics are now: %(topics)s", topics=chosen)

    def say(self, asked: Command) -> str:
        """Keep what a reader says of the paper on a card of the mail that they answer."""
        with self.dispatch.database.read() as session:
            line = deliveries.get(session, self.delivery) if self.delivery else None
            shown = papers_of(session, line.delivery) if line else []
            if not 1 <= asked.number <= len(shown):
                self.understood = False
                return self._language.gettext(
                    "There is no paper %(number)s in the mail that you answered.",
                    number=self._language.number(asked.number),
                )
            picked = papers.find(session, shown[asked.number - 1].key)
            assert picked is not None  # it was found by its id
        react(self.dispatch.database, self.reader.id, picked.id, _SAYS[asked.verb], self.now)
        return self._spoken(asked.verb, picked.title)

    def _spoken(self, verb: Verb, title: str) -> str:
        gettext = self._language.gettext
        match verb:
            case Verb.SAVE:
                return gettext("Saved: %(title)s", title=title)
            case Verb.MORE:
                return gettext("More like this: %(title)s", title=title)
            case _:
                return gettext("Less like this: %(title)s", title=title)


_DOES: dict[Verb, Callable[[Doer, Command], str]] = {
    Verb.SUBSCRIBE: Doer.subscribe,
    Verb.UNSUBSCRIBE: Doer.unsubscribe,
    Verb.PAUSE: Doer.pause,
    Verb.RESUME: Doer.resume,
    Verb.TOPICS: Doer.topics,
    Verb.SAVE: Doer.say,
    Verb.MORE: Doer.say,
    Verb.LESS: Doer.say,
}
