"""What to do when a session with the mail server cannot be opened, in one line that names the key to change.

Only words: what the failure means for a delivery is decided in ``replies.py``.
"""

import errno
import socket
import ssl

import aiosmtplib

from newsletter.domain.text import plain
from newsletter.mail.replies import LONGEST_REPLY, Phase

_NAME_MISMATCH = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH, of OpenSSL's x509_vfy.h


def advice(phase: Phase, error: Exception, *, host: str, security: str, username: str) -> str:
    """Return what happened in *phase* and what to change, without the server's name, which the caller puts first."""
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) and error.__cause__ else error
    match cause:
        case ssl.SSLError():
            what = _of_tls(phase, cause, host, security, username)
        case socket.gaierror() | UnicodeError():
            what = f"smtp.host = {host!r} cannot be found: correct it, or check this machine's network and DNS"
        case aiosmtplib.SMTPResponseException():
            what = _of_reply(phase, cause, username)
        case aiosmtplib.SMTPNotSupported():
            what = "offers no login that we know over this connection: correct smtp.security, or clear smtp.username"
        case TimeoutError() if phase is Phase.CONNECT:
            what = (
                "does not answer: check smtp.host and smtp.port; "
                'many networks block port 25, where 587 with smtp.security = "starttls" is open'
            )
        case TimeoutError():
            what = f"fell silent in the {phase} phase: try later, or ask its operator"
        case aiosmtplib.SMTPServerDisconnected() | ConnectionResetError():
            what = f"closed the connection in the {phase} phase: check smtp.port and smtp.security, or try later"
        case aiosmtplib.SMTPException() if phase is Phase.TLS:
            what = (
                "offers no STARTTLS, and mail is not sent in clear instead: set smtp.port to its port that speaks TLS "
                f'from the start (often 465) with smtp.security = "tls". {_without_tls(username)}'
            )
        case _ if f"[Errno {errno.ECONNREFUSED}]" in str(cause):
            what = "refused the connection: start the mail server there, or correct smtp.host and smtp.port"
        case _:
            what = f"cannot be reached ({plain(str(cause))}): check smtp.host, smtp.port and the network"
    return what


def _of_tls(phase: Phase, error: ssl.SSLError, host: str, security: str, username: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _NAME_MISMATCH:
            return f"its certificate is not for {host!r}: set smtp.host to the name that the certificate is for"
        return (
            f"its certificate cannot be trusted ({error.verify_message}): have it renewed, or name "
            "the authority that signed it in the environment variable SSL_CERT_FILE"
        )
    if security == "tls":
        return (
            f"does not speak TLS from the start on this port ({error.reason}): set smtp.port to the one that does "
            '(often 465), or smtp.security = "starttls" where this one offers that (often 587). '
            f"{_without_tls(username)}"
        )
    if phase is Phase.CONNECT:
        return 'speaks TLS from the start on this port: set smtp.security = "tls"'
    return f"TLS failed ({error.reason}): its operator must offer TLS 1.2 or newer"


def _without_tls(username: str) -> str:
    """Return what is left where a server has neither, so that nobody is sent from the one to the other."""
    clear = ", without smtp.username," if username else ""
    return (
        f'If it has neither: smtp.security = "none"{clear} is for a server on this machine or in its own network; any '
        "other must be given TLS by its operator, or another one taken"
    )


def _of_reply(phase: Phase, error: aiosmtplib.SMTPResponseException, username: str) -> str:
    said = f"({error.code} {plain(error.message)})"[:LONGEST_REPLY]
    if error.code < 200:
        return f"does not speak SMTP {said}: correct smtp.host and smtp.port"
    if phase is Phase.LOGIN and error.code >= 500:
        return (
            f"refused the login as {username!r} {said}: correct smtp.username or the password in smtp.password_file; "
            "some providers want a password made for this application"
        )
    if error.code < 500:
        return f"puts us off {said}: nothing is lost, the next run tries again"
    return f"turned us away {said}: ask its operator to take mail from this machine, or use another server"
