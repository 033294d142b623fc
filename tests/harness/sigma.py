"""Sigma rules, read by pySigma, asked of events by a small matcher over the
condition that pySigma parsed."""

import re
from pathlib import Path

from sigma.collection import SigmaCollection
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
from sigma.types import (
    SigmaCompareExpression,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
)

FOLDER = Path(__file__).parents[2] / "catalogue" / "sigma"


def rules():
    """{file's name: rule}."""
    found = {}
    for path in sorted(FOLDER.glob("*.yml")):
        collection = SigmaCollection.from_yaml(path.read_text())
        assert not collection.errors, collection.errors
        (found[path.stem],) = collection.rules
    return found


def values(event, path):
    """All values at a path with dots; each item of a list is one."""
    at = [event]
    for step in path.split("."):
        at = [one[step] for one in at if isinstance(one, dict) and step in one]
        at = [item for one in at for item in (one if isinstance(one, list) else [one])]
    return at


def _fits(wanted, value):
    if isinstance(wanted, SigmaNumber):
        return not isinstance(value, (bool, str)) and value == wanted.number
    if isinstance(wanted, SigmaRegularExpression):
        return isinstance(value, str) and re.search(str(wanted.regexp), value) is not None
    if isinstance(wanted, SigmaCompareExpression):
        compare = {"GT": "__gt__", "GTE": "__ge__", "LT": "__lt__", "LTE": "__le__"}
        return getattr(value, compare[wanted.op.name])(wanted.number.number) is True
    if isinstance(wanted, SigmaString):
        assert not wanted.contains_special(), "wildcards are not used in this pack"
        return isinstance(value, str) and value.lower() == str(wanted).lower()
    raise AssertionError(f"no matcher for {type(wanted)}")


def _holds(condition, event):
    if isinstance(condition, ConditionAND):
        return all(_holds(one, event) for one in condition.args)
    if isinstance(condition, ConditionOR):
        return any(_holds(one, event) for one in condition.args)
    if isinstance(condition, ConditionNOT):
        return not _holds(condition.args[0], event)
    assert isinstance(condition, ConditionFieldEqualsValueExpression), type(condition)
    return any(_fits(condition.value, value) for value in values(event, condition.field))


def matches(rule, event):
    return any(_holds(each.parsed, event) for each in rule.detection.parsed_condition)
