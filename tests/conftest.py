"""Shared fixtures: houses (two fake vendors and a gate) on random ports."""

import itertools
import shutil

import pytest

from harness import disk, paths, tls
from harness.floods import Siege
from harness.gate import House


def pytest_report_header():
    split = "every byte split" if paths.LONG else "a sample of byte splits"
    return [
        f"merestone: {paths.MERESTONE}",
        f"MERESTONE_SEED={paths.SEED} ({split})",
    ]


def pytest_collection_modifyitems(items):
    """The search through all output comes last, whatever the order of files."""
    items.sort(key=lambda item: "test_zz_secrecy" in item.nodeid)


@pytest.fixture(scope="session")
def seed():
    return paths.SEED


@pytest.fixture(scope="session")
def _folders(tmp_path_factory):
    count = itertools.count(1)
    root = tmp_path_factory.mktemp("houses")
    return lambda name: root / f"{next(count):03}-{name}"


@pytest.fixture
def build_house(_folders, request):
    """Builds houses for one test: `build_house(redaction="block", ...)`."""
    houses = []

    def build(**wanted):
        houses.append(House(_folders(request.node.name[:40].replace("/", "_")), **wanted))
        return houses[-1]

    yield build
    for house in houses:
        house.close()


@pytest.fixture
def on_disk(build_house):
    """A running gate with its state on a disk of so many MiB."""
    disks, houses = [], []

    def build(mib, free_bytes_min=disk.MIB, tables=None, **wanted):
        house = build_house(start=False)
        disks.append(disk.Disk(house.gate.folder / "data", mib))
        evidence = {"free_bytes_min": free_bytes_min, **wanted}
        house.gate.file.write_text(house.config(tables={"evidence": evidence, **(tables or {})}))
        house.gate.start()
        houses.append(house)
        return house, disks[-1]

    yield build
    for house in houses:
        process = house.gate.process.popen
        if process.poll() is None:
            house.gate.kill()
    # The final search looks at what stood there.
    for small in disks:
        small.clear()
        kept = small.folder.with_name("data-kept")
        shutil.copytree(small.folder, kept, ignore=shutil.ignore_patterns("*.sock"))
        small.close()
        shutil.copytree(kept, small.folder, dirs_exist_ok=True)
        shutil.rmtree(kept)


@pytest.fixture
def siege(build_house):
    """A house under attack: `siege(body_idle_seconds_max=1, ...)`."""

    def build(tables=None, **limits):
        return Siege(lambda: build_house(limits=limits, tables=tables))

    yield build
    Siege.lift()


def _shared(folders, name, **wanted):
    house = House(folders(name), **wanted)
    yield house
    house.close()


@pytest.fixture(scope="session")
def redacting(_folders):
    """A house that redacts all sensitive data."""
    yield from _shared(_folders, "redacting", redaction="redact")


@pytest.fixture(scope="session")
def blocking(_folders):
    """A house that blocks all sensitive data."""
    yield from _shared(_folders, "blocking", redaction="block")


@pytest.fixture(scope="module")
def plain_house(_folders):
    """A house with the shipped defaults, one for each file of tests."""
    yield from _shared(_folders, "plain")


@pytest.fixture(scope="module")
def behind_tls(_folders):
    """A house whose gate speaks TLS, and its certificates."""
    house, certificates = tls.house(_folders("tls"))
    yield house, certificates
    house.close()
