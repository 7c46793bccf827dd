"""Figures with their intervals as pictures: SVG text that stands within a page and needs no other file."""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {"candidate": "#0072b2", "untuned": "#8a8a8a", "champion": "#d55e00"}
"""Colours that also the colour-blind tell apart (Wong 2011, Nature Methods 8:441); markers differ too."""
_MARKERS = {"candidate": "o", "untuned": "s", "champion": "D"}
_COLUMNS = 4
# Text stays text; without a salt of its own the ids within the picture would differ from run to run.
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "llmops", "font.family": "sans-serif", "font.size": 8}


def draw_figures(models: Mapping[str, Mapping[str, Any]], names: Sequence[str], titles: Mapping[str, str]) -> str:
    """One small panel for each figure, with a point and its interval for each model."""
    rows = -(-len(names) // _COLUMNS)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 0.35 + rows * (0.55 + 0.22 * len(models))), layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
        for panel, name in zip(panels, [*names, *[None] * (rows * _COLUMNS - len(names))], strict=True):
            if name is None:
                panel.axis("off")
                continue
            for place, model in enumerate(models):
                _draw_point(panel, models[model].get(name), place, model, is_across=True)
            panel.set_title(titles.get(name, name), fontsize=8, loc="left")
            panel.set_yticks(range(len(models)), list(models))
            panel.set_ylim(len(models) - 0.5, -0.5)
            panel.locator_params(axis="x", nbins=4)
            _tidy(panel, "x")
        return _as_svg(figure)


def draw_slices(groups: Mapping[str, Mapping[str, Mapping[str, Any]]], name: str, title: str) -> str:
    """One figure by group: for each group a point and its interval for each model."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(max(3.0, 1.1 + 0.8 * len(groups)), 2.4), layout="constrained")
        panel = figure.subplots()
        models = list(next(iter(groups.values())))
        for place, found in enumerate(groups.values()):
            for number, model in enumerate(models):
                _draw_point(panel, found[model].get(name), place + 0.18 * (number - (len(models) - 1) / 2), model)
        for model in models:
            panel.plot([], [], _MARKERS.get(model, "o"), color=COLOURS.get(model, "black"), markersize=4, label=model)
        panel.legend(fontsize=7, frameon=False)
        panel.set_title(title, fontsize=8, loc="left")
        panel.set_xticks(range(len(groups)), list(groups))
        panel.set_xlim(-0.6, len(groups) - 0.4)
        _tidy(panel, "y")
        return _as_svg(figure)


def _draw_point(
    panel: Axes, found: Mapping[str, float] | None, place: float, model: str, *, is_across: bool = False
) -> None:
    if found is None:
        return
    value, spread = found["value"], [[found["value"] - found["low"]], [found["high"] - found["value"]]]
    looks: dict[str, Any] = {"fmt": _MARKERS.get(model, "o"), "color": COLOURS.get(model, "black"), "markersize": 4}
    # A percentile interval may lie beside the value, as BLEU's does with few answers: a bar has no negative length.
    spread = [[max(0.0, part[0])] for part in spread]
    if is_across:
        panel.errorbar([value], [place], xerr=spread, capsize=2, **looks)
    else:
        panel.errorbar([place], [value], yerr=spread, capsize=2, **looks)


def _tidy(panel: Axes, axis: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis=axis, color="#dddddd", linewidth=0.5)
    panel.set_axisbelow(True)


def _as_svg(figure: Figure) -> str:
    """The picture without the XML header, which may stand at the beginning of a file only."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
