"""What a copy may keep of its source besides its bytes."""

from data_service.shell.arguments.items import Item


ATTRIBUTES = "topax"
KEPT = "top"
"""What is kept unless letters choose among it; of a(cl) and x(attr) there are none yet."""


def preserve(source: Item, target: Item, letters: str = KEPT) -> None:
    """Give the target the source's t(imes), o(wner and group) and p(ermissions)."""
    status, store, path = source.found, target.store, target.path
    # Times come first: a mode without w would forbid them, and so would another owner.
    if "t" in letters:
        # The cluster knows no time before 1970: what is older gets the oldest there is.
        store.set_times(path, max(0, status.mtime_ms), max(0, status.atime_ms))
    if "o" in letters:
        store.set_owner(path, status.owner, status.group)
    if "p" in letters:
        store.set_mode(path, status.mode)
