"""cp: copies of files and trees."""

from typing import List, Tuple

from data_service.shell.arguments.options import parse
from data_service.shell.arguments.targets import Destination
from data_service.shell.failures import UsageError
from data_service.shell.session import Session
from data_service.shell.transfer.attributes import ATTRIBUTES, KEPT, preserve
from data_service.shell.transfer.copier import THREAD_OPTIONS, Copier, CopyOptions, threads_of


def cp(session: Session, words: List[str]) -> None:
    """Copy files and trees within the cluster, or from and to file:/// paths."""
    words, kept = take_attributes(words)
    options = parse(words, "f d", THREAD_OPTIONS, least=2)
    destination = Destination.of(session.places, options.arguments.pop())
    sources = session.expand_all(options.arguments)
    if not sources:
        return
    destination.check(len(sources), options.has("f"))
    copying = CopyOptions(
        session.definitions.creation(options.has("f")),
        threads_of(options),
        after=(lambda source, target: preserve(source, target, kept)) if kept else None,
    )
    with Copier(session, copying) as copier:
        copier.copy_all(sources, destination)


def take_attributes(words: List[str]) -> Tuple[List[str], str]:
    """The words without `-p…`, and the letters of what it keeps; raises UsageError.

    Letters choose among what may be kept; a plain `-p` keeps what there is.
    """
    kept = ""
    rest: List[str] = []
    for word in words[: _count_options(words)]:
        if not word.startswith("-p"):
            rest.append(word)
            continue
        for letter in word[2:]:
            if letter not in ATTRIBUTES:
                raise UsageError(f"No attribute for {letter}")
        kept += word[2:] or KEPT
    return rest + words[_count_options(words) :], kept


def _count_options(words: List[str]) -> int:
    """How many words stand before the first argument of `cp`."""
    before = ""
    for place, word in enumerate(words):
        is_value = before[1:] in THREAD_OPTIONS.split() and word.isdigit()
        if word in ("-", "--") or not (word.startswith("-") or is_value):
            return place
        before = word
    return len(words)
