"""What several zookeepers see of one path, as one view.

Each of them knows only who has a session with it. So one that has just started sees nobody yet, and
one that is cut off from some sees fewer: neither is a reason to give anybody up. One that hangs
cannot be asked, and what it saw last keeps nobody alive.
"""

from typing import Dict, Iterable, List, Mapping, Optional


def merged(views: Iterable[Optional[Mapping[str, str]]]) -> Optional[Dict[str, str]]:
    """Path -> data of every znode that at least half of those see who can be asked.

    A view is None of who cannot be asked; when nobody can, so is the answer. Where they differ
    about the data it is what most of them say, and among equals what the first of them says.
    """
    asked = [view for view in views if view is not None]
    if not asked:
        return None
    told: Dict[str, List[str]] = {}
    for view in asked:
        for path, data in view.items():
            told.setdefault(path, []).append(data)
    seen = {path: said for path, said in told.items() if 2 * len(said) >= len(asked)}
    return {path: max(said, key=said.count) for path, said in seen.items()}
