"""What a gate exports, as tests see it: the tables, the files, the schemas."""

import functools
import json

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from .gate import OUTPUTS
from .receivers import wait

SECONDS = 30


def table(**entries):
    """The text of one [[export]] table."""

    def value(entry):
        if isinstance(entry, bool):
            return str(entry).lower()
        return str(entry) if isinstance(entry, int) else json.dumps(str(entry))

    lines = [f"{name} = {value(entry)}" for name, entry in entries.items()]
    return "\n[[export]]\n" + "\n".join(lines) + "\n"


def write(house, *tables):
    """The house's configuration with these exports."""
    house.gate.file.write_text(house.config(**house.wanted) + "".join(tables))


def house_with(build_house, *tables, **wanted):
    """A house whose gate runs with these exports."""
    house = build_house(start=False, **wanted)
    house.wanted = wanted
    write(house, *tables)
    house.gate.start()
    return house


def status(gate, name):
    """How far an export is."""
    found = gate.cli("export", "status", "--json").json
    return next(one for one in found if one["name"] == name)


def size(gate):
    """How many entries the log has."""
    return gate.cli("ledger", "tail", "--json", "--count", 1).lines[-1]["sequence"] + 1


def caught_up(gate, name, seconds=SECONDS):
    """Waits until a sink has everything."""
    last = {}

    def is_so():
        last.update(status(gate, name))
        return last["next"] >= size(gate)

    wait(seconds, is_so, lambda: f"{name} is not up to date: {last}")
    return last


def lines(path):
    """The events of a file of lines."""
    text = path.read_text() if path.exists() else ""
    # The final search looks through what was exported, too.
    if path.exists() and path not in OUTPUTS:
        OUTPUTS.append(path)
    assert not text or text.endswith("\n"), "a line is cut off"
    return [json.loads(line) for line in text.splitlines()]


def sequences(ids):
    """The numbers of the entries that names of events speak of."""
    return {int(one.split("-")[1]) for one in ids}


def gapless(ids, count):
    """Each of the first entries has its events."""
    missing = set(range(count)) - sequences(ids)
    assert not missing, f"entries without an event: {sorted(missing)[:10]}"


@functools.cache
def _validator(class_uid, profiles):
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
    name = schema.lookup_class_name_from_uid(class_uid)
    made = schema.get_class_schema(name, list(profiles))
    return jsonschema.Draft202012Validator(made)


def faults(event):
    """What OCSF's own schema for 1.8.0 finds wrong with an event."""
    profiles = tuple(event["metadata"].get("profiles", []))
    validator = _validator(event["class_uid"], profiles)
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(event)]
