"""The text of `/metrics`: the figures of all daemons, in the format that Prometheus collects.

Each sample gets the role and the address of its daemon as labels. What a daemon sent is not
believed: a name or a number that would break the text is left out, and every label is escaped.
"""

import re
from math import inf, isnan
from typing import Dict, Iterator, List, Sequence, Tuple

from data_service.protocol.health import DEAD, LIVE, STALE, DataNodeStatus
from data_service.web.figures.condition import CRITICAL, WARNING, findings
from data_service.web.figures.sightings import Look, Sighting
from data_service.web.figures.sound_figures import DAEMON_TAG, ROLE_TAG
from zookeeper.fabric.figures import COUNTER, GAUGE, HISTOGRAM, Family, Sample, Tags, tagged

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", '"': '\\"'}


def exposition(look: Look) -> bytes:
    """All that was seen, as text."""
    merged: Dict[str, Tuple[Family, List[Tuple[Tags, Sample]]]] = {}
    for tags, family in _families(look):
        if _NAME.fullmatch(family.name) and family.kind in (COUNTER, GAUGE, HISTOGRAM):
            known, samples = merged.setdefault(family.name, (family, []))
            if (known.kind, known.bounds) == (family.kind, family.bounds):
                samples += [(tags, sample) for sample in family.samples]
    lines: List[str] = []
    for name, (family, found) in sorted(merged.items()):
        lines.append(f"# HELP {name} {_escaped(family.meaning, quotes=False)}")
        lines.append(f"# TYPE {name} {family.kind}")
        for tags, sample in found:
            lines += _sample_lines(family, (*tags, *sample.tags), sample.values)
    return "".join([line + "\n" for line in lines]).encode("utf-8", "replace")


def _families(look: Look) -> Iterator[Tuple[Tags, Family]]:
    for one in look.sightings:
        tags = ((ROLE_TAG, one.role), (DAEMON_TAG, one.address))
        for family in (*_of_answer(one), *one.families):
            yield tags, family
    yield (), _of_condition(look)
    leader = look.leader
    if leader is not None:
        for family in _of_datanodes(leader.nodes):
            yield (), family


def _of_answer(one: Sighting) -> Tuple[Family, ...]:
    return (
        Family("pyhdfs_up", GAUGE, "1 if a daemon answered this gateway, else 0.",
               (Sample((), (float(one.up),)),)),
        Family("pyhdfs_answer_seconds", GAUGE, "How long a daemon took to answer this gateway.",
               (Sample((), (one.seconds,)),)),
    )  # fmt: skip


def _of_condition(look: Look) -> Family:
    """The same that the page says, for who wants to be woken by it."""
    found = [one.severity for one in findings(look)]
    return tagged(
        GAUGE, "pyhdfs_findings", "What is wrong with the cluster, by severity: as many things as "
        "the page names.", "severity",
        {severity: float(found.count(severity)) for severity in (WARNING, CRITICAL)},
    )  # fmt: skip


def _of_datanodes(nodes: Sequence[DataNodeStatus]) -> Iterator[Family]:
    """What the namenode knows of each, also of those that do not answer."""
    for name, meaning, values in (
        ("last_contact_seconds", "Time since a datanode's last heartbeat.",
         [node.last_contact_seconds for node in nodes]),
        ("last_report_seconds", "Time since a datanode's last full report.",
         [node.last_report_seconds for node in nodes]),
        ("liveness", "A datanode; 0: it is dead, 1: stale, 2: live.",
         [float((DEAD, STALE, LIVE).index(node.state)) if node.state in (DEAD, STALE, LIVE)
          else 0.0 for node in nodes]),
        ("capacity_bytes", "Room of a datanode.",
         [node.stats.capacity for node in nodes]),
        ("used_bytes", "Room that a datanode's replicas take.",
         [node.stats.used for node in nodes]),
        ("remaining_bytes", "Room that is left on a datanode.",
         [node.stats.remaining for node in nodes]),
        ("blocks", "Replicas on a datanode.", [node.stats.blocks for node in nodes]),
        ("streams", "Transfers of a datanode.", [node.stats.streams for node in nodes]),
        ("failed_directories", "Directories of a datanode that failed.",
         [node.stats.failed_volumes for node in nodes]),
    ):  # fmt: skip
        yield Family(
            f"pyhdfs_datanode_{name}", GAUGE, f"{meaning} As the namenode knows it.",
            tuple([
                Sample((("datanode", node.address), ("rack", node.rack)), (float(value),))
                for node, value in zip(nodes, values)
            ]),
        )  # fmt: skip


def _sample_lines(family: Family, tags: Tags, values: Sequence[float]) -> List[str]:
    labels = [
        f'{name}="{_escaped(value)}"' for name, value in tags if _LABEL.fullmatch(name)
    ]
    if family.kind != HISTOGRAM:
        return [f"{family.name}{_braced(labels)} {_number(values[0])}"] if values else []
    if len(values) != len(family.bounds) + 2:
        return []
    lines, below = [], 0.0
    for bound, count in zip((*family.bounds, inf), values):
        below += count
        within = [*labels, f'le="{_number(bound)}"']
        lines.append(f"{family.name}_bucket{_braced(within)} {_number(below)}")
    lines.append(f"{family.name}_sum{_braced(labels)} {_number(values[-1])}")
    lines.append(f"{family.name}_count{_braced(labels)} {_number(below)}")
    return lines


def _braced(labels: Sequence[str]) -> str:
    return "{" + ",".join(labels) + "}" if labels else ""


def _escaped(text: str, quotes: bool = True) -> str:
    return "".join([
        _ESCAPES[letter] if letter in _ESCAPES and (quotes or letter != '"') else letter
        for letter in text
    ])


def _number(value: float) -> str:
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
