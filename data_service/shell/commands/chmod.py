"""chmod: permission bits."""

from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.modes import ModeChange
from data_service.shell.arguments.options import parse
from data_service.shell.failures import trying
from data_service.shell.session import Session
from data_service.shell.trees import change_each


def chmod(session: Session, words: List[str]) -> None:
    """Change permission bits."""
    # A mode may begin with a dash, too: what is no option counts as an argument.
    options = parse(words, "R", least=2, ignore_unknown=True)
    change = ModeChange(options.arguments.pop(0))

    def act(item: Item) -> None:
        mode = change.apply(item.found.mode, item.is_directory)
        if mode != item.found.mode:
            with trying(f"changing permissions of '{item.text}'"):
                item.store.set_mode(item.path, mode)

    change_each(session, options.arguments, act, options.has("R"))
