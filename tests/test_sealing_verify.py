"""Sealed content held against the log: what is missing, changed, erased
without a word or back is told apart, and a copy of an erased key opens nothing."""

import json

from harness.sealed import crc32c, stands_in
from test_sealing import Sealing, ask, sealing  # noqa: F401  (a fixture)


def verified(here):
    """What `ledger verify` says of sealed content, and whether it is content."""
    result = here.gate.cli("ledger", "verify", "--json")
    said = json.loads(result.stdout)
    assert said["sound"] is True, "the log itself is whole"
    assert said["captures"]["sound"] is (result.code == 0)
    return said["captures"]


def counts(said):
    return said["sealed"], said["erased"], said["unnamed"], said["damaged"]


def test_verify_tells_what_is_sealed_and_what_became_of_it(sealing):  # noqa: F811
    here: Sealing = sealing()
    one, two, three, four = (ask(here.house, f"number {number}").exchange for number in range(4))
    assert counts(verified(here)) == (4, 0, 0, 0)
    [table], [content] = ((here.state / "captures").glob(f"*.{end}") for end in ("keys", "sealed"))
    before, whole = table.read_bytes(), content.read_bytes()
    slot = here.slot(two)
    assert here.erase(one).code == 0
    assert counts(verified(here)) == (3, 1, 0, 0)
    # An old copy of the table is put back: the erased key is there again.
    table.write_bytes(before)
    said = verified(here)
    assert said["back"] == [one] and counts(said)[0] == 3
    auditor = here.gate.key(owner="auditor", verb=["reveal"])
    shown = here.reveal(one, key=auditor)
    assert shown.code != 0 and "put a copy back" in shown.text and "number 0" not in shown.text
    assert here.reveal(two, key=auditor).code == 0
    # It is erased again.
    assert here.erase(one).code == 0
    assert counts(verified(here)) == (3, 1, 0, 0)
    at = whole.index(slot.sealed)
    content.write_bytes(whole[: at + 40] + bytes([whole[at + 40] ^ 1]) + whole[at + 41 :])
    assert verified(here)["changed"] == [two]
    content.write_bytes(whole)
    # A key that went without a word in the log, and a slot that is gone.
    now = table.read_bytes()
    gone = bytearray(now)
    for place, size in ((2 * 512, 44), (3 * 512, 0)):
        gone[place + size : place + 512] = bytes(512 - size)
    gone[2 * 512 : 2 * 512 + 8] = b"mstngone"
    gone[3 * 512 - 4 : 3 * 512] = b"\0" * 4
    gone[2 * 512 + 508 : 3 * 512] = crc32c(bytes(gone[2 * 512 : 2 * 512 + 508])).to_bytes(4, "little")
    table.write_bytes(bytes(gone))
    said = verified(here)
    assert said["untold"] == [three] and said["missing"] == [four]
    people = here.gate.cli("ledger", "verify")
    assert people.code != 0 and three in people.stdout and "NOT TOLD" in people.stdout
    table.write_bytes(now)
    assert counts(verified(here)) == (3, 1, 0, 0)


def test_an_erasure_reaches_copies_in_the_folder_and_damaged_slots(sealing):  # noqa: F811
    here = sealing()
    reply = ask(here.house, "one")
    kept = ask(here.house, "two")
    [table] = (here.state / "captures").glob("*.keys")
    wrapped = here.slot(reply.exchange).wrapped
    copy = table.with_name("0000000000000001-000.keys")
    # A copy that was cut inside the slot, and a bit that fell over in the table.
    copy.write_bytes(table.read_bytes()[:400])
    copy.with_suffix(".sealed").write_bytes(b"")
    torn = bytearray(table.read_bytes())
    torn[30] ^= 1
    table.write_bytes(bytes(torn))
    assert len(stands_in(here.state, wrapped)) == 2
    assert here.gate.cli("ledger", "erase", "--person", "tester", "--reason", "case 7").code == 0
    assert stands_in(here.state, wrapped) == []
    assert here.slot(kept.exchange).wrapped is None
    here.gate.verify()
