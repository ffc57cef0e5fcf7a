"""``newsletter secret``: the secret that signs links."""

import click

from newsletter.cli.terminal import Group, Terminal, examples

group = Group(
    "secret",
    help="The secret that signs the links in mails.",
    epilog=examples("newsletter secret rotate", "newsletter secret adopt"),
)


@group.command(epilog=examples("newsletter secret rotate", "newsletter secret rotate --leaked"))
@click.option("--leaked", is_flag=True, help="Somebody else knows the old one: it must not verify any more.")
@click.pass_obj
def rotate(terminal: Terminal, /, leaked: bool) -> None:
    """Put a new secret before the old one: it signs from now on, and the old one still verifies. Restart serve and web.

    With --leaked the old one goes. Links in mails already sent stop working then: unsubscribing by one click,
    preferences, confirming, one's own feed. Readers still leave by their address, on the page /unsubscribe, which mails
    a fresh link; bounces are told by the Message-ID.
    """
    from newsletter.services.secret import rotate as replace

    with terminal.app() as app:
        left = replace(app.settings, app.database, leaked=leaked)
        file = app.settings.newsletter.secret_file
    old = f"{left} older still verify" if left else "the old one is gone, and links in mails already sent are dead"
    terminal.answer({"file": file, "verify": left + 1, "leaked": leaked}, f"{file}: a new secret signs, {old}")
    terminal.warn("restart 'serve' and 'web' now: a process that runs knows only the secret with which it began")


@group.command(epilog=examples("newsletter secret adopt"))
@click.pass_obj
def adopt(terminal: Terminal, /) -> None:
    """Let the database take the present secret for its own, after the old one was lost.

    Until then nothing is sent, since links in mails already sent would be dead without anybody having decided so. If
    the old secret is found again, add it as a second line.
    """
    from newsletter.services.secret import adopt as take

    with terminal.app() as app:
        was = take(app.database, app.settings.secrets)
    said = "the present secret is taken; links signed with the lost one are dead" if was else "it is the secret already"
    terminal.answer({"adopted": was}, said)
