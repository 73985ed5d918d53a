"""What is kept of a trial that broke a promise, so that anybody can judge it again without it.

A directory of JSON files, and a copy of the record's database, which `sqlite3` opens.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from tests.chaos.contents import Contents
from tests.chaos.history import Call, Note
from tests.chaos.invariants import RecordedEdit, StoredFile
from tests.chaos.reckoning import Facts, Reckoner, Stretch
from tests.support.disks.every_replica import Replica
from zookeeper.fabric import errors

HISTORY, CONTENTS, FACTS, VERDICT = "history.json", "contents.json", "facts.json", "verdict.txt"
RECORD = "record"
"""The folder of the copied database."""


def save(
    folder: Path, verdict: str, contents: Contents, stretch: Stretch, facts: Optional[Facts]
) -> None:
    """Write all that was known when `verdict` was given into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VERDICT).write_text(verdict + "\n", "utf-8")
    _write(folder / CONTENTS, [contents.sizes, contents.recipes()])
    calls = [[*call[:7], _plain_result(call.result), call.user] for call in stretch.calls]
    _write(folder / HISTORY, [stretch.before, stretch.after, stretch.notes, calls])
    lines = [(call.began, str(call)) for call in stretch.calls]
    lines += [(note.at, str(note)) for note in stretch.notes]
    text = "".join(f"{line}\n" for _, line in sorted(lines))
    (folder / HISTORY).with_suffix(".txt").write_text(text, "utf-8")
    if facts is not None:
        _write(folder / FACTS, [_plain_facts(facts)])


def load(folder: Path) -> Tuple[Contents, Stretch, Optional[Facts]]:
    """What `save` wrote. Raises OSError when it is not there, ValueError when it is no such."""
    sizes, recipes = json.loads((folder / CONTENTS).read_text("utf-8"))
    contents = Contents(sizes)
    contents.remember(recipes)
    before, after, notes, calls = json.loads((folder / HISTORY).read_text("utf-8"))
    stretch = Stretch(
        _state(before), [_call(row) for row in calls], [Note(*note) for note in notes],
        None if after is None else _state(after),
    )  # fmt: skip
    if not (folder / FACTS).exists():
        return contents, stretch, None
    (plain,) = json.loads((folder / FACTS).read_text("utf-8"))
    return contents, stretch, _facts(plain)


def judge_again(folder: Path) -> Tuple[List[str], List[str]]:
    """The complaints about what is kept in a folder, and what could not be decided."""
    contents, stretch, facts = load(folder)
    reckoner = Reckoner(contents)
    complaints = reckoner.judge_stretch(stretch)
    if facts is not None:
        complaints += reckoner.judge_facts(facts)
    return complaints, reckoner.undecided


def _write(path: Path, rows: List[Any]) -> None:
    """JSON with a line for each row, so that people can search it."""
    path.write_text("[" + ",\n".join(json.dumps(row) for row in rows) + "]\n", "utf-8")


def _plain_result(result: Any) -> Any:
    return {"error": result.code} if isinstance(result, type) else result


def _call(row: List[Any]) -> Call:
    *rest, result, user = row
    if isinstance(result, dict):
        result = type(errors.from_wire(result["error"], ""))
    number, client, kind, args, began, ended, outcome = rest
    return Call(
        number, client, kind, _tuples(args), began, ended, outcome, _tuples(result), user
    )


def _state(plain: Dict[str, list]) -> Dict[str, tuple]:
    return {name: _tuples(node) for name, node in plain.items()}


def _tuples(value: Any) -> Any:
    """JSON knows no tuples, and we know no lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _plain_facts(facts: Facts) -> Dict[str, Any]:
    """Facts as JSON takes them."""
    disks = {
        role: {name: [str(one.path), *one[1:]] for name, one in replicas.items()}
        for role, replicas in facts.disks.items()
    }
    return {**facts._asdict(), "disks": disks}


def _facts(plain: Dict[str, Any]) -> Facts:
    files = {
        path: StoredFile(number, replication, _tuples(blocks), length, tuple(digests))
        for path, (number, replication, blocks, length, digests) in plain["files"].items()
    }
    disks = {
        role: {name: Replica(Path(path), *rest) for name, (path, *rest) in replicas.items()}
        for role, replicas in plain["disks"].items()
    }
    edits = tuple(RecordedEdit(*edit) for edit in plain["edits"])
    told, recorded, state = (_state(plain[name]) for name in ("told", "recorded", "state"))
    return Facts(state, files, disks, told, recorded, edits, _tuples(plain["used"]))
