"""Benign English-like prompts from a seed, and one kind with data to redact."""

import json

from harness import needles
from harness.paths import rng

from .cells import PROMPTS

VARIANTS = 16  # different bodies of each kind, sent in turn
# Stands once in each prompt; a load generator puts another word in its place
# each time, so that no prompt is sent twice. In prompts that end with AGAIN it
# is one word for ever: a conversation's history, which each turn sends again.
TURN = "@@turn@@"
AGAIN = "again"

WORDS = (
    "the a this that every some each our their one another small large early late quiet clear "
    "simple useful careful river garden letter window market teacher engine harvest bridge "
    "report meeting summary question answer plan season morning evening kitchen library story "
    "picture music weather journey village forest table paper machine process result change "
    "reads writes follows describes compares explains improves collects prepares measures "
    "remembers considers suggests shows keeps moves brings holds turns finds needs and but "
    "because while when after before with without under over near between across through "
    "slowly often rarely always together again quickly well today here there"
).split()

CODE = """
```python
def merge(left, right):
    result = []
    while left and right:
        source = left if left[0] <= right[0] else right
        result.append(source.pop(0))
    return result + left + right
```
"""

DOCUMENT = """
{"title": "harvest plan", "items": [{"name": "apples", "count": 12, "ripe": true},
 {"name": "pears", "count": 7, "ripe": false}], "notes": null, "share": 0.25}
"""


def sentence(source):
    words = [source.choice(WORDS) for _ in range(source.randrange(6, 16))]
    return " ".join(words).capitalize() + source.choice([". ", ". ", "? ", ", so to say. "])


def text(length, source):
    """English-like text of this many bytes, with code and JSON now and then."""
    parts, size, inserts = [], 0, 0
    while size < length:
        part = sentence(source)
        if size > 1200 * (inserts + 1):
            part = "\n" + (CODE, DOCUMENT)[inserts % 2] + "\n"
            inserts += 1
        parts.append(part)
        size += len(part)
    return "".join(parts)[: length - 1] + "."


def with_needles(plain, source):
    """The same length, with an address and a card number in the middle."""
    email, card = needles.email(source).text, needles.card(source).text
    said = f" Write to {email} about the order that was paid with {card} last week. "
    middle = len(plain) // 2
    return (plain[:middle] + said + plain[middle:])[: len(plain)]


def bodies(prompt, lane, stream):
    """Request bodies in OpenAI's shape, one for each variant.

    `stream` stands first: the fake vendor looks for it without parsing.
    """
    made = []
    for variant in range(VARIANTS):
        source = rng("bench", prompt, variant)
        said = text(PROMPTS[prompt], source)
        if prompt.endswith("sensitive"):
            said = with_needles(said, source)
        turn = "another" if prompt.endswith(AGAIN) else TURN
        said = f"{turn} {said[len(turn) + 1 :]}"
        messages = [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": said},
        ]
        body = {"stream": stream, "model": f"fake-{lane}", "messages": messages}
        made.append(json.dumps(body))
    return made


def write(folder, cell):
    """The file that a load generator reads: one body a line."""
    path = folder / f"{cell.prompt}-{cell.lane}-{cell.stream}.jsonl".replace(" ", "-")
    if not path.exists():
        path.write_text("\n".join(bodies(cell.prompt, cell.lane, cell.stream)) + "\n")
    return path
