"""What a reader wishes for, as choosing and the calendar need it, the newsletter's defaults filled in."""

from functools import lru_cache

from newsletter.config.settings import NewsletterSettings
from newsletter.domain.calendar import Rhythm
from newsletter.domain.subscriber import Preferences
from newsletter.domain.topics import Topic, read_topics
from newsletter.services.subscribe import rhythm_of


@lru_cache(maxsize=1024)
def _shared(rhythm: Rhythm) -> Rhythm:
    """Return the same one for equal ones: it is quicker known than compared."""
    return rhythm


class Wish:
    """Equal preferences have one, known by identity. What an alert looks for is a topic of digests too."""

    def __init__(self, preferences: Preferences, newsletter: NewsletterSettings) -> None:
        self.topics: list[Topic] = read_topics(dict.fromkeys((*preferences.topics, *preferences.alerts)))
        self.excluding = [topic for topic in self.topics if topic.excludes]
        self.alerts: list[Topic] = read_topics(preferences.alerts)
        self.only_topics = bool(preferences.only_topics)
        self.rhythm = _shared(rhythm_of(preferences, newsletter))
        self.max_papers = preferences.max_papers or newsletter.max_papers
        self.min_upvotes = preferences.min_upvotes or 0
        self.weekly = (preferences.frequency or "").startswith("weekly")
