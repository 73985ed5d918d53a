"""What a question to `/jmx` selects: beans by a pattern of their names, or one attribute of one."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

Bean = Dict[str, Any]
"""`name`, `modelerType`, and attributes: numbers, texts (in which JSON may stand), or lists."""


NAME_CHARACTERS_MAX = 1000
"""Of a bean, or a pattern, which is compared with each of them. A longer one is none."""


class Found(NamedTuple):
    """The JSON of an answer, and its status of HTTP."""

    status: int
    value: Dict[str, Any]


class _Name(NamedTuple):
    domain: str
    properties: Dict[str, str]
    open_ended: bool


def answered(beans: Sequence[Bean], query: str, wanted: str) -> Found:
    """The answer to `qry` and `get`, either of which may be empty."""
    if wanted:
        return _attribute(beans, wanted)
    pattern = _parsed(query or "*:*")
    if pattern is None:
        return Found(200, {})
    return Found(200, {"beans": selected(beans, pattern)})


def selected(beans: Sequence[Bean], pattern: _Name) -> List[Bean]:
    """Those whose names match."""
    found = []
    for bean in beans:
        name = _parsed(bean["name"])
        if name is not None and _matches(pattern, name):
            found.append(bean)
    return found


def _attribute(beans: Sequence[Bean], wanted: str) -> Found:
    name, mark, attribute = wanted.partition("::")
    if not mark or not name or not attribute:
        return Found(400, {"result": "ERROR", "message": "query format is not as expected."})
    bean = next((bean for bean in beans if bean["name"] == name), None)
    if bean is None:
        return Found(200, {"beans": []})
    head = {"name": name, "modelerType": bean["modelerType"]}
    if attribute not in bean or attribute in head:
        told = {"result": "ERROR", "message": f"No attribute with name {attribute} was found."}
        return Found(404, {"beans": [{**head, **told}]})
    return Found(200, {"beans": [{**head, attribute: bean[attribute]}]})


def _parsed(text: str) -> Optional[_Name]:
    """A name, or a pattern of names, taken apart; None when it is neither."""
    domain, mark, rest = text.partition(":")
    if not mark or not rest or len(text) > NAME_CHARACTERS_MAX:
        return None
    properties: Dict[str, str] = {}
    open_ended = False
    for part in rest.split(","):
        key, equals, value = part.partition("=")
        if part == "*":
            open_ended = True
        elif not equals or not key or not value or key in properties:
            return None
        else:
            properties[key] = value
    return _Name(domain, properties, open_ended)


def _matches(pattern: _Name, name: _Name) -> bool:
    keys: Tuple[Any, Any] = (set(pattern.properties), set(name.properties))
    fits = keys[0] <= keys[1] if pattern.open_ended else keys[0] == keys[1]
    return (
        fits
        and _like(pattern.domain, name.domain)
        and all(_like(value, name.properties[key]) for key, value in pattern.properties.items())
    )


def _like(pattern: str, text: str) -> bool:
    """Whether a text is as in the pattern, where `*` is anything and `?` one letter."""
    # Not by a regular expression: of one with many stars the ways not to match are countless.
    if len(pattern) - pattern.count("*") > len(text):
        return False
    # `ends` are the places in the text up to which the pattern so far can reach.
    ends = {0}
    for letter in pattern:
        if letter == "*":
            ends = set(range(min(ends), len(text) + 1)) if ends else ends
        else:
            ends = {end + 1 for end in ends if end < len(text) and letter in ("?", text[end])}
    return len(text) in ends
