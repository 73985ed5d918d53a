"""What a run says that has come to where it may never come."""


class Violation(AssertionError):
    """A rule that may never be broken was."""


def demand(condition: bool, *facts: object) -> None:
    """Raise Violation with the facts unless the condition holds."""
    if not condition:
        raise Violation(" ".join(map(str, facts)))
