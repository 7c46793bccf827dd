"""`llmops trace` and `llmops impact`: lineage backwards from an answer, and forwards from a row or a person."""

import json as json_module
from collections import Counter
from typing import Annotated, Any

from cyclopts import Parameter

from llmops.governance.lineage.consequences import find_impact
from llmops.governance.lineage.lake import short
from llmops.governance.lineage.origins import trace_answer
from llmops.settings import Settings

SettingsGiven = Annotated[Settings, Parameter(parse=False)]


def trace(answer_id: str, *, json: bool = False, settings: SettingsGiven) -> str:
    """Show what an answer rests on: model, adapter, template, snapshot, rows and source files.

    Parameters
    ----------
    answer_id
        The id that came with the answer, or `row_id` of a batch's row.
    json
        Everything as JSON, with the id of every row; a table otherwise.
    """
    found = trace_answer(answer_id, settings)
    return json_module.dumps(found, indent=2, ensure_ascii=False) if json else _trace_table(found, settings.lake)


def impact(row_or_subject: str, *, json: bool = False, settings: SettingsGiven) -> str:
    """Show what came of a row or of a person's rows: derived rows, snapshots, adapters, releases, answers.

    Parameters
    ----------
    row_or_subject
        A row's id, or at least six of its first digits; or a subject as a source names it, or its pseudonym.
    json
        Everything as JSON, with all ids; a table with counts otherwise.
    """
    found = find_impact(row_or_subject, settings)
    return json_module.dumps(found, indent=2, ensure_ascii=False) if json else _impact_table(found, settings.lake)


def _trace_table(found: dict[str, Any], lake: str) -> str:
    answer, release = found["answer"], found["release"]
    lines = [
        f"answer    {answer['id']}",
        f"          given {answer['at'] or 'at a time not recorded'}, found in {answer['found_in']}",
        f"model     {release['version']}, {'verified' if release['verified'] else 'DOES NOT VERIFY'}, "
        f"trained up to {release['as_of']}",
        f"base      {release['base']}",
        f"template  {release['template']}",
        *_chain(found, lake),
        "examples  " + ", ".join(f"{count} {part}" for part, count in sorted(found["parts"].items())),
        f"rows      {len(found['rows'])} raw rows behind those that shaped the model:",
    ]
    files = Counter((row["day"], row["source"], row["uri"]) for row in found["rows"])
    lines += [f"          {day}  {source:<12} {count:>5}  {uri}" for (day, source, uri), count in sorted(files.items())]
    return "\n".join(lines)


def _chain(found: dict[str, Any], lake: str) -> list[str]:
    """One line per artifact, those that are gone marked."""
    gone = {item["digest"] for item in found["lost"]}
    both = [*found["artifacts"], *found["lost"]]
    names = short([item["uri"] for item in both], lake)
    return [
        f"{item['stage']:<22} {item['digest'][:12]}  {name}"
        + ("  GONE, or replaced since" if item["digest"] in gone else "")
        for item, name in zip(both, names, strict=True)
    ]


def _impact_table(found: dict[str, Any], lake: str) -> str:
    lines = ["rows by artifact:"]
    for name, (uri, ids) in zip(short(list(found["rows"]), lake), found["rows"].items(), strict=True):
        aside = found["set_aside"].get(uri, {})
        shown = ", ".join(row_id[:12] for row_id in ids[:3]) + (", …" if len(ids) > 3 else "")
        lines.append(f"  {len(ids):>5}  {name:<40} {shown}" + (f"; {len(aside)} set aside" if aside else ""))
    for uri in found["set_aside"].keys() - found["rows"].keys():
        rules = ", ".join(sorted(set(found["set_aside"][uri].values())))
        lines.append(f"      0  {next(short([uri], lake)):<40} {len(found['set_aside'][uri])} set aside: {rules}")
    lines.append(f"snapshots  {', '.join(short(found['snapshots'], lake)) or 'none'}")
    lines += ["made from them, or judged by them:"] if found["models"] else ["no model was made from them"]
    lines += [f"  {item['stage']:<10} {item['digest'][:12]}  {item['uri']}" for item in found["models"]]
    lines += [
        f"release {version}: {len(found['answers'][version])} answers"
        + "".join(f"\n    {answer}" for answer in found["answers"][version][:5])
        for version in found["releases"]
    ]
    lines += [
        f"release {version}: its training set is gone, so nobody can tell" for version in found["unknown_releases"]
    ]
    own = sum(map(len, found["interactions"].values()))
    return "\n".join([*lines, f"stored exchanges of that person: {own}"])
