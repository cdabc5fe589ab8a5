"""Cut fonts down to what the pages use: `python .ci/fonts.py MEDIA_FOLDER OUTPUT_FOLDER`; see .ci/fonts."""

import io
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter, load_font, save_font
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

# Latin with its accents, Greek, punctuation, arrows, and the signs of mathematics that the pages write.
LETTERS = [
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x391, 0x3CA),
    *range(0x2010, 0x2028),
    *range(0x2030, 0x203B),
    *range(0x2070, 0x209D),
    0x20AC,
    *range(0x2190, 0x219A),
    *(0x2202, 0x2206, 0x220F, 0x2211, 0x2212, 0x2215, 0x221A, 0x221E, 0x222B, 0x2248, 0x2260, 0x2264, 0x2265),
]


def options() -> Options:
    kept = Options()
    kept.flavor = "woff2"
    kept.layout_features = ["kern", "liga", "rlig", "ccmp", "mark", "mkmk", "tnum", "rclt", "calt"]
    kept.hinting = False
    kept.notdef_outline = True
    return kept


def letters(source: Path, name: str, output: Path, weights: tuple[float, float] | float) -> None:
    font = load_font(source, options())
    subsetter = Subsetter(options())
    subsetter.populate(unicodes=LETTERS)
    subsetter.subset(font)
    few = io.BytesIO()
    font.save(few)
    font = TTFont(io.BytesIO(few.getvalue()))
    axes = {axis.axisTag: axis.defaultValue for axis in font["fvar"].axes} | {"wght": weights}
    font = instantiateVariableFont(font, axes)
    # The fonts' license keeps their own names for unchanged fonts.
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 6, 16):
            record.string = name.replace(" ", "") if record.nameID == 6 else name
    save_font(font, output, options())


def icons(source: Path, names: list[str], output: Path) -> None:
    font = load_font(source, options(), lazy=False)
    reached = ligatures(font, names)
    kept = options()
    kept.layout_closure = False
    kept.layout_features = ["liga", "rlig"]
    subsetter = Subsetter(kept)
    subsetter.populate(glyphs=reached, unicodes=[ord(c) for c in "abcdefghijklmnopqrstuvwxyz0123456789_"])
    subsetter.subset(font)
    save_font(font, output, kept)


def ligatures(font, names: list[str]) -> list[str]:
    """The glyphs that stand for names written out; every name must have one."""
    cmap = font.getBestCmap()
    wanted = {tuple(cmap[ord(c)] for c in name): name for name in names}
    found = {}
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            table = getattr(table, "ExtSubTable", table)
            for first, sets in getattr(table, "ligatures", {}).items():
                for ligature in sets:
                    if (first, *ligature.Component) in wanted:
                        found[wanted[first, *ligature.Component]] = ligature.LigGlyph
    if missing := set(names) - set(found):
        raise SystemExit(f"The font has no icons of these names: {sorted(missing)}")
    return sorted(found.values())


def main(media: Path, output: Path) -> None:
    (sans,) = media.glob("SourceSansVF-Upright*.woff2")
    (serif,) = media.glob("SourceSerifVariable-Roman*.woff2")
    (symbols,) = media.glob("MaterialSymbols-Rounded*.woff2")
    letters(sans, "Paretoscope Sans", output / "sans.woff2", (400, 700))
    letters(serif, "Paretoscope Serif", output / "serif.woff2", 600)
    icons(symbols, (output / "icons.txt").read_text().split(), output / "icons.woff2")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
