"""Texts to measure on: made from a seed, or read from files of records."""

import gzip
import json
import random
import string
from dataclasses import dataclass, field

CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "url": string.ascii_letters + string.digits + "-_",
    "upper": string.ascii_uppercase + string.digits,
    "lower": string.ascii_lowercase + string.digits,
    "letters": string.ascii_letters,
    "base32": string.ascii_uppercase + "234567",
    "digits": string.digits,
    "hex": "0123456789abcdef",
}

# Formats as the vendors' pages and public rule sets give them.
FORMATS = {
    "openai-project": "sk-proj-{url:74}T3BlbkFJ{url:74}",
    "openai-service": "sk-svcacct-{url:58}T3BlbkFJ{url:58}",
    "openai-old": "sk-{alnum:20}T3BlbkFJ{alnum:20}",
    "anthropic": "sk-ant-api03-{url:93}AA",
    "anthropic-admin": "sk-ant-admin01-{url:93}AA",
    "google": "AIza{url:35}",
    "aws-id": "AKIA{base32:16}",
    "hugging-face": "hf_{letters:34}",
    "groq": "gsk_{alnum:52}",
    "replicate": "r8_{alnum:37}",
    "perplexity": "pplx-{alnum:48}",
    "openrouter": "sk-or-v1-{hex:64}",
    "xai": "xai-{alnum:80}",
    "nvidia": "nvapi-{url:64}",
    "langsmith": "lsv2_pt_{hex:32}_{hex:10}",
    "pinecone": "pcsk_{alnum:6}_{alnum:63}",
    "databricks": "dapi{hex:32}",
    "github": "ghp_{alnum:36}",
    "github-fine": "github_pat_{alnum:22}_{alnum:59}",
    "gitlab": "glpat-{url:20}",
    "slack": "xoxb-{digits:12}-{digits:12}-{alnum:24}",
    "stripe": "sk_live_{alnum:24}",
    "sendgrid": "SG.{url:22}.{url:43}",
    "npm": "npm_{alnum:36}",
}

SURROUNDINGS = [
    "my key is {}, please check it",
    "The key ({}) does not work.",
    "is {}?",
    "I use {}.",
    "**{}**",
    "`{}`",
    '{{"api_key": "{}", "n": 1}}',
    '{{\\"api_key\\": \\"{}\\"}}',
    "<code>{}</code>",
    "“{}”",
    "密钥是{}。",
    "https://api.example/v1?key={}&page=2",
    "Authorization: Bearer {}",
    'client = Client("{}")',
    "API_KEY={}\nDEBUG=1",
]

# What looks like a secret to some, and is none.
HARMLESS = [
    "commit {hex:40} of yesterday",
    "id {hex:8}-{hex:4}-4{hex:3}-a{hex:3}-{hex:12}",
    "sha256:{hex:64}",
    "see https://host.example/watch?v={url:11}",
    "the session {alnum:24} ended",
    "order {digits:14} was shipped",
    "version 1.{digits:2}.{digits:3}-beta",
    "sk-{letters:8} is a prefix, hf_ and ghp_ too",
    "data:image/png;base64,{alnum:120}",
    "AIza and AKIA are how such keys begin",
]


@dataclass
class Record:
    """A text, what in it must be found (a name, and the value), and whether
    nothing must be."""

    text: str
    values: list = field(default_factory=list)
    harmless: bool = False


def _filled(template, source):
    for name, alphabet in CLASSES.items():
        while (start := template.find("{" + name + ":")) >= 0:
            end = template.index("}", start)
            count = int(template[start + len(name) + 2 : end])
            value = "".join(source.choice(alphabet) for _ in range(count))
            template = template[:start] + value + template[end + 1 :]
    return template


def made(seed, rounds):
    """Each format in each of some surroundings, and as many harmless texts."""
    source = random.Random(seed)
    for _ in range(rounds):
        for name, template in FORMATS.items():
            for around in source.sample(SURROUNDINGS, 8):
                value = _filled(template, source)
                yield Record(around.format(value) + "\n", [(name, value)])
                harmless = _filled(source.choice(HARMLESS), source)
                yield Record(f"{harmless}\n", harmless=True)


def read(path, characters):
    """Records as `merestone detect bench` takes them."""
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path)
    with opened as lines:
        for line in filter(str.strip, lines):
            record = json.loads(line)
            text = record["text"]
            raw = text if characters else text.encode()
            cut = lambda span: raw[span["start"] : span["end"]]
            values = [(span["type"], cut(span)) for span in record.get("spans", [])]
            if not characters:
                values = [(name, value.decode()) for name, value in values]
            yield Record(text, values, record.get("label") == "neg")


def clean(folder, most):
    """Texts of a folder, one after the other, again and again, up to so many
    bytes."""
    skipped = {"target", ".git", "node_modules", "__pycache__"}
    endings = {".rs", ".py", ".md", ".toml", ".txt", ".json", ".js", ".ts", ".go", ".yml"}
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in endings and path.is_file() and not skipped & set(path.parts)
    )
    all_ = b"".join(path.read_bytes() + b"\n" for path in files)
    if not all_:
        raise SystemExit(f"{folder} holds no texts")
    return (all_ * (most // len(all_) + 1))[:most]
