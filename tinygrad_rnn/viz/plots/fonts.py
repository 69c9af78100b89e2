"""Letters of other languages, which Matplotlib's own font does not have."""

from __future__ import annotations

from functools import cache

__all__ = ["found", "missing"]

#: Fonts that have the letters of a language, the usual ones of every system; the first is the one to install.
_FONTS = {
    "zh": (
        "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "PingFang SC",
        "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
        "Droid Sans Fallback", "Arial Unicode MS", "Noto Sans CJK JP", "Noto Serif CJK SC", "Noto Serif CJK JP",
        "SimSun",
    )
}  # fmt: skip


@cache
def found(language: str) -> str | None:
    """Return a font that has the letters of a language, of those that Matplotlib sees; None if there is none."""
    from matplotlib.font_manager import fontManager  # noqa: PLC0415  (optional, and slow to load)

    there = {font.name for font in fontManager.ttflist}
    return next((name for name in _FONTS.get(language, ()) if name in there), None)


def missing(language: str) -> str | None:
    """Return what to install for the letters of a language; None if they are there, or all fonts have them."""
    if language not in _FONTS or found(language):
        return None
    font = _FONTS[language][0]
    return (
        f"no font with the letters of {language!r} was found, so plots will have empty boxes: install {font} "
        "(Debian, Ubuntu: apt install fonts-noto-cjk), then delete Matplotlib's list of fonts in its cache folder"
    )
