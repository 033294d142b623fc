//! Passwords in settings and in addresses: precision and recall on texts made
//! from a seed, of which as many hold none as hold one. Those that hold none
//! are what is mistaken for one: placeholders, references, templates, calls,
//! types, paths, identifiers, sentences.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "tests; they tell their figures with --no-capture"
)]

use std::collections::BTreeMap;

use detect::{Catalogue, Engine, resolve, template::Filler};
use terms::{Direction, Kind};

/// Texts of each template.
const DRAWS: u64 = 12;
/// Hundredths: what must be right of what is found, and found of what is there.
const PRECISION_MIN: usize = 85;
const RECALL_MIN: usize = 85;

/// Passwords as people and generators make them.
const PASSWORDS: &[&str] = &[
    "{alnum:12}",
    "{alnum:20}",
    "{url:24}",
    "Summer{digits:4}!",
    "winter-{digits:3}-{lower:4}",
    "{lower:6}{digits:3}",
    "{lower:5}#{digits:4}",
    "P@{lower:5}{digits:2}",
    "{upper:4}_{lower:5}!{digits:2}",
    "Kx{digits:2}%{alnum:6}^{lower:3}",
    "{hex:16}",
    "{lower:4}.{digits:3}.{alnum:4}",
];

/// Forms in which a setting gives a password; `{}` stands for it.
const SETTINGS: &[&str] = &[
    "DB_PASSWORD={}\n",
    "export PGPASSWORD='{}'\n",
    "POSTGRES_PASSWORD: {}\n",
    "    password: \"{}\"\n",
    "{\"username\": \"app\", \"password\": \"{}\", \"port\": 5432}",
    "spring.datasource.password={}\n",
    "<property name=\"password\" value=\"{}\"/>",
    "<password>{}</password>",
    "password = \"{}\"\n",
    "admin_passwd => '{}',",
    "Server=db.acme.example;User Id=app;Password={};Encrypt=true",
    "const dbPassword = '{}';",
    "conn.setPassword(\"{}\");",
    "mysql_pwd: '{}'\n",
    "smtp:\n  host: mail.acme.example\n  pass: '{}'\n",
    "password: {}\n",
    "[client]\nuser=app\npassword={}\n",
    "$cfg['password'] = '{}';",
    "resource \"x\" \"y\" {\n  admin_password = \"{}\"\n}",
    "ENV ROOT_PASSWORD={}\n",
    "--set auth.password={} \\\n",
    "keystore.passphrase={}\n",
];

/// Addresses with a login; `{}` stands for the password.
const ADDRESSES: &[&str] = &[
    "postgres://app:{}@db.acme.example:5432/app",
    "DATABASE_URL=mysql://root:{}@10.0.0.5/app\n",
    "redis://:{}@cache.acme.example:6379/0",
    "mongodb+srv://svc:{}@c0.acme.example/?retryWrites=true",
    "amqp://app:{}@mq.acme.example:5672/vhost",
    "git clone https://bot:{}@git.acme.example/a/b.git",
    "proxy = \"http://user1:{}@proxy.acme.example:3128\"",
    "ftp://upload:{}@files.acme.example/in",
];

/// Passwords that may stand in an address as they are.
const ADDRESS_PASSWORDS: &[&str] = &[
    "{alnum:12}",
    "{url:24}",
    "Summer{digits:4}!",
    "{lower:6}{digits:3}",
    "{hex:16}",
    "P%40{lower:5}{digits:2}",
];

/// What stands in place of a password, in any of the forms.
const STAND_INS: &[&str] = &[
    "${DB_PASSWORD}",
    "$DB_PASSWORD",
    "{{ vault.password }}",
    "{{password}}",
    "%DB_PASSWORD%",
    "<password>",
    "<your-password>",
    "your_password_here",
    "changeme",
    "CHANGE_ME_{digits:2}",
    "********",
    "xxxxxxxx",
    "[REDACTED]",
    "password",
    "example-password",
    "PLACEHOLDER",
    "@db.password@",
    "#{db_password}",
    "%(db_password)s",
    "${env:DB_PASSWORD}",
    "${{ secrets.DB_PASSWORD }}",
    "insert-password",
    "null",
];

/// Code, prose and schemas that name a password and hold none.
const NONE: &[&str] = &[
    "password = os.environ[\"DB_PASSWORD\"]",
    "password = os.getenv('DB_PASSWORD{digits:1}')",
    "const password = process.env.DB_PASSWORD;",
    "password: process.env.PG_PASSWORD2,",
    "let password = config.get(\"db.password\")?;",
    "password = getpass.getpass('Password: ')",
    "self.password = password{digits:1}",
    "password: str = Field(min_length={digits:1})",
    "pub password: Option<String>,",
    "password: string;",
    "String password = request.getParameter(\"password\");",
    "password VARCHAR({digits:2}) NOT NULL,",
    "\"password\": {\"type\": \"string\", \"minLength\": {digits:1}},",
    "if (password === confirmPassword{digits:1}) {",
    "password=hash_password(raw, rounds={digits:2})",
    "password_reset_token_id: {hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}",
    "PASSWORD_FILE=/run/secrets/db_password{digits:1}",
    "POSTGRES_PASSWORD_FILE: /run/secrets/pg",
    "password_min_length = {digits:2}",
    "PasswordAuthentication no",
    "The password must have at least {digits:2} characters.",
    "Enter password: ",
    "password: required|min:{digits:1}|confirmed",
    "<input type=\"password\" name=\"password\" id=\"login-password-{digits:1}\">",
    "password: 'auth.labels.password{digits:1}'",
    "$password = $_POST['password'];",
    "password := os.Getenv(\"PW\")",
    "passwordEncoder = new BCryptPasswordEncoder({digits:2});",
    "valueFrom:\n  secretKeyRef:\n    name: db-password\n    key: password{digits:1}",
    "password = var.db_password",
    "password = data.aws_secretsmanager_secret_version.db{digits:1}.secret_string",
    "password = module.vault.db_password_{digits:1}",
    "password: !Ref DBPassword",
    "password: !vault |",
    "secret password: see the wiki, page {digits:4}",
    "@NotNull private String password;",
    "def reset_password(self, user_id: int) -> None:",
    "public class PasswordResetRequest{digits:1} {}",
    "password.length < {digits:2}",
    "assert_eq!(user.password, expected_password{digits:1});",
    "userPassword: new FormControl('', Validators.required),",
    "password  | string | yes | the password of the account",
    "\"passwordPolicy\": \"STRONG_{digits:2}\"",
    "https://acme.example/reset?password=true&step={digits:1}",
    "ALTER USER app WITH PASSWORD :new_password;",
    "password_field = driver.find_element(By.ID, \"password\")",
    "password:\n  description: The password\n  example: secret",
    "PASSWORD_HASHERS = ['django.contrib.auth.hashers.Argon2PasswordHasher']",
    "http://acme.example:{digits:4}/@scope/package",
    "https://acme.example/a:b/{alnum:8}@2x.png",
    "git@github.com:acme/app.git",
    "postgres://db.acme.example:5432/app?user=app@{digits:2}",
    "postgres://app@db.acme.example/app",
    "npm install https://registry.acme.example/@acme/core:{digits:1}.{digits:1}.0",
    "ssh://git@git.acme.example:2222/a/b.git",
    "postgres://user:pass@localhost/db",
    "http://user:password@example.com/",
    "https://username:password@proxy:8080",
    "mongodb://<user>:<password>@host/",
    "redis://:${REDIS_PASSWORD}@cache:6379",
    "postgres://{user}:{password}@{host}/db",
    "f\"postgres://{user}:{pw}@{host}\"",
    "amqp://guest:guest@localhost:5672",
    "jdbc:oracle:thin:@ora.acme.example:1521/ORCL{digits:1}",
    "mysql://root:%s@tcp(%s)/%s",
];

fn engine() -> Engine {
    let only = [Kind::new("password"), Kind::new("key"), Kind::new("config")];
    Engine::new(Catalogue::embedded().unwrap())
        .unwrap()
        .only_kinds(|kind| only.contains(kind))
        .unwrap()
}

/// Counts of one template.
#[derive(Debug, Default)]
struct Count {
    right: usize,
    wrong: usize,
    missed: usize,
}

#[derive(Debug, Default)]
struct Tally {
    all: BTreeMap<String, Count>,
}

impl Tally {
    /// Looks at a text that holds this secret, or none.
    fn look(&mut self, engine: &Engine, name: &str, text: &str, secret: Option<&str>) {
        let count = self.all.entry(name.to_owned()).or_default();
        let scan = engine.scan(text, Direction::Request);
        let mut found = false;
        for finding in resolve(scan.findings) {
            let held = &text[finding.span];
            if secret.is_some_and(|secret| held.contains(secret)) {
                found = true;
            } else {
                count.wrong += 1;
            }
        }
        match secret {
            Some(_) if found => count.right += 1,
            Some(_) => count.missed += 1,
            None => {}
        }
    }

    /// Hundredths of precision and recall, and what went wrong.
    fn rates(&self) -> (usize, usize, String) {
        let sum = |part: fn(&Count) -> usize| self.all.values().map(part).sum::<usize>();
        let (right, wrong, missed) = (sum(|c| c.right), sum(|c| c.wrong), sum(|c| c.missed));
        let bad = self.all.iter().filter(|(_, c)| c.wrong + c.missed > 0);
        let lines: Vec<String> = bad
            .map(|(name, c)| format!("{name:?}: {} wrong, {} missed", c.wrong, c.missed))
            .collect();
        let precision = right * 100 / (right + wrong).max(1);
        let recall = right * 100 / (right + missed).max(1);
        (
            precision,
            recall,
            format!(
                "{right} right, {wrong} wrong, {missed} missed: precision {precision} %, recall {recall} %\n{}",
                lines.join("\n")
            ),
        )
    }
}

/// Both halves for these forms and passwords.
fn tally(forms: &[&str], passwords: &[&str], none: &[&str]) -> Tally {
    let engine = engine();
    let mut filler = Filler::new(2026);
    let mut tally = Tally::default();
    for (at, form) in forms.iter().enumerate() {
        for draw in 0..usize::try_from(DRAWS).unwrap() {
            let secret = filler.fill(passwords[(at + draw) % passwords.len()]);
            let text = form.replacen("{}", &secret, 1);
            tally.look(&engine, form, &text, Some(&secret));
            let stand_in = STAND_INS[(at * 5 + draw) % STAND_INS.len()];
            let text = form.replacen("{}", &filler.fill(stand_in), 1);
            tally.look(&engine, stand_in, &text, None);
        }
    }
    for text in none {
        for _ in 0..DRAWS / 3 {
            tally.look(&engine, text, &filler.fill(text), None);
        }
    }
    tally
}

#[test]
fn passwords_in_settings_are_told_from_what_names_one() {
    let (precision, recall, says) = tally(SETTINGS, PASSWORDS, NONE).rates();
    println!("settings: {says}");
    assert!(precision >= PRECISION_MIN && recall >= RECALL_MIN, "{says}");
}

#[test]
fn passwords_in_addresses_are_told_from_what_stands_for_one() {
    let (precision, recall, says) = tally(ADDRESSES, ADDRESS_PASSWORDS, NONE).rates();
    println!("addresses: {says}");
    assert!(precision >= PRECISION_MIN && recall >= RECALL_MIN, "{says}");
}
