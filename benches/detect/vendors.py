"""Keys in the formats that vendors document, each in the surroundings of
prompts, from a seed.

The formats are written down here from the vendors' documents and from public
rule sets, apart from the catalogue, so that a slip in one does not repeat
itself in the other. A format is text with parts as `{an:36}`: so many random
characters of a class.
"""

import json
import random
import re
import string
import urllib.parse

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
CLASSES = {
    "an": LOWER + UPPER + DIGITS,
    "url": LOWER + UPPER + DIGITS + "-_",
    "b64": LOWER + UPPER + DIGITS + "+/",
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "low": LOWER + DIGITS,
    "az": LOWER,
    "AZ": UPPER,
    "let": LOWER + UPPER,
    "UP": UPPER + DIGITS,
    "b32": UPPER + "234567",
    "num": DIGITS,
}

# Name, the variable that holds it, format. With a prefix of its own.
PREFIXED = [
    # Models
    ("OpenAI", "OPENAI_API_KEY", "sk-proj-{url:74}T3BlbkFJ{url:74}"),
    ("OpenAI", "OPENAI_API_KEY", "sk-proj-{url:58}T3BlbkFJ{url:58}"),
    ("OpenAI", "OPENAI_API_KEY", "sk-svcacct-{url:74}T3BlbkFJ{url:74}"),
    ("OpenAI", "OPENAI_ADMIN_KEY", "sk-admin-{url:74}T3BlbkFJ{url:74}"),
    ("OpenAI", "OPENAI_API_KEY", "sk-{an:20}T3BlbkFJ{an:20}"),
    ("Anthropic", "ANTHROPIC_API_KEY", "sk-ant-api03-{url:93}AA"),
    ("Anthropic", "ANTHROPIC_ADMIN_KEY", "sk-ant-admin01-{url:93}AA"),
    ("Anthropic", "CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-{url:93}AA"),
    ("Gemini", "GEMINI_API_KEY", "AIzaSy{url:33}"),
    ("Gemini", "GEMINI_API_KEY", "AQ.Ab8RN6{url:44}"),
    ("Hugging Face", "HF_TOKEN", "hf_{let:34}"),
    ("Hugging Face", "HF_TOKEN", "api_org_{let:34}"),
    ("Groq", "GROQ_API_KEY", "gsk_{an:52}"),
    ("Together", "TOGETHER_API_KEY", "tgp_v1_{url:43}"),
    ("Replicate", "REPLICATE_API_TOKEN", "r8_{an:37}"),
    ("Perplexity", "PERPLEXITY_API_KEY", "pplx-{an:48}"),
    ("OpenRouter", "OPENROUTER_API_KEY", "sk-or-v1-{hex:64}"),
    ("xAI", "XAI_API_KEY", "xai-{an:80}"),
    ("NVIDIA", "NVIDIA_API_KEY", "nvapi-{url:64}"),
    ("Cerebras", "CEREBRAS_API_KEY", "csk-{low:48}"),
    ("LangSmith", "LANGSMITH_API_KEY", "lsv2_pt_{hex:32}_{hex:10}"),
    ("LangSmith", "LANGSMITH_API_KEY", "lsv2_sk_{hex:32}_{hex:10}"),
    ("Pinecone", "PINECONE_API_KEY", "pcsk_{an:6}_{an:63}"),
    ("Databricks", "DATABRICKS_TOKEN", "dapi{hex:32}"),
    ("Databricks", "DATABRICKS_TOKEN", "dapi{hex:32}-2"),
    ("RunPod", "RUNPOD_API_KEY", "rpa_{UP:40}{low:6}"),
    ("Weights and Biases", "WANDB_API_KEY", "wandb_v1_{an:77}"),
    ("Fireworks", "FIREWORKS_API_KEY", "fw_{an:22}"),
    ("Langfuse", "LANGFUSE_SECRET_KEY", "sk-lf-{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}"),
    ("Tavily", "TAVILY_API_KEY", "tvly-{an:32}"),
    ("Tavily", "TAVILY_API_KEY", "tvly-dev-{an:32}"),
    ("Firecrawl", "FIRECRAWL_API_KEY", "fc-{hex:32}"),
    ("Jina", "JINA_API_KEY", "jina_{hex:32}{url:28}"),
    ("Voyage", "VOYAGE_API_KEY", "pa-{url:43}"),
    ("LlamaCloud", "LLAMA_CLOUD_API_KEY", "llx-{an:48}"),
    ("E2B", "E2B_API_KEY", "e2b_{hex:40}"),
    ("Cursor", "CURSOR_API_KEY", "key_{hex:64}"),
    ("Bedrock", "AWS_BEARER_TOKEN_BEDROCK", "ABSK{b64:128}"),
    ("ElevenLabs", "ELEVENLABS_API_KEY", "sk_{hex:48}"),
    # Clouds
    ("AWS", "AWS_ACCESS_KEY_ID", "AKIA{b32:16}"),
    ("AWS", "AWS_ACCESS_KEY_ID", "ASIA{b32:16}"),
    ("Azure", "AZURE_CLIENT_SECRET", "{an:3}8Q~{url:34}"),
    ("Google", "GOOGLE_CLIENT_SECRET", "GOCSPX-{url:28}"),
    ("Google", "GOOGLE_ACCESS_TOKEN", "ya29.a0{url:170}"),
    ("DigitalOcean", "DIGITALOCEAN_TOKEN", "dop_v1_{hex:64}"),
    ("DigitalOcean", "DIGITALOCEAN_TOKEN", "doo_v1_{hex:64}"),
    ("Alibaba", "ALIBABA_ACCESS_KEY_ID", "LTAI5t{an:18}"),
    ("Tencent", "TENCENT_SECRET_ID", "AKID{an:32}"),
    ("Fly", "FLY_API_TOKEN", "fo1_{url:43}"),
    ("Netlify", "NETLIFY_AUTH_TOKEN", "nfp_{an:36}"),
    ("Supabase", "SUPABASE_ACCESS_TOKEN", "sbp_{hex:40}"),
    ("Supabase", "SUPABASE_SECRET_KEY", "sb_secret_{url:22}_{url:8}"),
    ("Render", "RENDER_API_KEY", "rnd_{an:28}"),
    ("Heroku", "HEROKU_API_KEY", "HRKU-AA{url:58}"),
    ("Vercel Blob", "BLOB_READ_WRITE_TOKEN", "vercel_blob_rw_{an:16}_{an:30}"),
    ("Pulumi", "PULUMI_ACCESS_TOKEN", "pul-{hex:40}"),
    ("Terraform", "TF_TOKEN", "{an:14}.atlasv1.{url:67}"),
    ("Vault", "VAULT_TOKEN", "hvs.{url:95}"),
    ("Doppler", "DOPPLER_TOKEN", "dp.pt.{an:43}"),
    ("Doppler", "DOPPLER_TOKEN", "dp.st.prd.{an:43}"),
    ("Infisical", "INFISICAL_TOKEN", "st.{hex:24}.{hex:32}.{hex:32}"),
    ("Tailscale", "TS_AUTHKEY", "tskey-auth-{an:11}CNTRL-{an:32}"),
    ("1Password", "OP_SERVICE_ACCOUNT_TOKEN", "ops_eyJ{b64:300}"),
    # Code hosts, CI
    ("GitHub", "GITHUB_TOKEN", "ghp_{an:36}"),
    ("GitHub", "GITHUB_TOKEN", "gho_{an:36}"),
    ("GitHub", "GITHUB_TOKEN", "ghs_{an:36}"),
    ("GitHub", "GITHUB_TOKEN", "ghr_{an:76}"),
    ("GitHub", "GITHUB_TOKEN", "github_pat_{an:22}_{an:59}"),
    ("GitLab", "GITLAB_TOKEN", "glpat-{url:20}"),
    ("GitLab", "GITLAB_TOKEN", "glpat-{url:27}.01.{low:9}"),
    ("GitLab", "CI_DEPLOY_TOKEN", "gldt-{url:20}"),
    ("GitLab", "RUNNER_TOKEN", "glrt-{url:20}"),
    ("GitLab", "TRIGGER_TOKEN", "glptt-{hex:40}"),
    ("Bitbucket", "BITBUCKET_PASSWORD", "ATBB{an:32}"),
    ("Atlassian", "ATLASSIAN_TOKEN", "ATATT3xFfGF0{url:172}={HEX:8}"),
    ("CircleCI", "CIRCLE_TOKEN", "CCIPAT_{an:22}_{hex:40}"),
    ("Buildkite", "BUILDKITE_TOKEN", "bkua_{hex:40}"),
    ("Sonar", "SONAR_TOKEN", "sqp_{hex:40}"),
    ("Sourcegraph", "SRC_ACCESS_TOKEN", "sgp_{hex:16}_{hex:40}"),
    ("Snyk", "SNYK_TOKEN", "snyk_uat.{hex:8}.{url:70}.{url:8}"),
    ("Sentry", "SENTRY_AUTH_TOKEN", "sntryu_{hex:64}"),
    ("Linear", "LINEAR_API_KEY", "lin_api_{an:40}"),
    ("Postman", "POSTMAN_API_KEY", "PMAK-{hex:24}-{hex:34}"),
    ("Figma", "FIGMA_TOKEN", "figd_{url:40}"),
    ("Notion", "NOTION_TOKEN", "ntn_{num:11}{an:35}"),
    ("Notion", "NOTION_TOKEN", "secret_{an:43}"),
    ("Asana", "ASANA_TOKEN", "2/{num:16}/{num:16}:{hex:32}"),
    ("Airtable", "AIRTABLE_TOKEN", "pat{an:14}.{hex:64}"),
    ("Clickup", "CLICKUP_TOKEN", "pk_{num:8}_{UP:32}"),
    # Payment
    ("Stripe", "STRIPE_SECRET_KEY", "sk_live_{an:24}"),
    ("Stripe", "STRIPE_SECRET_KEY", "sk_live_{an:99}"),
    ("Stripe", "STRIPE_SECRET_KEY", "rk_live_{an:99}"),
    ("Stripe", "STRIPE_SECRET_KEY", "sk_test_{an:24}"),
    ("Stripe", "STRIPE_WEBHOOK_SECRET", "whsec_{an:32}"),
    ("Square", "SQUARE_ACCESS_TOKEN", "EAAA{url:60}"),
    ("Square", "SQUARE_SECRET", "sq0csp-{url:43}"),
    ("PayPal", "PAYPAL_BRAINTREE", "access_token$production${low:16}${hex:32}"),
    ("Razorpay", "RAZORPAY_KEY_ID", "rzp_live_{an:14}"),
    ("Adyen", "ADYEN_API_KEY", "AQE{az:1}hmfx{b64:80}==-{b64:43}=-{url:16}"),
    ("Flutterwave", "FLW_SECRET_KEY", "FLWSECK-{hex:32}-X"),
    ("Mollie", "MOLLIE_API_KEY", "live_{an:30}"),
    ("Plaid", "PLAID_ACCESS_TOKEN", "access-production-{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}"),
    ("Shopify", "SHOPIFY_TOKEN", "shpat_{hex:32}"),
    ("Shopify", "SHOPIFY_SECRET", "shpss_{hex:32}"),
    ("Easypost", "EASYPOST_API_KEY", "EZAK{an:54}"),
    # Chat, mail
    ("Slack", "SLACK_BOT_TOKEN", "xoxb-{num:12}-{num:13}-{an:24}"),
    ("Slack", "SLACK_USER_TOKEN", "xoxp-{num:12}-{num:12}-{num:13}-{hex:32}"),
    ("Slack", "SLACK_APP_TOKEN", "xapp-1-A{UP:10}-{num:13}-{hex:64}"),
    ("Slack", "SLACK_WEBHOOK", "https://hooks.slack.com/services/T{UP:8}/B{UP:10}/{an:24}"),
    ("Discord", "DISCORD_TOKEN", "M{an:25}.{an:6}.{url:38}"),
    ("Discord", "DISCORD_WEBHOOK", "https://discord.com/api/webhooks/{num:18}/{url:68}"),
    ("Telegram", "TELEGRAM_BOT_TOKEN", "{num:10}:AA{url:33}"),
    ("Twilio", "TWILIO_API_KEY", "SK{hex:32}"),
    ("SendGrid", "SENDGRID_API_KEY", "SG.{url:22}.{url:43}"),
    ("Mailgun", "MAILGUN_API_KEY", "key-{hex:32}"),
    ("Mailchimp", "MAILCHIMP_API_KEY", "{hex:32}-us12"),
    ("Brevo", "BREVO_API_KEY", "xkeysib-{hex:64}-{an:16}"),
    ("Resend", "RESEND_API_KEY", "re_{an:8}_{an:24}"),
    ("Postmark", "MAILERSEND_TOKEN", "mlsn.{hex:64}"),
    ("Facebook", "FB_TOKEN", "EAACEdEose0cBA{an:120}"),
    ("HubSpot", "HUBSPOT_TOKEN", "pat-na1-{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}"),
    # Databases, watching
    ("PlanetScale", "PLANETSCALE_TOKEN", "pscale_tkn_{url:43}"),
    ("PlanetScale", "DATABASE_PASSWORD", "pscale_pw_{url:43}"),
    ("Neon", "NEON_API_KEY", "napi_{low:64}"),
    ("Datadog", "DD_CLIENT_TOKEN", "pub{hex:32}"),
    ("New Relic", "NEW_RELIC_API_KEY", "NRAK-{UP:27}"),
    ("New Relic", "NEW_RELIC_LICENSE_KEY", "{hex:36}NRAL"),
    ("Grafana", "GRAFANA_TOKEN", "glsa_{an:32}_{hex:8}"),
    ("Grafana", "GRAFANA_CLOUD_TOKEN", "glc_eyJ{b64:90}=="),
    ("Dynatrace", "DT_TOKEN", "dt0c01.{UP:24}.{UP:64}"),
    ("PostHog", "POSTHOG_KEY", "phx_{an:43}"),
    ("Elastic", "ELASTIC_KEY", "essu_{b64:60}"),
    ("Honeycomb", "HONEYCOMB_API_KEY", "hcaik_{low:58}"),
    ("LaunchDarkly", "LD_SDK_KEY", "sdk-{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}"),
    ("MongoDB Atlas", "ATLAS_SECRET", "mdb_sa_sk_{url:40}"),
    # Registries
    ("npm", "NPM_TOKEN", "npm_{an:36}"),
    ("PyPI", "TWINE_PASSWORD", "pypi-AgEIcHlwaS5vcmc{url:150}"),
    ("crates.io", "CARGO_REGISTRY_TOKEN", "cio{an:32}"),
    ("RubyGems", "GEM_HOST_API_KEY", "rubygems_{hex:48}"),
    ("NuGet", "NUGET_API_KEY", "oy2{low:43}"),
    ("Docker Hub", "DOCKER_TOKEN", "dckr_pat_{url:27}"),
    ("Artifactory", "JFROG_TOKEN", "AKCp{an:69}"),
    ("Clojars", "CLOJARS_TOKEN", "CLOJARS_{low:60}"),
]

# Nothing but letters and digits: the name of the vendor must be near.
NAMED = [
    ("Mistral", "MISTRAL_API_KEY", "{an:32}"),
    ("Cohere", "COHERE_API_KEY", "{an:40}"),
    ("DeepSeek", "DEEPSEEK_API_KEY", "sk-{hex:32}"),
    ("Stability", "STABILITY_API_KEY", "sk-{an:48}"),
    ("Azure OpenAI", "AZURE_OPENAI_API_KEY", "{hex:32}"),
    ("Azure OpenAI", "AZURE_OPENAI_API_KEY", "{an:84}"),
    ("Deepgram", "DEEPGRAM_API_KEY", "{hex:40}"),
    ("AssemblyAI", "ASSEMBLYAI_API_KEY", "{hex:32}"),
    ("wandb", "WANDB_API_KEY", "{hex:40}"),
    ("Ollama", "OLLAMA_API_KEY", "{hex:32}.{url:24}"),
    ("Together", "TOGETHER_API_KEY", "{hex:64}"),
    ("DashScope", "DASHSCOPE_API_KEY", "sk-{hex:32}"),
    ("Moonshot", "MOONSHOT_API_KEY", "sk-{an:48}"),
    ("Zhipu", "ZHIPU_API_KEY", "{hex:32}.{an:16}"),
    ("AI21", "AI21_API_KEY", "{an:32}"),
    ("AWS secret", "AWS_SECRET_ACCESS_KEY", "{b64:40}"),
    ("Azure storage", "AZURE_STORAGE_KEY", "{b64:86}=="),
    ("Cloudflare", "CLOUDFLARE_API_TOKEN", "{url:40}"),
    ("Datadog", "DD_API_KEY", "{hex:32}"),
    ("Algolia", "ALGOLIA_ADMIN_KEY", "{hex:32}"),
    ("Twilio", "TWILIO_AUTH_TOKEN", "{hex:32}"),
    ("PagerDuty", "PAGERDUTY_API_KEY", "u+{an:18}"),
    ("Fastly", "FASTLY_API_KEY", "{url:32}"),
    ("Vercel", "VERCEL_TOKEN", "{an:24}"),
    ("Heroku", "HEROKU_API_KEY", "{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}"),
]


def _sentence(text):
    def put(key, name, variable):
        words = {"NAME": name, "VAR": variable, "KEY": key}
        return re.sub("NAME|VAR|KEY", lambda word: words[word[0]], text)

    return put


def _json_in_json(key, name, variable):
    return json.dumps({"role": "user", "content": json.dumps({"config": {variable.lower(): key}, "model": "large"})})


def _log(key, name, variable):
    return f"2026-11-03T08:14:07.113Z WARN  {name.lower().replace(' ', '-')}-client retry=2 {variable}={key} status=401"


def _form(key, name, variable):
    return f"grant=1&{variable.lower()}={urllib.parse.quote(key, safe='')}&x=2"


def _shell_lines(key, name, variable):
    half = len(key) // 2
    return f"run this for {name}:\n{variable}={key[:half]}\\\n{key[half:]} ./deploy"


def _soft_lines(key, name, variable):
    half = len(key) // 2
    return f"{name} says: set {variable}={key[:half]}=\n{key[half:]} and that it was mailed to us that way"


SURROUNDINGS = {
    "sentence": _sentence("Why does NAME answer 401 when I use the key KEY in my script?"),
    "full stop": _sentence("My NAME api key is KEY."),
    "comma": _sentence("I set the NAME token KEY, then restarted the pod, and nothing happened."),
    "semicolon": _sentence("NAME token: KEY; user: bot; region: eu"),
    "parentheses": _sentence("the NAME key (KEY) was in the ticket"),
    "brackets": _sentence("NAME secret [KEY] leaked"),
    "question": _sentence("Is NAME token KEY?"),
    "exclamation": _sentence("Use this NAME API key: KEY!"),
    "backticks": _sentence("Rotate the NAME key `KEY` please."),
    "fence": _sentence("```sh\nexport VAR=KEY\n```"),
    "bold": _sentence("Your NAME token: **KEY**"),
    "italics": _sentence("the NAME token is _KEY_ or so"),
    "list": _sentence("- NAME key: KEY\n- region: eu"),
    "quote": _sentence("> my NAME secret is KEY\n\nyou should not post that"),
    "table": _sentence("| service | key |\n|---|---|\n| NAME token | KEY |"),
    "dotenv": _sentence("# NAME\nVAR=KEY\nDEBUG=1"),
    "dotenv quoted": _sentence("VAR=\"KEY\"\n"),
    "yaml": _sentence("env:\n  - name: VAR\n    value: KEY\n"),
    "yaml quoted": _sentence("NAME:\n  VAR: 'KEY'\n"),
    "toml": _sentence("[NAME]\nVAR = \"KEY\"\n"),
    "properties": _sentence("app.VAR: KEY\n"),
    "python": _sentence("import os\nos.environ[\"VAR\"] = \"KEY\"  # NAME\n"),
    "python argument": _sentence("client = NAMEClient(api_key='KEY')"),
    "python bytes": _sentence("VAR = b\"KEY\""),
    "python f": _sentence("headers = {\"Authorization\": f\"Bearer KEY\"}  # NAME token"),
    "javascript": _sentence("const VAR = 'KEY';"),
    "javascript template": _sentence("const VAR = `KEY`;"),
    "go": _sentence("\tVAR := \"KEY\"\n\tclient.SetToken(VAR)"),
    "rust": _sentence("const VAR: &str = \"KEY\";"),
    "java": _sentence("private static final String VAR = \"KEY\";"),
    "csharp": _sentence("var VAR = new ApiKeyCredential(\"KEY\"); // NAME"),
    "php": _sentence("define('VAR', 'KEY');"),
    "ruby": _sentence("ENV['VAR'] ||= 'KEY'"),
    "shell": _sentence("VAR='KEY' ./run.sh --fast"),
    "powershell": _sentence("$env:VAR = \"KEY\""),
    "docker": _sentence("docker run -e VAR=KEY -p 80:80 acme/app"),
    "curl": _sentence("curl https://api.acme.example/v1/NAME -H \"Authorization: Bearer KEY\" -d '{}'"),
    "curl header": _sentence("curl -H 'x-api-key: KEY' https://api.acme.example/ # NAME token"),
    "url": _sentence("https://api.acme.example/v1/NAME?VAR=KEY&limit=3"),
    "json": _sentence("{\"VAR\":\"KEY\",\"n\":1}"),
    "json in json": _json_in_json,
    "escaped quotes": _sentence("\"{\\\"VAR\\\": \\\"KEY\\\", \\\"n\\\": 1}\""),
    "xml": _sentence("<VAR>KEY</VAR>"),
    "html": _sentence("<p>NAME token:<code>KEY</code></p>"),
    "csv": _sentence("service,token,owner\nNAME,KEY,ops\n"),
    "log": _log,
    "form": _form,
    "chinese": _sentence("我的NAME密钥是KEY，为什么报错？"),
    "japanese": _sentence("NAMEのAPIキーは「KEY」です。"),
    "korean": _sentence("NAME 토큰은 KEY입니다."),
    "german": _sentence("Der NAME-Schlüssel lautet „KEY“ und geht nicht."),
    "russian": _sentence("Мой ключ NAME — KEY, но он не работает."),
    "arrow": _sentence("NAME token -> KEY"),
    "diff": _sentence("-VAR=old\n+VAR=KEY\n"),
    "chat": _sentence("bob: what's the NAME token\namy: KEY\nbob: thx"),
    "soft line": _soft_lines,
    "shell line": _shell_lines,
    "curly": _sentence("the NAME token “KEY” fails"),
    "ellipsis": _sentence("NAME token KEY… hmm"),
    "slash": _sentence("NAME key: KEY / region eu"),
    "end": _sentence("token for NAME: KEY"),
    "angle brackets": _sentence("my NAME token is <KEY>"),
    "guillemets": _sentence("Le jeton NAME est «KEY», non ?"),
    "single curly": _sentence("the NAME token ‘KEY’ fails"),
    "wide brackets": _sentence("NAME密钥（KEY）已泄露。"),
    "no blanks": _sentence("请检查NAME密钥KEY是否有效"),
    "particle": _sentence("NAMEのトークンKEYを使っています"),
    "emoji": _sentence("NAME token 🔑KEY🔑"),
    "possessive": _sentence("Is the NAME token KEY's owner known?"),
    "colon behind": _sentence("With the NAME key KEY: nothing works."),
    "dash behind": _sentence("My NAME key KEY – the new one – fails."),
    "hash": _sentence("# VAR: KEY"),
    "comment": _sentence("// NAME token: KEY\nlet x = 1;"),
    "block comment": _sentence("/* NAME key KEY */"),
    "tab": _sentence("VAR\tKEY\tops"),
    "ini": _sentence("[auth]\nVAR = KEY ; rotate\n"),
    "helm": _sentence("helm upgrade acme ./chart --set auth.VAR=KEY --wait"),
    "terraform": _sentence("variable \"VAR\" {\n  default = \"KEY\"\n}"),
    "sql": _sentence("INSERT INTO settings (name, value) VALUES ('VAR', 'KEY');"),
    "attribute": _sentence("<add key=\"VAR\" value=\"KEY\" />"),
    "markdown link": _sentence("[NAME](https://api.acme.example/?VAR=KEY) is down"),
    "latex": _sentence("the NAME token \\texttt{KEY} is"),
    "notebook": _sentence("{\"source\": [\"VAR = 'KEY'\\n\", \"run()\"]}"),
    "kotlin": _sentence("val VAR: String = \"KEY\""),
    "swift": _sentence("let VAR = \"KEY\""),
    "elixir": _sentence("config :acme, VAR: \"KEY\""),
    "header block": _sentence("POST /v1 HTTP/1.1\r\nHost: NAME.example\r\nAuthorization: Bearer KEY\r\n\r\n"),
    "python dict": _sentence("params = {'VAR': 'KEY', 'n': 3}"),
    "trace": _sentence("AuthError: invalid NAME token 'KEY' (request 7f)"),
    "yaml block": _sentence("VAR: |\n  KEY\n"),
    "actions": _sentence("      - run: ./deploy\n        env:\n          VAR: KEY\n"),
    "windows": _sentence("set VAR=KEY\r\nrun.exe"),
    "setx": _sentence("setx VAR \"KEY\""),
    "option": _sentence("acme login --token KEY --host NAME.example"),
    "unicode escapes": lambda key, name, variable: json.dumps({variable: f"{key}é"}),
}


# What breaks a line within a value.
BROKEN = {"soft line": "=\n", "shell line": "\\\n"}


def fill(form, rng):
    """A format with random characters; not so few kinds that it is dull."""
    def part(match):
        name, count = match[1], int(match[2])
        return "".join(rng.choice(CLASSES[name]) for _ in range(count))

    return re.sub(r"\{(\w+):(\d+)\}", part, form)


def made(seed, draws):
    """Records: text, value, name of the format, of the surroundings, whether
    it has a prefix."""
    rng = random.Random(seed)
    for forms, prefixed in ((PREFIXED, True), (NAMED, False)):
        for vendor, variable, form in forms:
            for place, put in SURROUNDINGS.items():
                for _ in range(draws):
                    key = fill(form, rng)
                    # The scheme of an address is no secret.
                    plain = key.removeprefix("https://")
                    text = put(key, vendor, variable)
                    if place == "form":
                        plain = urllib.parse.quote(plain, safe="")
                    elif place in BROKEN:
                        half = len(key) // 2 - (len(key) - len(plain))
                        plain = BROKEN[place].join((plain[:half], plain[half:]))
                    yield {
                        "text": text,
                        "value": plain,
                        "form": f"{vendor} {form}",
                        "place": place,
                        "prefixed": prefixed,
                    }
