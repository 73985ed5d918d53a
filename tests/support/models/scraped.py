"""What a collector reads in Prometheus's text format, by rules of our own."""

import re
from typing import Dict, List, Set, Tuple

SAMPLE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\S+)'
)
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"')

Samples = Dict[Tuple[str, Tuple[Tuple[str, str], ...]], float]


def parsed(text: bytes) -> Samples:
    """The samples of a text, which must keep the rules of the format."""
    found: Samples = {}
    kind, family = "", ""
    seen: Set[str] = set()
    lines = text.decode().split("\n")
    assert lines.pop() == "", "the last line has no end"
    for line in lines:
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in seen, f"{family} comes in two pieces"
            seen.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family and kind in ("counter", "gauge", "histogram")
        else:
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            name = match[1]
            if kind == "histogram":
                assert name in (f"{family}_bucket", f"{family}_sum", f"{family}_count")
            else:
                assert name == family
            key = name, tuple(LABEL.findall(match[2] or ""))
            assert key not in found, f"{key} is told twice"
            found[key] = float(match[3])
    return found


def of(samples: Samples, name: str, **labels: str) -> List[float]:
    """The values under a name, of samples with these labels among others."""
    return [value for (found, tags), value in samples.items()
            if found == name and labels.items() <= dict(tags).items()]
