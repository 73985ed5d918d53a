"""fetchdt: a delegation token in a file: got, prolonged, cancelled, explained."""

from typing import List

from data_service.protocol.delegation_tokens import read
from data_service.shell.arguments.options import parse
from data_service.shell.failures import UsageError
from data_service.shell.private_files import keep, kept
from data_service.shell.session import Session
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.moments import shown

_DEEDS = ("renew", "cancel", "print")


def fetchdt(session: Session, words: List[str]) -> None:
    """Get a token into the file, or do with the one that is in it what an option says."""
    flags = " ".join(f"-{deed}" for deed in _DEEDS)
    options = parse(words, flags, "-renewer", least=1, most=1)
    deeds = [deed for deed in _DEEDS if options.has(f"-{deed}")]
    (path,) = options.arguments
    if len(deeds) > 1 or (deeds and options.value("-renewer") is not None):
        raise UsageError("expected one of --renewer NAME, --renew, --cancel, --print")
    filesystem = session.filesystem
    if not deeds:
        token = filesystem.delegation_token(options.value("-renewer") or "")
        if not token:
            raise InvalidArgument("in mode simple nobody needs a token: none was written")
        keep(path, token + "\n")
    elif deeds == ["renew"]:
        session.out.line(_until(filesystem.renew_delegation_token(kept(path))))
    elif deeds == ["cancel"]:
        filesystem.cancel_delegation_token(kept(path))
    else:
        told = read(kept(path))
        by = f", got by {told.proxy}" if told.proxy else ""
        session.out.line(
            f"Token {told.number} for {told.owner}, renewer {told.renewer or 'nobody'}{by}, issued "
            f"{shown(told.issued_ms / 1000)}, {_until(told.max_ms)} at most"
        )


def _until(moment_ms: int) -> str:
    return f"good until {shown(moment_ms / 1000)}"
