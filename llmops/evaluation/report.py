"""The report of an evaluation for a reviewer: one HTML file with tables and plots, which loads nothing else."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from llmops.evaluation.plots import COLOURS, draw_figures, draw_slices
from llmops.evaluation.summary import SLICED

MEANINGS = {
    "perplexity": ("Perplexity", "lower", "of the reference answer's tokens, given the prompt"),
    "token_f1": ("Token F1", "higher", "words that answer and reference share (SQuAD), 0 to 1"),
    "exact_match": ("Exact match", "higher", "answers with the reference's very words, 0 to 1"),
    "rouge_1": ("ROUGE-1", "higher", "F-measure over words, 0 to 1"),
    "rouge_2": ("ROUGE-2", "higher", "F-measure over pairs of words, 0 to 1"),
    "rouge_l": ("ROUGE-L", "higher", "F-measure of the longest common subsequence of words, 0 to 1"),
    "bleu": ("BLEU", "higher", "of all answers together (sacrebleu), 0 to 100"),
    "chrf": ("chrF2", "higher", "n-grams of characters, mean over answers (sacrebleu), 0 to 100"),
    "choice_accuracy": ("Choice accuracy", "higher", "multiple choice: the right answer is the likeliest of several"),
    "choice_precision_at_2": (
        "Choice precision@2",
        "higher",
        "of the two likeliest choices, the share that is right; one of them is, so 0.5 at most",
    ),
    "kinds_accuracy": (
        "Kinds accuracy",
        "higher",
        "answers that hold exactly the reference's kinds of statement: yes, no, number, money, contact, question, "
        "list, refusal",
    ),
    "kinds_f1_micro": ("Kinds F1, micro", "higher", "F1 over all kinds of statement together"),
    "kinds_f1_macro": ("Kinds F1, macro", "higher", "mean F1 over kinds; 0 for a kind that is nowhere"),
    "kinds_f1_weighted": ("Kinds F1, weighted", "higher", "mean F1 over kinds, by how often they are expected"),
    "kinds_hamming_loss": ("Kinds Hamming loss", "lower", "share of kinds that the answer has wrong"),
    "reading_ease": ("Reading ease", "", "Flesch, for English, 0 to 100: 30 reads hard, 60 plain, 90 easy"),
    "words": ("Words", "", "words of an answer, cut at the longest one that is generated"),
    "length_error": ("Length error", "lower", "absolute log of words answered over words expected"),
    "refused": ("Refused", "lower", "answers that decline to help"),
    "guarded": ("Guarded", "lower", "answers that the output guard would change: markup, links, personal data"),
    "empty": ("Empty", "lower", "answers without words"),
}
"""Every figure's title, which way is better, and what it is."""
_SLICE_PLOTS = ("perplexity", "token_f1", "reading_ease")
_FEW = 10
"""Examples of a group below which its figures are marked: an interval from so few is a rough one."""


def render(figures: Mapping[str, Any], subjects: Mapping[str, str], as_of: date | None) -> str:
    """The page of evaluation.json's `figures`; `subjects` holds the digest of each model. Equal input, equal page."""
    models = figures["models"]
    order = [name for name in ("candidate", "champion", "untuned") if name in models]
    names = [name for name in MEANINGS if any(name in models[model] for model in order)]
    titles = {name: _title(name) for name in MEANINGS}
    ranked = {model: models[model] for model in order}
    plots = {
        way: [
            Markup(draw_slices(_ordered(groups, order), name, titles[name]))  # noqa: S704 - drawn from numbers
            for name in _SLICE_PLOTS
        ]
        for way, groups in figures["slices"].items()
    }
    page = Environment(
        loader=PackageLoader("llmops.evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("report.html.jinja")
    return page.render(
        figures=figures,
        models=order,
        names=names,
        meanings=MEANINGS,
        titles=titles,
        subjects=subjects,
        as_of=as_of,
        few=_FEW,
        sliced=[name for name in SLICED if name in names],
        overview=Markup(draw_figures(ranked, names, titles)),  # noqa: S704 - likewise
        plots=plots,
        colours=COLOURS,
        cell=_cell,
    )


def _title(name: str) -> str:
    title, better, _ = MEANINGS[name]
    return title + {"higher": " ↑", "lower": " ↓", "": ""}[better]


def _ordered(groups: Mapping[str, Mapping[str, Any]], order: list[str]) -> dict[str, dict[str, Any]]:
    """The groups, each named with its number of examples, with the models in order."""
    return {
        f"{group} ({found[order[0]]['perplexity']['n']})": {model: found[model] for model in order}
        for group, found in groups.items()
    }


def _cell(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "—"
    return f"{found['value']:.3g} [{found['low']:.3g}, {found['high']:.3g}]"
