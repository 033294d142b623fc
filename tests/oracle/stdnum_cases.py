"""Writes numbers that python-stdnum judges, for a test of crates/detect.

    pip install python-stdnum==2.2
    python tests/oracle/stdnum_cases.py > /tmp/cases.jsonl
    ORACLE_CASES=/tmp/cases.jsonl cargo nextest run -p detect the_oracle_agrees --run-ignored all

Each line is {"type": ..., "number": ..., "valid": ...}. The numbers are drawn
at random; none is anybody's on purpose. python-stdnum is under the LGPL and is
only asked, never shipped.
"""

import importlib
import json
import random
import string
import sys

# The detector's name, the module that judges, and a form: # a digit, @ an
# upper-case letter, * either, [..] one of these.
NUMBERS = [
    ("us-itin", "us.itin", "9########"),
    ("us-routing", "us.rtn", "#########"),
    ("ca-sin", "ca.sin", "#########"),
    ("br-cpf", "br.cpf", "###########"),
    ("br-cnpj", "br.cnpj", "##############"),
    ("mx-curp", "mx.curp", "@@@@80[01]#[012]#[HM][DMJ][FCS]@@@[0A]#"),
    ("mx-rfc", "mx.rfc", "@@@@80[01]#[012]#***"),
    ("ar-cuit", "ar.cuit", "[23]##########"),
    ("cl-rut", "cl.rut", "[12]######[0123456789][0123456789K]"),
    ("gb-nhs", "gb.nhs", "##########"),
    ("gb-utr", "gb.utr", "##########"),
    ("de-tax-id", "de.idnr", "###########"),
    ("de-vat", "de.vat", "#########"),
    ("es-nif", "es.nif", "########@"),
    ("es-nif", "es.nie", "[XYZ]#######@"),
    ("fr-nir", "fr.nir", "[12]##0[123456789][123456789]#########"),
    ("it-fiscal", "it.codicefiscale", "@@@@@@##[ABCDEHLMPRST][01234567]#@###@"),
    ("it-vat", "it.iva", "#######00##"),
    ("nl-bsn", "nl.bsn", "#########"),
    ("be-national", "be.nn", "##0[123456789][01][123456789]#####"),
    ("ch-ahv", "ch.ssn", "756##########"),
    ("at-svnr", "at.vnr", "####[012][12345678]0[123456789]##"),
    ("pt-nif", "pt.nif", "[123]########"),
    ("ie-pps", "ie.pps", "#######@"),
    ("ie-pps", "ie.pps", "#######@[AB]"),
    ("gr-amka", "gr.amka", "[0123]#[01]########"),
    ("gr-afm", "gr.vat", "#########"),
    ("se-person", "se.personnummer", "##[01]#[0123]#-####"),
    ("se-org", "se.orgnr", "##[23456789]#######"),
    ("fi-hetu", "fi.hetu", "[0123]#[01]###-###*"),
    ("no-fnr", "no.fodselsnummer", "[0123]#[01]########"),
    ("baltic", "ee.ik", "[123456]##[01]#[0123]#####"),
    ("baltic", "lt.asmens", "[123456]##[01]#[0123]#####"),
    ("is-kennitala", "is_.kennitala", "[0123]#[01]######9"),
    ("pl-pesel", "pl.pesel", "##[0123]#[0123]######"),
    ("pl-nip", "pl.nip", "[123456789]#########"),
    ("pl-regon", "pl.regon", "#########"),
    ("pl-regon", "pl.regon", "##############"),
    ("ro-cnp", "ro.cnp", "[1256]##[01]#[0123]#[01234]#####"),
    ("cz-birth", "cz.rc", "[0123456789]#[056]#[0123]#####"),
    ("bg-egn", "bg.egn", "##[0124]#[0123]#####"),
    ("hr-oib", "hr.oib", "###########"),
    ("yu-jmbg", "si.emso", "[0123]#[01]#[09]########"),
    ("tr-tckn", "tr.tckimlik", "###########"),
    ("il-id", "il.idnr", "#########"),
    ("in-aadhaar", "in_.aadhaar", "############"),
    ("in-pan", "in_.pan", "@@@*@####@"),
    ("in-gstin", "in_.gstin", "2#@@@P@####@[1]Z*"),
    ("in-voter", "in_.epic", "@@@#######"),
    ("sg-uen", "sg.uen", "########@"),
    ("kr-brn", "kr.brn", "##########"),
    ("th-tnin", "th.pin", "#############"),
    ("cn-resident", "cn.ric", "110101199#[01]#[012]####*"),
    ("au-abn", "au.abn", "###########"),
    ("au-acn", "au.acn", "#########"),
    ("au-tfn", "au.tfn", "#########"),
    ("nz-ird", "nz.ird", "#########"),
    ("za-id", "za.idnr", "##[01]#[012]#####0##"),
    ("imei", "imei", "###############"),
    ("bic", "bic", "@@@@[DFG][ERB]**"),
]

# What python-stdnum checks only when it is asked to.
MORE = {"mx-rfc": {"validate_check_digits": True}}

# Verdicts on which the detectors differ on purpose.
DIFFERENT = {
    # The IRS gives groups 50 to 65 as well.
    ("us-itin", False),
    # Only ranges that the ABA gives out are taken.
    ("us-routing", True),
    # The library asks the clock whether a day is still to come.
    ("be-national", False),
    # The library knows the offices and not the sum.
    ("kr-brn", True),
}


def draw(rng, form):
    out = []
    at = 0
    while at < len(form):
        char = form[at]
        if char == "[":
            end = form.index("]", at)
            out.append(rng.choice(form[at + 1 : end]))
            at = end
        elif char == "#":
            out.append(rng.choice(string.digits))
        elif char == "@":
            out.append(rng.choice(string.ascii_uppercase))
        elif char == "*":
            out.append(rng.choice(string.ascii_uppercase + string.digits))
        else:
            out.append(char)
        at += 1
    return "".join(out)


def main():
    rng = random.Random(20261126)
    for name, module, form in NUMBERS:
        if form is None:
            continue
        try:
            judge = importlib.import_module("stdnum." + module)
        except ImportError:
            print(f"no stdnum.{module}", file=sys.stderr)
            continue
        valid = invalid = 0
        for _ in range(400_000):
            if valid >= 40 and invalid >= 40:
                break
            number = draw(rng, form)
            verdict = judge.is_valid(number, **MORE.get(name, {}))
            if (name, verdict) in DIFFERENT:
                continue
            if verdict and valid < 40:
                valid += 1
            elif not verdict and invalid < 40:
                invalid += 1
            else:
                continue
            print(json.dumps({"type": name, "number": number, "valid": verdict}))
        if valid == 0:
            print(f"{name}: none valid of {module}", file=sys.stderr)


if __name__ == "__main__":
    main()
